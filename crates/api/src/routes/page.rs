//! The console: files built by Vite, in the binary when `console/dist` was there to build it with.
//!
//! Every path that is not the API's is a page of the console, which reads the path itself. Styles
//! that Ant Design makes while it runs carry a nonce, new for every answer, so that the policy needs
//! no `unsafe-inline`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::app::{AppState, Grafana};
use crate::error::ApiError;
use crate::middleware::CSP;

struct File {
    path: &'static str,
    media: &'static str,
    bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/console.rs"));

/// What stands in `index.html` where the nonce goes.
const NONCE: &str = "__NONCE__";
/// Names below this folder have a hash of their content.
const HASHED: &str = "/assets/";
/// Paths that are never a page.
const RESERVED: [&str; 3] = ["/api/", HASHED, "/ingest/"];

/// Instead of the console in a binary that was built without it.
const WITHOUT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Hanabi</title>\
<h1>Hanabi</h1><p>This binary was built without the web console. With Node.js 20 or newer: \
<code>make console</code>, then build again (<code>make run</code> does both).</p>\
<p lang=\"zh\">此程序构建时未包含控制台。请安装 Node.js 20 或更新版本，运行 <code>make console</code> \
后重新构建（<code>make run</code> 会自动完成）。</p>\
<p>The API answers all the same: <a href=\"/api/docs\">/api/docs</a></p></html>\n";

/// A file of the console, or its page.
pub(crate) async fn page(
    State(state): State<Arc<AppState>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = uri.path();
    if !matches!(method, Method::GET | Method::HEAD) {
        return Err(ApiError::NoRoute);
    }
    if let Some(file) = FILES.iter().find(|file| file.path == path && path != "/index.html") {
        return Ok(whole(file));
    }
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    // Who asks for a page gets one, so that a copied link opens; a program learns of its mistake.
    let is_page = path == "/" || accept.is_some_and(|accept| accept.contains("text/html"));
    if !is_page || RESERVED.iter().any(|prefix| path.starts_with(prefix)) {
        return Err(ApiError::NoRoute);
    }
    index(state.parts.grafana.as_ref())
}

fn whole(file: &'static File) -> Response {
    let keep = if file.path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let head = [(header::CONTENT_TYPE, file.media), (header::CACHE_CONTROL, keep)];
    (head, file.bytes).into_response()
}

fn index(grafana: Option<&Grafana>) -> Result<Response, ApiError> {
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
    ];
    let Some(file) = FILES.iter().find(|file| file.path == "/index.html") else {
        return Ok((head, WITHOUT).into_response());
    };
    let nonce = nonce()?;
    let text = String::from_utf8_lossy(file.bytes).replace(NONCE, &nonce);
    let mut response = (head, text).into_response();
    let mut policy = CSP.replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"));
    if let Some(grafana) = grafana {
        policy.push_str("; frame-src ");
        policy.push_str(&grafana.origin);
    }
    let policy = HeaderValue::from_str(&policy).map_err(ApiError::internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// 128 random bits in hex, as the policy's specification asks for.
fn nonce() -> Result<String, ApiError> {
    let (high, low) = getrandom::u64()
        .and_then(|high| Ok((high, getrandom::u64()?)))
        .map_err(ApiError::internal)?;
    Ok(format!("{high:016x}{low:016x}"))
}
