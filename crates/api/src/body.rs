//! Bodies of changes: JSON by its content type, every field known, every text bounded.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use hanabi_event::EventTime;
use serde::de::DeserializeOwned;

use crate::error::ApiError;
use crate::times;

/// The longest note: a page of text.
const TEXT_MAX: usize = 4_096;
/// The longest name, value or pattern.
pub(crate) const WORD_MAX: usize = 512;
/// The longest body of a change: a thousand ids and a note.
const BODY_MAX: usize = 128 << 10;

/// The body of a change. A browser cannot send this content type to another site without asking
/// first, which is why an empty body needs it, too.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().unwrap_or("unreadable")).to_owned();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::UnsupportedMedia {
                field: "content-type",
                value: kind.chars().take(100).collect(),
                bound: "application/json",
            });
        }
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            match BytesRejection::status(&rejection) {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::BodyTooLarge { limit: BODY_MAX },
                _ => ApiError::BadBody { reason: rejection.body_text() },
            }
        })?;
        if body.len() > BODY_MAX {
            return Err(ApiError::BodyTooLarge { limit: BODY_MAX });
        }
        let json: &[u8] = if body.is_empty() { b"{}" } else { &body };
        let read = serde_json::from_slice(json);
        read.map(Self).map_err(|error| ApiError::BadBody { reason: error.to_string() })
    }
}

/// A note: bounded, and without what moves a terminal's cursor.
pub(crate) fn text(field: &'static str, text: Option<String>) -> Result<String, ApiError> {
    let text = text.unwrap_or_default();
    if text.len() > TEXT_MAX {
        let bound = format!("it can have at most {TEXT_MAX} bytes");
        return Err(ApiError::parameter(field, &text, bound));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(ApiError::parameter(
            field,
            &text.escape_debug().to_string(),
            "it is plain text",
        ));
    }
    Ok(text.trim().to_owned())
}

/// A name, a value or a pattern: one line.
pub(crate) fn word(field: &'static str, word: Option<String>) -> Result<String, ApiError> {
    let word = word.unwrap_or_default();
    if word.len() > WORD_MAX || word.chars().any(char::is_control) {
        let bound = format!("it is one line of at most {WORD_MAX} bytes");
        return Err(ApiError::parameter(field, &word.escape_debug().to_string(), bound));
    }
    Ok(word.trim().to_owned())
}

/// The same, and there must be one.
pub(crate) fn filled(field: &'static str, given: Option<String>) -> Result<String, ApiError> {
    let given = word(field, given)?;
    if given.is_empty() {
        return Err(ApiError::parameter(field, "", "it must be given and not be empty"));
    }
    Ok(given)
}

/// A time.
pub(crate) fn time(field: &'static str, text: &str) -> Result<EventTime, ApiError> {
    times::parse(text).ok_or_else(|| {
        let bound = "it is an RFC 3339 time with an offset, or whole nanoseconds since 1970";
        ApiError::parameter(field, text, bound)
    })
}
