//! The switch of a running source.

use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, Default)]
struct State {
    stopped: bool,
    paused: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// Stops, pauses and resumes one source. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Shared>);

impl Control {
    /// A switch that is on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the source for good: it hands out what it has read and returns.
    pub fn stop(&self) {
        self.change(|state| state.stopped = true);
    }

    /// The source stops reading, and its origin waits or fills up, until [`Control::resume`].
    pub fn pause(&self) {
        self.change(|state| state.paused = true);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.change(|state| state.paused = false);
    }

    /// True after [`Control::stop`].
    pub fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// True between [`Control::pause`] and [`Control::resume`].
    pub fn is_paused(&self) -> bool {
        self.state().paused
    }

    /// Sleeps for `duration`, or until the source is stopped.
    pub(crate) fn sleep(&self, duration: Duration) {
        let end = Instant::now() + duration;
        let mut state = self.state();
        while !state.stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state =
                self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits while paused. True when the source is to end.
    pub(crate) fn wait_while_paused(&self) -> bool {
        let mut state = self.state();
        while state.paused && !state.stopped {
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.stopped
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_ends_a_sleep_and_a_pause() {
        let control = Control::new();
        control.pause();
        let other = control.clone();
        let sleeper = std::thread::spawn(move || {
            other.sleep(Duration::from_mins(1));
            other.wait_while_paused()
        });
        control.stop();
        assert!(sleeper.join().unwrap());
    }

    #[test]
    fn a_pause_ends_with_resume() {
        let control = Control::new();
        control.pause();
        assert!(control.is_paused());
        let other = control.clone();
        let waiter = std::thread::spawn(move || other.wait_while_paused());
        control.resume();
        assert!(!waiter.join().unwrap());
        control.sleep(Duration::from_millis(1));
    }
}
