//! What people do to profiles, and what waits in their quarantine.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::rulings::Nothing;
use super::tree;
use super::triage::order;
use crate::app::AppState;
use crate::auth::Caller;
use crate::body::{self, JsonBody};
use crate::command::{Command, ProfileOperation, RollbackTo};
use crate::engine::EngineError;
use crate::error::ApiError;
use crate::params::Params;
use crate::resolve;

/// `GET /api/hbt/{id}/quarantine`: dangerous behaviour seen while learning, and what was decided.
pub(crate) async fn quarantine(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    let items = state.parts.engine.quarantine(&identity).await.map_err(|error| match error {
        EngineError::Busy => ApiError::Busy { what: error.to_string() },
        EngineError::Gone => ApiError::NotReady { reasons: vec![error.to_string()] },
    })?;
    let items = items.ok_or_else(|| ApiError::not_found("profile", &id))?;
    let rows: Vec<_> = items
        .iter()
        .map(|(key, item)| {
            json!({
                "id": key, "rule": item.rule, "what": item.what, "seconds": item.slots,
                "accepted": item.accepted, "rejected": item.rejected, "by": item.by,
            })
        })
        .collect();
    Ok(Json(json!({ "identity": identity, "quarantine": rows })).into_response())
}

/// `POST /api/hbt/{id}/quarantine/{item}/{accept,reject}`.
pub(crate) async fn decide(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path((id, item)): Path<(String, String)>,
    accept: bool,
    mut params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    order(&state, &caller, Command::Quarantine { identity, item, accept }, dry_run).await
}

/// Which merge to split.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitBody {
    node: String,
}

/// `POST /api/hbt/{id}/split`.
pub(crate) async fn split(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
    JsonBody(SplitBody { node }): JsonBody<SplitBody>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let node = tree::keys(&node)?;
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    order(&state, &caller, Command::Split { identity, node }, dry_run).await
}

/// Where to go back to: one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    revision: Option<String>,
}

/// `POST /api/hbt/{id}/rollback`: the profile is as it was at a restore point; what people have
/// decided since stays.
pub(crate) async fn roll_back(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
    JsonBody(given): JsonBody<RollbackBody>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let to = match (given.to, given.revision) {
        (Some(to), None) => RollbackTo::Time(body::time("to", &to)?),
        (None, Some(revision)) => RollbackTo::Revision(body::filled("revision", Some(revision))?),
        (Some(_), Some(_)) | (None, None) => {
            let bound = "either it or `revision` must be given: /api/hbt/{id}/history lists both";
            return Err(ApiError::parameter("to", "", bound));
        }
    };
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    order(&state, &caller, Command::Rollback { identity, to }, dry_run).await
}

/// `POST /api/hbt/{id}/{relearn,freeze,unfreeze}` and `DELETE /api/hbt/{id}`.
pub(crate) async fn operate(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    operation: ProfileOperation,
    mut params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    order(&state, &caller, Command::Profile { identity, operation }, dry_run).await
}
