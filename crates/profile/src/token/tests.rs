//! What words become, and that they become it once.

use proptest::prelude::*;

use super::{MAX_WORD, TYPES, generalise, generalised, token_end, word};

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    for (word, expected) in rows {
        assert_eq!(generalised(word), *expected, "{word}");
        assert_eq!(generalised(expected), *expected, "{word} twice");
    }
}

#[test]
fn names_stay() {
    for word in [
        "nginx.conf",
        "authorized_keys",
        "ServerName",
        "README",
        "std::string",
        "Bad::Face",
        "",
        "<",
        "a>b",
        "proxy-https",
        "dead::beef",
        "conf/nginx/sites/some-where",
        "camelCaseName",
        "DataSourceHTTPConfig",
        "very-long-name-of-a-service-without-any-number-in-it",
        "kubernetes-dashboard-proxy",
    ] {
        assert_eq!(generalised(word), word);
    }
}

#[test]
fn numbers_lose_their_values() {
    table(&[
        ("page.22953", "page.<num>"),
        ("i12.png", "i<num>.png"),
        ("libc.so.6", "libc.so.<version>"),
        ("part-00017.parquet", "part-<num>.parquet"),
        ("x86_64-linux-gnu", "x<num>_<num>-linux-gnu"),
        ("<num>.log", "<num>.log"),
        ("äöü7", "äöü<num>"),
        ("--pid=4711", "--pid=<pid>"),
        ("app.pid.4711", "app.pid.<pid>"),
        ("stupid=5", "stupid=<num>"),
        ("--port=8080", "--port=<port>"),
        ("port:51844", "port:<port:ephemeral>"),
        ("port=99999", "port=<num>"),
    ]);
}

#[test]
fn hashes_and_random_parts_lose_their_values() {
    table(&[
        ("550e8400-e29b-41d4-a716-446655440000", "<uuid>"),
        ("img-550e8400-e29b-41d4-a716-446655440000.png", "img-<uuid>.png"),
        ("d64eeba408634882f67fe1def425d3d4688f938c9a66ee496aa2dd9a03a15646", "<hash>"),
        ("d41d8cd98f00b204e9800998ecf8427e.bin", "<hash>.bin"),
        ("0x7ffe12", "<hex>"),
        ("a3f09b21c4", "<hex>"),
        ("tmp.Whvbww", "tmp.<rand>"),
        ("build.hADEYV", "build.<rand>"),
        ("build.ymzb7n", "build.ymzb<num>n"),
        ("tmpr4gvmzvo", "tmp<rand>"),
        ("tmp6s_7cz90", "tmp<rand>"),
        ("tmpqtsufodp.png", "tmp<rand>.png"),
        ("tmp_uploads", "tmp_uploads"),
        ("wgunicorn-iaw9vqxu", "wgunicorn-<rand>"),
        ("Main.Config", "Main.Config"),
        ("xKqZvBnW", "<rand>"),
        ("sedxnmhP0", "<rand>"),
        ("sed5tsYla", "<rand>"),
        ("web-7d4b9c6f5-x2x4q", "web-<rand>-<rand>"),
        ("web-bcdfghjkl-bcdfg_default", "web-<rand>-<rand>_default"),
        ("agent-x2x4q", "agent-<rand>"),
        ("agent-ps256", "agent-ps<num>"),
        ("db-0", "db-<num>"),
        ("aGVsbG8gd29ybGQ=", "<base64>"),
        ("token=QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "token=<base64>"),
        ("dGhpcyBpcyBhIGxvbmcgbGluZSBvZiB0ZXh0IDEy", "<base64>"),
    ]);
}

#[test]
fn dates_and_times_lose_their_values() {
    table(&[
        ("20261122", "<date>"),
        ("2026-11-22", "<date>"),
        ("app-2026_11_22.log", "app-<date>.log"),
        ("2026-11-22T09:11:40", "<date>T<time>"),
        ("2026-11-22T09:11:40.123456Z", "<date>T<time>"),
        ("2026-11-22T09:11:40+02:00", "<date>T<time>"),
        ("20261122T091140Z.json", "<date>T<time>.json"),
        ("orders-20261122-091239.csv", "orders-<date>-<time>.csv"),
        ("backup_2026-11-22_09-11-40", "backup_<date>_<time>"),
        ("20261122091140", "<time>"),
        ("09:11:40", "<time>"),
        ("dump.1795338700", "dump.<time>"),
        ("1795338700123", "<time>"),
        ("1795338700123456789", "<time>"),
        ("9995338700", "<num>"),
        ("20261399", "<num>"),
        ("12:77:00", "<num>:<num>:<num>"),
    ]);
}

#[test]
fn versions_lose_their_values() {
    table(&[
        ("1.2.3", "<version>"),
        ("app-1.2.3.tar.gz", "app-<version>.tar.gz"),
        ("app-1.25.tar.gz", "app-<version>.tar.gz"),
        ("v2.0.1-rc1", "<version>"),
        ("v1.2", "<version>"),
        ("openssl-1.1.1k", "openssl-<version>"),
        ("libfoo.so.1.2", "libfoo.so.<version>"),
        ("libfoo.so.1.2.3", "libfoo.so.<version>"),
        ("pkg_1.2.3-debug.deb", "pkg_<version>-debug.deb"),
        ("pkg-1.2.3.deb", "pkg-<version>.deb"),
        ("linux-6.1.0+deb12u1", "linux-<version>"),
        ("3.11", "<num>.<num>"),
        ("x-1.2.3.4", "x-<version>"),
    ]);
}

#[test]
fn addresses_lose_their_values() {
    table(&[
        ("10.0.3.17", "<ip:private>"),
        ("10.0.3.17:51844", "<ip:private>:<port:ephemeral>"),
        ("10.0.3.5:5432", "<ip:private>:5432"),
        ("8.8.8.8.log", "<ip:public>.log"),
        ("--to=127.0.0.1:80", "--to=<ip:loopback>:80"),
        ("10.0.0.1:99999", "<ip:private>:<num>"),
        ("169.254.169.254", "<ip:metadata>"),
        ("::1", "<ip:loopback>"),
        ("fe80::1", "<ip:linklocal>"),
        ("[fd00::7]:5432", "<ip:private>:5432"),
        ("[fd00::7]:51844", "<ip:private>:<port:ephemeral>"),
        ("10.0.3.17:51844->10.0.3.5:5432", "<ip:private>:<port:ephemeral>-><ip:private>:5432"),
        ("300.1.1.1", "<version>"),
    ]);
}

#[test]
fn every_type_is_a_token() {
    for token in TYPES {
        assert_eq!(token_end(token.as_bytes()), Some(token.len()));
        assert_eq!(generalised(token), token);
    }
}

#[test]
fn long_words_are_cut_where_their_pieces_meet() {
    for long in [
        "ab-".repeat(400),
        "<a>".repeat(400),
        "a1B2".repeat(400),
        "x1".repeat(400),
        "<a>b".repeat(400),
        "é".repeat(400),
        "-".repeat(400),
        "8-".repeat(400),
    ] {
        let once = generalised(&long);
        assert!(once.len() <= 2 * MAX_WORD + 26, "{} bytes of {long}", once.len());
        assert_eq!(generalised(&once), once);
    }
    let begun = std::time::Instant::now();
    generalised(&"a+".repeat(1_000_000));
    assert!(begun.elapsed().as_secs() < 2, "a word of two megabytes costs no more than its start");
}

#[test]
fn words_stay_where_generalising_is_off() {
    assert_eq!(word("page.22953", false), "page.22953");
    assert_eq!(word("page.22953", true), "page.<num>");
}

#[test]
fn what_stands_before_in_the_buffer_does_not_matter() {
    let mut out = String::from("tmp.");
    generalise("Whvbww", &mut out);
    assert_eq!(out, "tmp.Whvbww");
}

/// Pieces that mean something, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("tmp."),
        Just("pid="),
        Just("port="),
        Just(".so."),
        Just("1.2.3"),
        Just("v2"),
        Just("10.0.0.1"),
        Just(":5432"),
        Just(":51844"),
        Just("::"),
        Just("["),
        Just("]"),
        Just("20261122"),
        Just("T"),
        Just("-"),
        Just("."),
        Just("_"),
        Just("/"),
        Just("091140"),
        Just("09:11:40"),
        Just("<num>"),
        Just("<ip:private>"),
        Just("<ip:private>:"),
        Just("<a>"),
        Just("bcdfghjkl"),
        Just("-bcdfg"),
        Just("x2x4q"),
        Just("abcdefab"),
        Just("AbCdEfGh"),
        Just("QWxhZGRpbjpvcGVu"),
        Just("=="),
        Just("+"),
        Just("7"),
        Just("Z"),
        Just("rc1"),
        Just("550e8400-e29b-41d4-a716-446655440000"),
        Just("fe80"),
        Just("é"),
        Just("<"),
        Just(">"),
        Just("d41d8cd98f00b204e9800998ecf8427e"),
        Just("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generalising_twice_changes_nothing(word in "\\PC{0,60}") {
        let once = generalised(&word);
        prop_assert_eq!(generalised(&once), once);
    }

    #[test]
    fn names_of_every_kind_keep_a_fixed_point(word in "[a-zA-Z0-9._<>:=+/-]{0,200}") {
        let once = generalised(&word);
        prop_assert_eq!(generalised(&once), once);
    }

    #[test]
    fn what_is_written_in_pieces_keeps_a_fixed_point(word in pieces()) {
        let once = generalised(&word);
        prop_assert_eq!(generalised(&once), once);
    }

    #[test]
    fn no_digit_is_left_but_a_port(word in "[a-z0-9._-]{0,60}") {
        let once = generalised(&word);
        prop_assert!(!once.bytes().any(|b| b.is_ascii_digit()) || once.contains("<base64>"));
    }
}
