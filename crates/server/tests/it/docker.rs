//! Following a container of a real Docker engine: every line once, whatever restarts.

use serde_json::Value;

use crate::{
    engine::Engine,
    restart::{compare, count, parts},
    service::{Service, lines},
};

fn start(engine: &Engine) -> Service {
    let host = format!("sources.docker_host={}", engine.host());
    let more = ["--source", "docker:falco", "--set", &host];
    Service::start(
        &engine.path().join("hanabi"),
        &[&more[..], &["--set", "store.checkpoint_every=100ms"]].concat(),
    )
}

fn state(service: &Service) -> (String, String) {
    let sources = service.get("/api/sources");
    let all = sources["sources"].as_array().unwrap();
    let source = all.iter().find(|source| source["id"] == "docker:falco").unwrap();
    let field = |name: &str| source[name].as_str().unwrap().to_owned();
    (field("state"), field("detail"))
}

fn wait_state(service: &mut Service, wanted: &str, detail: &str) {
    service.wait(&format!("{wanted} {detail}"), |service| {
        let (state, why) = state(service);
        (state == wanted && why.contains(detail)).then_some(())
    });
}

/// Prints and waits until all of it has arrived.
fn print(engine: &mut Engine, service: &mut Service, text: &[u8], received: &mut u64) {
    engine.print(text);
    *received += count(text);
    service.wait_received(*received);
}

#[test]
fn every_line_arrives_once_whatever_restarts() {
    let Some(mut engine) = Engine::start() else { return };
    let text = lines("shop-small.jsonl.zst");
    let parts = parts(&text, 7);
    let (mut service, mut received) = (start(&engine), 0);
    wait_state(&mut service, "waiting", "there is no container \"falco\" yet");
    engine.printer("falco", &[]);
    wait_state(&mut service, "running", "");
    print(&mut engine, &mut service, parts[0], &mut received);

    // The container stops and starts.
    engine.run(&["stop", "falco"]);
    wait_state(&mut service, "waiting", "does not run");
    engine.run(&["start", "falco"]);
    print(&mut engine, &mut service, parts[1], &mut received);

    // The service is killed, and the container goes on.
    service.kill();
    engine.print(parts[2]);
    received += count(parts[2]);
    let mut service = start(&engine);
    service.wait_received(received);

    // The daemon ends while the service runs.
    engine.stop();
    wait_state(&mut service, "waiting", "Docker at unix://");
    engine.resume();
    engine.run(&["start", "falco"]);
    print(&mut engine, &mut service, parts[3], &mut received);

    // The container is made again under its name, while nobody looks.
    let (ended, talk) = service.stop();
    assert!(ended.success(), "{talk}");
    engine.print(parts[4]);
    engine.run(&["stop", "falco"]);
    engine.run(&["rename", "falco", "falco-old"]);
    engine.printer("falco", &[]);
    engine.print(parts[5]);
    received += count(parts[4]) + count(parts[5]);
    let mut service = start(&engine);
    service.wait_received(received);

    // And while it is read.
    engine.run(&["rm", "--force", "falco"]);
    wait_state(&mut service, "waiting", "there is no container");
    engine.printer("falco", &[]);
    print(&mut engine, &mut service, parts[6], &mut received);

    let totals = service.totals();
    assert_eq!(totals.rejected, serde_json::json!({}), "{totals:?}");
    compare(&mut service, &totals);
    assert!(service.metric("hanabi_ingest_docker_positions_lost_total") < 1.0);
    assert!(service.metric("hanabi_ingest_docker_reconnects_total") >= 1.0);
    assert!(service.metric("hanabi_ingest_docker_lag_seconds") < 60.0);
}

#[test]
fn a_log_that_rotates_is_read_whole_and_what_was_rotated_away_is_counted() {
    let Some(mut engine) = Engine::start() else { return };
    let text = lines("shop-small.jsonl.zst");
    let end = memchr::memchr_iter(b'\n', &text).nth(9_999).unwrap() + 1;
    let text = text[..end].to_vec();
    let (mut service, mut received) = (start(&engine), 0);
    // Several files a piece, and room for all of it.
    let room = ["--log-opt", "max-size=1m", "--log-opt", "max-file=50", "--log-driver"];
    for driver in ["json-file", "local"] {
        engine.printer("falco", &[&room[..], &[driver]].concat());
        for _ in 0..2 {
            print(&mut engine, &mut service, &text, &mut received);
        }
        // Fewer lines than are asked for from the end, and lines that come while nobody reads.
        let end = memchr::memchr_iter(b'\n', &text).nth(20).unwrap() + 1;
        print(&mut engine, &mut service, &text[..end], &mut received);
        service.kill();
        engine.print(&text);
        received += count(&text);
        service = start(&engine);
        service.wait_received(received);
        engine.run(&["stop", "falco"]);
        wait_state(&mut service, "waiting", "does not run");
        engine.run(&["rm", "falco"]);
        wait_state(&mut service, "waiting", "there is no container");
    }
    assert!(service.metric("hanabi_ingest_docker_positions_lost_total") < 1.0);

    engine.printer("falco", &["--log-opt", "max-size=100k", "--log-opt", "max-file=2"]);
    print(
        &mut engine,
        &mut service,
        text.split_inclusive(|b| *b == b'\n').next().unwrap(),
        &mut received,
    );
    service.kill();
    engine.print(&text);
    service = start(&engine);
    service.wait("word of what is lost", |service| {
        (service.metric("hanabi_ingest_docker_positions_lost_total") > 0.0).then_some(())
    });
    let read = service.totals().received;
    assert!(read > received && read < received + count(&text), "{read}, {received}");
}

/// An event that Docker logs in several parts: with a command line of so many bytes more.
fn long_line(text: &[u8], bytes: usize) -> Vec<u8> {
    let start = text.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    let line = text[start..].split(|b| *b == b'\n').next().unwrap();
    let mut event: Value = serde_json::from_slice(line).unwrap();
    event["output_fields"]["proc.cmdline"] = "x".repeat(bytes).into();
    (event.to_string() + "\n").into_bytes()
}

#[test]
fn both_readable_drivers_and_terminals_give_the_same_lines() {
    let Some(mut engine) = Engine::start() else { return };
    let text = lines("shop-small.jsonl.zst");
    let end = memchr::memchr_iter(b'\n', &text).nth(2_999).unwrap() + 1;
    let (mut service, mut received) = (start(&engine), 0);
    // Events whose containers have no names yet are pending at the end of each piece.
    let print = |engine: &mut Engine, service: &mut Service, text: &[u8], received: &mut u64| {
        engine.print(text);
        *received += count(text);
        let all = *received;
        service.wait(&format!("{all} lines"), |service| {
            let totals = service.totals();
            totals.check();
            assert!(totals.received <= all, "{totals:?} of {all}");
            (totals.received == all).then_some(())
        });
    };
    for options in [&["--log-driver", "local"][..], &["--tty"], &["--log-driver", "json-file"]] {
        engine.printer("falco", options);
        print(&mut engine, &mut service, &text[..end], &mut received);
        for bytes in [20_000, 50_000] {
            print(&mut engine, &mut service, &long_line(&text, bytes), &mut received);
        }
        engine.run(&["restart", "falco"]);
        print(&mut engine, &mut service, &text[..end], &mut received);
        engine.run(&["rm", "--force", "falco"]);
        wait_state(&mut service, "waiting", "there is no container");
    }
    assert_eq!(service.totals().rejected, serde_json::json!({}));
    engine.printer("falco", &["--log-driver", "none"]);
    wait_state(&mut service, "waiting", "--log-driver json-file or local");
}
