//! One request after the other to the ingest route, with patience.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use ureq::{Agent, http::Response};

use crate::commands::{client, failure::Hint as _};

const ROUTE: &str = "/ingest/falco";
/// How long a service may be out of reach: long enough for a restart.
const UNREACHABLE_FOR: Duration = Duration::from_secs(30);
/// How long a service may refuse for lack of room: its queue empties in seconds when it works.
const BUSY_FOR: Duration = Duration::from_mins(5);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Most of an answer that is shown to people.
const REASON_BYTES: u64 = 64 << 10;

/// The service that takes the lines.
pub(super) struct Target {
    agent: Agent,
    url: String,
    token: Option<String>,
    patience: Patience,
}

/// How long is waited in all, and for how long first.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) unreachable_for: Duration,
    pub(super) busy_for: Duration,
    pub(super) first_pause: Duration,
}

/// What a request came to.
enum Outcome {
    /// So many lines were taken, if the answer says.
    Taken(Option<u64>),
    /// The service will not take these lines.
    Refused(String),
    /// There is no room now.
    Busy(Option<Duration>, String),
    /// Nobody answered, or only with a failure.
    Failed(anyhow::Error),
}

impl Target {
    /// Checks the address; nothing is sent yet.
    pub(super) fn new(to: &str, token: Option<String>) -> Result<Self> {
        let base = to.trim_end_matches('/').trim_end_matches(ROUTE);
        if !client::is_http(base) {
            return Err(anyhow!("cannot send to {to:?}"))
                .hint("name the service as http://HOST:PORT or https://HOST:PORT");
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(client::tls()?)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        let patience = Patience {
            unreachable_for: UNREACHABLE_FOR,
            busy_for: BUSY_FOR,
            first_pause: FIRST_PAUSE,
        };
        Ok(Self { agent: config.into(), url: format!("{base}{ROUTE}"), token, patience })
    }

    /// The same with another patience.
    #[cfg(test)]
    pub(super) fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The route that lines are sent to.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends until the lines are taken or refused for good.
    ///
    /// The outer result is ours: the service cannot be reached, or is not one. The inner is the
    /// service's: how many lines it took, or why it refused them.
    pub(super) fn post(
        &self,
        body: &[u8],
        mut say: impl FnMut(&str),
    ) -> Result<Result<Option<u64>, String>> {
        let started = Instant::now();
        let mut pause = self.patience.first_pause;
        let mut told = false;
        loop {
            let (wait, news) = match self.request(body)? {
                Outcome::Taken(lines) => return Ok(Ok(lines)),
                Outcome::Busy(wait, reason) if started.elapsed() < self.patience.busy_for => {
                    (wait.unwrap_or(pause), format!("the service has no room, waiting: {reason}"))
                }
                Outcome::Refused(reason) | Outcome::Busy(_, reason) => return Ok(Err(reason)),
                Outcome::Failed(error) if started.elapsed() < self.patience.unreachable_for => {
                    (pause, format!("waiting for {}: {error}", self.url))
                }
                Outcome::Failed(error) => {
                    return Err(error.context(format!("failed to send to {}", self.url)))
                        .hint("start the service with `hanabi run`, or name another with --to");
                }
            };
            if !told {
                say(&news);
                told = true;
            }
            thread::sleep(wait);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn request(&self, body: &[u8]) -> Result<Outcome> {
        let mut request = self.agent.post(&self.url).header("content-type", "application/x-ndjson");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = match request.send(body) {
            Ok(response) => response,
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => {
                bail!("cannot send to {}: {error}", self.url)
            }
            Err(error) => return Ok(Outcome::Failed(error.into())),
        };
        self.judge(response)
    }

    fn judge(&self, mut response: Response<ureq::Body>) -> Result<Outcome> {
        let status = response.status().as_u16();
        let wait = response
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(|seconds: u64| Duration::from_secs(seconds.min(60)));
        let text = response.body_mut().with_config().limit(REASON_BYTES).read_to_string();
        let answer = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        match status {
            200..=299 => Ok(Outcome::Taken(accepted(&answer))),
            429 | 503 => Ok(Outcome::Busy(wait, reason(status, &answer))),
            400 | 413 | 415 | 422 => Ok(Outcome::Refused(reason(status, &answer))),
            401 | 403 => Err(anyhow!("{}: {}", self.url, reason(status, &answer)))
                .hint("pass a token with --token or HANABI_TOKEN"),
            500..=599 => Ok(Outcome::Failed(anyhow!("{}", reason(status, &answer)))),
            _ => Err(anyhow!("{}: {}", self.url, reason(status, &answer)))
                .hint("is that a Hanabi service? Its address is printed when it starts"),
        }
    }
}

fn accepted(answer: &serde_json::Value) -> Option<u64> {
    answer.get("accepted")?.as_u64()
}

/// The problem document's words, or at least the status.
fn reason(status: u16, answer: &serde_json::Value) -> String {
    let said = ["detail", "title"].iter().find_map(|key| answer.get(key)?.as_str());
    match said {
        Some(said) => format!("{said} (HTTP {status})"),
        None => format!("HTTP {status}"),
    }
}
