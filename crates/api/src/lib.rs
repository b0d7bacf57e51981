//! The gateway: REST, server-sent events and the console.
//!
//! Everything here reads what others publish. [`Live`] and [`StreamHub`] are the engine's side: it
//! puts whole values in and never waits. [`EngineHandle`] asks the engine for what only it has. What
//! must outlive the process comes from the store. [`App`] binds these together and [`serve`] answers.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod app;
mod auth;
mod body;
mod cache;
mod command;
mod conditional;
mod counters;
mod engine;
mod error;
mod export;
mod live;
mod merge;
mod middleware;
mod openapi;
mod overlay;
mod overview;
mod params;
mod pressure;
mod resolve;
mod room;
mod routes;
mod serve;
mod stream;
#[cfg(test)]
mod testing;
mod times;
mod views;

pub use app::{ApiLimits, App, AppParts, Dashboard, Grafana};
pub use auth::{
    Jwt, JwtAlgorithm, JwtError, JwtOptions, NewToken, Principal, PrincipalKind, RequestLimits,
    Role, SCOPE_PATTERN_BYTES, SCOPE_PATTERNS_MAX, Scope, Security, SecurityOptions, TOKEN_PREFIX,
    Tls, TlsError, TlsOptions, TokenFileError, token_of_file,
};
pub use command::{
    Action, BULK_HEAVY_MAX, BULK_MAX, Carried, Command, Expiry, Order, ProfileOperation, Refused,
    RollbackTo, SourceOperation,
};
pub use counters::ApiCounters;
pub use engine::{
    ENGINE_REQUESTS_MAX, EngineError, EngineHandle, EngineRequest, EngineRequests, engine_channel,
};
pub use error::{ApiError, Candidate};
pub use live::{
    ContainerRow, Fleet, IngestTotals, Live, REJECTED_KEPT, RejectedLine, SourceStatus,
    WAITING_FOR_RESTORE,
};
pub use openapi::document as openapi_document;
pub use overlay::OVERLAY_MAX;
pub use overview::{
    NameCount, OTHER, OVERVIEW_NAMES_MAX, OVERVIEW_TOP, OverviewStats, Point, Window, WindowStats,
};
pub use room::Room;
pub use routes::QUERY_TIME;
pub use serve::{Door, serve, serve_at};
pub use stream::{
    EventBatch, StreamContainer, StreamCounters, StreamError, StreamFilter, StreamHub,
    StreamLimits, StreamScope, Subscription, TypeSet,
};
pub use views::LogView;
