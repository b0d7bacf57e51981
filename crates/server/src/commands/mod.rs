//! What each command does, where that is short; the engine's commands have modules of their own.

pub(crate) mod alerts;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod failure;
pub(crate) mod health;
pub(crate) mod logging;
pub(crate) mod output;
pub(crate) mod profile;
pub(crate) mod series;
pub(crate) mod store;
mod text;
pub(crate) mod token;
