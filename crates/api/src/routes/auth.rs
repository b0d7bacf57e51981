//! Tokens, sessions, and who one is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hanabi_event::EventTime;
use hanabi_store::{StoredToken, TOKENS_LIMIT};
use serde::Deserialize;
use serde_json::{Value, json};

use super::rulings::Nothing;
use super::triage::expiry;
use crate::app::AppState;
use crate::auth::{
    Caller, Credential, NewToken, Role, Scope, Shown, allowed, clear_cookie, log_in, session_cookie,
};
use crate::body::JsonBody;
use crate::command::Expiry;
use crate::error::ApiError;
use crate::params::Params;
use crate::times;
use crate::views::Time;

/// `POST /api/tokens`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenGiven {
    name: String,
    role: Role,
    #[serde(default)]
    scope: Scope,
    #[serde(default)]
    expires: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// `POST /api/login`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginGiven {
    token: String,
}

/// `GET /api/tokens`: all, the newest first, also those that have expired; never a token itself.
pub(crate) async fn tokens(
    State(state): State<Arc<AppState>>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let mut all = state.blocking(|parts| Ok(parts.store.tokens()?)).await?;
    all.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let now = times::now();
    let rows: Vec<Value> = all.iter().map(|one| view(one, now)).collect();
    Ok(Json(json!({ "tokens": rows })).into_response())
}

/// A token as it goes over the wire.
fn view(one: &StoredToken, now: EventTime) -> Value {
    json!({
        "id": one.id, "name": one.name, "role": one.role,
        "scope": { "namespaces": one.namespaces, "containers": one.containers },
        "created": Time(one.created), "created_by": one.created_by,
        "expires": one.expires.map(Time), "last_used": one.last_used.map(Time),
        "active": one.expires.is_none_or(|end| now < end),
    })
}

/// `POST /api/tokens`: the one answer that has the token in it.
pub(crate) async fn create_token(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
    JsonBody(given): JsonBody<TokenGiven>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let now = times::now();
    let expires = match expiry(given.expires, given.expires_in)? {
        None => None,
        Some(Expiry::At(time)) if time > now => Some(time),
        Some(Expiry::At(time)) => {
            return Err(ApiError::parameter("expires", &times::text(time), "it is in the future"));
        }
        Some(Expiry::In(length)) => Some(now.saturating_add(length)),
    };
    let new = NewToken { name: given.name, role: given.role, scope: given.scope, expires };
    if let Some(reason) = new.problem() {
        return Err(ApiError::BadBody { reason });
    }
    let mut entry = caller.entry("token.create", "", "ok");
    entry.detail = json!({ "name": new.name, "role": new.role, "scope": new.scope });
    let made = state
        .blocking(move |parts| {
            let made = parts.security.tokens.create(&parts.store, &new, now, &entry);
            made.map_err(|error| {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                ApiError::internal(format!("{error}: {}", cause.unwrap_or_default()))
            })
        })
        .await?;
    let Some((token, stored)) = made else {
        let reason = format!("there are {TOKENS_LIMIT} tokens already: revoke some");
        return Err(ApiError::Conflict { reason });
    };
    let mut answer = view(&stored, now);
    answer["token"] = token.into();
    Ok(Json(answer).into_response())
}

/// `DELETE /api/tokens/{id}`: from now on it is refused, and so are its sessions and streams.
pub(crate) async fn revoke_token(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let entry = caller.entry("token.revoke", &id, "ok");
    let wanted = id.clone();
    let revoke = move |parts: &crate::app::AppParts| {
        Ok(parts.security.tokens.revoke(&parts.store, &wanted, &entry)?)
    };
    if state.blocking(revoke).await? {
        return Ok(Json(json!({ "id": id, "revoked": true })).into_response());
    }
    Err(ApiError::not_found("token", &id))
}

/// `POST /api/login`: a token for a cookie.
pub(crate) async fn login(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
    JsonBody(given): JsonBody<LoginGiven>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let security = &state.parts.security;
    if !security.required {
        let reason = "the service runs without authentication: there is nothing to log in to";
        return Err(ApiError::Conflict { reason: reason.to_owned() });
    }
    let (caller, begun) = log_in(&state, &caller, &Credential::Token(given.token))?;
    let mut response = Json(about(&state, &caller)).into_response();
    let cookie = session_cookie(&begun, security.tls.is_some());
    let cookie = HeaderValue::from_str(&cookie).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

/// `POST /api/logout`: ends the session of the cookie.
pub(crate) async fn logout(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let ended = match &caller.shown {
        Shown::Session(key) => state.parts.security.sessions.end(key),
        Shown::Nothing | Shown::Token(_) | Shown::Jwt(_) => false,
    };
    let mut response = Json(json!({ "ended": ended })).into_response();
    let cookie = HeaderValue::from_str(&clear_cookie(state.parts.security.tls.is_some()));
    response.headers_mut().insert(header::SET_COOKIE, cookie.map_err(ApiError::internal)?);
    Ok(response)
}

/// `GET /api/me`: who one is, and what that allows.
pub(crate) async fn me(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    Ok(Json(about(&state, &caller)).into_response())
}

fn about(state: &AppState, caller: &Caller) -> Value {
    let security = &state.parts.security;
    let csrf = match &caller.shown {
        Shown::Session(key) => security.sessions.csrf(key),
        Shown::Nothing | Shown::Token(_) | Shown::Jwt(_) => None,
    };
    json!({
        "name": caller.who.name,
        "role": caller.who.role,
        "kind": caller.who.kind,
        "scope": caller.who.scope,
        "authentication": if security.required { "required" } else { "none" },
        "csrf": csrf,
        "allowed": allowed(&caller.who),
    })
}
