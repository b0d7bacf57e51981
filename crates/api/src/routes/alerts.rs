//! Alerts and incidents.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_detect::{Alert, Incident};
use hanabi_store::{AlertQuery, AlertStats, IncidentQuery, Page};
use serde_json::{Value, json};

use crate::app::{AppParts, AppState};
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
    params: &mut Params,
) -> Result<Option<String>, ApiError> {
    let fleet = state.parts.live.fleet();
    let id = params.text("container_id")?;
    id.map(|id| Ok(resolve::subject(&fleet, &id)?.word().to_owned())).transpose()
}

/// `GET /api/alerts`: those last seen newest first; with `stats=true` their numbers, too.
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let container = container_word(&state, &mut params)?;
    let query = alert_query(&mut params, container)?;
    let with_stats = params.flag("stats")?;
    params.finish()?;
    let answer = state.blocking(move |parts| listed(parts, &query, with_stats)).await?;
    Ok(Json(answer).into_response())
}

/// `GET /api/containers/{id}/alerts`: the same of one container, with the numbers on the first page.
pub(crate) async fn of_container(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let subject = resolve::subject(&state.parts.live.fleet(), &id)?;
    let query = alert_query(&mut params, Some(subject.word().to_owned()))?;
    params.finish()?;
    let with_stats = query.cursor.is_none();
    let answer = state.blocking(move |parts| listed(parts, &query, with_stats)).await?;
    Ok(Json(answer).into_response())
}

/// A page of alerts, also of those that the store does not have yet.
pub(crate) fn alert_page(parts: &AppParts, query: &AlertQuery) -> Result<Page<Alert>, ApiError> {
    let page = merge::page(
        &parts.live.changed_alerts(),
        |alert| alert_matches(query, alert),
        query.limit,
        query.cursor.clone(),
        |limit, cursor| parts.store.alerts(&AlertQuery { limit, cursor, ..query.clone() }),
    )?;
    Ok(page)
}

fn listed(parts: &AppParts, query: &AlertQuery, with_stats: bool) -> Result<Value, ApiError> {
    let page = alert_page(parts, query)?;
    let mut answer = json!({ "alerts": page.items, "next_cursor": page.next_cursor });
    if with_stats {
        answer["stats"] = views::stats(&alert_stats(parts, query, &parts.live.changed_alerts())?);
    }
    Ok(answer)
}

/// The store's numbers, and those of the alerts that it has never seen.
pub(crate) fn alert_stats(
    parts: &AppParts,
    query: &AlertQuery,
    changed: &[Arc<Alert>],
) -> Result<AlertStats, ApiError> {
    let mut stats = parts.store.alert_stats(query, BUCKETS)?;
    for alert in changed.iter().filter(|alert| alert_matches(query, alert)).take(FRESH_COUNTED) {
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
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    if let Some(alert) = state.parts.live.changed_alert(&id) {
        return Ok(Json(&*alert).into_response());
    }
    let wanted = id.clone();
    let alert = state.blocking(move |parts| Ok(parts.store.alert(&wanted)?)).await?;
    // It may have left the overlay for the store between the two looks.
    match alert.or_else(|| state.parts.live.changed_alert(&id).map(|alert| (*alert).clone())) {
        Some(alert) => Ok(Json(alert).into_response()),
        None => Err(ApiError::not_found("alert", &id)),
    }
}

/// `GET /api/incidents`: those last seen newest first.
pub(crate) async fn incidents(
    State(state): State<Arc<AppState>>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let container = container_word(&state, &mut params)?;
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
    let page = state.blocking(move |parts| incident_page(parts, &query)).await?;
    let answer = json!({ "incidents": page.items, "next_cursor": page.next_cursor });
    Ok(Json(answer).into_response())
}

/// A page of incidents, also of those that the store does not have yet.
pub(crate) fn incident_page(
    parts: &AppParts,
    query: &IncidentQuery,
) -> Result<Page<Incident>, ApiError> {
    let page = merge::page(
        &parts.live.changed_incidents(),
        |incident| incident_matches(query, incident),
        query.limit,
        query.cursor.clone(),
        |limit, cursor| parts.store.incidents(&IncidentQuery { limit, cursor, ..query.clone() }),
    )?;
    Ok(page)
}

/// `GET /api/incidents/{id}`, with its alerts.
pub(crate) async fn incident(
    State(state): State<Arc<AppState>>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let answer = state
        .blocking(move |parts| {
            let incident = find_incident(parts, &id)?;
            let alerts = alerts_of(parts, incident.alerts.iter())?;
            Ok(json!({ "incident": incident, "alerts": alerts }))
        })
        .await?;
    Ok(Json(answer).into_response())
}

/// The alerts of these ids that there are.
pub(crate) fn alerts_of<'a>(
    parts: &AppParts,
    ids: impl Iterator<Item = &'a String>,
) -> Result<Vec<Alert>, ApiError> {
    let mut alerts = Vec::new();
    for id in ids {
        let alert = match parts.live.changed_alert(id) {
            Some(alert) => Some((*alert).clone()),
            None => parts.store.alert(id)?,
        };
        alerts.extend(alert);
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
