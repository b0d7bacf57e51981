//! Answers kept for a moment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

use crate::overview::Window;

/// How old an overview may be: the console asks every few seconds, and a hundred consoles then cost
/// what one does.
const FRESH: Duration = Duration::from_millis(500);

type Kept = Option<(Instant, Arc<Value>)>;

/// The newest answer for each window.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    /// Held by the request that makes a new answer; the others wait for it and take it.
    making: [tokio::sync::Mutex<()>; Window::ALL.len()],
    kept: Mutex<[Kept; Window::ALL.len()]>,
}

impl Cache {
    pub(crate) fn get(&self, window: Window) -> Option<Arc<Value>> {
        let kept = self.kept.lock();
        let (made, value) = kept[window as usize].as_ref()?;
        (made.elapsed() < FRESH).then(|| value.clone())
    }

    /// Makes the caller the one who makes the answer.
    pub(crate) async fn make(&self, window: Window) -> tokio::sync::MutexGuard<'_, ()> {
        self.making[window as usize].lock().await
    }

    pub(crate) fn put(&self, window: Window, value: Value) -> Arc<Value> {
        let value = Arc::new(value);
        self.kept.lock()[window as usize] = Some((Instant::now(), value.clone()));
        value
    }
}
