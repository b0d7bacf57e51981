//! Requests to the engine, which owns the profiles and answers between batches.

use hanabi_profile::TreeNode;
use tokio::sync::{mpsc, oneshot};

/// Requests that may wait for the engine. It answers between batches, some hundred times a second,
/// and the API never has more than its concurrency limit under way, so a longer queue only hides an
/// engine that stands still.
pub const ENGINE_REQUESTS_MAX: usize = 256;

/// What the engine is asked. Feedback commands join here.
#[derive(Debug)]
pub enum EngineRequest {
    /// The present tree of one identity; `None` when there is no such profile.
    Snapshot {
        /// Whose.
        identity: String,
        /// Where the answer goes; it may have gone away.
        reply: oneshot::Sender<Option<TreeNode>>,
    },
}

/// Why the engine did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// [`ENGINE_REQUESTS_MAX`] requests are waiting already.
    #[error("the engine has too many requests waiting")]
    Busy,
    /// The engine has ended, or dropped the request.
    #[error("the engine does not answer")]
    Gone,
}

/// The asking side; cheap to clone.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    requests: mpsc::Sender<EngineRequest>,
}

/// The answering side, for the engine's owner thread.
#[derive(Debug)]
pub struct EngineRequests {
    requests: mpsc::Receiver<EngineRequest>,
}

/// Both sides.
pub fn engine_channel() -> (EngineHandle, EngineRequests) {
    let (sender, receiver) = mpsc::channel(ENGINE_REQUESTS_MAX);
    (EngineHandle { requests: sender }, EngineRequests { requests: receiver })
}

impl EngineHandle {
    /// The present tree of an identity; `None` when there is no such profile.
    pub async fn snapshot(&self, identity: &str) -> Result<Option<TreeNode>, EngineError> {
        let (reply, answer) = oneshot::channel();
        let request = EngineRequest::Snapshot { identity: identity.to_owned(), reply };
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => EngineError::Busy,
            mpsc::error::TrySendError::Closed(_) => EngineError::Gone,
        })?;
        answer.await.map_err(|_| EngineError::Gone)
    }
}

impl EngineRequests {
    /// The next request, if one waits. Never blocks.
    pub fn try_recv(&mut self) -> Option<EngineRequest> {
        self.requests.try_recv().ok()
    }

    /// Waits for the next request from a thread of its own; `None` when all handles are gone.
    pub fn blocking_recv(&mut self) -> Option<EngineRequest> {
        self.requests.blocking_recv()
    }
}
