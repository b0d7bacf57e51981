//! `GET /api/overview`: the state of everything in one answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hanabi_detect::AlertState;
use hanabi_profile::Phase;
use hanabi_store::AlertQuery;
use serde_json::{Value, json};

use super::alerts::alert_stats;
use crate::app::{AppParts, AppState};
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::overview::Window;
use crate::params::Params;
use crate::views::{self, Time};

/// Answers for the window asked for, `15m` by default; at most half a second old.
pub(crate) async fn overview(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let text = params.text("window")?;
    params.finish()?;
    let window = match text {
        None => Window::FifteenMinutes,
        Some(text) => Window::parse(&text)
            .ok_or_else(|| ApiError::parameter("window", &text, "it is one of 5m, 15m, 1h, 24h"))?,
    };
    let key = format!("overview {window:?} {}", caller.scope().key());
    let make = async {
        let mut answer =
            state.blocking(move |parts| compute(parts, window, caller.scope())).await?;
        answer["degraded"] = json!(state.degraded());
        Ok(Json(answer).into_response())
    };
    Ok(state.views.answer(key, make).await)
}

/// Within a scope events are told by container names alone: they are counted by nothing else beside
/// rules, categories and priorities, which say not whose they are.
fn compute(parts: &AppParts, window: Window, scope: &Scope) -> Result<Value, ApiError> {
    let whole = parts.live.fleet();
    let lost: u64 = whole.totals.dropped.values().sum();
    let fleet = scope.fleet(whole.clone());
    let events = parts.live.with_overview(|stats| {
        if scope.is_everything() {
            return stats.window(window);
        }
        // A name that others have, too, would count what is theirs.
        let others = |name: &str| {
            let mut rows = whole.containers.iter().filter(|row| row.name == name);
            rows.any(|row| !scope.covers(&row.identity, name))
        };
        let inside = |name: &str| fleet.containers.iter().any(|row| row.name == name);
        stats.window_of(window, |name| inside(name) && !others(name))
    });
    let changed = parts.live.changed_alerts();
    let span = |start, end| (start != 0).then_some((start, end));
    let in_window = match span(events.start, events.end) {
        Some((start, end)) => {
            let query = AlertQuery { start: Some(start), end: Some(end), ..AlertQuery::default() };
            views::stats(&alert_stats(parts, &query, scope, &changed)?)
        }
        None => Value::Null,
    };
    let open = AlertQuery { states: vec![AlertState::Open], ..AlertQuery::default() };
    let open = alert_stats(parts, &open, scope, &changed)?;
    let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
    for phase in Phase::ALL {
        let count = fleet.containers.iter().filter(|row| row.phase == phase).count();
        phases.insert(phase.as_str(), count as u64);
    }
    let rate: f64 = fleet.containers.iter().map(|row| row.events_per_second).sum();
    Ok(json!({
        "generated": Time(fleet.generated),
        "events": events,
        "alerts": {
            "open": open.alerts,
            "open_by_priority": open.by_priority,
            "open_by_rule": open.by_rule,
            "window": in_window,
        },
        "containers": {
            "total": fleet.containers.len(),
            "by_phase": phases,
            "events_per_second": rate,
        },
        "totals": fleet.totals,
        "lost": lost,
        "sources": fleet.sources,
    }))
}
