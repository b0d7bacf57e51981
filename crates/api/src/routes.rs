//! The routes, each file one noun.

mod alerts;
mod auth;
mod containers;
mod export;
mod hbt;
mod ingest;
mod operations;
mod outputs;
mod overview;
mod page;
mod profiles;
mod prometheus;
mod remote_write;
mod rulings;
mod sources;
mod stream;
mod tree;
mod triage;
mod ws;

pub use prometheus::QUERY_TIME;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};
use hanabi_store::StoreError;

use crate::app::AppState;
use crate::command::{ProfileOperation, Refused, SourceOperation};
use crate::error::ApiError;

pub(crate) use alerts::{alert_stats, alerts_of, incident_page};
pub(crate) use triage::ACTIONS;

/// Every route; [`crate::openapi`] describes the same ones.
pub(crate) fn router() -> Router<Arc<AppState>> {
    changes(Router::new())
        .route("/api/containers", get(containers::list))
        .route("/api/containers/{id}", get(containers::one))
        .route("/api/containers/{id}/logs", get(containers::logs))
        .route("/api/containers/{id}/alerts", get(alerts::of_container))
        .route("/api/alerts", get(alerts::list))
        .route("/api/alerts/{id}", get(alerts::one))
        .route("/api/incidents", get(alerts::incidents))
        .route("/api/incidents/{id}", get(alerts::incident))
        .route("/api/overview", get(overview::overview))
        .route(
            "/api/hbt/{id}",
            get(hbt::tree).delete(|state, caller, id, params, body| {
                profiles::operate(state, caller, id, ProfileOperation::Delete, params, body)
            }),
        )
        .route("/api/hbt/{id}/history", get(hbt::history))
        .route("/api/hbt/{id}/diff", get(hbt::diff))
        .route("/api/export/alerts", get(export::alerts))
        .route("/api/export/logs", get(export::logs))
        .route("/api/export/hbt", get(export::trees))
        .route("/api/export/report", get(export::report))
        .route("/api/stream", get(stream::all))
        .route("/api/stream/{id}", get(stream::one))
        .route("/api/ws", get(ws::all))
        .route("/api/ws/{id}", get(ws::one))
        .route("/api/suppressions", get(rulings::suppressions).post(rulings::suppress))
        .route("/api/maintenance", get(rulings::maintenance).post(rulings::maintain))
        .route("/api/tokens", get(auth::tokens).post(auth::create_token))
        .route("/api/tokens/{id}", delete(auth::revoke_token))
        .route("/api/login", post(auth::login))
        .route("/api/logout", post(auth::logout))
        .route("/api/me", get(auth::me))
        .route("/api/audit", get(rulings::audit))
        .route("/api/sources", get(sources::list))
        .route("/api/outputs", get(outputs::list))
        .route("/api/outputs/{name}/test", post(outputs::test))
        .route("/api/ingest/rejected", get(operations::rejected))
        .route("/api/config", get(operations::config))
        .route("/api/dashboards", get(operations::dashboards))
        .route("/api/openapi.json", get(operations::openapi))
        .route("/api/docs", get(operations::docs))
        .route("/api/docs.css", get(operations::docs_style))
        .merge(prometheus_routes())
        .route("/ingest/falco", post(ingest::falco))
        .route("/healthz", get(operations::health))
        .route("/livez", get(operations::health))
        .route("/readyz", get(operations::ready))
        .route("/metrics", get(operations::metrics))
        .fallback(page::page)
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
}

/// Prometheus' own API, which its own documentation describes.
fn prometheus_routes() -> Router<Arc<AppState>> {
    Router::new()
        .route("/api/v1/query", get(prometheus::query).post(prometheus::query))
        .route("/api/v1/query_range", get(prometheus::query_range).post(prometheus::query_range))
        .route("/api/v1/series", get(prometheus::series).post(prometheus::series))
        .route("/api/v1/labels", get(prometheus::labels).post(prometheus::labels))
        .route("/api/v1/label/{name}/values", get(prometheus::label_values))
        .route("/api/v1/metadata", get(prometheus::metadata))
        .route("/api/v1/status/buildinfo", get(prometheus::buildinfo))
        .route("/api/v1/write", post(remote_write::write).layer(remote_write::body_limit()))
}

/// The routes that only change something.
fn changes(mut router: Router<Arc<AppState>>) -> Router<Arc<AppState>> {
    for action in triage::ACTIONS {
        router = router.route(
            &format!("/api/alerts/{{id}}/{action}"),
            post(move |state, caller, id, params, body| {
                triage::act(state, caller, id, action, params, body)
            }),
        );
    }
    for (word, accept) in [("accept", true), ("reject", false)] {
        router = router.route(
            &format!("/api/hbt/{{id}}/quarantine/{{item}}/{word}"),
            post(move |state, caller, id, params, body| {
                profiles::decide(state, caller, id, accept, params, body)
            }),
        );
    }
    for operation in
        [ProfileOperation::Relearn, ProfileOperation::Freeze, ProfileOperation::Unfreeze]
    {
        router = router.route(
            &format!("/api/hbt/{{id}}/{}", operation.as_str()),
            post(move |state, caller, id, params, body| {
                profiles::operate(state, caller, id, operation, params, body)
            }),
        );
    }
    for operation in SourceOperation::ALL {
        router = router.route(
            &format!("/api/sources/{{id}}/{}", operation.as_str()),
            post(move |state, caller, id, params, body| {
                sources::operate(state, caller, id, operation, params, body)
            }),
        );
    }
    router
        .route("/api/alerts/bulk", post(triage::bulk))
        .route("/api/suppressions/{id}", delete(rulings::unsuppress))
        .route("/api/maintenance/{id}", delete(rulings::end_maintenance))
        .route("/api/hbt/{id}/quarantine", get(profiles::quarantine))
        .route("/api/hbt/{id}/split", post(profiles::split))
        .route("/api/hbt/{id}/rollback", post(profiles::roll_back))
}

/// An order that the engine has not carried out.
impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound { what, id } => Self::not_found(what, &id),
            Refused::Conflict { reason } => Self::Conflict { reason },
            Refused::Failed { context } => Self::Internal { context },
        }
    }
}

/// The store's failures: a cursor is the caller's, everything else is ours.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor => Self::parameter(
                "cursor",
                "",
                "it is the next_cursor of a page of the same request, unchanged",
            ),
            error => {
                let mut context = error.to_string();
                let mut cause = std::error::Error::source(&error);
                while let Some(error) = cause {
                    context.push_str(": ");
                    context.push_str(&error.to_string());
                    cause = error.source();
                }
                Self::Internal { context }
            }
        }
    }
}
