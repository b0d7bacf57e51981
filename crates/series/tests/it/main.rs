//! `PromQL` against the real Prometheus, over the same samples.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::float_cmp, reason = "answers are the same to the bit, or nearly")]

mod data;
mod differential;
mod measure;
mod prometheus;
mod queries;
mod script;
