//! How the gateway knows who asks: its tokens, keys and sessions.

use std::sync::Arc;

use hanabi_event::EventTime;
use hanabi_store::{Store, StoreError};

use super::caller::Shown;
use super::credential::Credential;
use super::jwt::Jwt;
use super::limits::{Limits, RequestLimits};
use super::principal::Principal;
use super::refusals::Refusals;
use super::session::Sessions;
use super::tls::Tls;
use super::token::{TOKEN_PREFIX, Tokens};

/// What is configured.
#[derive(Default)]
pub struct SecurityOptions {
    /// Nobody is answered who has not said who they are.
    pub required: bool,
    /// A token that is an admin's without being in the store.
    pub admin_token: Option<String>,
    /// Tokens that others have signed.
    pub jwt: Option<Arc<Jwt>>,
    /// TLS of the listener.
    pub tls: Option<Tls>,
    /// How often somebody may ask; only counts where authentication is required.
    pub limits: RequestLimits,
}

/// How the gateway knows who asks.
pub struct Security {
    pub(crate) required: bool,
    pub(crate) tls: Option<Tls>,
    pub(crate) tokens: Tokens,
    pub(crate) sessions: Sessions,
    pub(crate) refusals: Refusals,
    pub(crate) limits: Limits,
    jwt: Option<Arc<Jwt>>,
    anyone: Arc<Principal>,
}

/// Who asks, as far as what was shown tells.
pub(super) enum Known {
    /// Somebody, and whether the use of their token is to be noted.
    As(Arc<Principal>, Shown, bool),
    /// Nobody: nothing was shown.
    Nobody,
    /// What was shown is no good: why, for the caller.
    Wrong(&'static str),
}

impl Security {
    /// As configured, with the tokens of a store.
    pub fn new(options: SecurityOptions, store: &Store) -> Result<Self, StoreError> {
        Ok(Self {
            required: options.required,
            tls: options.tls,
            tokens: Tokens::load(store, options.admin_token.as_deref())?,
            sessions: Sessions::default(),
            refusals: Refusals::default(),
            limits: Limits::new(options.limits),
            jwt: options.jwt,
            anyone: Arc::new(Principal::operator()),
        })
    }

    /// Who asks.
    pub(super) fn identify(
        &self,
        credential: &Credential,
        certificate: Option<&Arc<Principal>>,
        now: EventTime,
    ) -> Known {
        if !self.required {
            return Known::As(self.anyone.clone(), Shown::Nothing, false);
        }
        match credential {
            Credential::Token(token) => self.token(token, now),
            Credential::Cookie(cookie) => match self.sessions.find(cookie, &self.tokens, now) {
                Some((key, who)) => Known::As(who, Shown::Session(key), false),
                None => Known::Wrong("the session has ended: log in again"),
            },
            Credential::Nothing => match certificate {
                Some(who) => Known::As(who.clone(), Shown::Nothing, false),
                None => Known::Nobody,
            },
            Credential::Unreadable => {
                Known::Wrong("the authorization header is neither Bearer nor Basic with a password")
            }
        }
    }

    /// Whose token this is.
    fn token(&self, token: &str, now: EventTime) -> Known {
        if let Some(known) = self.tokens.recognise(token, now) {
            return Known::As(known.who, Shown::Token(known.id), known.note_use);
        }
        if token.starts_with(TOKEN_PREFIX) {
            return Known::Wrong("the token is unknown, revoked or expired");
        }
        match &self.jwt {
            Some(jwt) if token.bytes().filter(|byte| *byte == b'.').count() == 2 => {
                match jwt.verify(token) {
                    Ok((who, end)) => Known::As(who, Shown::Jwt(end), false),
                    Err(why) => Known::Wrong(why),
                }
            }
            Some(_) | None => Known::Wrong("the token is unknown"),
        }
    }

    /// True while what was shown once still says who asks: streams outlive requests.
    pub(crate) fn still_knows(&self, shown: &Shown, now: EventTime) -> bool {
        match shown {
            Shown::Nothing => true,
            Shown::Token(id) => self.tokens.by_id(id, now).is_some(),
            Shown::Jwt(end) => now < *end,
            Shown::Session(key) => self.sessions.holder(key, &self.tokens, now).is_some(),
        }
    }
}
