//! The binary as its users meet it: started, fed, asked, killed.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod auth;
mod bad_input;
#[path = "../../../store/tests/it/disk.rs"]
mod disk;
mod docker;
mod engine;
mod feedback;
mod kubernetes;
mod metrics;
#[path = "../../../detect/tests/kit/outline.rs"]
mod outline;
mod outputs;
#[path = "../../../outputs/tests/outputs/receivers.rs"]
mod receivers;
mod recordings;
mod restart;
mod rollback;
mod rooms;
mod rotation;
mod same;
mod series;
mod service;
mod sidekick;
mod sources;
mod stack;
mod store;
