//! The engine on one thread.

use std::collections::BTreeMap;

use hanabi_detect::{Alert, Counts, Incident, Router, SHARDS, Settings, Shard, Watch};
use hanabi_event::{Block, EventTime, IgnoreReason, SECOND};
use hanabi_profile::{Phase, TreeNode};

/// A router and its shards.
pub struct Run {
    pub settings: Settings,
    pub router: Router,
    pub shards: Vec<Shard>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub alerts: Vec<Alert>,
    pub incidents: Vec<Incident>,
    pub counts: Counts,
    pub received: u64,
    pub rejected: u64,
    pub pending: u64,
    pub snapshots: BTreeMap<String, TreeNode>,
    pub phases: BTreeMap<String, Phase>,
}

impl Run {
    pub fn new(settings: Settings) -> Self {
        let router = Router::new(settings.include_host);
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { settings, router, shards }
    }

    /// Profiles detect so many seconds after their first event.
    pub fn learning_for(seconds: u64) -> Self {
        Self::new(Settings { learn_for: Some(seconds * SECOND), ..Settings::default() })
    }

    /// Learning ends by itself.
    pub fn by_itself() -> Self {
        Self::new(Settings::default())
    }

    /// Feeds lines in blocks of so many.
    pub fn feed<S: AsRef<str>>(&mut self, lines: &[S], block: usize) -> &mut Self {
        for part in lines.chunks(block.max(1)) {
            let mut text = String::new();
            for line in part {
                text.push_str(line.as_ref());
                text.push('\n');
            }
            self.block(&Block::decode(text.into_bytes()));
        }
        self
    }

    pub fn block(&mut self, block: &Block) {
        self.block_of("http", block);
    }

    /// A block of a source.
    pub fn block_of(&mut self, source: &str, block: &Block) {
        let mut from = None;
        loop {
            let work = self.router.route(block, from, source);
            let pause = work.pause;
            self.work(block, work);
            let Some(pause) = pause else { break };
            if let Some(moved) = pause.moved {
                let (shard, slot) = moved.from;
                let watch = self.shards[shard].take(slot, &self.settings, &mut ());
                self.shards[moved.to.0].unite(moved.to.1, watch.expect("it is there"));
            }
            from = Some(pause.record);
        }
    }

    fn work(&mut self, block: &Block, work: hanabi_detect::Work) {
        for (shard, tasks) in self.shards.iter_mut().zip(work.tasks) {
            shard.work(block, tasks, &work.progress, &self.settings, &mut ());
        }
    }

    /// The input has ended.
    pub fn end(&mut self) -> &mut Self {
        let work = self.router.flush();
        self.work(&Block::default(), work);
        for shard in &mut self.shards {
            shard.flush(&self.settings, &mut ());
        }
        self
    }

    /// Time passes in silence.
    pub fn silence(&mut self, passed: EventTime) -> &mut Self {
        let work = self.router.silence(passed);
        self.work(&Block::default(), work);
        let now = self.router.now();
        for shard in &mut self.shards {
            shard.advance(now, &self.settings);
        }
        self
    }

    /// Everything is stored as the service stores it, and read back.
    pub fn restart(self) -> Self {
        fn copy<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
            let bytes = rmp_serde::to_vec_named(value).expect("it can be stored");
            rmp_serde::from_slice(&bytes).expect("it can be read back")
        }
        let shards = self
            .shards
            .iter()
            .map(|shard| {
                let watches = shard.watches().iter().map(copy::<Watch>).collect();
                Shard::restore(watches, copy(&shard.rest()))
            })
            .collect();
        Self { router: copy(&self.router), shards, settings: self.settings }
    }

    pub fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.shards.iter().flat_map(Shard::watches)
    }

    pub fn watch(&self, identity: &str) -> &Watch {
        self.watches()
            .find(|w| w.profile.identity == identity)
            .unwrap_or_else(|| panic!("no profile {identity}: {:?}", self.identities()))
    }

    pub fn identities(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.watches().map(|w| w.profile.identity.as_str()).collect();
        names.sort_unstable();
        names
    }

    pub fn outcome(&self) -> Outcome {
        let mut counts = self.router.counts;
        let mut alerts = Vec::new();
        let mut incidents = Vec::new();
        let mut held = 0;
        for shard in &self.shards {
            counts.add(&shard.counts);
            held += shard.held();
            for watch in shard.watches() {
                alerts.extend(watch.ledger.alerts().cloned());
                incidents.extend(watch.ledger.incidents().iter().cloned());
            }
        }
        alerts.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
        incidents.sort_by(|a, b| (a.first_seen, &a.id).cmp(&(b.first_seen, &b.id)));
        Outcome {
            alerts,
            incidents,
            counts,
            received: self.router.received,
            rejected: self.router.rejected.iter().sum(),
            pending: (held + self.router.waiting()) as u64,
            snapshots: self
                .watches()
                .map(|w| (w.profile.identity.clone(), w.profile.snapshot()))
                .collect(),
            phases: self.watches().map(|w| (w.profile.identity.clone(), w.profile.phase)).collect(),
        }
    }
}

impl Outcome {
    pub fn ignored(&self, reason: IgnoreReason) -> u64 {
        self.counts.ignored[reason as usize]
    }

    /// Lines that are accounted for: equal to `received` at every moment.
    pub fn accounted(&self) -> u64 {
        self.counts.modelled
            + self.counts.ignored.iter().sum::<u64>()
            + self.rejected
            + self.pending
    }

    /// `Priority rule container`, one for each alert.
    pub fn lines(&self) -> Vec<String> {
        self.alerts
            .iter()
            .map(|a| format!("{} {} {}", a.priority, a.rule, a.container.name))
            .collect()
    }

    pub fn alert(&self, rule: &str) -> &Alert {
        self.alerts
            .iter()
            .find(|a| a.rule == rule)
            .unwrap_or_else(|| panic!("no alert {rule}: {:#?}", self.lines()))
    }

    pub fn has(&self, rule: &str) -> bool {
        self.alerts.iter().any(|a| a.rule == rule)
    }

    /// Everything that must be the same whatever the blocks, as text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(&(
            &self.alerts,
            &self.incidents,
            &self.counts,
            &self.snapshots,
            &self.phases,
        ))
        .expect("json")
    }
}
