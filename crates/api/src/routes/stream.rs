//! Server-sent events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};

use crate::app::AppState;
use crate::error::ApiError;
use crate::params::Params;
use crate::resolve;
use crate::stream::{StreamError, StreamFilter, StreamScope, TypeSet};

/// `GET /api/stream`: every container, or the one of `container_id`.
pub(crate) async fn all(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let scope = match params.text("container_id")? {
        Some(id) => resolve::subject(&state.parts.live.fleet(), &id)?.scope(),
        None => StreamScope::All,
    };
    open(&state, scope, &headers, params)
}

/// `GET /api/stream/{id}`: one container, or those of one profile.
pub(crate) async fn one(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let scope = resolve::subject(&state.parts.live.fleet(), &id)?.scope();
    open(&state, scope, &headers, params)
}

fn open(
    state: &AppState,
    scope: StreamScope,
    headers: &HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let filter = StreamFilter {
        types: types(&mut params)?,
        priority: params.priority()?,
        categories: params.categories()?,
    };
    let query = params.text("last_event_id")?;
    params.finish()?;
    // The header is newer: a browser that reconnects keeps the query it began with.
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("unreadable"));
    let resume = header.or(query.as_deref());
    let subscription = state.parts.hub.subscribe(scope, filter, resume).map_err(|error| {
        let StreamError::TooManyClients { .. } = error;
        ApiError::Busy { what: error.to_string() }
    })?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects an answer before it passes it on would end the live view.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(subscription)).into_response())
}

fn types(params: &mut Params) -> Result<TypeSet, ApiError> {
    let Some(text) = params.text("type")? else { return Ok(TypeSet::default()) };
    let mut types = TypeSet { events: false, alerts: false };
    for word in text.split(',') {
        match word.trim() {
            "event" => types.events = true,
            "alert" => types.alerts = true,
            "heartbeat" => {}
            word => {
                let bound = "it is event, alert or heartbeat, or several of them with commas";
                return Err(ApiError::parameter("type", word, bound));
            }
        }
    }
    Ok(types)
}
