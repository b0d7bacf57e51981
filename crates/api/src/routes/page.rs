//! The first page: three files, no build, nothing from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};

fn asset(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], text)
        .into_response()
}

/// `GET /`
pub(crate) async fn index() -> Response {
    asset("text/html; charset=utf-8", include_str!("../../page/index.html"))
}

/// `GET /app.js`
pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../page/app.js"))
}

/// `GET /style.css`
pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../page/style.css"))
}

/// `GET /icon.svg`
pub(crate) async fn icon() -> Response {
    asset("image/svg+xml", include_str!("../../page/icon.svg"))
}
