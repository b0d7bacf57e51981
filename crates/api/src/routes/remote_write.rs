//! `POST /api/v1/write`: what a Prometheus sends, in its remote write of version 1.
//!
//! Source: <https://prometheus.io/docs/specs/prw/remote_write_spec/>. As Prometheus' own receiver has
//! it: samples of a series come in order of time, at most ten minutes ahead of the clock; what cannot
//! be taken is a 400, after which the sender goes on with what follows, and what could be taken stays.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use hanabi_series::remote::{MAX_BYTES, RemoteError, decode};
use hanabi_series::{Appended, Labels, Sample, Series, SeriesStore};

use crate::app::{AppParts, AppState};
use crate::error::ApiError;
use crate::times;

const KEY: &str = "series.remote_write_receiver";
/// How far ahead of the clock a sample may be, ms, as in Prometheus: clocks differ, and a sample of
/// another year would be the newest for a year.
const MAX_AHEAD: i64 = 600_000;

/// What is packed is hardly larger than unpacked.
pub(crate) fn body_limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(MAX_BYTES)
}

/// Takes samples; answers 204 when they are there for queries.
pub(crate) async fn write(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    let Some(receiver) = state.parts.receiver.clone() else {
        return Err(ApiError::SwitchedOff { key: KEY });
    };
    check_media(&headers)?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit: MAX_BYTES },
        _ => ApiError::BadBody { reason: rejection.body_text() },
    })?;
    let now = (times::now() / 1_000_000) as i64;
    state.blocking(move |parts| take(parts, &receiver, &body, now)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A sender of version 2 is told so, and falls back to version 1.
fn check_media(headers: &HeaderMap) -> Result<(), ApiError> {
    let given = |name| headers.get(name).map_or("", |value| value.to_str().unwrap_or("unreadable"));
    let refused = |field, value: &str, bound| ApiError::UnsupportedMedia {
        field,
        value: value.chars().take(100).collect(),
        bound,
    };
    let kind = given(header::CONTENT_TYPE);
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-protobuf") || kind.contains("write.v2") {
        let bound = "application/x-protobuf (remote write of version 1)";
        return Err(refused("content-type", kind, bound));
    }
    let encoding = given(header::CONTENT_ENCODING);
    if !encoding.eq_ignore_ascii_case("snappy") {
        return Err(refused("content-encoding", encoding, "snappy"));
    }
    Ok(())
}

fn take(parts: &AppParts, receiver: &SeriesStore, body: &[u8], now: i64) -> Result<(), ApiError> {
    let request = decode(body).map_err(|error| match error {
        RemoteError::TooLarge(_) => ApiError::BodyTooLarge { limit: MAX_BYTES },
        RemoteError::Packing(_) | RemoteError::Format(_) => {
            ApiError::BadBody { reason: error.to_string() }
        }
    })?;
    let mut ahead = 0u64;
    let mut samples: Vec<(Labels, Sample)> = Vec::new();
    for Series { labels, samples: points } in request.series {
        for point in points {
            if point.time > now.saturating_add(MAX_AHEAD) {
                ahead += 1;
            } else {
                samples.push((labels.clone(), point));
            }
        }
    }
    let Appended { taken, known: _, out_of_order, too_many_series } = receiver.append(&samples);
    // Who is told that samples were taken does not send them again.
    receiver.commit().map_err(ApiError::internal)?;
    let metrics = parts.exporter.metrics();
    metrics.series_samples.add(taken);
    metrics.series_refused.add(out_of_order + too_many_series + ahead + request.invalid);
    let mut reasons = Vec::new();
    if let Some(why) = request.why {
        reasons.push(format!("{} samples have invalid labels ({why})", request.invalid));
    }
    for (count, why) in [
        (out_of_order, "are out of order: not later than the last of their series"),
        (too_many_series, "are of new series, and the store holds no more"),
        (ahead, "are more than ten minutes ahead of the service's clock"),
    ] {
        if count > 0 {
            reasons.push(format!("{count} samples {why}"));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let reason = format!("{}; {taken} were", reasons.join(", "));
    Err(ApiError::SamplesRefused { reason })
}
