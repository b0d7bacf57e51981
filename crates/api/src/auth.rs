//! Who asks, what they may do, and to which containers.
//!
//! Every request passes one gate: it finds out who asks, looks up in one table what the route needs,
//! and hands a [`Principal`] on to the handler, which keeps to its [`Scope`].

mod access;
mod caller;
mod credential;
mod gate;
mod jwt;
mod limits;
mod principal;
mod refusals;
mod scope;
mod security;
mod series;
mod session;
mod tls;
mod token;

pub(crate) use access::{allowed, is_open};
pub(crate) use caller::{Asking, Caller, Shown};
pub(crate) use credential::Credential;
pub(crate) use gate::{Certificate, gate, log_in, note_refusal};
pub use jwt::{Jwt, JwtAlgorithm, JwtError, JwtOptions};
pub use limits::RequestLimits;
pub use principal::{Principal, PrincipalKind, Role};
pub use scope::{SCOPE_PATTERN_BYTES, SCOPE_PATTERNS_MAX, Scope};
pub use security::{Security, SecurityOptions};
pub(crate) use series::SeenSeries;
pub(crate) use session::{clear_cookie, session_cookie};
pub use tls::{Tls, TlsError, TlsOptions};
pub use token::{NewToken, TOKEN_PREFIX, TokenFileError, token_of_file};
