//! The thread that delivers one output's messages, in order, until the receiver has taken them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crossbeam_channel::{Receiver as Channel, RecvTimeoutError, TryRecvError, select};

use crate::{
    OutputSettings,
    backoff::Backoff,
    deliver::{Receiver, Sent},
    notice::Notice,
    spool::Spool,
    status::Counters,
};

/// How long it sleeps while there is nothing to do; it is woken for every message.
const IDLE: Duration = Duration::from_mins(1);

/// See the module's text.
pub(crate) struct Sender {
    pub(crate) settings: Arc<OutputSettings>,
    pub(crate) spool: Arc<Spool>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) receiver: Receiver,
    pub(crate) backoff: Backoff,
    /// Something has been put into the spool.
    pub(crate) wake: Channel<()>,
    /// Disconnected when it is to end.
    pub(crate) stopped: Channel<()>,
}

/// It was told to end.
struct Told;

impl Sender {
    pub(crate) fn run(mut self) {
        while let Ok(()) = self.round() {}
    }

    fn round(&mut self) -> Result<(), Told> {
        match self.spool.read() {
            Ok(batch) if batch.is_empty() => self.idle(),
            Ok(batch) => {
                let (numbers, notices): (Vec<u64>, Vec<Notice>) = batch.into_iter().unzip();
                self.deliver(&numbers, &notices)
            }
            Err(error) => self.failed(&error.to_string(), None),
        }
    }

    /// Nothing waits: until something comes, or what goes on is to be sent again.
    fn idle(&mut self) -> Result<(), Told> {
        let mut wait = IDLE;
        if let Receiver::Alertmanager(alertmanager) = &mut self.receiver {
            if alertmanager.refresh_in() == Some(Duration::ZERO) {
                let sent = alertmanager.refresh();
                self.note_let_go();
                return match sent {
                    Sent::Taken => {
                        self.succeeded();
                        Ok(())
                    }
                    Sent::Refused(why) => self.failed(&why, None),
                    Sent::Later(why, after) => self.failed(&why, after),
                };
            }
            wait = alertmanager.refresh_in().unwrap_or(IDLE).min(IDLE);
        }
        select! {
            recv(self.wake) -> word => if word.is_err() {
                // Nobody writes any more; what goes on is still sent again.
                self.stopped.recv_timeout(wait).ok();
            },
            recv(self.stopped) -> _ => return Err(Told),
            default(wait) => {}
        }
        self.unless_told()
    }

    /// Delivers messages that were read, with their numbers.
    fn deliver(&mut self, numbers: &[u64], notices: &[Notice]) -> Result<(), Told> {
        let most = self.receiver.together();
        let (mut at, mut together) = (0, most);
        while at < numbers.len() {
            self.unless_told()?;
            // A full spool may have let some of them go meanwhile.
            let done = self.spool.done();
            if numbers[at] <= done {
                at += 1;
                continue;
            }
            let end = (at + together).min(numbers.len());
            let sent = self.receiver.deliver(&self.settings, &notices[at..end]);
            self.note_let_go();
            match sent {
                Sent::Taken => {
                    Counters::add(&self.counters.delivered, (end - at) as u64);
                    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                    let now = now.unwrap_or_default().as_nanos() as u64;
                    self.counters.last_delivery.store(now, std::sync::atomic::Ordering::Relaxed);
                    self.succeeded();
                }
                // One of them is at fault, and the others are not.
                Sent::Refused(_) if end - at > 1 => {
                    together = 1;
                    continue;
                }
                Sent::Refused(why) => self.refused(&notices[at], &why),
                Sent::Later(why, after) => {
                    self.failed(&why, after)?;
                    continue;
                }
            }
            if let Err(error) = self.spool.done_up_to(numbers[end - 1]) {
                let output = &self.settings.name;
                tracing::error!(output, %error, "what was delivered may be sent again");
            }
            at = end;
        }
        Ok(())
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        if self.counters.tell(None) {
            tracing::info!("output {} delivers again", self.settings.name);
        }
    }

    fn refused(&self, notice: &Notice, why: &str) {
        Counters::add(&self.counters.refused, 1);
        let (output, alert) = (&self.settings.name, &notice.id);
        tracing::warn!(output, alert, "a message was refused, and is not sent again: {why}");
    }

    /// Notes a failure and waits.
    fn failed(&mut self, why: &str, after: Option<Duration>) -> Result<(), Told> {
        Counters::add(&self.counters.retries, 1);
        if self.counters.tell(Some(why.to_owned())) {
            let output = &self.settings.name;
            tracing::warn!("output {output} does not deliver; messages wait on disk: {why}");
        }
        match self.stopped.recv_timeout(self.backoff.wait(after)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Told),
        }
    }

    fn note_let_go(&self) {
        if let Receiver::Alertmanager(alertmanager) = &self.receiver {
            let let_go = alertmanager.let_go();
            self.counters.let_go.fetch_max(let_go, std::sync::atomic::Ordering::Relaxed);
        }
    }

    fn unless_told(&self) -> Result<(), Told> {
        match self.stopped.try_recv() {
            Err(TryRecvError::Empty) => Ok(()),
            Ok(()) | Err(TryRecvError::Disconnected) => Err(Told),
        }
    }
}
