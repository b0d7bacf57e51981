//! Where `PromQL` is answered.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hanabi_series::{Edges, Reply, SeriesStore, Upstream};

/// One door, two rooms.
#[derive(Clone)]
pub enum Room {
    /// The service's own series, and which samples are in a window.
    Embedded(Arc<SeriesStore>, Edges),
    /// A server with Prometheus' API; its answers go through as they come.
    Prometheus(Upstream),
}

/// What a server has answered, as our own answer.
pub(crate) fn forwarded(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = match reply.status {
        // Whoever may not ask there has asked us, who may not either.
        401 | 403 => StatusCode::BAD_GATEWAY,
        status => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY),
    };
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response.into_response()
}
