//! Requests to a server that takes alerts.

use std::time::Duration;

use ureq::{
    Agent,
    http::header::RETRY_AFTER,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use super::Sent;
use crate::HttpTarget;

/// A server that does not take a connection in this time is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// A request takes at most this long: a test is answered before the API gives its own request up.
const REQUEST: Duration = Duration::from_secs(8);
/// Of an answer, what is read: a reason is shorter.
const ANSWER_BYTES: u64 = 4 * 1024;
/// Of that, what is shown.
const REASON_CHARS: usize = 200;

/// A URL that is posted to, with its connections kept.
pub(crate) struct Poster {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Poster {
    pub(super) fn new(target: &HttpTarget, url: &str) -> Result<Self, String> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect would turn a POST into a GET, which looks like success.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(REQUEST))
            .user_agent(concat!("hanabi/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(target)?)
            .build();
        Ok(Self { agent: config.into(), url: url.to_owned(), token: target.token.clone() })
    }

    /// Sends one body.
    pub(super) fn post(&self, kind: &str, body: &[u8]) -> Sent {
        let mut request = self.agent.post(&self.url).content_type(kind);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = match request.send(body) {
            Ok(answer) => answer,
            Err(error) => return Sent::Later(plain(&error.to_string()), None),
        };
        let status = answer.status().as_u16();
        let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        // Dates are not understood: no receiver known to us sends them.
        let after = after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        // Read to its end, so that the connection can be used again.
        let text = answer.body_mut().with_config().limit(ANSWER_BYTES).read_to_string();
        told(status, &plain(text.unwrap_or_default().trim()), after)
    }
}

/// What a status means: what is wrong with the message stays wrong, all else may pass or be mended.
fn told(status: u16, text: &str, after: Option<Duration>) -> Sent {
    let why = || match text {
        "" => format!("status {status}"),
        text => format!("status {status}: {text}"),
    };
    match status {
        200..=299 => Sent::Taken,
        // Rights and addresses are mended at the receiver or here, and the message is still good.
        300..=399 | 401 | 403 | 404 | 405 | 407 | 408 | 425 | 429 | 500..=599 => {
            Sent::Later(why(), after)
        }
        _ => Sent::Refused(why()),
    }
}

/// What a server says, for logs and people: bounded and without control characters.
fn plain(text: &str) -> String {
    crate::notice::clean(text, REASON_CHARS)
}

fn tls(target: &HttpTarget) -> Result<TlsConfig, String> {
    let Some(pem) = &target.ca else { return Ok(TlsConfig::default()) };
    let certificates: Vec<_> = parse_pem(pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err("holds no certificate, and PEM is expected".to_owned());
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again() {
        for (status, again) in [
            (400, false),
            (413, false),
            (422, false),
            (302, true),
            (401, true),
            (404, true),
            (429, true),
            (500, true),
            (503, true),
        ] {
            let sent = told(status, "no", None);
            assert_eq!(matches!(sent, Sent::Later(..)), again, "{status}");
        }
        assert_eq!(told(202, "", None), Sent::Taken);
        let after = Some(Duration::from_secs(7));
        assert_eq!(told(503, "", after), Sent::Later("status 503".into(), after));
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let target = HttpTarget { url: "https://h".into(), token: None, ca: Some(b"no".into()) };
        assert!(Poster::new(&target, "https://h").is_err());
    }
}
