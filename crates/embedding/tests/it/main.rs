//! The matcher on a tiny model that the tests write themselves.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod determinism;
mod errors;
mod forward;
mod kit;
mod matching;
mod measure;
