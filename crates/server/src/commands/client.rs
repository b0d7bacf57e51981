//! Requests to a running service.

use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::Value;
use ureq::{Agent, http::Response};

use super::failure::Hint as _;
use crate::cli::ServiceArgs;

/// Longer than the service takes for any answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// A page of alerts with all their evidence is some megabytes.
const ANSWER_BYTES: u64 = 64 << 20;

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
        if !base.starts_with("http://") {
            return Err(anyhow!("cannot ask {url:?}"))
                .hint("name the service as http://HOST:PORT (https is not supported yet)");
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
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
