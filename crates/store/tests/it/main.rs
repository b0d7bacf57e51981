//! The store and the event log from outside.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;
mod disk;
mod full;
mod kill;
mod log;
mod maintain;
mod model;
mod store;
