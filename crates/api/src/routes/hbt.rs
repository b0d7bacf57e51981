//! Behaviour trees.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use hanabi_event::EventTime;
use hanabi_profile::{TreeDiff, TreeNode};
use hanabi_store::SNAPSHOT_DEPTH;
use serde_json::json;

use super::tree::{self, View};
use crate::app::AppState;
use crate::auth::Caller;
use crate::engine::EngineError;
use crate::error::ApiError;
use crate::params::Params;
use crate::pressure::{Expensive, SHALLOW};
use crate::views::{PointView, SnapshotView, Time};
use crate::{resolve, times};

/// `GET /api/hbt/{id}`: the tree as it is now, or as the snapshot before `at` has it. The body is
/// the snapshot format itself; whose tree it is and of when stands in the headers.
pub(crate) async fn tree(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    let branch = params.text("branch")?;
    if let Some(branch) = &branch
        && !["process", "network", "file"].contains(&branch.as_str())
    {
        let bound = "it is process, network or file";
        return Err(ApiError::parameter("branch", branch, bound));
    }
    let view = View {
        branch,
        node: params.text("node")?,
        depth: params.number("depth", 0, SNAPSHOT_DEPTH)?.unwrap_or(SNAPSHOT_DEPTH),
        needle: params.text("q")?.map(|text| text.to_lowercase()),
        nodes: state.parts.limits.tree_nodes,
    };
    let at = params.moment("at")?;
    params.finish()?;
    let key = format!("tree {identity} {at:?} {view:?}");
    Ok(state.views.answer(key, shown(&state, &identity, at, view)).await)
}

async fn shown(
    state: &Arc<AppState>,
    identity: &str,
    at: Option<EventTime>,
    view: View,
) -> Result<Response, ApiError> {
    if view.depth > SHALLOW || view.needle.is_some() {
        state.afford(Expensive::Tree)?;
    }
    let (time, root) = whole_tree(state, identity, at.map(|at| ("at", at))).await?;
    let cut = state.blocking(move |_| tree::cut(root, &view)).await?;
    let mut response = Json(cut).into_response();
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-hanabi-snapshot-time"), header(&times::text(time)));
    headers.insert(HeaderName::from_static("x-hanabi-identity"), header(identity));
    Ok(response)
}

/// The engine's tree, or a stored one: the one asked for by a parameter, or the newest of a profile
/// that the engine does not hold.
async fn whole_tree(
    state: &Arc<AppState>,
    identity: &str,
    at: Option<(&'static str, EventTime)>,
) -> Result<(EventTime, TreeNode), ApiError> {
    if at.is_none() {
        let asked = state.parts.engine.snapshot(identity).await;
        match asked {
            Ok(Some(root)) => return Ok((state.parts.live.fleet().generated, root)),
            Ok(None) => {}
            Err(error @ EngineError::Busy) => {
                return Err(ApiError::Busy { what: error.to_string() });
            }
            Err(EngineError::Gone) => {
                tracing::debug!("the engine is gone; the newest stored tree answers");
            }
        }
    }
    let (wanted, time) = (identity.to_owned(), at.map(|(_, time)| time));
    let found = state.blocking(move |parts| Ok(parts.store.snapshot(&wanted, time)?)).await?;
    found.ok_or_else(|| match at {
        Some((field, time)) => {
            ApiError::parameter(field, &times::text(time), "no snapshot is that old")
        }
        None => ApiError::not_found("profile", identity),
    })
}

/// A header's value; what is not visible ASCII is percent-encoded.
fn header(text: &str) -> HeaderValue {
    use std::fmt::Write as _;
    let mut plain = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'$' | b'&'..=b'~' => plain.push(byte as char),
            _ => {
                if write!(plain, "%{byte:02X}").is_err() {
                    break;
                }
            }
        }
    }
    HeaderValue::from_str(&plain).unwrap_or(HeaderValue::from_static(""))
}

/// Differences of each sort in one answer.
const DIFFERENCES: usize = 1_000;

/// `GET /api/hbt/{id}/diff`: what the tree of `to`, or the present one, has and that of `from` has not,
/// and the other way round.
pub(crate) async fn diff(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    let (from, to) = (params.moment("from")?, params.moment("to")?);
    params.finish()?;
    let from = from.ok_or_else(|| {
        let bound = "it must be given: a time at or after one of the profile's snapshots, which \
                     /api/hbt/{id}/history lists";
        ApiError::parameter("from", "", bound)
    })?;
    state.afford(Expensive::Tree)?;
    let (before_at, before) = whole_tree(&state, &identity, Some(("from", from))).await?;
    let (after_at, after) = whole_tree(&state, &identity, to.map(|to| ("to", to))).await?;
    let diff = state.blocking(move |_| Ok(TreeDiff::of(&before, &after, DIFFERENCES))).await?;
    let answer = json!({
        "identity": identity,
        "from": Time(before_at),
        "to": Time(after_at),
        "added": diff.added,
        "removed": diff.removed,
        "left_out": diff.left_out,
    });
    Ok(Json(answer).into_response())
}

/// `GET /api/hbt/{id}/history`: the snapshots and restore points there are, newest first.
pub(crate) async fn history(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let identity = resolve::identity(&caller.fleet(&state.parts), &id)?;
    let (start, end) = params.span()?;
    let limit = params.limit()?;
    params.finish()?;
    let wanted = identity.clone();
    let (history, points) = state
        .blocking(move |parts| {
            Ok((parts.store.snapshots(&wanted)?, parts.store.restore_points(&wanted)?))
        })
        .await?;
    let is_within = |time: EventTime| {
        start.is_none_or(|start| time >= start) && end.is_none_or(|end| time < end)
    };
    let snapshots = history.into_iter().filter(|info| is_within(info.time)).take(limit);
    let snapshots: Vec<SnapshotView> = snapshots.map(SnapshotView::from).collect();
    let points = points.into_iter().filter(|info| is_within(info.time)).take(limit);
    let points: Vec<PointView> = points.map(PointView::from).collect();
    let answer = json!({ "identity": identity, "snapshots": snapshots, "restore_points": points });
    Ok(Json(answer).into_response())
}
