//! TLS, and client certificates in place of tokens.

use std::path::Path;
use std::sync::Arc;

use hanabi_api::{Role, Tls, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::world::World;

/// A certificate and its key, as PEM.
struct Pair {
    cert: String,
    key: String,
}

/// Somebody whose certificates are trusted.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    cert: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), cert }
    }

    /// A certificate with these common names.
    fn sign(&self, names: &[&str]) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for name in names {
            params.distinguished_name.push(DnType::CommonName, *name);
        }
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair { cert: cert.pem(), key: key.serialize_pem() }
    }
}

fn options(dir: &Path, pair: &Pair, clients: Option<&Authority>) -> TlsOptions {
    let put = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsOptions {
        cert_file: put("cert.pem", &pair.cert),
        key_file: put("key.pem", &pair.key),
        client_ca_file: clients.map(|ca| put("clients.pem", &ca.cert)),
        client_role: Role::Ingest,
    }
}

async fn start(server: &Authority, clients: Option<&Authority>) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = super::guarded();
    let options = options(dir.path(), &server.sign(&["localhost"]), clients);
    setup.security.tls = Some(Tls::load(&options).unwrap());
    let world = World::start(setup).await;
    world.fill();
    world
}

/// A request over TLS; the answer as text, or why there is none.
async fn ask(
    world: &World,
    server: &Authority,
    client: Option<&Pair>,
    versions: &[&'static SupportedProtocolVersion],
    head: &str,
) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.cert.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    };
    let stream = TcpStream::connect(world.addr).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let request = format!("{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    // Some end the connection without ending TLS.
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn answers_go_over_tls_of_either_version() {
    let server = Authority::new();
    let world = start(&server, None).await;
    let me =
        format!("GET /api/me HTTP/1.1\r\nauthorization: Bearer {}\r\nx:", world.tokens["viewer"]);
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let answer = ask(&world, &server, None, versions, &me).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"viewer\""), "{answer}");
        let nobody = ask(&world, &server, None, versions, "GET /api/me").await.unwrap();
        assert!(nobody.starts_with("HTTP/1.1 401"), "{nobody}");
    }
    // Whoever does not trust the certificate, or speaks no TLS, gets nothing.
    assert!(ask(&world, &Authority::new(), None, &[&TLS13], "GET /healthz").await.is_err());
    let mut plain = TcpStream::connect(world.addr).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.ok();
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_client_certificate_is_a_machine() {
    let (server, clients) = (Authority::new(), Authority::new());
    let world = start(&server, Some(&clients)).await;
    let falco = clients.sign(&["falco-1"]);
    let both = [&TLS12, &TLS13];
    let me = ask(&world, &server, Some(&falco), &both, "GET /api/me").await.unwrap();
    assert!(me.starts_with("HTTP/1.1 200"), "{me}");
    for said in ["\"falco-1\"", "\"ingest\"", "\"certificate\""] {
        assert!(me.contains(said), "{said}: {me}");
    }
    let alerts = ask(&world, &server, Some(&falco), &both, "GET /api/alerts").await.unwrap();
    assert!(alerts.starts_with("HTTP/1.1 403"), "{alerts}");
    // A token counts before the certificate, and a wrong one is not made good by it.
    let wrong = "GET /api/me HTTP/1.1\r\nauthorization: Bearer hnb_x\r\nx:";
    let wrong = ask(&world, &server, Some(&falco), &both, wrong).await.unwrap();
    assert!(wrong.starts_with("HTTP/1.1 401"), "{wrong}");
    // Without one there are still tokens; without either nobody is known.
    let nobody = ask(&world, &server, None, &both, "GET /api/me").await.unwrap();
    assert!(nobody.starts_with("HTTP/1.1 401"), "{nobody}");
    for names in [&[][..], &["hanabi"]] {
        let odd = clients.sign(names);
        let answer = ask(&world, &server, Some(&odd), &both, "GET /api/me").await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 401"), "{names:?}: {answer}");
    }
    let stranger = Authority::new().sign(&["falco-1"]);
    for version in [&TLS12, &TLS13] {
        let answer = ask(&world, &server, Some(&stranger), &[version], "GET /api/me").await;
        assert!(answer.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_cookie_is_secure_under_tls() {
    let server = Authority::new();
    let world = start(&server, None).await;
    let body = serde_json::json!({ "token": world.tokens["viewer"] }).to_string();
    let login = format!(
        "POST /api/login HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\nhost: \
         localhost\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = ask(&world, &server, None, &[&TLS13], &login).await.unwrap();
    let cookie = answer.lines().find(|line| line.starts_with("set-cookie: ")).unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_certificate_is_exchanged_under_open_connections() {
    let (old, new) = (Authority::new(), Authority::new());
    let dir = tempfile::tempdir().unwrap();
    let put = |authority: &Authority| options(dir.path(), &authority.sign(&["localhost"]), None);
    let tls = Tls::load(&put(&old)).unwrap();
    let mut setup = super::guarded();
    setup.security.tls = Some(tls.clone());
    let world = World::start(setup).await;
    let health = "GET /healthz";
    assert!(ask(&world, &old, None, &[&TLS13], health).await.is_ok());

    // Half an exchange changes nothing: the certificate is new and the key is not.
    let before = std::fs::read(dir.path().join("key.pem")).unwrap();
    put(&new);
    let key = std::fs::read(dir.path().join("key.pem")).unwrap();
    std::fs::write(dir.path().join("key.pem"), before).unwrap();
    assert!(tls.reload().is_err());
    let mut open = TcpStream::connect(world.addr).await.unwrap();
    assert!(ask(&world, &old, None, &[&TLS13], health).await.is_ok());
    std::fs::write(dir.path().join("key.pem"), key).unwrap();
    tls.reload().unwrap();
    assert!(ask(&world, &new, None, &[&TLS13], health).await.is_ok());
    assert!(ask(&world, &old, None, &[&TLS13], health).await.is_err());
    // A connection that was accepted before is none that has ended.
    open.write_all(b"no TLS").await.unwrap();
    assert_eq!(tls.files().count(), 2);
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (Authority::new(), Authority::new());
    let good = || options(dir.path(), &ca.sign(&["localhost"]), Some(&other));
    assert!(Tls::load(&good()).is_ok());
    let junk = dir.path().join("junk.pem");
    std::fs::write(&junk, "junk").unwrap();
    let missing = dir.path().join("missing.pem");
    let strange = dir.path().join("strange.pem");
    std::fs::write(&strange, other.sign(&["x"]).key).unwrap();
    for (options, named) in [
        (TlsOptions { cert_file: missing.clone(), ..good() }, &missing),
        (TlsOptions { key_file: missing.clone(), ..good() }, &missing),
        (TlsOptions { client_ca_file: Some(missing.clone()), ..good() }, &missing),
        (TlsOptions { cert_file: junk.clone(), ..good() }, &junk),
        (TlsOptions { key_file: junk.clone(), ..good() }, &junk),
        (TlsOptions { client_ca_file: Some(junk.clone()), ..good() }, &junk),
        (TlsOptions { key_file: strange.clone(), ..good() }, &strange),
    ] {
        let error = Tls::load(&options).err().unwrap().to_string();
        assert!(error.contains(&named.display().to_string()), "{error}");
    }
}
