//! Calls that were begun and whose end was not printed: a connection that nobody answered until its
//! process was killed, a start whose end was lost.
//!
//! Falco 0.41 and before print a line when a call begins; later ones print ends only, and nothing
//! waits here. An end is paired with its beginning by process, call and descriptor, best effort:
//! threads share the process. Begun lines are counted as `enter` when they come, whatever becomes
//! of them.

use std::collections::{BTreeMap, VecDeque};

use hanabi_event::{Direction, Event, EventTime, SECOND};
use serde::{Deserialize, Serialize};

use crate::{router::Progress, shard::Seat};

/// A call whose end has not come after this time is an attempt. Non-blocking connections end at
/// once, and a blocking one that takes longer is worth a look by itself.
pub const PAIR_WAIT: EventTime = 5 * SECOND;
/// Calls of a shard under way; past it further ones are not watched, and are counted.
pub const MAX_ATTEMPTS: usize = 512;
/// Longer lines are not kept, and counted as those past the limit are: command lines are bounded by
/// what Falco prints, some 4 KiB.
const MAX_LINE: usize = 16 << 10;

/// A call under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) slot: u32,
    pub(crate) line: String,
    container: String,
    pid: i64,
    connects: bool,
    fd: Option<i64>,
    /// How far its host's time had come.
    time: EventTime,
}

/// The calls under way of a shard, by host, in the order in which they began.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Attempts {
    hosts: BTreeMap<u16, VecDeque<Attempt>>,
    count: usize,
    /// Calls that became attempts.
    pub(crate) unpaired: u64,
    /// Calls that were not watched.
    pub(crate) refused: u64,
}

/// Whether the call is one whose beginning says all: where to, or what.
fn connects(call: &str) -> Option<bool> {
    match call {
        "connect" => Some(true),
        "execve" | "execveat" => Some(false),
        _ => None,
    }
}

impl Attempts {
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, seat: Seat, event: &Event<'_>, line: impl FnOnce() -> String) {
        let (Some(connects), Some(pid)) = (connects(event.call), event.process.pid) else { return };
        // The text is only made where there is room for it.
        let Some(line) =
            (self.count < MAX_ATTEMPTS).then(line).filter(|line| line.len() <= MAX_LINE)
        else {
            self.refused += 1;
            return;
        };
        self.count += 1;
        self.hosts.entry(seat.host).or_default().push_back(Attempt {
            slot: seat.slot,
            line,
            container: event.container.id.to_owned(),
            pid,
            connects,
            fd: event.fd.number,
            time: seat.watermark,
        });
    }

    /// Takes out what ends with an event: its beginning, or everything that a process which ends had
    /// begun, which is returned. A process that begins the same again has not ended the first.
    pub(crate) fn end(&mut self, slot: u32, host: u16, event: &Event<'_>) -> Vec<Attempt> {
        let Some(pid) = event.process.pid else { return Vec::new() };
        let Some(queue) = self.hosts.get_mut(&host) else { return Vec::new() };
        let of_process = |one: &Attempt| {
            one.slot == slot && one.pid == pid && one.container == event.container.id
        };
        if event.call == "procexit" {
            let ended = take_out(queue, of_process);
            self.count -= ended.len();
            self.unpaired += ended.len() as u64;
            return ended;
        }
        let Some(connects) = connects(event.call) else { return Vec::new() };
        let same = |one: &Attempt| {
            of_process(one) && one.connects == connects && (!connects || one.fd == event.fd.number)
        };
        if event.direction == Direction::Exit
            && let Some(at) = queue.iter().rposition(same)
        {
            queue.remove(at);
            self.count -= 1;
        }
        Vec::new()
    }

    /// The host whose oldest call was the first to have waited long enough, if any has with this
    /// record, and the record with which it had.
    pub(crate) fn due(&self, progress: &Progress, record: u32) -> Option<(u32, u16)> {
        let over = |(host, queue): (&u16, &VecDeque<Attempt>)| {
            let end = queue.front()?.time.saturating_add(PAIR_WAIT);
            Some((progress.reached(*host, end, record)?, *host))
        };
        self.hosts.iter().filter_map(over).min()
    }

    /// Takes out the oldest call of a host: nobody waits for its end any longer.
    pub(crate) fn oldest(&mut self, host: u16) -> Option<Attempt> {
        let attempt = self.hosts.get_mut(&host)?.pop_front()?;
        self.count -= 1;
        self.unpaired += 1;
        Some(attempt)
    }

    /// Any call under way: the input has ended.
    pub(crate) fn any(&mut self) -> Option<Attempt> {
        let host = *self.hosts.iter().find(|(_, queue)| !queue.is_empty())?.0;
        self.oldest(host)
    }

    /// Takes out everything of a slot.
    pub(crate) fn of_slot(&mut self, slot: u32) -> Vec<Attempt> {
        let mut taken = Vec::new();
        for queue in self.hosts.values_mut() {
            taken.append(&mut take_out(queue, |one| one.slot == slot));
        }
        self.count -= taken.len();
        self.unpaired += taken.len() as u64;
        taken
    }
}

fn take_out(queue: &mut VecDeque<Attempt>, of: impl Fn(&Attempt) -> bool) -> Vec<Attempt> {
    let (taken, rest): (Vec<_>, Vec<_>) = std::mem::take(queue).into_iter().partition(of);
    *queue = rest.into();
    taken
}
