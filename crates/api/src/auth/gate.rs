//! The gate that every request passes: who asks, and may they.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hanabi_store::AuditEntry;
use serde_json::json;

use super::access::{self, Access, Entry};
use super::caller::{Asking, Caller, Shown};
use super::credential::{self, Credential};
use super::principal::Principal;
use super::security::Known;
use super::session::{Begun, CSRF_HEADER, Holder};
use crate::app::AppState;
use crate::error::ApiError;
use crate::times;

/// The principal of a client certificate; of the connection, so that every request on it has it.
#[derive(Clone, Debug)]
pub(crate) struct Certificate(pub(crate) Arc<Principal>);

/// Lets a request through with its [`Caller`], or refuses it.
pub(crate) async fn gate(
    State(state): State<Arc<AppState>>,
    mut request: Request,
    next: Next,
) -> Response {
    let asking = request.extensions().get::<Arc<Asking>>().cloned().unwrap_or_default();
    let Some(route) = request.extensions().get::<MatchedPath>().cloned() else {
        // Nothing is at this path, and the fallback says so.
        return next.run(request).await;
    };
    let admitted = match access::of(request.method().as_str(), route.as_str()) {
        Entry::Route(access) => admit(&state, access, &request, &asking),
        Entry::OtherMethod => Err((ApiError::MethodNotAllowed, None)),
        // Whoever adds a route has to say whom it is for.
        Entry::Missing => Err((ApiError::Forbidden { needs: "a role for it" }, None)),
    };
    let (mut response, who) = match admitted {
        Ok(caller) => {
            let who = caller.who.clone();
            request.extensions_mut().insert(caller);
            (next.run(request).await, Some(who))
        }
        Err((error, who)) => (error.into_response(), who),
    };
    // For the log, which is written around this.
    if let Some(who) = who {
        response.extensions_mut().insert(who);
    }
    response
}

/// Who a route is for, and whether the one who asks is of them. An error has whoever was refused,
/// as far as it is known.
fn admit(
    state: &Arc<AppState>,
    access: Access,
    request: &Request,
    asking: &Arc<Asking>,
) -> Result<Caller, (ApiError, Option<Arc<Principal>>)> {
    let security = &state.parts.security;
    let nobody = |error| (error, None);
    // Falco sends each event by itself: the queue is the limit of those.
    let limited = security.required && access != Access::Ingest;
    if limited {
        security.limits.address(asking.address).map_err(|wait| nobody(too_many(wait)))?;
    }
    let now = times::now();
    let credential = credential::of(request.headers());
    let certificate = request.extensions().get::<Certificate>().map(|certificate| &certificate.0);
    let (who, shown, note_use) = match security.identify(&credential, certificate, now) {
        Known::As(who, shown, note_use) => (who, shown, note_use),
        // A page with an old cookie must come to where one logs in.
        Known::Wrong(_) | Known::Nobody if access == Access::Open => {
            let who = Arc::new(Principal::nobody());
            return Ok(Caller { who, shown: Shown::Nothing, asking: asking.clone() });
        }
        Known::Nobody => {
            return Err(nobody(ApiError::Unauthenticated { reason: "say who you are by a token" }));
        }
        Known::Wrong(reason) => return Err(nobody(wrong(state, asking, &credential, reason))),
    };
    let refused = |error| (error, Some(who.clone()));
    if !access.admits(&who) {
        return Err(refused(ApiError::Forbidden { needs: access.needs() }));
    }
    if limited {
        security.limits.principal(&who.name).map_err(|wait| refused(too_many(wait)))?;
    }
    if let Shown::Session(key) = &shown
        && changes(request.method())
        && !security.sessions.is_csrf(key, csrf_of(request.headers()))
    {
        return Err(refused(ApiError::Csrf));
    }
    if note_use && let Shown::Token(id) = &shown {
        note(state, id.clone());
    }
    Ok(Caller { who, shown, asking: asking.clone() })
}

/// Begins a session for whoever has a token. Wrong ones are slowed as those in headers are.
pub(crate) fn log_in(
    state: &AppState,
    caller: &Caller,
    credential: &Credential,
) -> Result<(Caller, Begun), ApiError> {
    let security = &state.parts.security;
    let now = times::now();
    let (who, shown) = match security.identify(credential, None, now) {
        Known::As(who, shown, _) => (who, shown),
        Known::Wrong(reason) => return Err(wrong(state, &caller.asking, credential, reason)),
        Known::Nobody => {
            return Err(ApiError::Unauthenticated { reason: "say who you are by a token" });
        }
    };
    let holder = match shown {
        Shown::Token(id) => Holder::Token(id),
        Shown::Jwt(end) => Holder::Jwt(who.clone(), end),
        Shown::Nothing | Shown::Session(_) => {
            return Err(ApiError::internal("a token was taken for something else"));
        }
    };
    let begun = security.sessions.begin(holder, now).map_err(ApiError::internal)?;
    let shown = Shown::Session(begun.key());
    Ok((Caller { who, shown, asking: caller.asking.clone() }, begun))
}

/// Wrong credentials; of one address only so many are answered in a time.
fn wrong(
    state: &AppState,
    asking: &Asking,
    credential: &Credential,
    reason: &'static str,
) -> ApiError {
    // An ended session is nobody's guess: every console left open has one.
    let guessed = !matches!(credential, Credential::Cookie(_));
    if guessed && let Err(wait) = state.parts.security.limits.failure(asking.address) {
        return too_many(wait);
    }
    ApiError::Unauthenticated { reason }
}

pub(crate) fn too_many(wait: Duration) -> ApiError {
    ApiError::TooManyRequests { retry_after: wait.as_secs() + 1 }
}

/// `GET` and its like change nothing.
pub(crate) fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn csrf_of(headers: &HeaderMap) -> &str {
    headers.get(CSRF_HEADER).and_then(|word| word.to_str().ok()).unwrap_or_default()
}

/// Notes the use of a token down, beside the request.
fn note(state: &Arc<AppState>, id: String) {
    let state = state.clone();
    tokio::task::spawn_blocking(move || {
        let (tokens, store) = (&state.parts.security.tokens, &state.parts.store);
        if let Err(error) = tokens.note_use(store, &id, times::now()) {
            tracing::warn!(%error, id, "the use of a token could not be noted");
        }
    });
}

/// An entry of the audit log on what was refused. The path is its template: what stands in it came
/// from whoever was refused.
pub(crate) fn note_refusal(
    state: &AppState,
    asking: &Asking,
    who: Option<&Principal>,
    object: &str,
    status: u16,
) {
    let name = who.map_or("", |who| who.name.as_str());
    let entry = AuditEntry {
        at: times::now(),
        by: if name.is_empty() { "nobody" } else { name }.to_owned(),
        action: "request".to_owned(),
        object: object.to_owned(),
        outcome: "refused".to_owned(),
        address: asking.address(),
        request: asking.request.clone(),
        detail: json!({ "status": status }),
        ..AuditEntry::default()
    };
    state.parts.security.refusals.note(asking.address, entry);
}
