//! Containers and their events.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_store::LogQuery;
use serde_json::json;

use crate::app::AppState;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::live::ContainerRow;
use crate::params::{LIMIT_MAX, Params};
use crate::pressure::Expensive;
use crate::resolve;
use crate::views::{LogView, ProfileView, Time, brief};

/// `GET /api/containers`: all of them by name, a page at a time.
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let fleet = caller.fleet(&state.parts);
    let only = params.text("container_id")?;
    let needle = params.text("q")?.map(|text| text.to_lowercase());
    let least = params.priority()?;
    let limit = params.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT_MAX);
    let cursor = params.text("cursor")?;
    params.finish()?;
    let mut rows: Vec<&ContainerRow> = match only {
        Some(id) => vec![resolve::container(&fleet, &id)?],
        None => fleet.containers.iter().collect(),
    };
    rows.retain(|row| {
        needle.as_ref().is_none_or(|needle| {
            [&row.id, &row.name, &row.identity, &row.image, &row.host]
                .iter()
                .any(|text| text.to_lowercase().contains(needle))
        }) && least.is_none_or(|least| row.open_alerts.keys().any(|priority| *priority >= least))
    });
    rows.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
    let total = rows.len();
    let from = match &cursor {
        None => 0,
        Some(id) => {
            rows.iter().position(|row| row.id == *id).map(|at| at + 1).ok_or_else(|| {
                ApiError::parameter("cursor", id, "it is the next_cursor of a page before")
            })?
        }
    };
    let page: Vec<ContainerRow> =
        rows.iter().skip(from).take(limit).map(|row| brief(row)).collect();
    let next_cursor = page.last().filter(|_| from + page.len() < total).map(|row| row.id.clone());
    let answer = json!({
        "generated": Time(fleet.generated),
        "total": total,
        "containers": page,
        "next_cursor": next_cursor,
    });
    Ok(Json(answer).into_response())
}

/// `GET /api/containers/{id}`: one, with its profile and the learning numbers of each branch.
pub(crate) async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let fleet = caller.fleet(&state.parts);
    let row = resolve::container(&fleet, &id)?;
    let profile = fleet.profile(&row.identity).map(ProfileView::of);
    Ok(Json(json!({ "container": row, "profile": profile })).into_response())
}

/// `GET /api/containers/{id}/logs`: its events, newest first.
pub(crate) async fn logs(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let subject = resolve::subject(&caller.fleet(&state.parts), &id)?;
    let (start, end) = params.span()?;
    let query = LogQuery {
        container: Some(subject.word().to_owned()),
        start,
        end,
        min_priority: params.priority()?,
        category: params.category()?,
        q: params.text("q")?,
        limit: params.limit()?,
        cursor: params.text("cursor")?,
    };
    params.finish()?;
    if query.q.is_some() {
        state.afford(Expensive::Search)?;
    }
    let page = state.blocking(move |parts| Ok(parts.log.query(&query)?)).await?;
    // A word of the log is an id, a name or an identity, and means more than what it was found by.
    let seen =
        page.rows.iter().filter(|row| caller.scope().covers(&row.identity, &row.container_name));
    let events: Vec<_> = seen.map(LogView).collect();
    let answer = json!({
        "events": events,
        "next_cursor": page.next_cursor,
        "scanned_until": page.scanned_until.map(Time),
    });
    Ok(Json(answer).into_response())
}
