//! `POST /ingest/falco`: events from Falco's `http_output`, Falcosidekick's webhook, or by hand.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hanabi_ingest::body::{BodyError, BodyLimits, decode_body};
use hanabi_ingest::{Refused, SourceId};
use serde_json::json;

use crate::app::AppState;
use crate::error::ApiError;
use crate::params::Params;

/// The name of this source, in metrics and stored positions.
const HTTP_SOURCE: &str = "http";

/// Takes one event, an array or lines of them, plain or gzip; answers 202 when they are queued.
pub(crate) async fn falco(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    params: Params,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let limit = state.parts.limits.body_bytes;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit },
        _ => ApiError::BadBody { reason: rejection.body_text() },
    })?;
    let kind = text(&headers, &header::CONTENT_TYPE)?;
    let encoding = text(&headers, &header::CONTENT_ENCODING)?;
    // Unpacking, and the journal's write, block; this route has its own bound on how many do.
    let intake = state.parts.intake.clone();
    let accepted = tokio::task::spawn_blocking(move || {
        let limits = BodyLimits::default();
        let lines = decode_body(kind.as_deref(), encoding.as_deref(), body, &limits)?;
        if lines.is_empty() {
            return Err(ApiError::BadBody { reason: "it holds no events".into() });
        }
        Ok(intake.offer(&SourceId::new(HTTP_SOURCE), lines)?)
    });
    let accepted = accepted.await.map_err(ApiError::internal)??;
    Ok((StatusCode::ACCEPTED, Json(json!({ "accepted": accepted.lines }))).into_response())
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(ApiError::BadBody { reason: format!("its {name} is not ASCII") }),
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { limit } => Self::BodyTooLarge { limit },
            BodyError::UnsupportedEncoding { encoding } => Self::UnsupportedMedia {
                field: "content-encoding",
                value: encoding,
                bound: "gzip or identity",
            },
            BodyError::UnsupportedType { content_type } => Self::UnsupportedMedia {
                field: "content-type",
                value: content_type,
                bound: "application/json, application/x-ndjson or text/plain",
            },
            BodyError::Gzip(cause) => Self::BadBody { reason: format!("it is no gzip: {cause}") },
            error @ BodyError::BrokenArray { .. } => Self::BadBody { reason: error.to_string() },
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after().map_or(5, |time| time.max(SECOND).as_secs());
        match refused {
            Refused::QueueFull { .. } => Self::QueueFull { retry_after },
            Refused::Journal { source_id, source } => {
                tracing::warn!(source = %source_id, error = %source, "events were refused");
                Self::QueueFull { retry_after }
            }
            Refused::Closed => Self::NotReady { reasons: vec!["the service is ending".into()] },
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
