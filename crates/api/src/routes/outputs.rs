//! Where alerts go, and whether they would arrive.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_outputs::{OutputError, OutputStatus};
use serde_json::{Value, json};

use super::rulings::Nothing;
use crate::app::AppState;
use crate::auth::Caller;
use crate::body::JsonBody;
use crate::error::ApiError;
use crate::params::Params;
use crate::views::Time;

/// `GET /api/outputs`: each with its state and numbers, in the order of the configuration.
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    // The numbers of a spool are behind a lock that a slow disk may hold.
    let outputs = state.blocking(|parts| Ok(parts.outputs.status())).await?;
    let rows: Vec<Value> = outputs.iter().map(view).collect();
    Ok(Json(json!({ "outputs": rows })).into_response())
}

fn view(one: &OutputStatus) -> Value {
    json!({
        "name": one.name, "kind": one.kind, "to": one.place, "format": one.format,
        "state": one.state.as_str(), "detail": one.detail, "delivered": one.delivered,
        "retries": one.retries, "refused": one.refused, "dropped": one.dropped,
        "waiting": one.waiting, "spool_bytes": one.spool_bytes,
        "last_delivery": Time(one.last_delivery),
    })
}

/// `POST /api/outputs/{name}/test`: sends a message that says it is a test, and tells what has come
/// of it. That the receiver does not take it is an answer, too.
pub(crate) async fn test(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(name): Path<String>,
    params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    params.finish()?;
    let outputs = state.parts.outputs.clone();
    let wanted = name.clone();
    // Not among the store's reads: a receiver that hangs would hold them up for seconds.
    let tested = tokio::task::spawn_blocking(move || outputs.test(&wanted));
    let detail = match tested.await.map_err(ApiError::internal)? {
        Ok(()) => None,
        Err(OutputError::NotTaken { why }) => Some(why),
        Err(OutputError::Unknown { name }) => return Err(ApiError::not_found("output", &name)),
        Err(error @ OutputError::Busy) => {
            return Err(ApiError::Conflict { reason: error.to_string() });
        }
    };
    let outcome = if detail.is_none() { "ok" } else { "failed" };
    let entry = caller.entry("output.test", &name, outcome);
    state.blocking(move |parts| Ok(parts.store.append_audit(&entry)?)).await?;
    let answer = json!({
        "name": name, "delivered": detail.is_none(), "detail": detail.unwrap_or_default(),
    });
    Ok(Json(answer).into_response())
}
