//! What surrounds every route.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hanabi_telemetry::{HttpStatus, Route};
use tower_http::compression::CompressionLayer;

use crate::app::{AppParts, AppState};
use crate::auth::{Asking, Principal, gate, note_refusal};
use crate::conditional;
use crate::counters::count;
use crate::error::{ApiError, Denied};
use crate::serve::Door;

/// Nothing but what comes from here: event text is written by attackers, and the page shows it.
pub(crate) const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                   img-src 'self' data:; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'none'";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, CSP),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Puts everything around the routes; the last layer is the outermost.
pub(crate) fn wrap(router: Router<Arc<AppState>>, state: &Arc<AppState>) -> Router<Arc<AppState>> {
    router
        .layer(from_fn(conditional::answer))
        // The default predicate leaves out event streams and what is too small to gain.
        .layer(CompressionLayer::new())
        .layer(DefaultBodyLimit::max(state.parts.limits.body_bytes))
        .layer(from_fn_with_state(state.clone(), bounded))
        .layer(from_fn_with_state(state.clone(), gate))
        .layer(from_fn_with_state(state.clone(), guarded))
        .layer(from_fn_with_state(state.clone(), counted))
}

/// At most so many at a time, and none for ever. A stream's answer begins at once, so neither bound
/// is for what it sends afterwards.
async fn bounded(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let ingest = request.uri().path().starts_with("/ingest/");
    let permits = if ingest { &state.ingest_requests } else { &state.requests };
    let Ok(_permit) = permits.try_acquire() else {
        count(&state.counters.requests_refused);
        return Err(if ingest {
            ApiError::QueueFull { retry_after: 1 }
        } else {
            ApiError::Busy { what: "too many requests at a time".into() }
        });
    };
    let limit = state.parts.limits.request_time;
    tokio::time::timeout(limit, next.run(request)).await.map_err(|_| {
        count(&state.counters.timeouts);
        ApiError::Timeout { seconds: limit.as_secs() }
    })
}

/// Refuses other hosts' names and other sites' pages.
async fn guarded(
    State(state): State<Arc<AppState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let host = request.uri().authority().map(Authority::as_str).or_else(|| {
        request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or("\u{fffd}"))
    });
    let peer = request.extensions().get::<Peer>().copied();
    if peer.is_some_and(|peer| !peer.door.has(request.uri().path())) {
        return Err(ApiError::NoRoute);
    }
    // Browsers always name the host; only a tool of HTTP/1.0 does not. A page that rebinds a name
    // has no cookie of ours, so that names only count where nobody has to say who they are.
    if let Some(host) = host
        && !state.parts.security.required
        && !host_is_allowed(&state.parts, host, peer)
    {
        count(&state.counters.hosts_refused);
        return Err(ApiError::HostRefused { host: host.chars().take(100).collect() });
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // A browser lets any page open a WebSocket to anywhere, and read it.
    let opens = request.uri().path().starts_with("/api/ws");
    if (changes || opens) && is_cross_origin(request.headers(), host) {
        count(&state.counters.hosts_refused);
        return Err(ApiError::CrossOrigin);
    }
    Ok(next.run(request).await)
}

fn host_is_allowed(parts: &AppParts, host: &str, peer: Option<Peer>) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_end_matches('.');
    if let Ok(ip) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        let listen = peer.map_or(parts.listen.ip(), |peer| peer.listen);
        // A page that rebinds a name still sends the name, so an address in numbers is no danger
        // where every address is listened on.
        return ip.is_loopback()
            || ip == listen
            || listen.is_unspecified()
            || parts.allowed_hosts.iter().any(|allowed| allowed == name);
    }
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || parts.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
}

fn is_cross_origin(headers: &HeaderMap, host: Option<&str>) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    if matches!(site, Some(b"cross-site" | b"same-site")) {
        return true;
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let origin = origin.to_str().unwrap_or("");
    let of = origin.split_once("://").map(|(_, host)| host);
    of.is_none() || of != host
}

/// Numbers the request, counts it, logs it, and sets the headers that every answer has. The log has
/// the template of the path and no header, so that no token can stand in it.
async fn counted(State(state): State<Arc<AppState>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let method = request.method().clone();
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let asking = Arc::new(Asking {
        address: request.extensions().get::<Peer>().map(|peer| peer.address),
        request: state.request_id(),
    });
    request.extensions_mut().insert(asking.clone());
    let mut response = next.run(request).await.into_response();
    finish_head(response.headers_mut(), &asking);
    if chunked {
        // Beside a length that hyper has taken out, somebody on the way may have seen another end
        // (RFC 9112, 6.1): what comes after this request on the connection is nobody's.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let took = began.elapsed();
    let status = response.status().as_u16();
    let metrics = state.parts.exporter.metrics();
    metrics.http_requests.of(HttpStatus::of(status)).increment();
    if !route.starts_with("/api/stream") && !route.starts_with("/api/ws") {
        metrics.http_duration.of(Route::of(&route)).observe(took);
    }
    let who = response.extensions().get::<Arc<Principal>>();
    if response.extensions().get::<Denied>().is_some() {
        if matches!(status, 401 | 403) {
            metrics.http_unauthorized.increment();
        }
        note_refusal(&state, &asking, who.map(|who| &**who), &format!("{method} {route}"), status);
    }
    let by = who.map_or("", |who| who.name.as_str());
    let (address, took_us) = (asking.address(), took.as_micros() as u64);
    if state.parts.access_log {
        tracing::info!(%method, route, status, took_us, by, address, id = asking.request, "answered");
    } else {
        tracing::debug!(%method, route, status, took_us, by, address, id = asking.request, "answered");
    }
    response
}

fn finish_head(headers: &mut HeaderMap, asking: &Asking) {
    for (name, value) in SECURITY_HEADERS {
        // The console's page has a policy with a nonce of its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if let Ok(id) = HeaderValue::from_str(&asking.request) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

/// The other side of a connection, and where it came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    pub(crate) door: Door,
    /// The address of the listener.
    pub(crate) listen: IpAddr,
}
