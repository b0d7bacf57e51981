//! Outputs against receivers: real daemons, and servers that misbehave.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod alertmanager;
mod kit;
mod receivers;
mod syslog;
mod webhook;
