//! `[auth]` and `[tls]`: who is answered, and over what.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    path::PathBuf,
};

use hanabi_api::{JwtAlgorithm, JwtOptions, RequestLimits, Role, TlsOptions};

use super::{Period, validate::Checker};

/// The furthest that two clocks may be apart.
const LEEWAY_MAX: Period = Period::from_secs(600);

/// Between the shortest and the longest time that a set of keys is not fetched again.
const REFRESH_MIN: Period = Period::from_secs(60);
const REFRESH_MAX: Period = Period::from_secs(86_400);

/// `[auth]`.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    /// Whether one has to say who one is.
    pub(crate) mode: AuthMode,
    /// The file of an admin's token.
    pub(crate) admin_token_file: Option<PathBuf>,
    /// How often somebody may ask.
    pub(crate) limits: RequestLimits,
    /// Where keys of those who sign are fetched from, if anywhere.
    pub(crate) key_set: Option<KeySet>,
    /// Whose signatures count, if any.
    pub(crate) jwt: Option<JwtOptions>,
}

/// Where a set of public keys is fetched from.
#[derive(Clone, Debug)]
pub(crate) struct KeySet {
    /// `https`, or `http` of a loopback address.
    pub(crate) url: String,
    /// How often.
    pub(crate) refresh: Period,
    /// By which certificates the server is known, if not those of public authorities.
    pub(crate) ca_file: Option<PathBuf>,
}

/// Whether one has to say who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// No.
    None,
    /// Yes.
    Required,
}

/// `[tls]`.
pub(crate) type Tls = TlsOptions;

/// Reads both sections, and holds the addresses listened on to them.
pub(super) fn read(
    check: &mut Checker<'_>,
    listen: &[(&'static str, SocketAddr)],
) -> (Auth, Option<Tls>) {
    let mode =
        check.word("auth.mode", &[("none", AuthMode::None), ("required", AuthMode::Required)]);
    let auth = Auth {
        mode,
        admin_token_file: file(check, "auth.admin_token_file"),
        limits: RequestLimits {
            per_principal: rate(check, "auth.requests_per_principal"),
            per_address: rate(check, "auth.requests_per_address"),
        },
        key_set: key_set(check),
        jwt: None,
    };
    let jwt = jwt(check, auth.key_set.is_some());
    let auth = Auth { jwt, ..auth };
    let tls = tls(check);
    let open = check.switch("auth.allow_remote_without_authentication");
    let plain = check.switch("tls.allow_remote_without_tls");
    for (key, _) in listen.iter().filter(|(_, address)| !is_loopback(address.ip())) {
        if mode == AuthMode::None && !open {
            check.problem(
                key,
                "is not a loopback address, and everybody could do everything there: set \
                 auth.mode = \"required\" and make a token (hanabi token create), or set \
                 auth.allow_remote_without_authentication = true",
            );
        }
        if tls.is_none() && !plain {
            check.problem(
                key,
                "is not a loopback address, and tokens could be read on the way there: set \
                 tls.cert_file and tls.key_file, or set tls.allow_remote_without_tls = true where \
                 a proxy in front has TLS",
            );
        }
    }
    (auth, tls)
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn file(check: &mut Checker<'_>, key: &'static str) -> Option<PathBuf> {
    let text = check.text(key);
    (!text.is_empty()).then(|| text.into())
}

fn rate(check: &mut Checker<'_>, key: &'static str) -> NonZeroU32 {
    NonZeroU32::new(check.count(key, 1..=1_000_000)).unwrap_or(NonZeroU32::MIN)
}

fn key_set(check: &mut Checker<'_>) -> Option<KeySet> {
    let url = check.text("auth.jwks_url").to_owned();
    let refresh = check.period("auth.jwks_refresh", REFRESH_MIN..=REFRESH_MAX);
    let ca_file = file(check, "auth.jwks_ca_file");
    if url.is_empty() {
        return None;
    }
    let fits = url::Url::parse(&url).is_ok_and(|url| {
        let own = match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let bare = url.username().is_empty() && url.password().is_none();
        bare && (url.scheme() == "https" || url.scheme() == "http" && own)
    });
    if !fits {
        check.problem(
            "auth.jwks_url",
            "must be https://HOST/PATH, or http:// of a loopback address, without a password: \
             whoever can change the set on its way is whoever they like here",
        );
    }
    Some(KeySet { url, refresh, ca_file })
}

fn jwt(check: &mut Checker<'_>, fetched: bool) -> Option<JwtOptions> {
    let mut keys = Vec::new();
    for text in check.list("auth.jwt_keys") {
        let pair = text.split_once(':').filter(|(_, path)| !path.is_empty());
        match pair.and_then(|(word, path)| Some((JwtAlgorithm::parse(word)?, path.into()))) {
            Some(key) => keys.push(key),
            None => check.problem(
                "auth.jwt_keys",
                &format!("has {text:?}, which is not HS256:FILE, RS256:FILE or ES256:FILE"),
            ),
        }
    }
    let options = JwtOptions {
        keys,
        jwks_file: file(check, "auth.jwks_file"),
        issuer: check.text("auth.jwt_issuer").to_owned(),
        audience: check.text("auth.jwt_audience").to_owned(),
        leeway: check.period("auth.jwt_leeway", Period::default()..=LEEWAY_MAX).as_duration(),
        name_claim: check.filled("auth.jwt_name_claim"),
        role_claim: check.filled("auth.jwt_role_claim"),
        namespaces_claim: check.filled("auth.jwt_namespaces_claim"),
        containers_claim: check.filled("auth.jwt_containers_claim"),
    };
    if fetched && options.jwks_file.is_some() {
        check.problem("auth.jwks_file", "cannot be set with auth.jwks_url: there is one set");
    }
    if options.keys.is_empty() && options.jwks_file.is_none() && !fetched {
        return None;
    }
    for (key, value) in
        [("auth.jwt_issuer", &options.issuer), ("auth.jwt_audience", &options.audience)]
    {
        if value.is_empty() {
            check.problem(
                key,
                "must be set where there are keys: a token that was signed for somebody else \
                 would count here",
            );
        }
    }
    Some(options)
}

fn tls(check: &mut Checker<'_>) -> Option<Tls> {
    let roles = Role::ALL.map(|role| (role.as_str(), role));
    let (cert, key) = (file(check, "tls.cert_file"), file(check, "tls.key_file"));
    let client_ca_file = file(check, "tls.client_ca_file");
    let client_role = check.word("tls.client_role", &roles);
    match (cert, key) {
        (Some(cert_file), Some(key_file)) => {
            Some(Tls { cert_file, key_file, client_ca_file, client_role })
        }
        (None, None) => {
            if client_ca_file.is_some() {
                check.problem("tls.client_ca_file", "needs tls.cert_file and tls.key_file");
            }
            None
        }
        (Some(_), None) => {
            check.problem("tls.key_file", "must be set with tls.cert_file");
            None
        }
        (None, Some(_)) => {
            check.problem("tls.cert_file", "must be set with tls.key_file");
            None
        }
    }
}
