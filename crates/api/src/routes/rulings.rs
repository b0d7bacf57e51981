//! What holds for all profiles: suppressions, maintenance windows; and who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_detect::{Maintenance, Suppression, SuppressionScope};
use hanabi_store::AuditEntry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::triage::{expiry, order};
use crate::app::AppState;
use crate::auth::Caller;
use crate::body::{self, JsonBody};
use crate::command::Command;
use crate::error::ApiError;
use crate::params::Params;
use crate::views::Time;

/// `POST /api/suppressions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSuppression {
    scope: SuppressionScope,
    value: String,
    #[serde(default)]
    expires: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    note: Option<String>,
}

/// `POST /api/maintenance`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMaintenance {
    container: String,
    start: String,
    end: String,
    #[serde(default)]
    note: Option<String>,
}

/// A body that says nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// `GET /api/suppressions`: all, the newest first; `active` tells those that hold now.
pub(crate) async fn suppressions(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let now = state.parts.live.fleet().generated;
    let mut all = state.blocking(|parts| Ok(parts.store.suppressions()?)).await?;
    all.retain(|one| caller.scope().covers_suppression(one));
    all.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
    let rows: Vec<Value> = all.iter().map(|one| suppression(one, now)).collect();
    Ok(Json(json!({ "suppressions": rows })).into_response())
}

/// A suppression as it goes over the wire.
fn suppression(one: &Suppression, now: u64) -> Value {
    json!({
        "id": one.id, "scope": one.scope, "value": one.value, "created": Time(one.created),
        "by": one.by, "expires": one.expires.map(Time), "note": one.note,
        "active": one.holds_at(now),
    })
}

/// `POST /api/suppressions`.
pub(crate) async fn suppress(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
    JsonBody(new): JsonBody<NewSuppression>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let value = body::filled("value", Some(new.value))?;
    if !caller.scope().covers_ruling(new.scope, &value) {
        caller.everything()?;
    }
    let command = Command::Suppress {
        scope: new.scope,
        value,
        expiry: expiry(new.expires, new.expires_in)?,
        note: body::text("note", new.note)?,
    };
    order(&state, &caller, command, dry_run).await
}

/// `DELETE /api/suppressions/{id}`.
pub(crate) async fn unsuppress(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    if !caller.scope().is_everything() {
        let all = state.blocking(|parts| Ok(parts.store.suppressions()?)).await?;
        let known = all.iter().find(|one| one.id == id);
        known
            .filter(|one| caller.scope().covers_suppression(one))
            .ok_or_else(|| ApiError::not_found("suppression", &id))?;
    }
    order(&state, &caller, Command::Unsuppress { id }, dry_run).await
}

/// `GET /api/maintenance`: all windows, the latest first.
pub(crate) async fn maintenance(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let now = state.parts.live.fleet().generated;
    let mut all = state.blocking(|parts| Ok(parts.store.maintenance()?)).await?;
    all.retain(|one| caller.scope().covers_maintenance(one));
    all.sort_by(|a, b| (b.start, &b.id).cmp(&(a.start, &a.id)));
    let rows: Vec<Value> = all.iter().map(|one| window(one, now)).collect();
    Ok(Json(json!({ "maintenance": rows })).into_response())
}

/// A maintenance window as it goes over the wire.
fn window(one: &Maintenance, now: u64) -> Value {
    json!({
        "id": one.id, "container": one.container, "start": Time(one.start), "end": Time(one.end),
        "created": Time(one.created), "by": one.by, "note": one.note,
        "active": (one.start..one.end).contains(&now),
    })
}

/// `POST /api/maintenance`.
pub(crate) async fn maintain(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
    JsonBody(new): JsonBody<NewMaintenance>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let (start, end) = (body::time("start", &new.start)?, body::time("end", &new.end)?);
    if start >= end {
        return Err(ApiError::parameter("end", &new.end, "it is later than start"));
    }
    let container = body::filled("container", Some(new.container))?;
    let note = body::text("note", new.note)?;
    if !caller.scope().covers_word(&container) {
        caller.everything()?;
    }
    order(&state, &caller, Command::Maintain { container, start, end, note }, dry_run).await
}

/// `DELETE /api/maintenance/{id}`.
pub(crate) async fn end_maintenance(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
    JsonBody(Nothing {}): JsonBody<Nothing>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    if !caller.scope().is_everything() {
        let all = state.blocking(|parts| Ok(parts.store.maintenance()?)).await?;
        let known = all.iter().find(|one| one.id == id);
        known
            .filter(|one| caller.scope().covers_maintenance(one))
            .ok_or_else(|| ApiError::not_found("maintenance window", &id))?;
    }
    order(&state, &caller, Command::EndMaintenance { id }, dry_run).await
}

/// `GET /api/audit`: who did what, newest first.
pub(crate) async fn audit(
    State(state): State<Arc<AppState>>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (limit, cursor) = (params.limit()?, params.text("cursor")?);
    params.finish()?;
    let page =
        state.blocking(move |parts| Ok(parts.store.audit(limit, cursor.as_deref())?)).await?;
    let entry = |entry: &AuditEntry| {
        json!({
            "sequence": entry.sequence, "at": Time(entry.at), "by": entry.by,
            "action": entry.action, "object": entry.object, "outcome": entry.outcome,
            "address": entry.address, "request": entry.request, "detail": entry.detail,
        })
    };
    let rows: Vec<Value> = page.items.iter().map(entry).collect();
    Ok(Json(json!({ "audit": rows, "next_cursor": page.next_cursor })).into_response())
}
