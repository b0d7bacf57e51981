//! Which shard a line belongs to: hosts' time, containers' names, identities.
//!
//! One router sees all lines in order. It alone decides what depends on the order of lines of
//! different containers, so that shards can run on any number of threads with the same result.

mod names;

use std::collections::{BTreeMap, HashMap, VecDeque};

use hanabi_event::{
    Block, Container, EventTime, IgnoreReason, Record, RejectReason, SECOND, identity,
};
use serde::{Deserialize, Serialize};

use crate::{
    Counts, Item, Task, Verdict, instance,
    silence::{Back, Due, Quiet, Rhythms, SeatId, Silent, Who, Whom},
};

/// How many shards there are, whatever the number of threads. A power of two well above any number
/// of cores that one process is given.
pub const SHARDS: usize = 64;
/// A container's events wait this long for its name, in event time.
pub const NAME_WAIT: EventTime = 10 * SECOND;
/// An event further than this from its host's time does not move it.
pub const MAX_SKEW: EventTime = 300 * SECOND;
/// After so many events in a row that agree on a time far off, the host's clock really is there.
pub const SKEW_AGREED: u32 = 64;
/// Lines that wait for a name at most, over all containers; past it they are filed under the id.
pub const MAX_WAITING: usize = 32_768;

/// How the identity of a container begins that is filed under its id.
pub(crate) const UNNAMED: &str = "id:";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    shard: u16,
    slot: u32,
    /// Where a container's rhythm is kept.
    #[serde(default)]
    seat: SeatId,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Waiting {
    since: EventTime,
    host: u16,
    lines: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct HostClock {
    watermark: EventTime,
    /// Events in a row far off the watermark, on the side that `ahead` names.
    #[serde(default)]
    agreed: u32,
    #[serde(default)]
    ahead: bool,
}

/// See the module's text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Router {
    include_host: bool,
    hosts: Vec<String>,
    clocks: Vec<HostClock>,
    /// By host and container id.
    containers: BTreeMap<(u16, String), Place>,
    /// Containers filed under their id until the name comes.
    unnamed: BTreeMap<(u16, String), Place>,
    identities: BTreeMap<String, Place>,
    slots: Vec<u32>,
    waiting: BTreeMap<(u16, String), Waiting>,
    waiting_order: VecDeque<(u16, String)>,
    waiting_lines: usize,
    /// Lines read.
    pub received: u64,
    /// Lines that are not events, in the order of [`RejectReason::ALL`].
    pub rejected: [u64; RejectReason::ALL.len()],
    /// Lines decided here.
    pub counts: Counts,
    /// Events far off their host's time.
    pub clock_skew: u64,
    /// Losses that Falco has reported.
    pub losses: u64,
    #[serde(default)]
    rhythms: Rhythms,
    /// Slots whose profiles were moved, by shard.
    #[serde(default)]
    free: BTreeMap<u16, Vec<u32>>,
    /// The source of the block at hand.
    #[serde(skip)]
    source: u16,
    #[serde(skip)]
    quick: HashMap<u64, (u16, String, Place)>,
}

/// A block's work by shard, and how each host's time goes on in it.
#[derive(Debug, Default)]
pub struct Work {
    /// One list a shard.
    pub tasks: Vec<Vec<Task>>,
    /// The hosts' time.
    pub progress: Progress,
    /// What ends this work before the block is done; none when it is.
    pub pause: Option<Pause>,
    /// The record at hand.
    record: u32,
}

/// The rest of a block has to wait for the work before it: profiles are to become one first, or a
/// host's clock was set back, and its time only goes forward within one work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// What is to be moved first.
    pub moved: Option<Move>,
    /// The record from which the block is to be routed then.
    pub record: u32,
}

/// What was learned under a container's id belongs to the profile of its name: shard and slot of
/// both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Move {
    /// The profile that is given up.
    pub from: (usize, u32),
    /// The profile that takes it in.
    pub to: (usize, u32),
}

/// How each host's time goes on within a work: by host index, the records at which it moved, and how
/// far.
#[derive(Debug, Default)]
pub struct Progress {
    steps: Vec<Vec<(u32, EventTime)>>,
}

impl Progress {
    fn step(&mut self, host: u16, record: u32, watermark: EventTime) {
        let host = usize::from(host);
        if self.steps.len() <= host {
            self.steps.resize_with(host + 1, Vec::new);
        }
        let steps = &mut self.steps[host];
        if steps.last().is_none_or(|(_, last)| *last < watermark) {
            steps.push((record, watermark));
        }
    }

    /// The first record, up to `record`, with which a host's time has come to `time`. A binary search.
    pub(crate) fn reached(&self, host: u16, time: EventTime, record: u32) -> Option<u32> {
        let steps = self.steps.get(usize::from(host))?;
        let (at, _) = steps.get(steps.partition_point(|(_, watermark)| *watermark < time))?;
        (*at <= record).then_some(*at)
    }
}

impl Router {
    /// A router for an empty system.
    pub fn new(include_host: bool) -> Self {
        Self { include_host, slots: vec![0; SHARDS], ..Self::default() }
    }

    /// Distributes the records of a source's block, all of a new one and otherwise from one on. It
    /// may stop before the end: the work is to be done first, and [`Work::pause`] says what to do
    /// then and where to go on.
    pub fn route(&mut self, block: &Block, from: Option<u32>, source: &str) -> Work {
        let mut work = empty_work();
        self.source = self.rhythms.source(source);
        // The first record can be where to go on, and its block was counted before.
        if from.is_none() {
            self.received += block.lines();
            for reason in block.rejects() {
                self.rejected[*reason as usize] += 1;
            }
        }
        for (index, record) in block.records().iter().enumerate().skip(from.unwrap_or(0) as usize) {
            let index = index as u32;
            work.record = index;
            if let Some(moved) = self.moves(block, record) {
                work.pause = Some(Pause { moved: Some(moved), record: index });
            } else {
                self.record(block, index, record, &mut work);
            }
            if work.pause.is_some() {
                break;
            }
        }
        work
    }

    fn record(&mut self, block: &Block, index: u32, record: &Record, work: &mut Work) {
        let source = block.str(record.source);
        if !source.is_empty() && source != "syscall" {
            self.other_source(source, record.time, work);
            return;
        }
        let id = block.str(record.container_id);
        if id.is_empty() {
            self.counts.count(Verdict::Ignored(IgnoreReason::NoContainer));
            return;
        }
        let host = self.host(block.str(record.host));
        let Some(watermark) = self.tick(host, record.time) else {
            // What waits was to wait by a time that the host will not show again for long.
            work.progress.step(host, index, EventTime::MAX);
            self.expire(host, EventTime::MAX, work);
            work.pause = Some(Pause { moved: None, record: index });
            return;
        };
        work.progress.step(host, index, watermark);
        self.hear(host, watermark, work);
        let named = record.container_name;
        let key = (host, id);
        match self.place(key, !named.is_empty()) {
            Some(place) => {
                self.rhythms.mark(place.seat, watermark);
                push(work, place, Item::Record { slot: place.slot, host, watermark });
            }
            None if !named.is_empty() || id == "host" => {
                let place = self.name(key, &block.event(record), work);
                push(work, place, Item::Record { slot: place.slot, host, watermark });
            }
            None => self.wait(key, record.time.min(watermark), block.str(record.line), work),
        }
        // After the record: a name that comes just now is in time.
        if !self.waiting.is_empty() {
            self.expire(host, watermark, work);
        }
    }

    /// A host and a source are heard: they may have been silent, and others may be.
    fn hear(&mut self, host: u16, watermark: EventTime, work: &mut Work) {
        self.rhythms.hear(host, self.source, watermark);
        self.large_silence(work);
        for due in self.rhythms.due(host) {
            let host = self.host_name(host);
            let Due { shard, slot, container, since, longest } = due;
            let who = Who::Container(container);
            let silent = Box::new(Silent { who, host, since, at: watermark, longest });
            let place = Place { shard, slot, seat: SeatId::default() };
            push(work, place, Item::Silent { slot, silent });
        }
    }

    /// Hosts and sources that have fallen silent, or are heard again, go to the profile of a host.
    fn large_silence(&mut self, work: &mut Work) {
        let Some(due) = self.rhythms.large() else { return };
        let who = |whom| match whom {
            Whom::Host => Who::Host,
            Whom::Source(name) => Who::Source(name),
        };
        for Back { whom, host } in due.back {
            let at = self.watermark(host);
            let place = self.host_place(host, at, work);
            let key = who(whom).key(&self.host_name(host)).into();
            push(work, place, Item::Heard { slot: place.slot, key, at });
        }
        for Quiet { whom, host, since, longest } in due.silent {
            let at = self.watermark(host);
            let place = self.host_place(host, at, work);
            let host = self.host_name(host);
            let silent = Box::new(Silent { who: who(whom), host, since, at, longest });
            push(work, place, Item::Silent { slot: place.slot, silent });
        }
    }

    fn host_name(&self, host: u16) -> String {
        self.hosts.get(usize::from(host)).cloned().unwrap_or_default()
    }

    fn watermark(&self, host: u16) -> EventTime {
        self.clocks.get(usize::from(host)).map_or(0, |clock| clock.watermark)
    }

    /// The place of the profile that stands for a host itself.
    fn host_place(&mut self, host: u16, now: EventTime, work: &mut Work) -> Place {
        let name = self.hosts.get(usize::from(host)).map_or("", String::as_str);
        let container = Container { id: "host", ..Container::default() };
        let identity = identity::identity(&container, name, self.include_host);
        match self.identities.get(&identity).copied() {
            Some(place) => place,
            None => self.open(&identity, now, work),
        }
    }

    fn other_source(&mut self, source: &str, time: EventTime, work: &mut Work) {
        if source == "internal" {
            self.losses += 1;
            self.counts.count(Verdict::Ignored(IgnoreReason::Internal));
            let record = work.record;
            for tasks in &mut work.tasks {
                tasks.push(Task { record, item: Item::Loss { now: time } });
            }
        } else {
            self.counts.count(Verdict::Ignored(IgnoreReason::OtherSource));
        }
    }

    fn host(&mut self, name: &str) -> u16 {
        if let Some(index) = self.hosts.iter().position(|h| h == name) {
            return index as u16;
        }
        // Past this many hosts the last one stands for all others: one process is not for more.
        if self.hosts.len() >= 4_096 {
            return 4_095;
        }
        self.hosts.push(name.to_owned());
        self.clocks.push(HostClock::default());
        (self.hosts.len() - 1) as u16
    }

    /// How far a host's time has come with an event; none when its clock was just set back, which is
    /// where it is when asked again.
    fn tick(&mut self, host: u16, time: EventTime) -> Option<EventTime> {
        let clock = &mut self.clocks[host as usize];
        if clock.watermark != 0 && time.abs_diff(clock.watermark) > MAX_SKEW {
            self.clock_skew += 1;
            let ahead = time > clock.watermark;
            clock.agreed = if ahead == clock.ahead { clock.agreed + 1 } else { 1 };
            clock.ahead = ahead;
            if clock.agreed < SKEW_AGREED {
                return Some(clock.watermark);
            }
            clock.agreed = 0;
            clock.watermark = time;
            return ahead.then_some(time);
        }
        clock.agreed = 0;
        clock.watermark = clock.watermark.max(time);
        Some(clock.watermark)
    }

    /// The place of a container that has one. A container filed under its id loses that place when
    /// its name is there.
    fn place(&mut self, key: (u16, &str), named: bool) -> Option<Place> {
        let quick = quick_key(key);
        if let Some((host, id, place)) = self.quick.get(&quick)
            && *host == key.0
            && id == key.1
        {
            return Some(*place);
        }
        let owned = (key.0, key.1.to_owned());
        let place = self.containers.get(&owned).copied();
        if let Some(mut place) = place {
            if !self.rhythms.holds(place.seat) {
                place.seat = self.rhythms.seat(owned.0, &owned.1, (place.shard, place.slot));
                self.containers.insert(owned.clone(), place);
            }
            if self.quick.len() > 4_096 {
                self.quick.clear();
            }
            self.quick.insert(quick, (owned.0, owned.1, place));
            return Some(place);
        }
        if named { None } else { self.unnamed.get(&owned).copied() }
    }

    fn open(&mut self, identity: &str, now: EventTime, work: &mut Work) -> Place {
        let shard = (instance::stable_hash(identity) % SHARDS as u64) as u16;
        let seat = SeatId::default();
        let slot = self.free.get_mut(&shard).and_then(Vec::pop).unwrap_or_else(|| {
            let next = &mut self.slots[shard as usize];
            *next += 1;
            *next - 1
        });
        let place = Place { shard, slot, seat };
        self.identities.insert(identity.to_owned(), place);
        push(work, place, Item::Open { slot, identity: identity.into(), now });
        place
    }

    /// Makes room for a profile that was learned elsewhere; returns its shard. Profiles are to be
    /// given to [`crate::Shard::adopt`] in the same order.
    pub fn adopt(&mut self, identity: &str) -> usize {
        let mut work = empty_work();
        usize::from(self.open(identity, 0, &mut work).shard)
    }

    /// Files everything that waits: the input has ended.
    pub fn flush(&mut self) -> Work {
        let mut work = empty_work();
        while !self.waiting.is_empty() && !self.waiting_order.is_empty() {
            self.file_oldest(&mut work);
        }
        work
    }

    /// Moves a silent system on: every host's time becomes at least `now`.
    pub fn silence(&mut self, passed: EventTime) -> Work {
        let mut work = empty_work();
        self.rhythms.pass(passed);
        for host in 0..self.clocks.len() {
            self.clocks[host].watermark += passed;
            let watermark = self.clocks[host].watermark;
            work.progress.step(host as u16, 0, watermark);
            self.expire(host as u16, watermark, &mut work);
        }
        self.large_silence(&mut work);
        work
    }

    /// Containers that are not watched for silence, because there are too many.
    pub fn unwatched(&self) -> u64 {
        self.rhythms.refused
    }

    /// Lines that wait for a name.
    pub fn waiting(&self) -> usize {
        self.waiting_lines
    }

    /// The latest time of any host.
    pub fn now(&self) -> EventTime {
        self.clocks.iter().map(|c| c.watermark).max().unwrap_or_default()
    }
}

fn empty_work() -> Work {
    Work { tasks: (0..SHARDS).map(|_| Vec::new()).collect(), ..Work::default() }
}

fn push(work: &mut Work, place: Place, item: Item) {
    if let Some(tasks) = work.tasks.get_mut(place.shard as usize) {
        tasks.push(Task { record: work.record, item });
    }
}

fn quick_key(key: (u16, &str)) -> u64 {
    instance::stable_hash(key.1) ^ u64::from(key.0)
}
