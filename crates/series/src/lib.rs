//! Time series: `PromQL` as Prometheus answers it, over whatever holds samples.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![allow(clippy::float_cmp, reason = "the language compares numbers as they are")]

mod answers;
mod bits;
pub mod chunk;
mod engine;
mod error;
mod eval;
pub mod exposition;
mod labels;
mod literals;
pub mod openmetrics;
pub mod remote;
mod restrict;
mod sample;
mod storage;
mod store;
mod templates;
mod times;
mod upstream;
mod value;

pub use answers::{metric, selector};
pub use engine::{Edges, Engine, LOOKBACK, MAX_POINTS, MAX_SAMPLES, Options};
pub use error::QueryError;
pub use labels::{Labels, NAME};
pub use restrict::{Holds, Within, restrict};
pub use sample::{Sample, is_stale, stale};
pub use storage::{Matcher, Memory, Series, Storage};
pub use store::{
    Appended, FILE, SeriesError, SeriesReport, SeriesStore, StoreOptions, check as check_store,
    database_path,
};
pub use templates::{TEMPLATES, Template};
pub use times::{length, time};
pub use upstream::{Reply, Upstream, UpstreamError};
pub use value::{Answer, number};
