//! Where events come from.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::rulings::Nothing;
use super::triage::order;
use crate::app::AppState;
use crate::auth::Caller;
use crate::body::JsonBody;
use crate::command::{Command, SourceOperation};
use crate::error::ApiError;
use crate::params::Params;

/// `GET /api/sources`: where events come from, and what became of every line.
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let fleet = state.parts.live.fleet();
    let answer = json!({ "sources": fleet.sources, "totals": fleet.totals });
    Ok(Json(answer).into_response())
}

/// `POST /api/sources/{id}/{pause,resume}`. The slashes of an id such as `file:/var/log/falco.jsonl`
/// are written `%2F` in the path.
pub(crate) async fn operate(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    operation: SourceOperation,
    mut params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    order(&state, &caller, Command::Source { id, operation }, dry_run).await
}
