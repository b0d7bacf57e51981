//! Server-sent events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::Interval;

use crate::app::AppState;
use crate::auth::{Caller, Shown};
use crate::error::ApiError;
use crate::params::Params;
use crate::resolve;
use crate::stream::{StreamError, StreamFilter, StreamScope, Subscription, TypeSet};
use crate::times;

/// `GET /api/stream`: every container, or the one of `container_id`.
pub(crate) async fn all(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let scope = scope_of(&state, &caller, &mut params)?;
    open(&state, caller, scope, &headers, params)
}

/// Every container, or the one of `container_id`.
pub(super) fn scope_of(
    state: &AppState,
    caller: &Caller,
    params: &mut Params,
) -> Result<StreamScope, ApiError> {
    match params.text("container_id")? {
        Some(id) => Ok(resolve::subject(&caller.fleet(&state.parts), &id)?.scope()),
        None => Ok(StreamScope::All),
    }
}

/// `GET /api/stream/{id}`: one container, or those of one profile.
pub(crate) async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let scope = resolve::subject(&caller.fleet(&state.parts), &id)?.scope();
    open(&state, caller, scope, &headers, params)
}

fn open(
    state: &Arc<AppState>,
    caller: Caller,
    scope: StreamScope,
    headers: &HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    let subscription = subscribe(state, &caller, scope, headers, params)?;
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        // A proxy that collects an answer before it passes it on would end the live view.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(Watched::new(subscription, state.clone(), caller.shown)))
        .into_response())
}

/// The client's end of the stream, by the parameters that both ways of streaming have.
pub(super) fn subscribe(
    state: &AppState,
    caller: &Caller,
    scope: StreamScope,
    headers: &HeaderMap,
    mut params: Params,
) -> Result<Subscription, ApiError> {
    let filter = StreamFilter {
        types: types(&mut params)?,
        priority: params.priority()?,
        categories: params.categories()?,
        within: caller.scope().clone(),
    };
    let query = params.text("last_event_id")?;
    params.finish()?;
    // The header is newer: a browser that reconnects keeps the query it began with.
    let header = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("unreadable"));
    let resume = header.or(query.as_deref());
    state.parts.hub.subscribe(scope, filter, resume).map_err(|error| {
        let StreamError::TooManyClients { .. } = error;
        ApiError::Busy { what: error.to_string() }
    })
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

/// How often it is looked whether a client still is who it was: a stream outlives its request, and a
/// token that was revoked must not go on listening.
pub(super) const WATCH_EVERY: Duration = Duration::from_secs(5);

/// A stream that ends with what its client has shown.
struct Watched {
    subscription: Subscription,
    state: Arc<AppState>,
    shown: Shown,
    looks: Interval,
}

impl Watched {
    fn new(subscription: Subscription, state: Arc<AppState>, shown: Shown) -> Self {
        Self { subscription, state, shown, looks: tokio::time::interval(WATCH_EVERY) }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while self.looks.poll_tick(context).is_ready() {
            if !self.state.parts.security.still_knows(&self.shown, times::now()) {
                return Poll::Ready(None);
            }
        }
        Pin::new(&mut self.subscription).poll_frame(context)
    }
}
