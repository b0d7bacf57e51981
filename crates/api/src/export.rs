//! Whole lists as files: streamed page by page, so that neither side holds more than one.

mod report;
mod sheet;

use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::app::{AppParts, AppState};
use crate::error::ApiError;
use crate::pressure::Expensive;

pub(crate) use report::{Language, report};
pub(crate) use sheet::{Format, Sheet};

/// Exports under way at a time; past it 503. Each holds a thread for as long as its client reads.
pub(crate) const EXPORTS_MAX: usize = 4;
/// Pages that wait for a client: one is on its way while the next is read.
const PAGES_AHEAD: usize = 2;

/// A file's next piece; an empty one is the end.
pub(crate) type Pieces = Box<dyn FnMut(&AppParts) -> Result<Vec<u8>, ApiError> + Send>;

/// Answers with a file. Its first piece is made before the answer begins, so that what is wrong with
/// the request is a problem and not half a file; what fails later breaks the transfer off.
pub(crate) async fn answer(
    state: &Arc<AppState>,
    name: &str,
    media: &'static str,
    mut pieces: Pieces,
) -> Result<Response, ApiError> {
    state.afford(Expensive::Export)?;
    let permit = state
        .exports
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::Busy { what: format!("{EXPORTS_MAX} exports are under way") })?;
    let (first, pieces) = state
        .blocking(move |parts| {
            let first = pieces(parts)?;
            Ok((first, pieces))
        })
        .await?;
    let (sender, mut receiver) = mpsc::channel(PAGES_AHEAD);
    let state = state.clone();
    tokio::task::spawn_blocking(move || send(&state, first, pieces, &sender, &permit));
    // The layer that compresses asks once more after the end.
    let body = stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn send(
    state: &AppState,
    first: Vec<u8>,
    mut pieces: Pieces,
    to: &mpsc::Sender<Result<Bytes, io::Error>>,
    _permit: &OwnedSemaphorePermit,
) {
    let mut piece: Result<_, ApiError> = Ok(first);
    loop {
        let bytes = match piece {
            Ok(bytes) if bytes.is_empty() => return,
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                Err(io::Error::other(error.to_string()))
            }
        };
        let broken = bytes.is_err();
        // A client that is gone wants no more.
        if to.blocking_send(bytes).is_err() || broken {
            return;
        }
        piece = pieces(&state.parts);
    }
}
