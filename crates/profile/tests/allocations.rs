//! An event that is known allocates nothing, however it is looked up.

use std::net::IpAddr;

use hanabi_event::{Category, SECOND};
use hanabi_profile::{
    Found, Hit, Limits, Profile, ProgramKey,
    access::Access,
    behaviour::{Flow, Steps},
    peer::End,
};

const KEY: ProgramKey<'_> =
    ProgramKey { name: "nginx", executable: "/usr/sbin/nginx", user: "0", lexical: true };

fn hit(second: u64) -> Hit<'static> {
    Hit {
        category: Category::File,
        call: "openat",
        access: Access::READ,
        time: second * SECOND,
        count: 1,
    }
}

#[test]
fn a_known_match_allocates_nothing() {
    let limits = Limits::default();
    let mut profile = Profile::new("web", 0, 0);
    let mut steps = Steps::default();
    let (program, _) = profile.learn_program(&KEY, 0, &limits);
    let address: IpAddr = "10.0.0.5".parse().unwrap();
    let paths = ["/etc/nginx/nginx.conf", "/proc/4711/stat", "/srv/app-1.2.3/x_2026-11-22.log"];
    for path in paths {
        steps.file(path);
        let (leaf, _) = profile.learn(program, &steps, &limits, SECOND);
        let operation = profile.count(program, Some(leaf), hit(1));
        profile.remember(profile.raw_key(path), leaf, operation);
    }
    for n in 0..40 {
        let name = char::from(b'a' + n % 26);
        steps.file(&format!("/srv/logs/{name}{name}{}.log", char::from(b'a' + n / 26)));
        let (leaf, _) = profile.learn(program, &steps, &limits, SECOND);
        profile.count(program, Some(leaf), hit(1));
    }
    let end = End { address, port: 5432 };
    steps.peer(Flow::Out, end, address);
    profile.learn(program, &steps, &limits, SECOND);
    profile.detect_now(&limits);

    let mut steps = Steps::default();
    steps.file("/a/longer/path/than/any/of/those/below/so/that/the/buffers/are/large/enough");
    let allocated = allocation_counter::measure(|| {
        for second in 2..50 {
            let program = profile.program(&KEY).expect("the program is known");
            for path in paths.into_iter().chain(["/srv/logs/unseen.log", "/srv/logs/aaa.log"]) {
                steps.file(path);
                let Found::Known(leaf) = profile.find(program, &steps) else {
                    panic!("{path} is not known");
                };
                profile.count(program, Some(leaf), hit(second));
                if let Some((leaf, operation)) = profile.recall(profile.raw_key(path)) {
                    profile.count_at(program, Some(leaf), operation, hit(second));
                }
            }
        }
    });
    assert_eq!(allocated.count_total, 0, "{allocated:?}");
}
