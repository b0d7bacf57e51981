//! Health, metrics, configuration, sources.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hanabi_telemetry::Format;
use serde_json::{Value, json};

use crate::app::AppState;
use crate::error::ApiError;
use crate::live::REJECTED_KEPT;
use crate::openapi;
use crate::params::Params;
use crate::times;

/// `GET /healthz`, `/livez`: the process answers.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// `GET /readyz`: 503 with the reasons until stored state is back. A service that refuses expensive
/// reads is ready, and says why it does.
pub(crate) async fn ready(State(state): State<Arc<AppState>>) -> Result<Json<Value>, ApiError> {
    match state.parts.live.not_ready() {
        reasons if reasons.is_empty() => {
            Ok(Json(json!({ "status": "ready", "degraded": state.degraded() })))
        }
        reasons => Err(ApiError::NotReady { reasons }),
    }
}

/// `GET /metrics`.
pub(crate) async fn metrics(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::from_accept(accept);
    let page = state.clone();
    let text = state.blocking(move |_| Ok(page.exposition(format, times::now()))).await?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

/// `GET /api/config`: the effective configuration without its secrets.
pub(crate) async fn config(
    State(state): State<Arc<AppState>>,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    Ok(Json(&state.parts.config).into_response())
}

/// `GET /api/dashboards`: what the console embeds of a Grafana; nothing where none is configured.
pub(crate) async fn dashboards(
    State(state): State<Arc<AppState>>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.finish()?;
    let dashboards = state.parts.grafana.iter().flat_map(|grafana| &grafana.dashboards);
    let rows: Vec<Value> =
        dashboards.map(|one| json!({ "name": one.name, "url": one.url })).collect();
    Ok(Json(json!({ "dashboards": rows })))
}

/// `GET /api/ingest/rejected`: lines that were no events, the newest first, and how many there were.
pub(crate) async fn rejected(
    State(state): State<Arc<AppState>>,
    mut params: Params,
) -> Result<Response, ApiError> {
    let limit = params.number("limit", 1, REJECTED_KEPT)?.unwrap_or(REJECTED_KEPT);
    params.finish()?;
    let mut lines = state.parts.live.rejected();
    lines.truncate(limit);
    let totals = &state.parts.live.fleet().totals.rejected;
    Ok(Json(json!({ "rejected": lines, "totals": totals })).into_response())
}

/// `GET /api/openapi.json`.
pub(crate) async fn openapi() -> Response {
    Json(openapi::document()).into_response()
}

/// `GET /api/docs.css`: how that looks.
pub(crate) async fn docs_style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../openapi/page.css"))
        .into_response()
}

/// `GET /api/docs`: the same for people.
pub(crate) async fn docs() -> Result<Response, ApiError> {
    let page = openapi::page().map_err(ApiError::internal)?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}
