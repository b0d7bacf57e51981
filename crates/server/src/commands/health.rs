//! `hanabi health`: what a health check runs where there is no other client, as in an image that
//! holds nothing but the binary.

use anyhow::Result;

use super::client::Client;
use crate::cli::{HealthArgs, ServiceArgs};

/// Succeeds when the service says that it is ready, and fails with its reasons otherwise.
pub(crate) fn health(args: &HealthArgs) -> Result<()> {
    // The route is open: a token that has expired must not make a healthy service sick.
    let service = ServiceArgs { url: args.url.clone(), token: None, json: false };
    Client::new(&service)?.get("/readyz", &[])?;
    eprintln!("hanabi: {} is ready", args.url);
    Ok(())
}
