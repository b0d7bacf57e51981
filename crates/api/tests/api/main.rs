//! The gateway over real sockets.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails the test")]

mod auth;
mod changes;
mod client;
mod export;
mod ingest;
mod limits;
mod openapi;
mod outputs;
mod pressure;
mod prometheus;
mod rest;
mod security;
mod sse;
mod world;
mod ws;
