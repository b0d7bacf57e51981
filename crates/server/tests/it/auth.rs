//! The binary with authentication: its first token, its refusals, TLS, and what it never says.

use std::{path::Path, process::Output};

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use crate::service::{Service, fixture, hanabi};

const REQUIRED: [&str; 2] = ["--set", "auth.mode=required"];

/// Runs a command to its end.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    hanabi().args(arguments).envs(variables.iter().copied()).output().unwrap()
}

/// Runs a command that has to succeed; its standard output.
fn done(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = run(arguments, variables);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn first_token(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let token = done(&["token", "create", "--role", "admin", "--data-dir", data], &[]);
    assert!(token.starts_with("hnb_") && !token.contains(char::is_whitespace), "{token}");
    token
}

/// Asks with a token; status and answer.
fn ask(service: &Service, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", service.url))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(body.to_string())
        .unwrap();
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut answer = ureq::Agent::from(config).run(request).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or_default())
}

#[test]
fn the_first_token_makes_the_others_and_names_who_acts() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let admin = first_token(&data);
    let mut service =
        Service::start(&data, &[&REQUIRED[..], &["--set", "log.access=true"]].concat());
    assert_eq!((service.status("/api/alerts"), service.status("/metrics")), (401, 401));
    assert_eq!(service.status("/"), 200);
    let url = service.url.clone();
    let as_admin = [("HANABI_URL", url.as_str()), ("HANABI_TOKEN", admin.as_str())];
    let ann = done(&["token", "create", "ann", "--role", "analyst"], &as_admin);
    let falco = done(&["token", "create", "falco", "--role", "ingest", "--for", "90d"], &as_admin);
    let list = done(&["token", "list"], &as_admin);
    assert_eq!(list.lines().count(), 3, "{list}");

    let recording = fixture("shop-small.jsonl.zst");
    let send = ["send", recording.to_str().unwrap(), "--to", &url, "--speed", "max"];
    assert!(!run(&send, &[("HANABI_TOKEN", &ann)]).status.success());
    done(&send, &[("HANABI_TOKEN", &falco)]);
    service.wait("containers", |service| {
        let (status, answer) = ask(service, &ann, "GET", "/api/containers", &json!({}));
        assert_eq!(status, 200, "{answer}");
        (answer["total"].as_u64() > Some(0)).then_some(())
    });

    let body = json!({ "scope": "rule", "value": "hbt.new_file" });
    let (status, made) = ask(&service, &ann, "POST", "/api/suppressions", &body);
    assert_eq!(status, 200, "{made}");
    assert_eq!(ask(&service, &falco, "POST", "/api/suppressions", &body).0, 403);
    let (_, rulings) = ask(&service, &ann, "GET", "/api/suppressions", &json!({}));
    assert_eq!(rulings["suppressions"][0]["by"], "ann");
    let entry = service.wait("the refusal in the audit log", |service| {
        let (status, audit) = ask(service, &admin, "GET", "/api/audit", &json!({}));
        assert_eq!(status, 200);
        let all = audit["audit"].as_array().unwrap().clone();
        let of = |by: &str| all.iter().find(|entry| entry["by"] == by).cloned();
        of("falco").and(of("ann"))
    });
    assert_eq!(
        (&entry["action"], &entry["address"]),
        (&json!("suppression.add"), &json!("127.0.0.1"))
    );
    assert!(!entry["request"].as_str().unwrap().is_empty());

    let id = list.lines().find(|line| line.contains("ann")).unwrap();
    done(&["token", "revoke", id.split_whitespace().next().unwrap()], &as_admin);
    assert_eq!(ask(&service, &ann, "GET", "/api/alerts", &json!({})).0, 401);
    let talk = service.talk();
    assert!(talk.contains("answered") && talk.contains("by=\"ann\""), "{talk}");
    for secret in [&admin, &ann, &falco] {
        assert!(!talk.contains(&secret[4..20]), "{talk}");
    }
}

#[test]
fn tokens_are_still_known_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let admin = first_token(dir.path());
    let service = Service::start(dir.path(), &REQUIRED);
    let body = json!({ "name": "x", "role": "viewer" });
    let (_, made) = ask(&service, &admin, "POST", "/api/tokens", &body);
    let made = made["token"].as_str().unwrap().to_owned();
    service.kill();
    let service = Service::start(dir.path(), &REQUIRED);
    assert_eq!(ask(&service, &made, "GET", "/api/me", &json!({})).1["role"], "viewer");
    let locked = run(&["token", "list", "--data-dir", dir.path().to_str().unwrap()], &[]);
    assert!(String::from_utf8_lossy(&locked.stderr).contains("--url"), "{locked:?}");
}

#[test]
fn other_addresses_are_refused_by_the_keys_that_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    for (set, keys) in [
        (&[][..], &["auth.mode", "tls.cert_file", "auth.allow_remote_without_authentication"][..]),
        (&REQUIRED, &["tls.allow_remote_without_tls"]),
    ] {
        let listen = ["run", "--listen", "0.0.0.0:0", "--data-dir", data];
        let output = run(&[&listen[..], set].concat(), &[]);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{talk}");
        assert!(keys.iter().all(|key| talk.contains(key)), "{talk}");
    }
}

#[test]
fn files_that_are_missing_are_named_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let run_with = |set: &[&str]| {
        let base = ["run", "--listen", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
        let output = run(&[&base[..], set].concat(), &[]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    for (set, said) in [
        (
            &["--set", "auth.admin_token_file=/none/t"][..],
            &["/none/t", "auth.admin_token_file"][..],
        ),
        (
            &["--set", "tls.cert_file=/none/c", "--set", "tls.key_file=/none/k"],
            &["/none/c", "[tls]"],
        ),
        (
            &[
                "--set",
                "auth.jwks_file=/none/j",
                "--set",
                "auth.jwt_issuer=i",
                "--set",
                "auth.jwt_audience=a",
            ],
            &["/none/j", "auth.jwks_file"],
        ),
    ] {
        let talk = run_with(set);
        assert!(said.iter().all(|said| talk.contains(said)), "{talk}");
    }
}

#[test]
fn the_command_line_speaks_tls() {
    let dir = tempfile::tempdir().unwrap();
    let admin = first_token(&dir.path().join("data"));
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let cert = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&cert_file, cert.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let (cert_file, key_file) = (cert_file.to_str().unwrap(), key_file.to_str().unwrap());
    let set = [format!("tls.cert_file={cert_file}"), format!("tls.key_file={key_file}")];
    let service = Service::start_tls(
        &dir.path().join("data"),
        &[&REQUIRED[..], &["--set", &set[0], "--set", &set[1]]].concat(),
        cert_file,
    );
    assert!(service.url.starts_with("https://"), "{}", service.url);
    let known = [
        ("HANABI_URL", service.url.as_str()),
        ("HANABI_TOKEN", admin.as_str()),
        ("HANABI_CA_FILE", cert_file),
    ];
    assert!(done(&["token", "list"], &known).contains("admin"));
    assert!(!run(&["token", "list"], &known[..2]).status.success());
    assert_eq!(service.status("/api/alerts"), 401);
}
