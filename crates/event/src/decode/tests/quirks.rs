//! One test per quirk.

use super::{LINES, keeping_payload, line, with, with_fields};
use crate::{Block, Category, Direction, FdKind, Priority, RejectReason};

/// The first real line that holds the text.
fn real(part: &str) -> &'static str {
    LINES.lines().find(|line| line.contains(part)).unwrap()
}

#[test]
fn a_whole_real_line() {
    with(LINES.lines().next().unwrap(), |event| {
        insta::assert_debug_snapshot!(event);
    });
}

#[test]
fn an_execve_keeps_its_terminal_and_loses_its_environment() {
    let line = real("env=PATH");
    with(line, |event| {
        assert!(event.args.head.starts_with("res=0 exe="), "{}", event.args.head);
        assert!(event.args.head.ends_with('.'), "{}", event.args.head);
        assert!(event.args.tail.starts_with("tty=0 vpgid="), "{}", event.args.tail);
        assert_eq!((event.process.tty, event.result), (Some(0), Some(0)));
        assert_eq!(event.args.get("env"), None);
        assert_eq!(event.args.get("gid"), Some("0(<NA>)"));
    });
    let block = keeping_payload(line);
    let event = block.event(&block.records()[0]);
    assert!(event.args.get("env").unwrap().starts_with("PATH="));
    assert!(event.args.tail.is_empty());
    assert_eq!(event.process.tty, Some(0));
}

#[test]
fn private_parts_are_cut_in_the_calls_that_have_them() {
    for (call, args, head, tail) in [
        (
            "execve",
            "res=0 args=x cgroups=a env=A=b c=d tty=1 E= tty=34816 pgid=1",
            "res=0 args=x cgroups=a",
            "tty=34816 pgid=1",
        ),
        (
            "execve",
            "res=0 args= env=x cgroups=a env=A=b tty=0",
            "res=0 args= env=x cgroups=a",
            "tty=0",
        ),
        ("execve", "res=0 cgroups=a env=SECRET=x", "res=0 cgroups=a", ""),
        ("clone", "res=0 env=A=b", "res=0", ""),
        ("sendto", "res=9 data=a tuple=b", "res=9", ""),
        (
            "sendto",
            "res=9 data=GET / tuple=x tuple=1.2.3.4:5->1.2.3.4:80",
            "res=9",
            "tuple=1.2.3.4:5->1.2.3.4:80",
        ),
        (
            "recvfrom",
            "res=9 data=x tuple=:::1->:::2 fd=4(<6>)",
            "res=9",
            "tuple=:::1->:::2 fd=4(<6>)",
        ),
        ("recvfrom", "res=9 data=x tuple=NULL", "res=9", "tuple=NULL"),
        (
            "sendmsg",
            "res=9 data=x tuple=ffff88811edf5200->ffff88811edf4000 /x",
            "res=9",
            "tuple=ffff88811edf5200->ffff88811edf4000 /x",
        ),
        ("write", "res=3 data=a b", "res=3", ""),
        ("read", "data=abc", "", ""),
        ("write", "fd=3(<f>/tmp/data=x) size=3", "fd=3(<f>/tmp/data=x) size=3", ""),
        ("openat", "fd=3 name=data=x env=y flags=1", "fd=3 name=data=x env=y flags=1", ""),
        (
            "container",
            r#"json={\"env\":[\"A=],\"],\"full_id\":\"x\"}"#,
            r#"json={"env":["#,
            r#"],"full_id":"x"}"#,
        ),
        (
            "container",
            r#"json={\"env\":[],\"full_id\":\"x\"}"#,
            r#"json={"env":[],"full_id":"x"}"#,
            "",
        ),
        ("container", r#"json={\"env\":[\"A=b"#, r#"json={"env":["#, ""),
    ] {
        with_fields(&format!(r#""evt.args":"{args}","evt.type":"{call}""#), |event| {
            assert_eq!((event.args.head, event.args.tail), (head, tail), "{call} {args}");
        });
    }
}

#[test]
fn absent_values_are_empty() {
    for absent in ["null", "\"<NA>\"", "\"NULL\"", "\"<unknown>\"", "\"\"", "true", "{}", "[1]"] {
        let fields = format!(
            r#""container.name":{absent},"fd.name":{absent},"fd.num":{absent},"proc.pid":{absent},"evt.type":{absent},"fd.typechar":{absent}"#
        );
        with_fields(&fields, |event| {
            assert_eq!((event.container.name, event.fd.name, event.call), ("", "", ""), "{absent}");
            assert_eq!((event.fd.number, event.process.pid), (None, None), "{absent}");
            assert_eq!(event.fd.kind, FdKind::None, "{absent}");
        });
    }
    with_fields(r#""user.name":"<none>","proc.name":"NUL""#, |event| {
        assert_eq!((event.user.name, event.process.name), ("<none>", "NUL"));
    });
}

#[test]
fn numbers_in_all_forms() {
    for (json, pid) in [
        ("12", Some(12)),
        ("\"12\"", Some(12)),
        ("-1", Some(-1)),
        ("\"-1\"", Some(-1)),
        ("12.0", Some(12)),
        ("-0", Some(0)),
        ("1.5", None),
        ("1e3", Some(1000)),
        ("1e300", None),
        ("4294967295", Some(4_294_967_295)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("\"-9223372036854775808\"", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("\"9223372036854775808\"", None),
        ("\"-9223372036854775809\"", None),
        ("\"123456789012345678901234567890\"", None),
        ("\" 12\"", None),
        ("\"+12\"", None),
        ("\"twelve\"", None),
        ("\"-\"", None),
    ] {
        with_fields(&format!(r#""proc.pid":{json}"#), |event| {
            assert_eq!(event.process.pid, pid, "{json}");
        });
    }
    with_fields(r#""evt.num":18446744073709551615"#, |event| {
        assert_eq!(event.number, Some(u64::MAX));
    });
    with_fields(r#""evt.num":-1"#, |event| assert_eq!(event.number, None));
}

#[test]
fn time_comes_from_the_first_field_that_holds_one() {
    const TOP: u64 = 1_795_337_732_000_000_000;
    for (fields, time) in [
        (r#""evt.time.iso8601":1795337732237776419"#, 1_795_337_732_237_776_419),
        (r#""evt.time.iso8601":"1795337732237776419""#, 1_795_337_732_237_776_419),
        (r#""evt.time":1795337732237776419"#, 1_795_337_732_237_776_419),
        (r#""evt.rawtime":1795337732237776419"#, 1_795_337_732_237_776_419),
        (r#""evt.time":"2026-11-22T08:55:32.237776419+0000""#, 1_795_337_732_237_776_419),
        (r#""evt.time":"08:55:32.237776419""#, TOP),
        (r#""evt.time":"08:55:32.237776419","evt.rawtime":5"#, 5),
        (r#""evt.time":1795337732.5"#, TOP),
        (r#""evt.time":0"#, TOP),
        (r#""evt.time":-5"#, TOP),
        (r#""evt.time":null"#, TOP),
    ] {
        let line = format!(r#"{{"output_fields":{{{fields}}},"time":"2026-11-22T08:55:32Z"}}"#);
        with(&line, |event| assert_eq!(event.time, time, "{fields}"));
    }
}

#[test]
fn directions() {
    use Direction::{Enter, Exit};
    for (call, args, direction, result) in [
        ("close", "\"fd=8(<d>/sys)\"", Enter, None),
        ("close", "\"res=0\"", Exit, Some(0)),
        ("openat", "\"dirfd=-100(AT_FDCWD) name=<NA>\"", Enter, None),
        ("openat", "\"fd=-2(ENOENT) dirfd=-100(AT_FDCWD)\"", Exit, Some(-2)),
        ("openat", "\"fd=6(<f>/sys/kernel)\"", Exit, Some(6)),
        ("connect", "\"fd=3(<4>) addr=172.18.0.2:21\"", Enter, None),
        ("connect", "\"res=-111(ECONNREFUSED) tuple=NULL\"", Exit, Some(-111)),
        ("newfstatat", "\"\"", Enter, None),
        ("getsockname", "\"\"", Exit, None),
        ("procexit", "\"status=0 ret=0\"", Exit, None),
        ("dup2", "\"fd=3(<f>/x)\"", Enter, None),
        ("dup2", "\"res=2(<f>/x) oldfd=3\"", Exit, Some(2)),
        ("memfd_create", "\"fd=3(<m>x) name=x\"", Exit, Some(3)),
        ("signalfd", "\"fd=-1 mask=0\"", Enter, None),
        ("rseq", "\"ID=334(rseq) nativeID=334\"", Enter, None),
        ("rseq", "\"ID=334(rseq)\"", Exit, None),
        ("open", "null", Exit, None),
        ("lseek", "\"res=9223372036854775808\"", Exit, None),
        ("lseek", "\"res=\"", Exit, None),
    ] {
        with_fields(&format!(r#""evt.args":{args},"evt.type":"{call}""#), |event| {
            assert_eq!((event.direction, event.result), (direction, result), "{call} {args}");
        });
    }
    for (fields, direction, result) in [
        (r#""evt.type":"open","evt.dir":">","evt.args":"res=1""#, Enter, None),
        (r#""evt.type":"open","evt.dir":"<","evt.args":"x""#, Exit, None),
        (r#""evt.type":"open""#, Exit, None),
        (r#""evt.type":"open","evt.res":"SUCCESS""#, Exit, Some(0)),
        (r#""evt.type":"unshare","evt.res":"EPERM""#, Exit, Some(-1)),
    ] {
        with_fields(fields, |event| {
            assert_eq!((event.direction, event.result), (direction, result), "{fields}");
        });
    }
}

#[test]
fn categories() {
    for (rule, fields, category) in [
        ("process", r#""evt.type":"close""#, Category::Process),
        ("PROC", "", Category::Process),
        ("Net", "", Category::Network),
        ("network", "", Category::Network),
        ("file", r#""fd.typechar":"p""#, Category::File),
        ("files", "", Category::Unknown),
        ("x", r#""evt.type":"execve""#, Category::Process),
        ("x", r#""evt.type":"close","fd.typechar":"4""#, Category::Network),
        ("x", r#""evt.type":"close","fd.type":"ipv6""#, Category::Network),
        ("x", r#""evt.type":"close","fd.typechar":"f""#, Category::File),
        ("x", r#""evt.type":"close","fd.typechar":"p""#, Category::Unknown),
        ("x", r#""evt.type":"dup2","fd.name":"1.2.3.4:5->1.2.3.4:6""#, Category::Network),
        ("x", r#""evt.type":"write","fd.name":"/etc/passwd""#, Category::File),
        ("x", r#""evt.type":"mmap""#, Category::Unknown),
        ("x", "", Category::Unknown),
    ] {
        let separator = if fields.is_empty() { "" } else { "," };
        let line =
            format!(r#"{{"output_fields":{{"evt.time":1{separator}{fields}}},"rule":"{rule}"}}"#);
        with(&line, |event| {
            assert_eq!(event.category, category, "{rule} {fields}");
            assert_eq!(event.catch_all, !matches!(rule, "x" | "files"), "{rule}");
        });
    }
}

#[test]
fn images_and_arguments_are_derived() {
    for (image, repository, tag) in [
        ("shop/nginx:1.22", "shop/nginx", "1.22"),
        ("shop/nginx", "shop/nginx", ""),
        ("registry:5000/nginx", "registry:5000/nginx", ""),
        ("registry:5000/nginx:1@sha256:ab", "registry:5000/nginx", "1"),
        ("nginx@sha256:ab", "nginx", ""),
        ("", "", ""),
    ] {
        with_fields(&format!(r#""container.image":"{image}""#), |event| {
            assert_eq!((event.container.repository, event.container.tag), (repository, tag));
        });
    }
    for (fields, arguments) in [
        (r#""proc.cmdline":"sh -c id","proc.name":"sh""#, "-c id"),
        (r#""proc.cmdline":"sh -c id","proc.name":"sh","proc.args":"x""#, "x"),
        (r#""proc.cmdline":"sh","proc.name":"sh""#, ""),
        (r#""proc.cmdline":"shell -c","proc.name":"sh""#, ""),
        (r#""proc.cmdline":" -c","proc.name":"""#, ""),
        (r#""proc.cmdline":"a \"b\" c","proc.name":"a""#, "\"b\" c"),
    ] {
        with_fields(fields, |event| assert_eq!(event.process.arguments, arguments, "{fields}"));
    }
}

#[test]
fn priorities_and_tags() {
    for (members, priority, tags) in [
        (
            r#""priority":"Informational","tags":["T1059","a"]"#,
            Priority::Informational,
            r#"["T1059","a"]"#,
        ),
        (r#""priority":"warning","tags":[ "a", "b" ]"#, Priority::Warning, r#"["a","b"]"#),
        (r#""priority":"loud","tags":null"#, Priority::Debug, ""),
        (r#""priority":4,"tags":"a""#, Priority::Debug, ""),
        (r#""tags":[]"#, Priority::Debug, "[]"),
    ] {
        with(&format!(r#"{{"output_fields":{{"evt.time":1}},{members}}}"#), |event| {
            assert_eq!((event.priority, event.tags), (priority, tags), "{members}");
        });
    }
}

#[test]
fn strings_are_unescaped() {
    with_fields(
        r#""proc.cmdline":"a\"\\\n\u0000\ud83d\ude00\ud83d é","proc.name":"\u0061""#,
        |event| {
            assert_eq!(event.process.command_line, "a\"\\\n\0\u{1F600}\u{fffd} é");
            assert_eq!((event.process.name, event.process.arguments), ("a", ""));
        },
    );
    with_fields("\"proc.name\":\"a\tb\0c\u{1b}\"", |event| {
        assert_eq!(event.process.name, "a\tb\0c\u{1b}");
    });
    // The same by the slow reader, for which the raw bytes are errors at first.
    with_fields("\"proc.name\" : \"a\tb\0\\ud800\"", |event| {
        assert_eq!(event.process.name, "a\tb\0\u{fffd}");
    });
}

#[test]
fn duplicate_keys_last_wins() {
    with_fields(r#""proc.name":"a","proc.name":"b""#, |event| assert_eq!(event.process.name, "b"));
    with_fields(r#""proc.name":"a","proc.name":null"#, |event| assert_eq!(event.process.name, ""));
    let line = r#"{"output_fields":{"evt.num":1},"output_fields":{"evt.time":1,"evt.type":"x"}}"#;
    with(line, |event| assert_eq!((event.call, event.number), ("x", None)));
}

#[test]
fn rejects() {
    let deep = "[".repeat(100_000);
    let nested = line(&format!("\"a\":{}1{}", "[".repeat(100_000), "]".repeat(100_000)));
    let long = line(&format!(r#""a":"{}""#, "x".repeat(2 << 20)));
    let half = &LINES[..700];
    for (input, reason) in [
        ("Fri Nov 22 08:55:00 2026: Falco version: 0.40.0", RejectReason::NotJson),
        ("{\"hostname\":\"vm\"", RejectReason::NotJson),
        (half, RejectReason::NotJson),
        ("{\"a\":\"\\q\"}", RejectReason::NotJson),
        ("[]", RejectReason::NotFalco),
        ("12", RejectReason::NotFalco),
        ("{}", RejectReason::NotFalco),
        ("{\"output_fields\":null}", RejectReason::NotFalco),
        ("{\"output_fields\":{}}", RejectReason::NoTime),
        ("{\"output_fields\":{\"evt.time\":\"08:55:32.1\"}}", RejectReason::NoTime),
        (&deep, RejectReason::TooDeep),
        (&nested, RejectReason::TooDeep),
        (&long, RejectReason::TooLong),
    ] {
        let block = Block::decode(input.into());
        assert_eq!(block.rejects(), [reason], "{}", &input[..input.len().min(80)]);
        assert_eq!((block.lines(), block.records().len()), (1, 0));
        let sample = &block.samples()[0];
        assert!(input.starts_with(&sample.sample) && sample.sample.len() <= Block::REJECT_SAMPLE);
    }
}

#[test]
fn lines_and_samples_are_counted() {
    let good = line(r#""evt.type":"open""#);
    let input = format!("\u{feff}{good}\r\n\r\n  \n{good}\n\n{}\u{fc}\n{good}", "x".repeat(255));
    let block = Block::decode(input.into());
    assert_eq!((block.lines(), block.records().len()), (4, 3));
    assert_eq!(block.samples()[0].sample.len(), 255);
    for record in block.records() {
        assert_eq!(block.str(record.line).trim_start_matches('\u{feff}'), good);
    }
    let block = Block::decode("x\n".repeat(10).into());
    assert_eq!((block.rejects().len(), block.samples().len()), (10, Block::REJECT_SAMPLES));
    assert_eq!(Block::decode(Vec::new()).lines(), 0);
}

#[test]
fn invalid_utf8_is_repaired_line_by_line() {
    let good = line(r#""proc.name":"good""#);
    let mut input = good.clone().into_bytes();
    input.extend(b"\r\n");
    input.extend(line(r#""proc.name":"bXd""#).bytes().map(|b| if b == b'X' { 0xff } else { b }));
    input.extend(format!("\n{good}\n").bytes());
    let block = Block::decode(input);
    assert_eq!((block.records().len(), block.repaired()), (3, 1));
    let names = block.records().iter().map(|record| block.event(record).process.name);
    assert_eq!(names.collect::<Vec<_>>(), ["good", "b\u{fffd}d", "good"]);
    let repaired = block.str(block.records()[1].line);
    assert!(repaired.starts_with('{') && repaired.contains("b\u{fffd}d"));
}

#[test]
fn half_lines_never_panic() {
    for line in LINES.lines().take(8) {
        for end in 0..line.len() {
            let block = Block::decode(line.as_bytes()[..end].to_vec());
            assert_eq!(block.lines() as usize, block.records().len() + block.rejects().len());
        }
    }
}

#[test]
fn pretty_printed_values_are_read_by_the_slow_reader() {
    let json: serde_json::Value = serde_json::from_str(LINES.lines().next().unwrap()).unwrap();
    let spaced = serde_json::to_string_pretty(&json).unwrap().replace('\n', " ");
    let expected = with(LINES.lines().next().unwrap(), |event| format!("{event:?}"));
    with(&spaced, |event| assert_eq!(format!("{event:?}"), expected));
}
