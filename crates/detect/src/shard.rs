//! Some identities and their events, in order. A shard is worked on by one thread at a time.

use std::sync::Arc;

use hanabi_event::{Block, Event, EventTime, IgnoreReason};
use serde::{Deserialize, Serialize};

use crate::{
    Rulings, Settings, Verdict, Watch,
    attempts::{Attempt, Attempts},
    held::{Held, HeldLines, MAX_HELD},
    router::{MAX_SKEW, Progress},
    silence::Silent,
};

/// What the lines became, exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines that went into the model.
    pub modelled: u64,
    /// Lines that did not, in the order of [`IgnoreReason::ALL`].
    pub ignored: [u64; IgnoreReason::ALL.len()],
}

impl Counts {
    /// Counts a line's verdict; a held line is pending and not counted yet.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Modelled => self.modelled += 1,
            Verdict::Ignored(reason) => self.ignored[reason as usize] += 1,
            Verdict::Held => {}
        }
    }

    /// Adds what another shard counted.
    pub fn add(&mut self, other: &Self) {
        self.modelled += other.modelled;
        for (to, from) in self.ignored.iter_mut().zip(other.ignored) {
            *to += from;
        }
    }
}

/// Told of every line that reaches a profile, once, with what became of it.
pub trait Observer: Send {
    /// A line of `identity`.
    fn line(&mut self, event: &Event<'_>, identity: &str, verdict: Verdict);
}

impl Observer for () {
    fn line(&mut self, _event: &Event<'_>, _identity: &str, _verdict: Verdict) {}
}

/// Work for a shard, and the record of the block that has brought it.
#[derive(Debug)]
pub struct Task {
    /// The record, also where it is not the work itself.
    pub record: u32,
    /// What to do.
    pub item: Item,
}

/// What a shard has to do. Small, since there is one for every record: what is rare is boxed.
#[derive(Debug)]
pub enum Item {
    /// An identity that the shard has not had yet.
    Open {
        /// Its place: the next one, or one that was given up.
        slot: u32,
        /// Its name.
        identity: Box<str>,
        /// Its first event's time.
        now: EventTime,
    },
    /// The record itself.
    Record {
        /// Whose.
        slot: u32,
        /// The host's index.
        host: u16,
        /// How far the host's time has come.
        watermark: EventTime,
    },
    /// A line that had to wait for its container's name.
    Line(Box<Waited>),
    /// A container, a whole host, or a source has fallen silent.
    Silent {
        /// Whose.
        slot: u32,
        /// Who, and since when.
        silent: Box<Silent>,
    },
    /// A host or a source that was silent is heard again.
    Heard {
        /// Whose.
        slot: u32,
        /// What its silence is filed under.
        key: Box<str>,
        /// When.
        at: EventTime,
    },
    /// Events were lost.
    Loss {
        /// When.
        now: EventTime,
    },
    /// A profile filed under a container's id has its name now.
    Rename {
        /// Whose.
        slot: u32,
        /// The name.
        identity: Box<str>,
    },
}

/// A line that had to wait for its container's name.
#[derive(Debug)]
pub struct Waited {
    /// Whose.
    pub slot: u32,
    /// The line.
    pub line: String,
    /// The host's index.
    pub host: u16,
    /// When the first line of the container came.
    pub since: EventTime,
    /// How far the host's time has come.
    pub watermark: EventTime,
}

/// Whose an event is, by slot and host's index, and how far the host's time has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat {
    pub(crate) slot: u32,
    pub(crate) host: u16,
    pub(crate) watermark: EventTime,
}

/// Some identities. See the module's text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shard {
    watches: Vec<Watch>,
    held: HeldLines,
    attempts: Attempts,
    /// What its lines became.
    pub counts: Counts,
    #[serde(skip)]
    rulings: Arc<Rulings>,
    #[serde(skip)]
    dirty: Vec<Marks>,
    #[serde(skip)]
    touched: Vec<usize>,
}

/// What has been looked at since a watch last changed.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    dirty: bool,
    touched: bool,
}

impl Shard {
    /// Works through a batch in order. What waits for a record's time is decided before anything that
    /// this record or a later one brings, so that where blocks end does not matter.
    pub fn work(
        &mut self,
        block: &Block,
        tasks: Vec<Task>,
        progress: &Progress,
        settings: &Settings,
        observer: &mut impl Observer,
    ) {
        for Task { record, item } in tasks {
            self.release(progress, record, settings, observer);
            match item {
                Item::Open { slot, identity, now } => {
                    self.open(slot, Watch::new(&identity, now, settings));
                }
                Item::Record { slot, host, watermark } => {
                    if let Some(found) = block.records().get(record as usize) {
                        let event = block.event(found);
                        let text = || block.str(found.line).to_owned();
                        self.advance_one(slot, event.time, watermark, settings);
                        self.line(Seat { slot, host, watermark }, &event, text, settings, observer);
                    }
                }
                Item::Line(waited) => self.waited(*waited, settings, observer),
                Item::Silent { slot, silent } => {
                    self.change(slot, |watch| watch.fell_silent(&silent));
                }
                Item::Heard { slot, key, at } => {
                    self.change(slot, |watch| watch.heard_again(&key, at));
                }
                Item::Loss { now } => {
                    for slot in 0..self.watches.len() {
                        self.change(slot as u32, |watch| watch.profile.lossy(now));
                    }
                }
                Item::Rename { slot, identity } => {
                    self.change(slot, |watch| watch.profile.identity = identity.into());
                }
            }
        }
        self.release(progress, u32::MAX, settings, observer);
    }

    fn change(&mut self, slot: u32, change: impl FnOnce(&mut Watch)) {
        if let Some(watch) = self.watches.get_mut(slot as usize) {
            change(watch);
            self.mark(slot);
        }
    }

    fn waited(&mut self, waited: Waited, settings: &Settings, observer: &mut impl Observer) {
        let Waited { slot, line, host, since, watermark } = waited;
        let block = Block::decode(line.clone().into_bytes());
        if let Some(found) = block.records().first() {
            let event = block.event(found);
            self.advance_one(slot, event.time, since.min(watermark), settings);
            self.line(Seat { slot, host, watermark }, &event, || line, settings, observer);
        }
    }

    /// Moves the identity of an event to its time, unless that is far ahead of its host's.
    fn advance_one(
        &mut self,
        slot: u32,
        time: EventTime,
        watermark: EventTime,
        settings: &Settings,
    ) {
        let now = if time > watermark.saturating_add(MAX_SKEW) { watermark } else { time };
        if let Some(watch) = self.watches.get_mut(slot as usize) {
            watch.advance(now, settings);
        }
    }

    fn line(
        &mut self,
        seat: Seat,
        event: &Event<'_>,
        text: impl FnOnce() -> String,
        settings: &Settings,
        observer: &mut impl Observer,
    ) {
        let Seat { slot, host, watermark } = seat;
        if !self.attempts.is_empty() {
            for attempt in self.attempts.end(slot, host, event) {
                self.attempt(&attempt, settings);
            }
        }
        let Some(watch) = self.watches.get_mut(slot as usize) else { return };
        let verdict = watch.observe(event, settings);
        if verdict == Verdict::Held {
            self.held.push(Held { slot, time: watermark, host, line: text() });
            if self.held.len() > MAX_HELD {
                self.decide_oldest(settings, observer);
            }
        } else {
            self.counts.count(verdict);
            observer.line(event, &watch.profile.identity, verdict);
            if verdict == Verdict::Ignored(IgnoreReason::Enter) {
                self.attempts.begin(seat, event, text);
            }
        }
        self.mark(slot);
    }

    /// A call that was begun and has no end.
    fn attempt(&mut self, attempt: &Attempt, settings: &Settings) {
        let block = Block::decode(attempt.line.clone().into_bytes());
        let Some(watch) = self.watches.get_mut(attempt.slot as usize) else { return };
        if let Some(record) = block.records().first() {
            watch.attempt(&block.event(record), settings);
            self.mark(attempt.slot);
        }
    }

    /// Notes that a watch has changed, also by somebody who changed it from outside.
    pub fn mark(&mut self, slot: u32) {
        let slot = slot as usize;
        if self.dirty.len() <= slot {
            self.dirty.resize(slot + 1, Marks::default());
        }
        let marks = &mut self.dirty[slot];
        marks.dirty = true;
        if !marks.touched {
            marks.touched = true;
            self.touched.push(slot);
        }
    }

    /// Decides the held lines and the unanswered calls whose time is over with this record, in the
    /// order in which their times were over: those of several hosts can wait here.
    fn release(
        &mut self,
        progress: &Progress,
        record: u32,
        settings: &Settings,
        observer: &mut impl Observer,
    ) {
        while self.waits() {
            let held = self.held.due(progress, record);
            let call = self.attempts.due(progress, record);
            match (held, call) {
                (Some((first, host)), call) if call.is_none_or(|(then, _)| first <= then) => {
                    if let Some(held) = self.held.pop(host) {
                        self.decide(held, settings, observer);
                    }
                }
                (_, Some((_, host))) => {
                    if let Some(attempt) = self.attempts.oldest(host) {
                        self.attempt(&attempt, settings);
                    }
                }
                (_, None) => return,
            }
        }
    }

    fn decide_oldest(&mut self, settings: &Settings, observer: &mut impl Observer) {
        if let Some(held) = self.held.pop_oldest() {
            self.decide(held, settings, observer);
        }
    }

    fn decide(&mut self, held: Held, settings: &Settings, observer: &mut impl Observer) {
        let block = Block::decode(held.line.into_bytes());
        let Some(watch) = self.watches.get_mut(held.slot as usize) else { return };
        let verdict = match block.records().first() {
            Some(record) => {
                let event = block.event(record);
                let verdict = watch.release(&event, settings);
                observer.line(&event, &watch.profile.identity, verdict);
                verdict
            }
            None => Verdict::Ignored(IgnoreReason::Duplicate),
        };
        self.counts.count(verdict);
        self.mark(held.slot);
    }

    /// Decides everything that waits: the input has ended.
    pub fn flush(&mut self, settings: &Settings, observer: &mut impl Observer) {
        while self.held.len() > 0 {
            self.decide_oldest(settings, observer);
        }
        while let Some(attempt) = self.attempts.any() {
            self.attempt(&attempt, settings);
        }
    }

    /// Moves every identity to `now`, so that phases change in silence, too.
    pub fn advance(&mut self, now: EventTime, settings: &Settings) {
        for watch in &mut self.watches {
            watch.advance(now, settings);
        }
    }

    /// Takes in a profile that was learned elsewhere; it gets the next slot.
    pub fn adopt(&mut self, watch: Watch) {
        self.open(self.watches.len() as u32, watch);
    }

    fn open(&mut self, slot: u32, mut watch: Watch) {
        watch.ledger.set_rulings(Arc::clone(&self.rulings));
        match self.watches.get_mut(slot as usize) {
            Some(place) => *place = watch,
            None => self.watches.push(watch),
        }
    }

    /// Takes a watch out for [`Shard::unite`], when what it holds is decided; its place stays empty
    /// until the router gives it away. `None` where there is no such place.
    pub fn take(
        &mut self,
        slot: u32,
        settings: &Settings,
        observer: &mut impl Observer,
    ) -> Option<Watch> {
        for held in self.held.of_slot(slot) {
            self.decide(held, settings, observer);
        }
        for attempt in self.attempts.of_slot(slot) {
            self.attempt(&attempt, settings);
        }
        let place = self.watches.get_mut(slot as usize)?;
        let blank = Watch::new(&place.profile.identity, place.profile.first_seen, settings);
        let taken = std::mem::replace(place, blank);
        self.mark(slot);
        Some(taken)
    }

    /// Puts into a watch what was learned of one of its containers before its name was known.
    pub fn unite(&mut self, slot: u32, watch: Watch) {
        if let Some(place) = self.watches.get_mut(slot as usize) {
            place.unite(watch);
            self.mark(slot);
        }
    }

    /// What operators have decided, for all its identities, also those to come.
    pub fn set_rulings(&mut self, rulings: &Arc<Rulings>) {
        self.rulings = Arc::clone(rulings);
        for watch in &mut self.watches {
            watch.ledger.set_rulings(Arc::clone(rulings));
        }
    }

    /// Lines that are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// True when something waits for time to pass.
    pub fn waits(&self) -> bool {
        self.held.len() > 0 || !self.attempts.is_empty()
    }

    /// Calls without an end that were taken for attempts, and calls that were not watched because
    /// too many were under way.
    pub fn unpaired(&self) -> (u64, u64) {
        (self.attempts.unpaired, self.attempts.refused)
    }

    /// Its identities.
    pub fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// The same, to be changed by an operator's action.
    pub fn watches_mut(&mut self) -> &mut [Watch] {
        &mut self.watches
    }

    /// The slots that have changed since the last call: what is to be stored.
    pub fn take_dirty(&mut self) -> Vec<usize> {
        let mut slots = Vec::new();
        for (slot, marks) in self.dirty.iter_mut().enumerate() {
            if std::mem::take(&mut marks.dirty) {
                slots.push(slot);
            }
        }
        slots
    }

    /// The slots that have changed since the last call, moved into `slots`: what is to be shown.
    /// Costs nothing when nothing has changed.
    pub fn take_touched(&mut self, slots: &mut Vec<usize>) {
        slots.clear();
        slots.append(&mut self.touched);
        for slot in slots.iter() {
            if let Some(marks) = self.dirty.get_mut(*slot) {
                marks.touched = false;
            }
        }
    }

    /// Takes a stored shard apart for storing: everything but the watches.
    pub fn rest(&self) -> ShardRest {
        let (held, attempts) = (self.held.iter().cloned().collect(), self.attempts.clone());
        ShardRest { held, counts: self.counts, attempts }
    }

    /// Puts a stored shard together again.
    pub fn restore(watches: Vec<Watch>, rest: ShardRest) -> Self {
        let ShardRest { held, counts, attempts } = rest;
        Self { watches, held: held.into_iter().collect(), counts, attempts, ..Self::default() }
    }
}

/// What a shard holds beside its watches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ShardRest {
    held: Vec<Held>,
    counts: Counts,
    #[serde(default)]
    attempts: Attempts,
}

/// A block shared by the shards that work on it.
pub type SharedBlock = Arc<Block>;
