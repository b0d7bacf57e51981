//! Who is answered, as configured: keys, certificates and tokens are read at the start.
//! [`super::reload`] reads again what can change.

use std::sync::Arc;

use anyhow::Context as _;
use hanabi_api::{Jwt, Security, SecurityOptions, Tls, token_of_file};
use hanabi_store::Store;
use hanabi_telemetry::Metrics;

use super::reload::{self, Reloaded, Reloading};
use crate::{
    commands::failure::Hint as _,
    config::{AuthMode, Config},
};

/// Reads all that the configuration names.
pub(crate) fn security(
    config: &Config,
    store: &Store,
    metrics: &Metrics,
) -> anyhow::Result<(Security, Option<Reloading>)> {
    let auth = config.auth();
    let required = auth.mode == AuthMode::Required;
    let admin_token = auth
        .admin_token_file
        .as_deref()
        .map(token_of_file)
        .transpose()
        .hint("auth.admin_token_file of the configuration names it")?;
    let jwt = auth
        .jwt
        .clone()
        .map(Jwt::load)
        .transpose()
        .hint("auth.jwt_keys and auth.jwks_file of the configuration name the keys")?
        .map(Arc::new);
    let tls = config
        .tls()
        .map(Tls::load)
        .transpose()
        .hint("the section [tls] of the configuration names the files")?;
    let known = admin_token.is_some() || jwt.is_some();
    if required && !known && store.tokens().context("failed to read the tokens")?.is_empty() {
        tracing::warn!(
            "nobody is known yet: stop the service, make a token with `hanabi token create --role \
             admin --data-dir {}`, and start it again",
            store.dir().display()
        );
    }
    let certificates = config.tls().is_some_and(|tls| tls.client_ca_file.is_some());
    if !required && (known || certificates) {
        tracing::warn!(
            "tokens, keys and client certificates are configured and nobody is asked for them: \
             everybody may do everything while auth.mode is \"none\""
        );
    }
    let limits = auth.limits;
    let changing = Reloaded { tls: tls.clone(), jwt: jwt.clone() };
    let reloading = reload::start(changing, auth.key_set.as_ref(), metrics.clone())?;
    let options = SecurityOptions { required, admin_token, jwt, tls, limits };
    Ok((Security::new(options, store)?, reloading))
}
