//! Answers kept for a moment. Of those who ask for the same at the same time one makes it, and the
//! others wait for that.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use hanabi_telemetry::{CacheResult, Metrics};
use moka::future::Cache as Moka;

use crate::error::ApiError;

/// How old an overview or a tree may be: the console asks every few seconds, and a hundred consoles
/// then cost what one does.
const VIEW_FRESH: Duration = Duration::from_millis(500);
/// How old an answer in `PromQL` may be: samples come every few seconds at most, and a page asks for
/// dozens of them.
pub(crate) const PROMQL_FRESH: Duration = Duration::from_secs(5);
/// Bytes of all answers of a kind, with their questions.
const MAX_BYTES: u64 = 32 << 20;

/// An answer, whole.
#[derive(Clone)]
struct Kept {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Kept {
    async fn of(response: Response) -> Result<Self, ApiError> {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.map_err(ApiError::internal)?;
        Ok(Self { status: parts.status, headers: parts.headers, body })
    }

    fn response(&self) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// Answers of a kind.
pub(crate) struct Cache {
    kept: Moka<String, Kept>,
    metrics: Metrics,
}

impl Cache {
    /// For overviews and trees.
    pub(crate) fn of_views(metrics: Metrics) -> Self {
        Self::new(VIEW_FRESH, metrics)
    }

    /// For `PromQL`.
    pub(crate) fn of_promql(metrics: Metrics) -> Self {
        Self::new(PROMQL_FRESH, metrics)
    }

    fn new(fresh: Duration, metrics: Metrics) -> Self {
        let weigh = |key: &String, kept: &Kept| {
            u32::try_from(key.len() + kept.body.len()).unwrap_or(u32::MAX)
        };
        let kept =
            Moka::builder().max_capacity(MAX_BYTES).weigher(weigh).time_to_live(fresh).build();
        Self { kept, metrics }
    }

    /// Forgets everything: whoever has changed something sees it at once.
    pub(crate) fn forget(&self) {
        self.kept.invalidate_all();
    }

    /// The answer kept under a key that says all that was asked, or the one that `make` makes. What
    /// did not succeed is not kept, but told to all who wait.
    pub(crate) async fn answer(
        &self,
        key: String,
        make: impl Future<Output = Result<Response, ApiError>>,
    ) -> Response {
        let making = async {
            let response = match make.await {
                Ok(response) => response,
                Err(error) => error.into_response(),
            };
            match Kept::of(response).await {
                Ok(kept) if kept.status.is_success() => Ok(kept),
                Ok(kept) => Err(Ok(kept)),
                Err(error) => Err(Err(error.to_string())),
            }
        };
        let found = self.kept.entry(key).or_try_insert_with(making).await;
        let hit = found.as_ref().is_ok_and(|entry| !entry.is_fresh());
        let result = if hit { CacheResult::Hit } else { CacheResult::Miss };
        self.metrics.api_cache.of(result).increment();
        match found {
            Ok(entry) => entry.value().response(),
            Err(failed) => match &*failed {
                Ok(kept) => kept.response(),
                Err(text) => ApiError::internal(text.clone()).into_response(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    async fn asked(cache: &Cache, key: &str, made: &AtomicU32, status: StatusCode) -> String {
        let answering = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let n = made.fetch_add(1, Ordering::Relaxed) + 1;
            Ok((status, [("x-n", n.to_string())], format!("answer {n}")).into_response())
        };
        let answer = cache.answer(key.to_owned(), answering).await;
        assert_eq!(answer.status(), status);
        let n = answer.headers()["x-n"].to_str().unwrap().to_owned();
        let text = to_bytes(answer.into_body(), 100).await.unwrap();
        assert_eq!(text, format!("answer {n}"));
        n
    }

    #[tokio::test]
    async fn one_of_many_makes_an_answer_and_errors_are_not_kept() {
        let metrics = Metrics::new();
        let cache = Cache::of_promql(metrics.clone());
        let made = AtomicU32::new(0);
        let ok = StatusCode::OK;
        let all = tokio::join!(
            asked(&cache, "a", &made, ok),
            asked(&cache, "a", &made, ok),
            asked(&cache, "a", &made, ok),
        );
        assert_eq!(all, ("1".to_owned(), "1".to_owned(), "1".to_owned()));
        assert_eq!(asked(&cache, "a", &made, ok).await, "1");
        assert_eq!(asked(&cache, "b", &made, ok).await, "2");
        let hits = metrics.api_cache.of(CacheResult::Hit).get();
        assert_eq!((hits, metrics.api_cache.of(CacheResult::Miss).get()), (3, 2));
        let bad = StatusCode::BAD_REQUEST;
        assert_eq!(asked(&cache, "c", &made, bad).await, "3");
        assert_eq!(asked(&cache, "c", &made, bad).await, "4");
    }

    #[tokio::test]
    async fn an_answer_is_made_anew_after_a_change() {
        let cache = Cache::of_promql(Metrics::new());
        let made = AtomicU32::new(0);
        assert_eq!(asked(&cache, "a", &made, StatusCode::OK).await, "1");
        cache.forget();
        assert_eq!(asked(&cache, "a", &made, StatusCode::OK).await, "2");
    }

    #[tokio::test]
    async fn an_answer_is_made_anew_when_it_is_old() {
        let cache = Cache::of_views(Metrics::new());
        let made = AtomicU32::new(0);
        assert_eq!(asked(&cache, "a", &made, StatusCode::OK).await, "1");
        tokio::time::sleep(VIEW_FRESH + Duration::from_millis(50)).await;
        assert_eq!(asked(&cache, "a", &made, StatusCode::OK).await, "2");
    }
}
