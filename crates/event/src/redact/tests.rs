//! What is masked, and what is not.

use std::borrow::Cow;

use proptest::prelude::*;

use super::{Redactor, mask_secrets};

#[test]
fn secrets_are_masked() {
    for (text, masked) in [
        ("x --password=hunter2 y", "x --password=*** y"),
        ("--token abc --next", "--token *** --next"),
        ("-password abc", "-password ***"),
        ("--secret 'a b' c", "--secret '***' c"),
        ("--password=\"a b\" c", "--password=\"***\" c"),
        ("--password='a b", "--password='***"),
        ("DB_PASSWORD=x MYSQL_PWD=y HOME=/root", "DB_PASSWORD=*** MYSQL_PWD=*** HOME=/root"),
        ("export AWS_SECRET_ACCESS_KEY=a/b+c", "export AWS_SECRET_ACCESS_KEY=***"),
        ("curl http://x/?token=abc&user=1", "curl http://x/?token=***&user=1"),
        (
            "curl -H Authorization: Bearer abc http://x",
            "curl -H Authorization: Bearer *** http://x",
        ),
        ("-H 'authorization:basic YTpi'", "-H 'authorization:basic ***'"),
        ("Proxy-Authorization: abc", "Proxy-Authorization: ***"),
        ("-H \"X-Api-Key: abc\" y", "-H \"X-Api-Key: ***\" y"),
        ("Cookie: a=b; c=d x", "Cookie: *** x"),
        ("{\"user\":\"u\",\"password\": \"a b\"}", "{\"user\":\"u\",\"password\": \"***\"}"),
        (r#"{\"apiKey\":\"a b\",\"x\":1}"#, r#"{\"apiKey\":\"***\",\"x\":1}"#),
        ("postgres://app:s3cret@db:5432/shop", "postgres://app:***@db:5432/shop"),
        ("redis://:s3cr@t@cache", "redis://:***@cache"),
        ("https://0123456789abcdef0123@git.example/x", "https://***@git.example/x"),
        ("mysql -uroot -phunter2 shop", "mysql -uroot -p*** shop"),
        ("sh -c /usr/bin/mysqldump -phunter2 shop", "sh -c /usr/bin/mysqldump -p*** shop"),
        (
            "res=0 exe=mysql args=-uroot.-phunter2.shop. tid=5",
            "res=0 exe=mysql args=-uroot.-p*** tid=5",
        ),
        ("res=0 exe=x args=--password.hunter2.y. tid=5", "res=0 exe=x args=--password.*** tid=5"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id ***."),
        ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln y", "x *** y"),
        ("git clone ghp_0123456789abcdefghij0123456789abcdef", "git clone ***"),
        (
            "echo -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- > k",
            "echo *** > k",
        ),
        ("echo -----BEGIN PRIVATE KEY-----\nMII", "echo ***"),
        ("пароль PASSWORD=тайна конец", "пароль PASSWORD=*** конец"),
    ] {
        assert_eq!(mask_secrets(text), masked);
        assert!(matches!(mask_secrets(masked), Cow::Borrowed(same) if same == masked), "{masked}");
    }
}

#[test]
fn harmless_text_is_borrowed() {
    for text in [
        "",
        "nginx: worker process",
        "postgres -D /var/lib/pgdata -c config_file=/etc/postgresql.conf",
        "ssh -p22 host",
        "mkdir -p/tmp/x",
        "mysql -u root --port=3306 -port=3306 -p shop",
        "--password --verbose",
        "--password-file /run/secrets/db",
        "PWD=/root OLDPWD=/",
        "python3 train.py --max-tokens=5 --tokenizer=bpe",
        "http://web/p52.html",
        "https://user@host/x",
        "git@github.com:a/b.git",
        "res=0 fd=3(<4t>10.0.0.1:5->10.0.0.2:80) name=/etc/passwd flags=1(O_RDONLY)",
        "eyJhbGciOiJIUzI1NiJ9",
        "AKIASHORT",
        "FAKIAIOSFODNN7EXAMPLE",
        "Authorization: Bearer",
        "---- - -- --",
    ] {
        assert!(matches!(mask_secrets(text), Cow::Borrowed(_)), "{text} -> {}", mask_secrets(text));
    }
}

#[test]
fn words_and_programs_of_ones_own() {
    let redactor = Redactor::new(&["PIN".to_owned()]);
    assert_eq!(redactor.mask("--my-pin=1234 --pin 12"), "--my-pin=*** --pin ***");
    assert_eq!(redactor.mask_arguments("mysql", "-uroot -phunter2"), "-uroot -p***");
    assert_eq!(redactor.mask_arguments("ssh", "-p22"), "-p22");
}

/// Text that is full of what the scanner looks for.
fn loaded() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "password",
        "--token",
        "TOKEN",
        "-p",
        "mysql",
        "=",
        ":",
        "://",
        "@",
        " ",
        " ",
        ".",
        "\"",
        "'",
        "\\",
        "-",
        "--",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "eyJhbGciOiJI",
        "***",
        "*",
        "&",
        "?",
        ";",
        "Authorization",
        "Bearer",
        "Cookie",
        "abc",
        "é",
        "\u{1F600}",
        "\n",
        "x",
        "AKIAIOSFODNN7EXAMPLE",
        "0123456789abcdef0123",
        "secret",
        "_file",
        "/",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8192))]

    #[test]
    fn masking_is_idempotent_and_bounded(text in loaded()) {
        let once = mask_secrets(&text).into_owned();
        prop_assert_eq!(mask_secrets(&once), once.as_str());
        prop_assert!(once.len() <= 3 * text.len());
    }

    #[test]
    fn any_text_survives(text in "\\PC{0,80}") {
        prop_assert!(mask_secrets(&text).len() <= 3 * text.len());
    }

    #[test]
    fn a_value_never_shows(value in "[a-z0-9]{8,20}", before in "[ -~]{0,20}") {
        let text = format!("{before} --password={value} x");
        let shown = format!("--password={value}");
        prop_assert!(!mask_secrets(&text).contains(&shown));
    }
}
