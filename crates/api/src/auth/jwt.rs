//! Tokens that somebody else has signed (JWT, RFC 7519): whose keys are trusted, and what they claim.
//!
//! A key is bound to one algorithm, so that the public key of one is never taken for the secret of
//! another. Keys come from files and sets of keys; whoever has an address for a set fetches it and
//! hands it over ([`Jwt::replace_set`]), since nothing is fetched here.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hanabi_event::{EventTime, SECOND};
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::principal::{Principal, PrincipalKind, Role};
use super::scope::Scope;

/// Bytes of a secret, at least: as many as the hash has (RFC 7518, 3.2).
const SECRET_BYTES: usize = 32;
/// The longest name.
const NAME_BYTES: usize = 128;
/// Keys of a set; each provider has a few.
const KEYS_MAX: usize = 64;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256, by a secret that both sides have.
    Hs256,
    /// RSA (PKCS #1 1.5) with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl JwtAlgorithm {
    /// The word of RFC 7518.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hs256, Self::Rs256, Self::Es256].into_iter().find(|one| one.as_str() == text)
    }

    fn library(self) -> Algorithm {
        match self {
            Self::Hs256 => Algorithm::HS256,
            Self::Rs256 => Algorithm::RS256,
            Self::Es256 => Algorithm::ES256,
        }
    }
}

/// Whose signatures count, and which claims say what.
#[derive(Clone, Debug, Default)]
pub struct JwtOptions {
    /// Keys: a secret as it stands in its file, or a public key as PEM.
    pub keys: Vec<(JwtAlgorithm, PathBuf)>,
    /// A set of public keys (RFC 7517).
    pub jwks_file: Option<PathBuf>,
    /// `iss` has to be this.
    pub issuer: String,
    /// `aud` has to have this.
    pub audience: String,
    /// How far the clocks of the two sides may be apart.
    pub leeway: Duration,
    /// The claim of the name.
    pub name_claim: String,
    /// The claim of the role, or of several of which the highest counts.
    pub role_claim: String,
    /// The claims of the scope; without one everything is in it.
    pub namespaces_claim: String,
    /// See `namespaces_claim`.
    pub containers_claim: String,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwtError {
    /// A file cannot be read.
    #[error("failed to read the key in {path}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is no key for what it is to be.
    #[error("{path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// Why, and what is expected.
        why: String,
    },
}

/// Knows tokens that others have signed.
pub struct Jwt {
    keys: Vec<Key>,
    /// Those of the set, which its owner exchanges now and then.
    set: ArcSwap<Vec<Key>>,
    /// A token named a key that is in no set: perhaps a newer set has it.
    missed: AtomicBool,
    options: JwtOptions,
}

struct Key {
    /// The name by which a token asks for it; one without is for all tokens of its algorithm.
    id: Option<String>,
    decoding: DecodingKey,
    validation: Validation,
}

impl Jwt {
    /// Reads the keys.
    pub fn load(options: JwtOptions) -> Result<Self, JwtError> {
        let mut keys = Vec::new();
        for (algorithm, path) in &options.keys {
            let key = key_of_file(*algorithm, path)?;
            let validation = validation(*algorithm, &options);
            keys.push(Key { id: None, decoding: key, validation });
        }
        let jwt = Self { keys, set: ArcSwap::default(), missed: AtomicBool::new(false), options };
        jwt.reload_file()?;
        Ok(jwt)
    }

    /// Reads the set of `jwks_file` again, if there is one. After an error all is as before.
    pub fn reload_file(&self) -> Result<(), JwtError> {
        let Some(path) = &self.options.jwks_file else { return Ok(()) };
        let unusable = |why: String| JwtError::Unusable { path: shown(path), why };
        self.replace_set(&read(path)?).map_err(unusable)
    }

    /// Takes a set of public keys (RFC 7517) in place of the one before; why not, if it cannot be
    /// used, and then the one before stays.
    pub fn replace_set(&self, json: &[u8]) -> Result<(), String> {
        let set: JwkSet = serde_json::from_slice(json)
            .map_err(|error| format!("a set of keys (JWKS) is expected: {error}"))?;
        if set.keys.is_empty() || set.keys.len() > KEYS_MAX {
            return Err(format!("a set of 1 to {KEYS_MAX} keys is expected"));
        }
        let keys = set.keys.iter().map(|jwk| key_of_set(jwk, &self.options));
        self.set.store(Arc::new(keys.collect::<Result<_, _>>()?));
        Ok(())
    }

    /// The file of the set, if it has one.
    pub fn set_file(&self) -> Option<&Path> {
        self.options.jwks_file.as_deref()
    }

    /// True once after a token has named a key that is not known here.
    pub fn has_missed(&self) -> bool {
        self.missed.swap(false, Ordering::Relaxed)
    }

    /// Whose token this is, and until when it is valid; why not, for the caller.
    pub(crate) fn verify(&self, token: &str) -> Result<(Arc<Principal>, EventTime), &'static str> {
        let header = decode_header(token).map_err(|_| "the signed token cannot be read")?;
        let fits = |key: &&Key| key.validation.algorithms.contains(&header.alg);
        let named = |key: &&Key| key.id.is_some() && key.id == header.kid;
        // The algorithm is the key's own; what the token says only chooses among the keys.
        let set = self.set.load();
        let all = || self.keys.iter().chain(set.iter()).filter(fits);
        let key = all().find(named).or_else(|| all().find(|key| key.id.is_none()));
        let Some(key) = key else {
            self.missed.store(true, Ordering::Relaxed);
            return Err("the signed token is of no key that is known here");
        };
        let claims = decode::<Map<String, Value>>(token, &key.decoding, &key.validation)
            .map_err(|error| why(&error))?
            .claims;
        let ends = claims.get("exp").and_then(Value::as_f64).unwrap_or(0.0).max(0.0) as u64;
        let ends = ends.saturating_add(self.options.leeway.as_secs()).saturating_mul(SECOND);
        Ok((Arc::new(self.principal(&claims)?), ends))
    }

    fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, &'static str> {
        let options = &self.options;
        let name = claims.get(&options.name_claim).and_then(Value::as_str).unwrap_or_default();
        let plain = !name.is_empty()
            && name.len() <= NAME_BYTES
            && !name.chars().any(char::is_control)
            && name != hanabi_detect::ENGINE;
        if !plain {
            return Err("the signed token names nobody");
        }
        let roles = words(claims, &options.role_claim).map_err(|()| NO_ROLE)?.unwrap_or_default();
        let role = highest(&roles).ok_or(NO_ROLE)?;
        let scope = Scope {
            namespaces: patterns(claims, &options.namespaces_claim)?,
            containers: patterns(claims, &options.containers_claim)?,
        };
        if scope.problem().is_some() || !role.takes_scope() && !scope.is_everything() {
            return Err(NO_SCOPE);
        }
        Ok(Principal { name: name.to_owned(), role, scope, kind: PrincipalKind::Jwt })
    }
}

const NO_ROLE: &str = "the signed token has no role that is known here";
const NO_SCOPE: &str = "the signed token has a scope that cannot be read";

/// Of people's roles the one that holds the others, else a machine's.
fn highest(words: &[String]) -> Option<Role> {
    let given: Vec<Role> = words.iter().filter_map(|word| Role::parse(word)).collect();
    let order = [Role::Admin, Role::Analyst, Role::Viewer, Role::Ingest, Role::Metrics];
    order.into_iter().find(|role| given.contains(role))
}

/// A claim of words: one, or a list. None where it is absent.
fn words(claims: &Map<String, Value>, claim: &str) -> Result<Option<Vec<String>>, ()> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(word)) => Ok(Some(vec![word.clone()])),
        Some(Value::Array(all)) => {
            let words = all.iter().map(|word| word.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>().map(Some).ok_or(())
        }
        Some(_) => Err(()),
    }
}

/// A claim of patterns. A list of none would be everything, and hardly means that.
fn patterns(claims: &Map<String, Value>, claim: &str) -> Result<Vec<String>, &'static str> {
    match words(claims, claim) {
        Ok(None) => Ok(Vec::new()),
        Ok(Some(patterns)) if !patterns.is_empty() => Ok(patterns),
        Ok(Some(_)) | Err(()) => Err(NO_SCOPE),
    }
}

fn why(error: &jsonwebtoken::errors::Error) -> &'static str {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::ExpiredSignature => "the signed token has expired",
        ErrorKind::ImmatureSignature => "the signed token is not valid yet",
        ErrorKind::InvalidAudience => "the signed token is for another audience",
        ErrorKind::InvalidIssuer => "the signed token is of another issuer",
        ErrorKind::InvalidSignature => "the signature of the token is wrong",
        _ => "the signed token is not valid",
    }
}

fn validation(algorithm: JwtAlgorithm, options: &JwtOptions) -> Validation {
    let mut validation = Validation::new(algorithm.library());
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.set_issuer(&[&options.issuer]);
    validation.set_audience(&[&options.audience]);
    validation.validate_nbf = true;
    validation.leeway = options.leeway.as_secs();
    validation
}

fn key_of_file(algorithm: JwtAlgorithm, path: &Path) -> Result<DecodingKey, JwtError> {
    let bytes = read(path)?;
    let unusable = |why: &str| JwtError::Unusable { path: shown(path), why: why.to_owned() };
    match algorithm {
        JwtAlgorithm::Hs256 => {
            let secret = bytes.trim_ascii();
            // Whoever has a public key could sign with it.
            if secret.starts_with(b"-----BEGIN") {
                return Err(unusable("HS256 takes a secret, and this is a key or a certificate"));
            }
            if secret.len() < SECRET_BYTES {
                return Err(unusable("a secret of at least 32 bytes is expected"));
            }
            DecodingKey::from_secret(secret).map_err(|_| unusable("it is no secret"))
        }
        JwtAlgorithm::Rs256 => DecodingKey::from_rsa_pem(&bytes)
            .map_err(|_| unusable("the public key of RSA as PEM is expected")),
        JwtAlgorithm::Es256 => DecodingKey::from_ec_pem(&bytes)
            .map_err(|_| unusable("the public key of P-256 as PEM is expected")),
    }
}

fn key_of_set(jwk: &Jwk, options: &JwtOptions) -> Result<Key, String> {
    let id = jwk.common.key_id.clone();
    let name = id.as_deref().unwrap_or("without an id").escape_debug().to_string();
    let algorithm = match jwk.common.key_algorithm {
        Some(KeyAlgorithm::RS256) => JwtAlgorithm::Rs256,
        Some(KeyAlgorithm::ES256) => JwtAlgorithm::Es256,
        // A set is made to be published, so that a secret in it is none.
        _ => {
            return Err(format!("its key `{name}` must say `\"alg\": \"RS256\"` or `\"ES256\"`"));
        }
    };
    let key = DecodingKey::from_jwk(jwk);
    let key = key.map_err(|_| format!("its key `{name}` is no key for {}", algorithm.as_str()))?;
    if key.family() != algorithm.library().family() {
        return Err(format!("its key `{name}` is of another kind than {}", algorithm.as_str()));
    }
    Ok(Key { id, decoding: key, validation: validation(algorithm, options) })
}

fn read(path: &Path) -> Result<Vec<u8>, JwtError> {
    std::fs::read(path).map_err(|source| JwtError::Unreadable { path: shown(path), source })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
