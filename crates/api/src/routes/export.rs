//! Alerts, events, trees and a report as files.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use hanabi_event::SECOND;
use hanabi_profile::{TreeNode, push_pointer};
use hanabi_store::{LogQuery, LogRow};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::alerts::{alert_filter, alert_page, container_word};
use crate::app::{AppParts, AppState};
use crate::auth::Caller;
use crate::error::ApiError;
use crate::export::{self, Format, Language, Sheet};
use crate::params::{LIMIT_MAX, Params};
use crate::resolve;
use crate::times;
use crate::views::LogView;

static ALERTS: Sheet = Sheet {
    columns: &[
        ("id", "/id"),
        ("fingerprint", "/fingerprint"),
        ("incident", "/incident"),
        ("state", "/state"),
        ("priority", "/priority"),
        ("source", "/source"),
        ("rule", "/rule"),
        ("kind", "/kind"),
        ("score", "/score"),
        ("identity", "/identity"),
        ("container_id", "/container/id"),
        ("container_name", "/container/name"),
        ("image", "/container/image"),
        ("host", "/host"),
        ("count", "/count"),
        ("first_seen", "/first_seen"),
        ("last_seen", "/last_seen"),
        ("summary", "/summary/en"),
        ("summary_zh", "/summary/zh"),
        ("path", "/path/raw"),
        ("mitre", "/mitre"),
        ("assignee", "/assignee"),
    ],
};

static NODES: Sheet = Sheet {
    columns: &[
        ("identity", "/identity"),
        ("pointer", "/pointer"),
        ("name", "/name"),
        ("type", "/type"),
        ("events_count", "/events_count"),
        ("first_seen", "/first_seen"),
        ("last_seen", "/last_seen"),
    ],
};

static EVENTS: Sheet = Sheet {
    columns: &[
        ("time", "/time"),
        ("container_id", "/container_id"),
        ("container_name", "/container_name"),
        ("identity", "/identity"),
        ("host", "/host"),
        ("category", "/category"),
        ("priority", "/priority"),
        ("rule", "/rule"),
        ("call", "/call"),
        ("process", "/process"),
        ("command_line", "/command_line"),
        ("object", "/object"),
        ("outcome", "/outcome"),
        ("count", "/count"),
        ("deviation", "/deviation"),
    ],
};

/// `GET /api/export/alerts`: with the filters of the list.
pub(crate) async fn alerts(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = Format::of(&mut params)?;
    let container = container_word(&state, &caller, &mut params)?;
    let mut query = alert_filter(&mut params, container)?;
    params.finish()?;
    let next = pages(move |parts, cursor| {
        query.cursor = cursor;
        let page = alert_page(parts, &query, caller.scope())?;
        Ok((page.items, page.next_cursor))
    });
    let pieces = ALERTS.pieces(format, next);
    export::answer(&state, &file("alerts", format), format.media(), pieces).await
}

/// A row of a file, as the log's own route shows it.
struct Shown(LogRow);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        LogView(&self.0).serialize(to)
    }
}

/// `GET /api/export/logs`: events, newest first, of one container or of all.
pub(crate) async fn logs(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = Format::of(&mut params)?;
    let container = container_word(&state, &caller, &mut params)?;
    let (start, end) = params.span()?;
    let mut query = LogQuery {
        container,
        start,
        end,
        min_priority: params.priority()?,
        category: params.category()?,
        q: params.text("q")?,
        limit: LIMIT_MAX,
        cursor: None,
    };
    params.finish()?;
    let next = pages(move |parts, cursor| {
        query.cursor = cursor;
        let page = parts.log.query(&query)?;
        let seen = |row: &LogRow| caller.scope().covers(&row.identity, &row.container_name);
        let rows = page.rows.into_iter().filter(seen).map(Shown).collect();
        Ok((rows, page.next_cursor))
    });
    let pieces = EVENTS.pieces(format, next);
    export::answer(&state, &file("events", format), format.media(), pieces).await
}

/// `GET /api/export/hbt`: the trees as they are, of one profile or of all; as CSV a node a row.
pub(crate) async fn trees(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let format = Format::of(&mut params)?;
    let fleet = caller.fleet(&state.parts);
    let mut identities = match params.text("container_id")? {
        Some(id) => vec![resolve::identity(&fleet, &id)?],
        None => fleet.profiles.iter().map(|profile| profile.identity.clone()).collect(),
    };
    params.finish()?;
    identities.sort_unstable();
    let runtime = tokio::runtime::Handle::current();
    let mut identities = identities.into_iter();
    let pieces = NODES.pieces(format, move |parts| {
        let Some(identity) = identities.next() else { return Ok(None) };
        let root = match runtime.block_on(parts.engine.snapshot(&identity)) {
            Ok(Some(root)) => Some(root),
            // A profile that has ended meanwhile, or an engine that has: what is stored is shown.
            Ok(None) | Err(_) => parts.store.snapshot(&identity, None)?.map(|(_, root)| root),
        };
        let mut rows = Vec::new();
        if let Some(root) = root {
            if format == Format::Csv {
                nodes(&identity, &root, &mut String::new(), &mut rows);
            } else {
                rows.push(json!({ "identity": identity, "tree": root }));
            }
        }
        Ok(Some(rows))
    });
    export::answer(&state, &file("trees", format), format.media(), pieces).await
}

fn nodes(identity: &str, node: &TreeNode, pointer: &mut String, rows: &mut Vec<Value>) {
    rows.push(json!({
        "identity": identity,
        "pointer": &*pointer,
        "name": node.name,
        "type": node.kind,
        "events_count": node.events_count,
        "first_seen": node.metadata.get("first_seen"),
        "last_seen": node.metadata.get("last_seen"),
    }));
    let length = pointer.len();
    for (key, child) in &node.children {
        push_pointer(pointer, key);
        nodes(identity, child, pointer, rows);
        pointer.truncate(length);
    }
}

/// `GET /api/export/report`: a period in words; the last day where none is given.
pub(crate) async fn report(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let (start, end) = params.span()?;
    let language = match params.text("lang")?.as_deref() {
        None | Some("en") => Language::English,
        Some("zh") => Language::Chinese,
        Some(other) => return Err(ApiError::parameter("lang", other, "it is en or zh")),
    };
    params.finish()?;
    let end = end.unwrap_or_else(times::now);
    let start = start.unwrap_or_else(|| end.saturating_sub(24 * 3_600 * SECOND));
    let mut text = Some(());
    let pieces = Box::new(move |parts: &AppParts| match text.take() {
        Some(()) => Ok(export::report(parts, &caller, (start, end), language)?.into_bytes()),
        None => Ok(Vec::new()),
    });
    export::answer(&state, "hanabi-report.md", "text/markdown; charset=utf-8", pieces).await
}

/// Page after page by their cursors, up to the last.
fn pages<T>(
    mut read: impl FnMut(&AppParts, Option<String>) -> Result<(Vec<T>, Option<String>), ApiError>,
) -> impl FnMut(&AppParts) -> Result<Option<Vec<T>>, ApiError> {
    let mut cursor = Some(None);
    move |parts| {
        let Some(from) = cursor.take() else { return Ok(None) };
        let (rows, next) = read(parts, from)?;
        cursor = next.map(Some);
        Ok(Some(rows))
    }
}

fn file(what: &str, format: Format) -> String {
    format!("hanabi-{what}.{}", format.extension())
}
