//! Tokens and sessions, and how one says who one is.

use serde_json::{Value, json};

use super::{Operation, change, get};

/// The routes about who one is.
pub(super) const OPERATIONS: &[Operation] = &[
    get(
        "/api/tokens",
        "Tokens without their secrets, newest first",
        &[],
        "Tokens",
        &[400, 500, 503],
    ),
    change(
        "post",
        "/api/tokens",
        "Makes a token; this answer alone has it",
        &[],
        "NewToken",
        "MadeToken",
    ),
    change("delete", "/api/tokens/{id}", "Revokes a token", &["id"], "Nothing", "Revoked"),
    change(
        "post",
        "/api/login",
        "Begins a session: a token for a cookie that no script can read",
        &[],
        "NewSession",
        "Me",
    ),
    change("post", "/api/logout", "Ends the session of the cookie", &[], "Nothing", "LoggedOut"),
    get("/api/me", "Who one is, and what that allows", &[], "Me", &[400, 503]),
];

/// One of these suffices.
pub(super) fn requirement() -> Value {
    json!([{ "token": [] }, { "password": [] }, { "session": [] }])
}

/// How one says who one is; see `docs/security.md`.
pub(super) fn schemes() -> Value {
    json!({
        "token": { "type": "http", "scheme": "bearer",
            "description": "A token of the service, or one that a configured key has signed" },
        "password": { "type": "http", "scheme": "basic",
            "description": "The same as a password, for what can carry it in a URL only" },
        "session": { "type": "apiKey", "in": "cookie", "name": "hanabi_session",
            "description": "From /api/login; changes need the header x-csrf-token, too" },
    })
}
