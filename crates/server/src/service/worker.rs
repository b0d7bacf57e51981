//! A thread that works until it is told to end.

use std::thread::JoinHandle;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender};

/// The thread; it is told to end, and waited for, when this is dropped.
pub(crate) struct Worker {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    name: &'static str,
}

impl Worker {
    /// Starts a thread. What it is given is disconnected when it is to end.
    pub(crate) fn start(
        name: &'static str,
        work: impl FnOnce(&Receiver<()>) + Send + 'static,
    ) -> anyhow::Result<Self> {
        let (stop, stopped) = crossbeam_channel::bounded(1);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&stopped))
            .with_context(|| format!("failed to start the thread {name}"))?;
        Ok(Self { stop: Some(stop), thread: Some(thread), name })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread {} has failed", self.name);
        }
    }
}
