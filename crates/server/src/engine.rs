//! The engine on threads: blocks are decoded ahead, routed in order, and their shards worked on in
//! parallel. Results do not depend on the number of threads or on where blocks end.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroUsize,
    sync::Arc,
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, unbounded};
use hanabi_detect::{
    Alert, Counts, Incident, Move, Observer, Progress, Router, SHARDS, Settings, Shard, Task,
    Watch, Work,
};
use hanabi_event::{Block, DecodeOptions, EventTime, IgnoreReason, RejectReason, Rejected};

/// A shard with what is told of its lines.
pub(crate) struct Room<O> {
    pub(crate) shard: Shard,
    pub(crate) observer: O,
}

enum Job<O> {
    Decode(u64, Vec<u8>),
    Work(usize, Box<Room<O>>, Arc<Block>, Vec<Task>, Arc<Progress>),
}

enum Done<O> {
    Decoded(u64, Block),
    Worked(usize, Box<Room<O>>),
}

/// The engine. Its owner feeds it blocks and may look at it between two of them.
pub(crate) struct Engine<O: Observer + 'static> {
    pub(crate) router: Router,
    pub(crate) settings: Arc<Settings>,
    rooms: Vec<Option<Box<Room<O>>>>,
    jobs: Sender<Job<O>>,
    done: Receiver<Done<O>>,
    workers: Vec<JoinHandle<()>>,
    decoded: BTreeMap<u64, Block>,
    /// The sources of the blocks handed in and not worked on.
    sources: VecDeque<Arc<str>>,
    next_in: u64,
    next_out: u64,
    busy: usize,
    ahead: usize,
}

/// What a step has worked on.
#[derive(Debug)]
pub(crate) struct Stepped {
    /// Rejected lines, the first few.
    pub(crate) samples: Vec<Rejected>,
    /// The newest event's time; 0 without events.
    pub(crate) newest: EventTime,
}

/// All lines and what became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) received: u64,
    pub(crate) pending: u64,
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    pub(crate) counts: Counts,
}

impl Totals {
    /// Ignored lines by reason, the reasons that occurred.
    pub(crate) fn ignored(&self) -> BTreeMap<&'static str, u64> {
        IgnoreReason::ALL
            .into_iter()
            .map(|reason| (reason.as_str(), self.counts.ignored[reason as usize]))
            .filter(|(_, n)| *n > 0)
            .collect()
    }
}

impl<O: Observer + 'static> Engine<O> {
    /// Starts the threads around what was stored, or around nothing.
    pub(crate) fn start(
        settings: Arc<Settings>,
        decoding: DecodeOptions,
        threads: NonZeroUsize,
        router: Router,
        shards: Vec<Shard>,
        mut observer: impl FnMut() -> O,
    ) -> Self {
        let (jobs, job_queue) = unbounded::<Job<O>>();
        let (results, done) = unbounded();
        let workers = (0..threads.get())
            .map(|_| {
                let (jobs, results, settings) =
                    (job_queue.clone(), results.clone(), Arc::clone(&settings));
                std::thread::spawn(move || worker(&jobs, &results, &settings, decoding))
            })
            .collect();
        let mut shards = shards.into_iter();
        let rooms = (0..SHARDS)
            .map(|_| {
                Some(Box::new(Room {
                    shard: shards.next().unwrap_or_default(),
                    observer: observer(),
                }))
            })
            .collect();
        Self {
            router,
            settings,
            rooms,
            jobs,
            done,
            workers,
            decoded: BTreeMap::new(),
            sources: VecDeque::new(),
            next_in: 0,
            next_out: 0,
            busy: 0,
            // Enough decoding ahead that nobody waits while the largest shard is worked on.
            ahead: 2 * threads.get() + 2,
        }
    }

    /// True while another block can be handed in without waiting.
    pub(crate) fn has_room(&self) -> bool {
        self.next_in - self.next_out < self.ahead as u64
    }

    /// True when every block handed in has been worked on.
    pub(crate) fn is_idle(&self) -> bool {
        self.next_in == self.next_out
    }

    /// Hands a block of a source's whole lines in.
    pub(crate) fn feed(&mut self, source: &str, lines: Vec<u8>) {
        // Nearly always the same as before.
        let source = match self.sources.back() {
            Some(last) if **last == *source => Arc::clone(last),
            Some(_) | None => Arc::from(source),
        };
        self.sources.push_back(source);
        let sent = self.jobs.send(Job::Decode(self.next_in, lines));
        debug_assert!(sent.is_ok(), "workers live as long as the engine");
        self.next_in += 1;
    }

    /// Works on the oldest block handed in; `None` when idle.
    pub(crate) fn step(&mut self) -> Option<Stepped> {
        if self.is_idle() {
            return None;
        }
        while !self.decoded.contains_key(&self.next_out) {
            self.receive();
        }
        let block = self.decoded.remove(&self.next_out)?;
        self.next_out += 1;
        let source = self.sources.pop_front().unwrap_or_default();
        let samples = block.samples().to_vec();
        let newest = block.records().iter().map(|r| r.time).max().unwrap_or_default();
        let block = Arc::new(block);
        let mut from = None;
        loop {
            let work = self.router.route(&block, from, &source);
            let pause = work.pause;
            self.work(&block, work);
            let Some(pause) = pause else { break };
            if let Some(moved) = pause.moved {
                self.unite(moved);
            }
            from = Some(pause.record);
        }
        Some(Stepped { samples, newest })
    }

    /// Puts what was learned under a container's id into the profile of its name.
    fn unite(&mut self, moved: Move) {
        let settings = Arc::clone(&self.settings);
        let Some(room) = self.room_mut(moved.from.0) else { return };
        let watch = room.shard.take(moved.from.1, &settings, &mut room.observer);
        if let (Some(watch), Some(room)) = (watch, self.room_mut(moved.to.0)) {
            room.shard.unite(moved.to.1, watch);
        }
    }

    fn work(&mut self, block: &Arc<Block>, work: Work) {
        let progress = Arc::new(work.progress);
        for (index, tasks) in work.tasks.into_iter().enumerate() {
            let waits = self.rooms[index].as_ref().is_some_and(|r| r.shard.waits());
            if tasks.is_empty() && !waits {
                continue;
            }
            if let Some(room) = self.rooms[index].take() {
                self.busy += 1;
                let job = Job::Work(index, room, Arc::clone(block), tasks, Arc::clone(&progress));
                let sent = self.jobs.send(job);
                debug_assert!(sent.is_ok(), "workers live as long as the engine");
            }
        }
        while self.busy > 0 {
            self.receive();
        }
    }

    fn receive(&mut self) {
        match self.done.recv() {
            Ok(Done::Decoded(sequence, block)) => {
                self.decoded.insert(sequence, block);
            }
            Ok(Done::Worked(index, room)) => {
                self.rooms[index] = Some(room);
                self.busy -= 1;
            }
            Err(_) => unreachable!("workers live as long as the engine"),
        }
    }

    /// Time passes in silence.
    pub(crate) fn silence(&mut self, passed: EventTime) {
        let work = self.router.silence(passed);
        self.work(&Arc::new(Block::default()), work);
        let now = self.router.now();
        let settings = Arc::clone(&self.settings);
        for room in self.rooms_mut() {
            room.shard.advance(now, &settings);
        }
    }

    /// The input has ended: everything that waits is decided.
    pub(crate) fn flush(&mut self) {
        while self.step().is_some() {}
        let work = self.router.flush();
        self.work(&Arc::new(Block::default()), work);
        let now = self.router.now();
        let settings = Arc::clone(&self.settings);
        for room in self.rooms_mut() {
            room.shard.flush(&settings, &mut room.observer);
            room.shard.advance(now, &settings);
        }
    }

    /// All rooms; to be called between steps.
    pub(crate) fn rooms_mut(&mut self) -> impl Iterator<Item = &mut Room<O>> {
        self.rooms.iter_mut().flatten().map(Box::as_mut)
    }

    /// One room; to be called between steps.
    pub(crate) fn room_mut(&mut self, index: usize) -> Option<&mut Room<O>> {
        self.rooms.get_mut(index)?.as_deref_mut()
    }

    /// All rooms, for reading.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room<O>> {
        self.rooms.iter().flatten().map(Box::as_ref)
    }

    /// All identities.
    pub(crate) fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.rooms().flat_map(|room| room.shard.watches())
    }

    /// All alerts, by first occurrence and id; those that left memory and were not taken, too.
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let mut alerts: Vec<Alert> = self
            .watches()
            .flat_map(|w| w.ledger.alerts().chain(w.ledger.departed()).cloned())
            .collect();
        alerts.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
        alerts
    }

    /// All incidents, by first occurrence and id.
    pub(crate) fn incidents(&self) -> Vec<Incident> {
        let mut incidents: Vec<Incident> =
            self.watches().flat_map(|w| w.ledger.incidents().to_vec()).collect();
        incidents.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
        incidents
    }

    /// What became of all lines.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals {
            received: self.router.received,
            counts: self.router.counts,
            ..Totals::default()
        };
        for reason in RejectReason::ALL {
            let count = self.router.rejected[reason as usize];
            if count > 0 {
                totals.rejected.insert(reason.as_str(), count);
            }
        }
        let mut held = 0;
        for room in self.rooms() {
            totals.counts.add(&room.shard.counts);
            held += room.shard.held();
        }
        totals.pending = (self.router.waiting() + held) as u64;
        totals
    }
}

impl<O: Observer + 'static> Drop for Engine<O> {
    fn drop(&mut self) {
        let (closed, _) = unbounded();
        self.jobs = closed;
        for worker in self.workers.drain(..) {
            if worker.join().is_err() {
                tracing::error!("a worker of the engine ended badly");
            }
        }
    }
}

fn worker<O: Observer>(
    jobs: &Receiver<Job<O>>,
    results: &Sender<Done<O>>,
    settings: &Settings,
    decoding: DecodeOptions,
) {
    for job in jobs {
        let done = match job {
            Job::Decode(sequence, lines) => {
                Done::Decoded(sequence, Block::decode_with(lines, &decoding))
            }
            Job::Work(index, mut room, block, tasks, progress) => {
                let Room { shard, observer } = room.as_mut();
                shard.work(&block, tasks, &progress, settings, observer);
                Done::Worked(index, room)
            }
        };
        if results.send(done).is_err() {
            return;
        }
    }
}
