//! Silence: a container, a whole host, or a source that stopped sending for longer than it ever did.
//!
//! A container's silence is measured while its host is heard: a clock for each host goes on with
//! the host's events, and by at most [`STEP`] for a gap between two of them. So neither the end of
//! a recording, nor a stop of the service, nor a host that is silent as a whole makes containers
//! silent. Hosts and sources are measured by one clock of all of them, which goes on in the same
//! way, and with the time that passes without any line while the service runs.

mod alert;
mod large;

use std::cmp::Reverse;

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

pub use large::MAX_SOURCES;
pub(crate) use large::{Back, Quiet, Whom};
use large::{Large, LargeDue};

/// Containers watched for silence at a time, at some 100 bytes each. Past it the one heard longest
/// ago is not watched any more, and if all were heard lately, a new one is not.
pub const MAX_SEATS: usize = 16_384;
/// What a gap between two events of a host counts at most: events come in bursts, and longer gaps
/// are the host's own.
const STEP: EventTime = 2 * SECOND;
/// Nothing is said of who was heard for a shorter time, or in fewer seconds of it: nobody knows
/// yet how it goes on.
const MIN_AGE: EventTime = 600 * SECOND;
const MIN_SECONDS: u32 = 120;
/// Silence is told at so many times the longest gap: three shorter ones are chance.
const FACTOR: u64 = 3;
/// And not before this for a container.
const MIN_SILENCE: EventTime = 120 * SECOND;
/// A gap of more than this part of the time it was heard is no rhythm.
const REGULAR: u64 = 8;
/// How often a host's containers are looked at, at least.
const LOOK_EVERY: EventTime = 60 * SECOND;
/// A seat is given away when its container was not heard for this long.
const ABANDONED: EventTime = 3_600 * SECOND;
/// A container that began no earlier than this before another one's end has taken its place.
const REPLACED: EventTime = 60 * SECOND;

/// Where a container's rhythm is kept. Another may have the seat by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeatId {
    index: u32,
    generation: u32,
}

impl Default for SeatId {
    /// No seat.
    fn default() -> Self {
        Self { index: u32::MAX, generation: 0 }
    }
}

/// How somebody goes on, in the host's heard time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Rhythm {
    first: EventTime,
    last: EventTime,
    longest: EventTime,
    /// Seconds in which it was heard.
    seconds: u32,
    told: bool,
}

impl Rhythm {
    fn hear(&mut self, now: EventTime) {
        if self.seconds == 0 {
            (self.first, self.last, self.seconds) = (now, now, 1);
            return;
        }
        self.longest = self.longest.max(now.saturating_sub(self.last));
        self.seconds += u32::from(now / SECOND != self.last / SECOND);
        self.last = self.last.max(now);
        self.told = false;
    }

    /// The silence from which on it is told; none for who has no rhythm.
    fn limit(&self, least: EventTime) -> Option<EventTime> {
        let age = self.last.saturating_sub(self.first);
        let regular = age >= MIN_AGE
            && self.seconds >= MIN_SECONDS
            && self.longest.saturating_mul(REGULAR) <= age;
        regular.then(|| least.max(self.longest.saturating_mul(FACTOR)))
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seat {
    generation: u32,
    host: u16,
    shard: u16,
    slot: u32,
    container: String,
    rhythm: Rhythm,
    /// Its last event, in event time.
    at: EventTime,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Pulse {
    /// Heard time.
    heard: EventTime,
    /// The watermark that it goes with.
    watermark: EventTime,
    /// Heard time at which its containers are looked at.
    look: EventTime,
}

/// All rhythms. Part of the router, which sees all lines in order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rhythms {
    pulses: Vec<Pulse>,
    seats: Vec<Seat>,
    /// Containers that found no seat.
    pub(crate) refused: u64,
    #[serde(default)]
    large: Large,
}

/// Who can fall silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A container, by its id.
    Container(String),
    /// A whole host.
    Host,
    /// A source, by its name.
    Source(String),
}

/// Somebody has fallen silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Who.
    pub who: Who,
    /// Its host; of a source that of its last line.
    pub host: String,
    /// The last that was heard.
    pub since: EventTime,
    /// When it was noticed.
    pub at: EventTime,
    /// The longest gap before.
    pub longest: EventTime,
}

/// A silent container and the place of its watch.
pub(crate) struct Due {
    pub(crate) shard: u16,
    pub(crate) slot: u32,
    pub(crate) container: String,
    pub(crate) since: EventTime,
    pub(crate) longest: EventTime,
}

impl Rhythms {
    fn pulse(&mut self, host: u16) -> &mut Pulse {
        let host = usize::from(host);
        if self.pulses.len() <= host {
            self.pulses.resize_with(host + 1, Pulse::default);
        }
        &mut self.pulses[host]
    }

    /// An event of a host from a source.
    pub(crate) fn hear(&mut self, host: u16, source: u16, watermark: EventTime) {
        self.pulse(host).go_on(watermark);
        self.large.hear(host, source, watermark);
    }

    /// The number of a source, by which it is heard.
    pub(crate) fn source(&mut self, name: &str) -> u16 {
        self.large.source(name)
    }

    /// Hosts and sources that are silent now and were not before, and those that are heard again.
    /// Costs nothing but when some time has passed.
    pub(crate) fn large(&mut self) -> Option<LargeDue> {
        self.large.due()
    }

    /// A seat for a container; none when there is no room.
    pub(crate) fn seat(&mut self, host: u16, container: &str, place: (u16, u32)) -> SeatId {
        let index = if self.seats.len() < MAX_SEATS {
            self.seats.push(Seat::default());
            self.seats.len() - 1
        } else {
            let oldest = self.seats.iter().enumerate().max_by_key(|(_, seat)| Reverse(seat.at));
            let newest = self.pulses.iter().map(|pulse| pulse.watermark).max().unwrap_or(0);
            match oldest {
                Some((index, seat)) if seat.at + ABANDONED < newest => index,
                _ => {
                    self.refused += 1;
                    return SeatId::default();
                }
            }
        };
        let seat = &mut self.seats[index];
        let generation = seat.generation.wrapping_add(1);
        let container = container.to_owned();
        *seat =
            Seat { generation, host, shard: place.0, slot: place.1, container, ..Seat::default() };
        SeatId { index: index as u32, generation }
    }

    /// True when the seat is the container's still.
    pub(crate) fn holds(&self, id: SeatId) -> bool {
        self.seats.get(id.index as usize).is_some_and(|seat| seat.generation == id.generation)
    }

    /// An event of a container, after [`Rhythms::hear`].
    pub(crate) fn mark(&mut self, id: SeatId, watermark: EventTime) {
        let Some(seat) = self.seats.get_mut(id.index as usize) else { return };
        if seat.generation == id.generation {
            seat.at = watermark;
            seat.rhythm.hear(self.pulses[usize::from(seat.host)].heard);
        }
    }

    /// The containers of a host that are silent now and were not before.
    pub(crate) fn due(&mut self, host: u16) -> Vec<Due> {
        let heard = {
            let pulse = self.pulse(host);
            if pulse.heard < pulse.look {
                return Vec::new();
            }
            pulse.heard
        };
        let (mut due, mut look) = (Vec::new(), heard + LOOK_EVERY);
        for seat in self.seats.iter_mut().filter(|seat| seat.host == host && !seat.rhythm.told) {
            let Some(limit) = seat.rhythm.limit(MIN_SILENCE) else { continue };
            let end = seat.rhythm.last + limit;
            if heard <= end {
                look = look.min(end + 1);
                continue;
            }
            seat.rhythm.told = true;
            due.push(Due {
                shard: seat.shard,
                slot: seat.slot,
                container: seat.container.clone(),
                since: seat.at,
                longest: seat.rhythm.longest,
            });
        }
        self.pulse(host).look = look;
        due
    }

    /// Time has passed without any line.
    pub(crate) fn pass(&mut self, passed: EventTime) {
        self.large.pass(passed);
    }
}

impl Pulse {
    fn go_on(&mut self, watermark: EventTime) {
        // Lower is a clock that was set back: the host is heard by the new time.
        if self.watermark != 0 {
            self.heard += watermark.saturating_sub(self.watermark).min(STEP);
        }
        self.watermark = watermark;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with a steady container and one that is heard every `every` seconds until `until`;
    /// the second at which the latter is told silent.
    fn told(every: u64, until: u64, end: u64) -> Option<u64> {
        let mut rhythms = Rhythms::default();
        let seats = [("a", 0), ("b", 1)].map(|(id, slot)| rhythms.seat(0, id, (0, slot)));
        for second in 1_000..1_000 + end {
            let now = second * SECOND;
            rhythms.hear(0, 0, now);
            rhythms.mark(seats[0], now);
            if second < 1_000 + until && second.is_multiple_of(every) {
                rhythms.mark(seats[1], now);
            }
            if let [due] = rhythms.due(0).as_slice() {
                assert_eq!((due.container.as_str(), due.slot), ("b", 1));
                return Some(second - 1_000);
            }
        }
        None
    }

    #[test]
    fn only_who_had_a_rhythm_falls_silent() {
        assert_eq!(told(1, 900, 1_100), Some(1_020));
        assert_eq!(told(5, 900, 1_100), Some(1_016));
        assert_eq!(told(1, 900, 1_000), None, "not before two minutes");
        assert_eq!(told(1, 500, 1_500), None, "not heard for long enough");
        assert_eq!(told(60, 2_000, 4_000), None, "too seldom");
        assert_eq!(told(1, 2_000, 2_000), None, "the end of a recording");
    }

    #[test]
    fn a_gap_of_the_whole_host_is_nobodys_silence() {
        let mut rhythms = Rhythms::default();
        let seats = [rhythms.seat(0, "a", (0, 0)), rhythms.seat(0, "b", (0, 1))];
        for second in (1_000..2_000).chain(9_000..9_100) {
            rhythms.hear(0, 0, second * SECOND);
            rhythms.mark(seats[0], second * SECOND);
            if !(2_000..=9_050).contains(&second) {
                rhythms.mark(seats[1], second * SECOND);
            }
            assert!(rhythms.due(0).is_empty(), "{second}");
        }
    }

    #[test]
    fn seats_are_bounded_and_given_away() {
        let mut rhythms = Rhythms::default();
        let first = rhythms.seat(0, "first", (0, 0));
        rhythms.hear(0, 0, SECOND);
        rhythms.mark(first, SECOND);
        for number in 1..MAX_SEATS {
            let seat = rhythms.seat(0, &number.to_string(), (0, 0));
            rhythms.mark(seat, 2 * SECOND);
        }
        assert_eq!(rhythms.seat(0, "more", (0, 0)), SeatId::default());
        assert_eq!(rhythms.refused, 1);
        rhythms.hear(0, 0, 2 * ABANDONED);
        let given = rhythms.seat(0, "more", (0, 0));
        assert!(rhythms.holds(given) && !rhythms.holds(first));
    }
}
