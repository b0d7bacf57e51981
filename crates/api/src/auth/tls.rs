//! TLS of the listener, and client certificates in place of tokens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::gate::Certificate;
use super::principal::{Principal, PrincipalKind, Role};
use super::scope::Scope;

/// The longest common name (RFC 5280, ub-common-name).
const NAME_BYTES: usize = 64;

/// What is configured.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// The certificate with its chain, as PEM.
    pub cert_file: PathBuf,
    /// Its private key, as PEM.
    pub key_file: PathBuf,
    /// Certificates of those whose client certificates count, as PEM.
    pub client_ca_file: Option<PathBuf>,
    /// What the holder of one may do.
    pub client_role: Role,
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("failed to read {what} in {path}")]
    Unreadable {
        /// What is expected in it.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate in it.
    #[error("{path} holds no certificate: PEM is expected (-----BEGIN CERTIFICATE-----)")]
    Empty {
        /// The file.
        path: String,
    },
    /// The files do not fit together.
    #[error("the certificate in {cert} cannot be used with the key in {key}")]
    Pair {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
        /// Why.
        source: rustls::Error,
    },
    /// The certificates of clients cannot be verified.
    #[error("{path} cannot be used to verify client certificates: {why}")]
    ClientCa {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
}

/// TLS, ready for connections; clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    options: TlsOptions,
    /// What connections begin with from now on; those that are open keep what they began with.
    current: ArcSwap<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    pub fn load(options: &TlsOptions) -> Result<Self, TlsError> {
        let current = ArcSwap::from_pointee(read(options)?);
        Ok(Self(Arc::new(Shared { options: options.clone(), current })))
    }

    /// Reads the files again, for the connections to come. After an error all is as before: a
    /// certificate that is exchanged file by file fits its key only at the end.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.0.current.store(Arc::new(read(&self.0.options)?));
        Ok(())
    }

    /// The files that it was read from.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let TlsOptions { cert_file, key_file, client_ca_file, .. } = &self.0.options;
        [cert_file, key_file].into_iter().chain(client_ca_file).map(PathBuf::as_path)
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.current.load_full())
    }

    /// The principal of a verified client certificate: its subject's common name.
    pub(crate) fn certificate(&self, chain: Option<&[CertificateDer<'_>]>) -> Option<Certificate> {
        let (_, certificate) =
            x509_parser::parse_x509_certificate(chain?.first()?.as_ref()).ok()?;
        let mut names = certificate.subject().iter_common_name();
        let (Some(name), None) = (names.next(), names.next()) else { return None };
        let name = name.as_str().ok()?;
        let plain = !name.is_empty()
            && name.len() <= NAME_BYTES
            && !name.chars().any(char::is_control)
            && name != hanabi_detect::ENGINE;
        plain.then(|| {
            Certificate(Arc::new(Principal {
                name: name.to_owned(),
                role: self.0.options.client_role,
                scope: Scope::everything(),
                kind: PrincipalKind::Certificate,
            }))
        })
    }
}

/// TLS 1.2 is the least that is spoken: rustls knows nothing older.
fn read(options: &TlsOptions) -> Result<ServerConfig, TlsError> {
    let certs = certificates(&options.cert_file)?;
    let key = PrivateKeyDer::from_pem_file(&options.key_file)
        .map_err(|source| unreadable("a private key", &options.key_file, source))?;
    let pair = |source| TlsError::Pair {
        cert: shown(&options.cert_file),
        key: shown(&options.key_file),
        source,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &options.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
    };
    let mut config = builder.with_single_cert(certs, key).map_err(pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Client certificates are verified where there are some; whoever has none can still have a token.
fn verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let unusable = |why: String| TlsError::ClientCa { path: shown(path), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(error.to_string()))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = |source| unreadable("certificates", path, source);
    let all = CertificateDer::pem_file_iter(path).map_err(read)?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(read)?;
    if all.is_empty() {
        return Err(TlsError::Empty { path: shown(path) });
    }
    Ok(all)
}

fn unreadable(what: &'static str, path: &Path, source: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Unreadable { what, path: shown(path), source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
