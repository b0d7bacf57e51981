//! Alerts and incidents.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_detect::{Alert, Incident};
use hanabi_store::{AlertQuery, AlertStats, IncidentQuery, Owner, Page};
use serde_json::{Value, json};

use crate::app::{AppParts, AppState};
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::merge::{self, alert_matches, incident_matches};
use crate::params::{LIMIT_MAX, Params};
use crate::{resolve, views};

/// Steps of the histogram over time.
const BUCKETS: usize = 60;
/// Alerts not stored yet that the numbers take in; there are rarely more than some tens.
const FRESH_COUNTED: usize = 256;

/// A page of what the filters of [`alert_filter`] let through.
fn alert_query(params: &mut Params, container: Option<String>) -> Result<AlertQuery, ApiError> {
    let (limit, cursor) = (params.limit()?, params.text("cursor")?);
    Ok(AlertQuery { limit, cursor, ..alert_filter(params, container)? })
}

/// The filters of alerts, in pages as long as can be.
pub(super) fn alert_filter(
    params: &mut Params,
    container: Option<String>,
) -> Result<AlertQuery, ApiError> {
    let (start, end) = params.span()?;
    Ok(AlertQuery {
        container,
        start,
        end,
        min_priority: params.priority()?,
        states: params.states()?,
        source: params.source()?,
        kind: params.kind()?,
        rule: params.text("rule")?,
        q: params.text("q")?,
        limit: LIMIT_MAX,
        cursor: None,
    })
}

/// `container_id`, as the store knows it.
pub(super) fn container_word(
    state: &AppState,
    caller: &Caller,
    params: &mut Params,
) -> Result<Option<String>, ApiError> {
    let fleet = caller.fleet(&state.parts);
    let id = params.text("container_id")?;
    id.map(|id| Ok(resolve::subject(&fleet, &id)?.word().to_owned())).transpose()
}

/// `GET /api/alerts`: those last seen newest first; with `stats=true` their numbers, too.
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let container = container_word(&state, &caller, &mut params)?;
    let query = alert_query(&mut params, container)?;
    let with_stats = params.flag("stats")?;
    params.finish()?;
    let answer =
        state.blocking(move |parts| listed(parts, &query, caller.scope(), with_stats)).await?;
    Ok(Json(answer).into_response())
}

/// `GET /api/containers/{id}/alerts`: the same of one container, with the numbers on the first page.
pub(crate) async fn of_container(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let subject = resolve::subject(&caller.fleet(&state.parts), &id)?;
    let query = alert_query(&mut params, Some(subject.word().to_owned()))?;
    params.finish()?;
    let with_stats = query.cursor.is_none();
    let answer =
        state.blocking(move |parts| listed(parts, &query, caller.scope(), with_stats)).await?;
    Ok(Json(answer).into_response())
}

/// A page of alerts, also of those that the store does not have yet.
pub(crate) fn alert_page(
    parts: &AppParts,
    query: &AlertQuery,
    scope: &Scope,
) -> Result<Page<Alert>, ApiError> {
    let keep = |owner: &Owner| scope.covers_owner(owner);
    let page = merge::page(
        &parts.live.changed_alerts(),
        |alert| scope.covers_alert(alert) && alert_matches(query, alert),
        query.limit,
        query.cursor.clone(),
        |limit, cursor| {
            let query = AlertQuery { limit, cursor, ..query.clone() };
            parts.store.alerts_kept(&query, scope.keeps(&keep))
        },
    )?;
    Ok(page)
}

fn listed(
    parts: &AppParts,
    query: &AlertQuery,
    scope: &Scope,
    with_stats: bool,
) -> Result<Value, ApiError> {
    let page = alert_page(parts, query, scope)?;
    let mut answer = json!({ "alerts": page.items, "next_cursor": page.next_cursor });
    if with_stats {
        let changed = parts.live.changed_alerts();
        answer["stats"] = views::stats(&alert_stats(parts, query, scope, &changed)?);
    }
    Ok(answer)
}

/// The store's numbers, and those of the alerts that it has never seen.
pub(crate) fn alert_stats(
    parts: &AppParts,
    query: &AlertQuery,
    scope: &Scope,
    changed: &[Arc<Alert>],
) -> Result<AlertStats, ApiError> {
    let keep = |owner: &Owner| scope.covers_owner(owner);
    let mut stats = parts.store.alert_stats_kept(query, BUCKETS, scope.keeps(&keep))?;
    let matches = |alert: &&Arc<Alert>| scope.covers_alert(alert) && alert_matches(query, alert);
    for alert in changed.iter().filter(matches).take(FRESH_COUNTED) {
        if parts.store.alert(&alert.id)?.is_some() {
            continue;
        }
        stats.alerts += 1;
        stats.occurrences += alert.count;
        *stats.by_rule.entry(alert.rule.clone()).or_default() += 1;
        *stats.by_priority.entry(alert.priority).or_default() += 1;
        *stats.by_state.entry(alert.state).or_default() += 1;
        *stats.by_source.entry(alert.source).or_default() += 1;
        for step in &mut stats.over_time {
            let begins_before_its_end = alert.first_seen < step.end;
            step.opened += u64::from(begins_before_its_end && alert.first_seen >= step.start);
            step.active += u64::from(begins_before_its_end && alert.last_seen >= step.start);
        }
    }
    Ok(stats)
}

/// `GET /api/alerts/{id}`.
pub(crate) async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let wanted = id.clone();
    let alert = state.blocking(move |parts| caller.alert(parts, &wanted)).await?;
    match alert {
        Some(alert) => Ok(Json(&*alert).into_response()),
        None => Err(ApiError::not_found("alert", &id)),
    }
}

/// `GET /api/incidents`: those last seen newest first.
pub(crate) async fn incidents(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
) -> Result<Response, ApiError> {
    let container = container_word(&state, &caller, &mut params)?;
    let (start, end) = params.span()?;
    let query = IncidentQuery {
        container,
        start,
        end,
        min_priority: params.priority()?,
        limit: params.limit()?,
        cursor: params.text("cursor")?,
    };
    params.finish()?;
    let page = state.blocking(move |parts| incident_page(parts, &query, caller.scope())).await?;
    let answer = json!({ "incidents": page.items, "next_cursor": page.next_cursor });
    Ok(Json(answer).into_response())
}

/// A page of incidents, also of those that the store does not have yet.
pub(crate) fn incident_page(
    parts: &AppParts,
    query: &IncidentQuery,
    scope: &Scope,
) -> Result<Page<Incident>, ApiError> {
    let keep = |owner: &Owner| scope.covers_owner(owner);
    let page = merge::page(
        &parts.live.changed_incidents(),
        |incident| scope.covers_incident(incident) && incident_matches(query, incident),
        query.limit,
        query.cursor.clone(),
        |limit, cursor| {
            let query = IncidentQuery { limit, cursor, ..query.clone() };
            parts.store.incidents_kept(&query, scope.keeps(&keep))
        },
    )?;
    Ok(page)
}

/// `GET /api/incidents/{id}`, with its alerts.
pub(crate) async fn incident(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let answer = state
        .blocking(move |parts| {
            let incident = find_incident(parts, &id)?;
            if !caller.scope().covers_incident(&incident) {
                return Err(ApiError::not_found("incident", &id));
            }
            let alerts = alerts_of(parts, &caller, incident.alerts.iter())?;
            Ok(json!({ "incident": incident, "alerts": alerts }))
        })
        .await?;
    Ok(Json(answer).into_response())
}

/// The alerts of these ids that there are and that the caller may see.
pub(crate) fn alerts_of<'a>(
    parts: &AppParts,
    caller: &Caller,
    ids: impl Iterator<Item = &'a String>,
) -> Result<Vec<Alert>, ApiError> {
    let mut alerts = Vec::new();
    for id in ids {
        alerts.extend(caller.alert(parts, id)?.map(Arc::unwrap_or_clone));
    }
    Ok(alerts)
}

fn find_incident(parts: &AppParts, id: &str) -> Result<Incident, ApiError> {
    let changed = parts.live.changed_incidents().into_iter().find(|incident| incident.id == id);
    match changed {
        Some(incident) => Ok((*incident).clone()),
        None => parts.store.incident(id)?.ok_or_else(|| ApiError::not_found("incident", id)),
    }
}
