//! Answers that a client has already: `ETag` and `If-None-Match` (RFC 9110, 8.8.3 and 13.1.2).

use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::error::ApiError;

/// Longer bodies get no tag: they are held whole while it is made.
const TAGGED_MAX: u64 = 8 << 20;

/// Tags what is read, and answers 304 where the client has it. The tag is weak: compression comes
/// after it. What is streamed has no length and no tag.
pub(crate) async fn answer(request: Request, next: Next) -> Result<Response, ApiError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known: Vec<HeaderValue> =
        request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect();
    let response = next.run(request).await;
    let length = response.body().size_hint().exact();
    let has_tag = reads
        && response.status() == StatusCode::OK
        && length.is_some_and(|length| (1..=TAGGED_MAX).contains(&length));
    if !has_tag {
        return Ok(response);
    }
    let (mut head, body) = response.into_parts();
    let limit = usize::try_from(TAGGED_MAX).unwrap_or(usize::MAX);
    let body = axum::body::to_bytes(body, limit).await.map_err(ApiError::internal)?;
    let tag = tag(&head.headers, &body);
    // It may be kept, and has to be asked for again each time.
    head.headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("private, no-cache"));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        head.headers.insert(header::ETAG, value);
    }
    if known.iter().any(|list| list.to_str().is_ok_and(|list| has(list, &tag))) {
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_LENGTH);
        return Ok(Response::from_parts(head, Body::empty()));
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

/// The body's tag. What a header says beside it (a tree's time) is part of the answer.
fn tag(headers: &HeaderMap, body: &[u8]) -> String {
    // A fixed seed, so that a tag is the same after a restart.
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    body.hash(&mut hasher);
    for name in ["content-type", "x-hanabi-snapshot-time", "x-hanabi-identity"] {
        headers.get(name).map(HeaderValue::as_bytes).hash(&mut hasher);
    }
    format!("W/\"{:x}-{:016x}\"", body.len(), hasher.finish())
}

/// Compared weakly: whether strong or not, the same text is the same.
fn has(list: &str, tag: &str) -> bool {
    let plain = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    list.split(',').any(|one| one.trim() == "*" || plain(one) == plain(tag))
}

#[cfg(test)]
mod tests {
    use super::has;

    #[test]
    fn tags_are_compared_weakly() {
        for (list, expected) in [
            ("W/\"a\"", true),
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("", false),
            ("a", false),
        ] {
            assert_eq!(has(list, "W/\"a\""), expected, "{list}");
        }
    }
}
