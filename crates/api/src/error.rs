//! What can go wrong in a request, without a word of HTTP, and the one place where it becomes HTTP.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// When an expensive read is worth another try, seconds: a queue of 64 MiB is worked off in one, and
/// half of those that wait should not come at the same moment as the next lines.
const SHED_SECONDS: u64 = 10;

/// A container that a name may have meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Container id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Identity of its profile.
    pub identity: String,
    /// Host.
    pub host: String,
}

/// Why a request was not answered as asked. `Display` is for the caller; what only the operator may
/// see is in `Internal`'s own field and in the log.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// A parameter cannot be read or is out of its bound.
    #[error("`{field}` cannot be `{value}`: {bound}")]
    BadParameter {
        /// The parameter.
        field: &'static str,
        /// What was given, cut to a readable length.
        value: String,
        /// What it may be.
        bound: String,
    },
    /// A parameter that this route does not have.
    #[error("there is no parameter `{field}` here: it can be {known}")]
    UnknownParameter {
        /// What was given.
        field: String,
        /// What there is.
        known: String,
    },
    /// No such container, alert, incident, profile, node.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which id.
        id: String,
    },
    /// No such route.
    #[error("there is nothing at this path")]
    NoRoute,
    /// The route exists where the configuration says so, and it does not.
    #[error("this route is switched off: set `{key} = true` in the configuration")]
    SwitchedOff {
        /// The key that switches it on.
        key: &'static str,
    },
    /// The route exists, the method does not.
    #[error("this path does not take that method")]
    MethodNotAllowed,
    /// A name that several containers have.
    #[error("`{id}` names {} containers: use one of their ids", candidates.len())]
    Ambiguous {
        /// What was given.
        id: String,
        /// Whom it may mean.
        candidates: Vec<Candidate>,
    },
    /// The state of things does not allow the change.
    #[error("{reason}")]
    Conflict {
        /// Why, and what can be done.
        reason: String,
    },
    /// The body is not what the route takes.
    #[error("the body cannot be read: {reason}")]
    BadBody {
        /// Why.
        reason: String,
    },
    /// Samples that cannot be taken; the others are.
    #[error("not all samples were taken: {reason}")]
    SamplesRefused {
        /// How many, and why.
        reason: String,
    },
    /// The body is longer than allowed, as sent or unpacked.
    #[error("the body is longer than {limit} bytes")]
    BodyTooLarge {
        /// The bound.
        limit: usize,
    },
    /// A content type or encoding that is not taken.
    #[error("`{value}` is not taken as {field}: it can be {bound}")]
    UnsupportedMedia {
        /// `content-type` or `content-encoding`.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is taken.
        bound: &'static str,
    },
    /// The ingest queue is full.
    #[error("the queue is full: send it again later")]
    QueueFull {
        /// Seconds after which to try again.
        retry_after: u64,
    },
    /// A limit on work at a time is reached.
    #[error("the service is busy: {what}")]
    Busy {
        /// The limit, in words.
        what: String,
    },
    /// A read that costs too much as things are.
    #[error("{what} wait until the service has caught up: {}", reasons.join(", "))]
    Shed {
        /// Which reads.
        what: &'static str,
        /// Why.
        reasons: Vec<String>,
    },
    /// The service is starting or ending.
    #[error("the service is not ready: {}", reasons.join(", "))]
    NotReady {
        /// What it waits for.
        reasons: Vec<String>,
    },
    /// The answer took too long.
    #[error("the answer took longer than {seconds} s")]
    Timeout {
        /// The bound.
        seconds: u64,
    },
    /// A `Host` that is not one of ours: DNS rebinding, or a proxy that is not configured.
    #[error(
        "requests for host `{host}` are not answered: use a loopback name, the listen address, or add it to the allowed hosts"
    )]
    HostRefused {
        /// What was asked for.
        host: String,
    },
    /// A change asked for by another site's page.
    #[error("requests from pages of other origins are not taken")]
    CrossOrigin,
    /// A request to a WebSocket's route that is no handshake.
    #[error("this route speaks WebSocket; /api/stream has the same as server-sent events")]
    UpgradeRequired,
    /// Whoever asks has not said who they are.
    #[error("{reason}: as `Authorization: Bearer TOKEN`, or as a Basic password")]
    Unauthenticated {
        /// What is missing or wrong.
        reason: &'static str,
    },
    /// Whoever asks may not.
    #[error("this takes {needs}")]
    Forbidden {
        /// What it takes.
        needs: &'static str,
    },
    /// A change by a session without its second word.
    #[error("a change in a session needs the header `x-csrf-token`, with the word of /api/me")]
    Csrf,
    /// Too many requests of one principal or address.
    #[error("too many requests: send it again after {retry_after} s")]
    TooManyRequests {
        /// Seconds after which to try again.
        retry_after: u64,
    },
    /// Something of ours failed.
    #[error("the request failed; the service's log says why")]
    Internal {
        /// For the log.
        context: String,
    },
}

impl ApiError {
    /// A parameter out of its bound; long values are cut.
    pub(crate) fn parameter(field: &'static str, value: &str, bound: impl Into<String>) -> Self {
        Self::BadParameter { field, value: value.chars().take(100).collect(), bound: bound.into() }
    }

    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.chars().take(100).collect() }
    }

    pub(crate) fn internal(context: impl std::fmt::Display) -> Self {
        Self::Internal { context: context.to_string() }
    }

    /// The stable word of a problem, its status and title.
    fn kind(&self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::BadParameter { .. } => {
                ("bad_parameter", StatusCode::BAD_REQUEST, "A parameter is wrong")
            }
            Self::UnknownParameter { .. } => {
                ("unknown_parameter", StatusCode::BAD_REQUEST, "A parameter is unknown")
            }
            Self::NotFound { .. } => ("not_found", StatusCode::NOT_FOUND, "Not found"),
            Self::NoRoute => ("no_route", StatusCode::NOT_FOUND, "Not found"),
            Self::SwitchedOff { .. } => ("switched_off", StatusCode::NOT_FOUND, "Switched off"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "Method not allowed")
            }
            Self::Ambiguous { .. } => ("ambiguous", StatusCode::CONFLICT, "Several have this name"),
            Self::Conflict { .. } => ("conflict", StatusCode::CONFLICT, "Not as things are"),
            Self::BadBody { .. } => ("bad_body", StatusCode::BAD_REQUEST, "The body is wrong"),
            Self::SamplesRefused { .. } => {
                ("samples_refused", StatusCode::BAD_REQUEST, "Samples were refused")
            }
            Self::BodyTooLarge { .. } => {
                ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large")
            }
            Self::UnsupportedMedia { .. } => (
                "unsupported_media",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body's type is not taken",
            ),
            Self::QueueFull { .. } => {
                ("queue_full", StatusCode::TOO_MANY_REQUESTS, "The queue is full")
            }
            Self::Busy { .. } => ("busy", StatusCode::SERVICE_UNAVAILABLE, "Busy"),
            Self::Shed { .. } => ("degraded", StatusCode::SERVICE_UNAVAILABLE, "Not now"),
            Self::NotReady { .. } => ("not_ready", StatusCode::SERVICE_UNAVAILABLE, "Not ready"),
            Self::Timeout { .. } => ("timeout", StatusCode::SERVICE_UNAVAILABLE, "Took too long"),
            Self::HostRefused { .. } => ("host_refused", StatusCode::FORBIDDEN, "Host refused"),
            Self::Unauthenticated { .. } => {
                ("unauthenticated", StatusCode::UNAUTHORIZED, "Who are you?")
            }
            Self::Forbidden { .. } => ("forbidden", StatusCode::FORBIDDEN, "Not allowed"),
            Self::Csrf => ("csrf", StatusCode::FORBIDDEN, "The session's word is missing"),
            Self::TooManyRequests { .. } => {
                ("too_many_requests", StatusCode::TOO_MANY_REQUESTS, "Too many requests")
            }
            Self::UpgradeRequired => {
                ("upgrade_required", StatusCode::UPGRADE_REQUIRED, "A WebSocket is expected")
            }
            Self::CrossOrigin => ("cross_origin", StatusCode::FORBIDDEN, "Origin refused"),
            Self::Internal { .. } => {
                ("internal", StatusCode::INTERNAL_SERVER_ERROR, "Internal error")
            }
        }
    }

    /// What a program wants to know beside the sentence.
    fn details(&self) -> Map<String, Value> {
        let details = match self {
            Self::BadParameter { field, value, bound } => {
                json!({ "field": field, "value": value, "bound": bound })
            }
            Self::UnknownParameter { field, known } => json!({ "field": field, "bound": known }),
            Self::Ambiguous { candidates, .. } => json!({ "candidates": candidates }),
            Self::SwitchedOff { key } => json!({ "field": key }),
            Self::BodyTooLarge { limit } => json!({ "field": "body", "bound": limit }),
            Self::UnsupportedMedia { field, value, bound } => {
                json!({ "field": field, "value": value, "bound": bound })
            }
            Self::Forbidden { needs } => json!({ "needs": needs }),
            Self::NotReady { reasons } | Self::Shed { reasons, .. } => {
                json!({ "reasons": reasons })
            }
            _ => Value::Null,
        };
        match details {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::QueueFull { retry_after } | Self::TooManyRequests { retry_after } => {
                Some(*retry_after)
            }
            Self::Shed { .. } => Some(SHED_SECONDS),
            Self::Busy { .. } | Self::NotReady { .. } | Self::Timeout { .. } => Some(1),
            _ => None,
        }
    }
}

/// Marks the answer to somebody who may not, for the audit log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied;

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let upgrades = matches!(self, Self::UpgradeRequired);
        let challenged = matches!(self, Self::Unauthenticated { .. });
        let denied = matches!(
            self,
            Self::Unauthenticated { .. }
                | Self::Forbidden { .. }
                | Self::Csrf
                | Self::TooManyRequests { .. }
                | Self::HostRefused { .. }
                | Self::CrossOrigin
        );
        if let Self::Internal { context } = &self {
            tracing::error!(%context, "request failed");
        }
        let (kind, status, title) = self.kind();
        let mut problem = self.details();
        problem.insert("type".into(), format!("urn:hanabi:problem:{kind}").into());
        problem.insert("title".into(), title.into());
        problem.insert("status".into(), status.as_u16().into());
        problem.insert("detail".into(), self.to_string().into());
        let mut response = (status, Json(Value::Object(problem))).into_response();
        if denied {
            response.extensions_mut().insert(Denied);
        }
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if challenged {
            // Not Basic, though it is taken: a browser would ask for a name and a password.
            let challenge = HeaderValue::from_static("Bearer realm=\"hanabi\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if upgrades {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
