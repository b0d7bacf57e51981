//! Requests to a running service.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use serde_json::Value;
use ureq::{
    Agent,
    http::Response,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::failure::Hint as _;
use crate::cli::ServiceArgs;

/// Longer than the service takes for any answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// A page of alerts with all their evidence is some megabytes.
const ANSWER_BYTES: u64 = 64 << 20;

/// Names the file of the certificates by which a service with TLS is known, as PEM; without it those
/// of public authorities count.
const CA_FILE: &str = "HANABI_CA_FILE";

/// True for what can be asked.
pub(crate) fn is_http(base: &str) -> bool {
    base.starts_with("http://") || base.starts_with("https://")
}

/// By which certificates a service is known.
pub(crate) fn tls() -> Result<TlsConfig> {
    let Some(path) = std::env::var_os(CA_FILE) else { return Ok(TlsConfig::default()) };
    known_by(Path::new(&path)).hint(format!("{CA_FILE} names the file"))
}

/// A server is known by the certificates in a file and no others.
pub(crate) fn known_by(path: &Path) -> Result<TlsConfig> {
    let shown = path.display();
    let pem = std::fs::read(path)
        .with_context(|| format!("failed to read the certificates in {shown}"))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(anyhow!("{shown} holds no certificate, and PEM is expected"));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

/// A running service.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: Option<String>,
}

impl Client {
    /// Checks the address; nothing is sent yet.
    pub(crate) fn new(service: &ServiceArgs) -> Result<Self> {
        let ServiceArgs { url, token, .. } = service;
        let base = url.trim_end_matches('/');
        if !is_http(base) {
            return Err(anyhow!("cannot ask {url:?}"))
                .hint("name the service as http://HOST:PORT or https://HOST:PORT");
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls()?)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(PATIENCE))
            .build();
        Ok(Self { agent: config.into(), base: base.to_owned(), token: token.clone() })
    }

    /// What is at a path.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.read(request.call())
    }

    /// Has something changed.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let mut request = self.agent.post(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.read(request.send_json(body))
    }

    /// Takes something out.
    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        let mut request = self.agent.delete(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.read(request.force_send_body().send_json(serde_json::json!({})))
    }

    fn read(&self, answer: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value> {
        let mut answer = answer
            .map_err(|error| anyhow!(error).context(format!("failed to ask {}", self.base)))
            .hint("start the service with `hanabi run`, or name another with --url")?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        let value: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        let said = ["detail", "title"].iter().find_map(|key| value.get(key)?.as_str());
        let said = said.unwrap_or("it gave no reason");
        let refused = Err(anyhow!("{}: {said} (HTTP {})", self.base, status.as_u16()));
        match status.as_u16() {
            401 | 403 => refused.hint("pass a token with --token or HANABI_TOKEN"),
            _ => refused,
        }
    }
}
