//! The bounded queue between whoever has rows and the one thread that writes them.

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::time::Instant;

use hanabi_event::EventTime;
use parking_lot::{Condvar, Mutex};

use super::row::LogRow;
use crate::StoreError;

/// Where the writer says that it is done.
pub(crate) type Done = Sender<Result<(), StoreError>>;

/// What the writer is asked to do, in order.
pub(crate) enum Task {
    Rows(Batch),
    Flush(Done),
    Truncate(u64, Done),
    Retain(EventTime, Done),
}

/// Rows of one place in the input.
pub(crate) struct Batch {
    pub(crate) sequence: u64,
    pub(crate) rows: Vec<LogRow>,
    weight: usize,
}

impl Batch {
    /// Looks at the lengths of the rows alone: whoever has rows goes on to the next.
    pub(crate) fn new(sequence: u64, rows: Vec<LogRow>) -> Self {
        let weight = rows.iter().map(LogRow::weight).sum();
        Self { sequence, rows, weight }
    }
}

/// What the writer finds when it looks.
pub(crate) enum Next {
    Task(Task),
    Late,
    Closed,
}

#[derive(Default)]
struct Inner {
    tasks: VecDeque<Task>,
    bytes: usize,
    closed: bool,
}

/// Tasks in order, bounded by the bytes of their rows.
pub(crate) struct Queue {
    limit: usize,
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, inner: Mutex::default(), changed: Condvar::new() }
    }

    /// Puts rows in; `false` when there is no room, or nobody to write them.
    pub(crate) fn push_rows(&self, batch: Batch) -> bool {
        let mut inner = self.inner.lock();
        let full = inner.bytes > 0 && inner.bytes + batch.weight > self.limit;
        if full || inner.closed {
            return false;
        }
        inner.bytes += batch.weight;
        inner.tasks.push_back(Task::Rows(batch));
        self.changed.notify_one();
        true
    }

    /// Puts a request in, and waits until it is done.
    pub(crate) fn request(
        &self,
        operation: &'static str,
        task: impl FnOnce(Done) -> Task,
    ) -> Result<(), StoreError> {
        let (done, wait) = std::sync::mpsc::channel();
        {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(StoreError::Closed { operation });
            }
            inner.tasks.push_back(task(done));
            self.changed.notify_one();
        }
        wait.recv().unwrap_or(Err(StoreError::Closed { operation }))
    }

    /// The next task, `Late` at `until`, or `Closed` when there will be none.
    pub(crate) fn next(&self, until: Option<Instant>) -> Next {
        let mut inner = self.inner.lock();
        loop {
            if let Some(task) = inner.tasks.pop_front() {
                if let Task::Rows(batch) = &task {
                    inner.bytes -= batch.weight;
                }
                return Next::Task(task);
            }
            if inner.closed {
                return Next::Closed;
            }
            match until {
                None => self.changed.wait(&mut inner),
                Some(until) => {
                    if self.changed.wait_until(&mut inner, until).timed_out() {
                        return Next::Late;
                    }
                }
            }
        }
    }

    /// Takes nothing more; what is there is still handed out.
    pub(crate) fn close(&self) {
        self.inner.lock().closed = true;
        self.changed.notify_all();
    }

    /// Takes nothing more and lets everything go; whoever waits is told.
    pub(crate) fn abandon(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.tasks.clear();
        inner.bytes = 0;
    }

    pub(crate) fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }
}
