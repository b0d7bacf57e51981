//! Playing a recording: when each line is due, and its time moved to now.
//!
//! Pure: the caller sleeps and sends. Times are rewritten in place in the text, so a line stays
//! otherwise what it was to the byte.

mod scan;
#[cfg(test)]
mod tests;
mod time;

use std::borrow::Cow;
use std::time::Duration;

use scan::{Field, find_times};

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// This many times as fast as it was recorded; above 0.
    Times(f64),
    /// As fast as it goes: every line is due at once.
    Max,
}

/// Computes for each line of a recording when it is due and what is sent.
///
/// With `shift_now` the first event happens then, and all others as far from it as they were
/// recorded, divided by the speed. At [`Speed::Max`] there is nothing to divide by: gaps stay as
/// they were recorded, and the timestamps run ahead of the clock.
#[derive(Debug)]
pub struct Player {
    speed: Speed,
    shift_now: Option<u64>,
    /// The time of the first event.
    start: Option<u64>,
    offset: Duration,
    fields: Vec<Field>,
}

impl Player {
    /// A player; `shift_now` is the time of the first event in ns since the epoch, or `None` to
    /// leave the lines as they are. A speed that is not above 0 plays in recorded time.
    pub fn new(speed: Speed, shift_now: Option<u64>) -> Self {
        let speed = match speed {
            Speed::Times(times) if times > 0.0 && times.is_finite() => Speed::Times(times),
            Speed::Times(_) => Speed::Times(1.0),
            Speed::Max => Speed::Max,
        };
        Self { speed, shift_now, start: None, offset: Duration::ZERO, fields: Vec::new() }
    }

    /// When `line` is due after the first one, and what to send.
    ///
    /// Offsets never go back: an event out of order goes with the one before it, and so does a line
    /// without a time, which is left as it is.
    pub fn next<'a>(&mut self, line: &'a [u8]) -> (Duration, Cow<'a, [u8]>) {
        self.fields.clear();
        find_times(line, &mut self.fields);
        let event = self.fields.iter().min_by_key(|field| field.rank).map(|field| field.time);
        let Some(event) = event else { return (self.offset, Cow::Borrowed(line)) };
        let start = *self.start.get_or_insert(event);
        if let Speed::Times(_) = self.speed {
            let due = u64::try_from(self.scaled(start, event)).unwrap_or(0);
            self.offset = self.offset.max(Duration::from_nanos(due));
        }
        let sent = match self.shift_now {
            Some(now) => Cow::Owned(self.rewritten(line, start, now)),
            None => Cow::Borrowed(line),
        };
        (self.offset, sent)
    }

    /// The distance from `start` to `time` when played, in ns; negative before it.
    fn scaled(&self, start: u64, time: u64) -> i128 {
        let gap = i128::from(time) - i128::from(start);
        match self.speed {
            Speed::Max => gap,
            Speed::Times(times) if times.fract() == 0.0 && times < 1e9 => {
                gap.div_euclid(times as i128)
            }
            Speed::Times(times) => (gap as f64 / times).floor() as i128,
        }
    }

    fn rewritten(&self, line: &[u8], start: u64, now: u64) -> Vec<u8> {
        let mut sent = Vec::with_capacity(line.len() + 16);
        let mut done = 0;
        for field in &self.fields {
            let moved = i128::from(now) + self.scaled(start, field.time);
            let moved = u64::try_from(moved.max(0)).unwrap_or(u64::MAX);
            sent.extend_from_slice(line.get(done..field.start).unwrap_or_default());
            field.format.write(moved, &mut sent);
            done = field.end;
        }
        sent.extend_from_slice(line.get(done..).unwrap_or_default());
        sent
    }
}
