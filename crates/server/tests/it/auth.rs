//! The binary with authentication: its first token, its refusals, TLS, and what it never says.

use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::Output,
    sync::{Arc, Mutex},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
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

/// Says what it is told to everybody who asks, by HTTP, until the test ends.
fn key_server() -> (String, Arc<Mutex<(u16, String)>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let says = Arc::new(Mutex::new((200, String::new())));
    let heard = Arc::clone(&says);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut [0; 2_048]).unwrap_or(0) == 0 {
                continue;
            }
            let (status, body) = heard.lock().unwrap().clone();
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    (url, says)
}

/// A key of P-256 by its name: the set that has it, and a token that it has signed.
fn signer(kid: &str) -> (String, String) {
    let key = EncodingKey::from_ec_pem(include_bytes!("../../../api/tests/keys/ec.pem")).unwrap();
    let mut jwk = json!(Jwk::from_encoding_key(&key, Algorithm::ES256).unwrap());
    jwk["kid"] = kid.into();
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
    let claims = json!({ "sub": kid, "role": "viewer", "iss": "i", "aud": "a",
        "exp": 4_102_444_800_u64 });
    (json!({ "keys": [jwk] }).to_string(), encode(&header, &claims, &key).unwrap())
}

#[test]
fn keys_are_fetched_and_the_known_ones_stay_when_they_cannot_be() {
    let dir = tempfile::tempdir().unwrap();
    let ((first, ann), (second, bob)) = (signer("ann"), signer("bob"));
    let (url, says) = key_server();
    *says.lock().unwrap() = (200, first);
    let jwks = format!("auth.jwks_url={url}");
    let set = ["--set", &jwks, "--set", "auth.jwt_issuer=i", "--set", "auth.jwt_audience=a"];
    let mut service = Service::start(dir.path(), &[&REQUIRED[..], &set].concat());
    let status =
        |service: &Service, token: &str| ask(service, token, "GET", "/api/me", &json!({})).0;
    assert_eq!((status(&service, &ann), status(&service, &bob)), (200, 401));

    *says.lock().unwrap() = (200, second);
    service.signal("HUP");
    service.wait("the new key", |service| (status(service, &bob) == 200).then_some(()));
    // Whoever has asked so often in vain is told to wait, which is no admission either.
    assert!(matches!(status(&service, &ann), 401 | 429), "the key that is gone does not count");
    for broken in [(500, String::new()), (200, "{}".to_owned()), (302, String::new())] {
        let before = service.talk().matches("were not taken").count();
        *says.lock().unwrap() = broken;
        service.signal("HUP");
        service.wait("its failure", |service| {
            (service.talk().matches("were not taken").count() > before).then_some(())
        });
        assert_eq!(status(&service, &bob), 200);
    }
}

#[test]
fn a_certificate_that_changes_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let names = || vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let (cert_file, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let put = || {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(names()).unwrap().self_signed(&key).unwrap();
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        cert.pem()
    };
    put();
    let set = [
        format!("tls.cert_file={}", cert_file.display()),
        format!("tls.key_file={}", key_file.display()),
    ];
    let mut service = Service::start_tls(
        &dir.path().join("data"),
        &["--set", &set[0], "--set", &set[1]],
        cert_file.to_str().unwrap(),
    );
    // The client knows the old certificate alone, so that the new one ends its trust.
    assert_eq!(service.status("/healthz"), 200);
    std::fs::write(&key_file, "junk").unwrap();
    service.signal("HUP");
    service.wait("its refusal", |s| s.talk().contains("the old certificate stays").then_some(()));
    assert_eq!(service.status("/healthz"), 200);
    put();
    service.signal("HUP");
    service.wait("the new certificate", |s| s.talk().contains("were read again").then_some(()));
    let known =
        [("HANABI_URL", service.url.as_str()), ("HANABI_CA_FILE", cert_file.to_str().unwrap())];
    done(&["profile", "list"], &known);
}

#[test]
fn machines_have_a_listener_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut service = Service::start(dir.path(), &["--set", "server.machines_listen=127.0.0.1:0"]);
    let machines = service.wait("where machines are answered", |service| {
        let talk = service.talk();
        let (_, rest) = talk.split_once("machines are answered at ")?;
        Some(format!("http://{}", rest.split_whitespace().next()?))
    });
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    for (path, people, machine) in [
        ("/metrics", 404, 200),
        ("/healthz", 200, 200),
        ("/readyz", 200, 200),
        ("/api/alerts", 200, 404),
        ("/api/me", 200, 404),
        ("/", 200, 404),
        ("/ingest/falco", 404, 405),
    ] {
        assert_eq!(service.status(path), people, "{path}");
        let status = agent.get(format!("{machines}{path}")).call().unwrap().status().as_u16();
        assert_eq!(status, machine, "{path} for machines");
    }
    let line = fixture("shop-small.jsonl.zst");
    let line = zstd::decode_all(std::fs::File::open(line).unwrap()).unwrap();
    let line = line.split(|byte| *byte == b'\n').next().unwrap();
    let sent = agent.post(format!("{machines}/ingest/falco")).content_type("application/json");
    assert_eq!(sent.send(line).unwrap().status().as_u16(), 202);
    assert_eq!(service.post("application/json", None, line).0, 404);
}

#[test]
fn addresses_for_keys_and_machines_are_held_to_the_same_rules() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().to_str().unwrap();
    let claims = ["--set", "auth.jwt_issuer=i", "--set", "auth.jwt_audience=a"];
    for (set, said) in [
        ("server.machines_listen=0.0.0.0:0", "server.machines_listen"),
        ("auth.jwks_url=http://id.example/jwks", "https://"),
        ("auth.jwks_url=https://a:b@id.example/jwks", "without a password"),
        ("auth.jwks_url=file:///etc/passwd", "https://"),
    ] {
        let run_with = ["run", "--listen", "127.0.0.1:0", "--data-dir", data, "--set", set];
        let output = run(&[&run_with[..], &claims].concat(), &[]);
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{set}: {talk}");
        assert!(talk.contains(said), "{set}: {talk}");
    }
}
