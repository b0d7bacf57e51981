//! The stream over WebSocket: the same messages, filters and rights as server-sent events, for
//! clients whose way to the service ends long answers and leaves WebSocket alone.

use std::future::poll_fn;
use std::sync::Arc;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::stream::{WATCH_EVERY, scope_of, subscribe};
use crate::app::AppState;
use crate::auth::{Caller, Shown};
use crate::error::ApiError;
use crate::params::Params;
use crate::resolve;
use crate::serve::Slot;
use crate::stream::{StreamScope, Subscription, message_of};
use crate::times;

/// Bytes of what a client sends: it has nothing to say but pings, which have at most 125.
const CLIENT_BYTES: usize = 4_096;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET /api/ws`: every container, or the one of `container_id`.
pub(crate) async fn all(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    slot: Option<Extension<Slot>>,
    headers: HeaderMap,
    mut params: Params,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let scope = scope_of(&state, &caller, &mut params)?;
    open(state, caller, slot, (scope, &headers, params), upgrade)
}

/// `GET /api/ws/{id}`: one container, or those of one profile.
pub(crate) async fn one(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    slot: Option<Extension<Slot>>,
    headers: HeaderMap,
    params: Params,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let scope = resolve::subject(&caller.fleet(&state.parts), &id)?.scope();
    open(state, caller, slot, (scope, &headers, params), upgrade)
}

fn open(
    state: Arc<AppState>,
    caller: Caller,
    slot: Option<Extension<Slot>>,
    (scope, headers, params): (StreamScope, &HeaderMap, Params),
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let subscription = subscribe(&state, &caller, scope, headers, params)?;
    let upgrade = upgrade.map_err(|_| ApiError::UpgradeRequired)?;
    let upgrade = upgrade.max_message_size(CLIENT_BYTES).max_frame_size(CLIENT_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        send(socket, subscription, &state, &caller.shown).await;
        // The connection counts until here: hyper has let go of it at the upgrade.
        drop(slot);
    }))
}

/// Sends until one side ends it. A client that does not read is waited for here and nowhere else:
/// the ring goes on, and the client is told what it has missed.
async fn send(
    mut socket: WebSocket,
    mut subscription: Subscription,
    state: &AppState,
    shown: &Shown,
) {
    let mut looks = tokio::time::interval(WATCH_EVERY);
    let (code, reason) = loop {
        tokio::select! {
            frame = poll_fn(|context| subscription.poll_next(context)) => {
                let Some(frame) = frame else { break (close_code::AWAY, "the service ends") };
                let Some(text) = message_of(&frame) else { continue };
                if socket.send(Message::Text(text.into())).await.is_err() {
                    return;
                }
            }
            heard = socket.recv() => match heard {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                    break (close_code::UNSUPPORTED, "nothing is taken here");
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = looks.tick() => {
                if !state.parts.security.still_knows(shown, times::now()) {
                    break (close_code::POLICY, "what you have shown has ended");
                }
            }
        }
    };
    let close = CloseFrame { code, reason: reason.into() };
    if let Err(error) = socket.send(Message::Close(Some(close))).await {
        tracing::debug!(%error, "a client left before it was told why");
    }
}
