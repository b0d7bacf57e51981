//! A Prometheus server, or something that answers as one, in place of series of our own.
//!
//! The routes and parameters are those of
//! <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::time::Duration;

use ureq::http::StatusCode;

/// An answer at most: fifty million samples would be more than anybody can hold.
const MAX_BYTES: u64 = 64 << 20;
/// A server that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(3);

/// Why there is no answer of the server's own.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It does not answer, or with too much.
    #[error("the server at {url} does not answer: {source}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
}

/// What a server has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
}

/// A server with Prometheus' HTTP API.
#[derive(Clone, Debug)]
pub struct Upstream {
    base: String,
    token: Option<String>,
    agent: ureq::Agent,
}

impl Upstream {
    /// The server at `base`, `http(s)://HOST[:PORT][/PATH]`; `token` is sent as Bearer. A request
    /// takes at most `time`.
    pub fn new(base: &str, token: Option<String>, time: Duration) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(time))
            .build()
            .new_agent();
        Self { base: base.trim_end_matches('/').to_owned(), token, agent }
    }

    /// Asks for `path` below the base, as in `/api/v1/labels`, with parameters.
    pub fn ask(&self, path: &str, parameters: &[(String, String)]) -> Result<Reply, UpstreamError> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = request.query_pairs(parameters.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        self.reply(self.with_token(request).call())
    }

    /// The same with the parameters as a form, for those that are too long for a line.
    pub fn ask_by_form(
        &self,
        path: &str,
        parameters: &[(String, String)],
    ) -> Result<Reply, UpstreamError> {
        let request = self.with_token(self.agent.post(format!("{}{path}", self.base)));
        let form = parameters.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        self.reply(request.send_form(form))
    }

    /// Sends a remote write request of version 1, as [`crate::remote::encode`] makes it, to the base
    /// itself.
    pub fn write(&self, packed: &[u8]) -> Result<Reply, UpstreamError> {
        let request = self
            .with_token(self.agent.post(&self.base))
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        self.reply(request.send(packed))
    }

    fn with_token<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn reply(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Reply, UpstreamError> {
        let failed = |source| {
            let url = self.base.clone();
            UpstreamError::Unreachable { url, source: Box::new(source) }
        };
        let mut answer = answer.map_err(failed)?;
        let status: StatusCode = answer.status();
        let body = answer.body_mut().with_config().limit(MAX_BYTES).read_to_vec();
        Ok(Reply { status: status.as_u16(), body: body.map_err(failed)? })
    }
}
