//! Requests to the engine, which owns the profiles and answers between batches.

use hanabi_detect::Quarantined;
use hanabi_profile::TreeNode;
use tokio::sync::{mpsc, oneshot};

use crate::command::{Carried, Order};

/// Requests that may wait for the engine. It answers between batches, some hundred times a second,
/// and the API never has more than its concurrency limit under way, so a longer queue only hides an
/// engine that stands still.
pub const ENGINE_REQUESTS_MAX: usize = 256;

/// What the engine is asked.
#[derive(Debug)]
pub enum EngineRequest {
    /// The present tree of one identity; `None` when there is no such profile.
    Snapshot {
        /// Whose.
        identity: String,
        /// Where the answer goes; it may have gone away.
        reply: oneshot::Sender<Option<TreeNode>>,
    },
    /// The quarantine of one identity by key; `None` when there is no such profile.
    Quarantine {
        /// Whose.
        identity: String,
        /// Where the answer goes; it may have gone away.
        reply: oneshot::Sender<Option<Vec<(String, Quarantined)>>>,
    },
    /// A change. It is durable when the answer comes.
    Order {
        /// What is to be done.
        order: Order,
        /// Where the answer goes; it may have gone away.
        reply: oneshot::Sender<Carried>,
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
        let identity = identity.to_owned();
        self.ask(|reply| EngineRequest::Snapshot { identity, reply }).await
    }

    /// The quarantine of an identity by key; `None` when there is no such profile.
    pub async fn quarantine(
        &self,
        identity: &str,
    ) -> Result<Option<Vec<(String, Quarantined)>>, EngineError> {
        let identity = identity.to_owned();
        self.ask(|reply| EngineRequest::Quarantine { identity, reply }).await
    }

    /// Has a change carried out; durable when the answer comes.
    pub async fn order(&self, order: Order) -> Result<Carried, EngineError> {
        self.ask(|reply| EngineRequest::Order { order, reply }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> EngineRequest,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        let request = request(reply);
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
