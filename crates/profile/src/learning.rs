//! When learning may end.
//!
//! The sampling unit is an *activity*: one program in one second of event time. Events come in
//! bursts and are not independent; what one program does within a second is one story, and a start
//! that reads sixty new files is one piece of news, not sixty. Activities of the warm-up are left
//! out: a container's start is no sample of its work, and its paths are known but never come back.
//! With m activities since, Q1 of which hold a path that was seen in no other second, Good–Turing
//! on incidences estimates the mass of what has not been seen as Q1/m. The bound used here adds one
//! standard deviation of a Poisson count, `(Q1 + sqrt(Q1 + 1)) / m`: a heuristic that is generous
//! with few observations, not a confidence interval.
//!
//! The bar is 0.05. Counted by paths instead of activities, as a first design had it, the same
//! evidence looks several times larger, since an activity touches several paths, and 0.02 was the
//! bar there. On the recordings of a small shop 0.02 of activities kept a cache, whose only
//! processes are a health check every ten seconds, learning for more than seven minutes, and so
//! through an attack; from 0.04 to 0.06 the same episodes are found as with learning ended by hand.

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

use crate::{
    phase::{BranchProgress, Learning, Phase},
    tree::Incidences,
};

/// The conditions under which learning ends.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnRules {
    /// No end before this much event time since the first event, ns.
    pub warmup: EventTime,
    /// Nor before this, ns.
    pub min_time: EventTime,
    /// Nor with fewer events.
    pub min_events: u64,
    /// The bound of the unseen mass below which a branch is learned, 0..1.
    pub novelty: f64,
    /// Learning ends after this in any case, ns; the profile is then partial.
    pub max_time: EventTime,
}

impl Default for LearnRules {
    fn default() -> Self {
        Self {
            warmup: 45 * SECOND,
            min_time: 120 * SECOND,
            min_events: 200,
            novelty: 0.05,
            max_time: 24 * 3_600 * SECOND,
        }
    }
}

/// How long the tree must have been quiet: the specification's "fewer than one new node a minute".
pub const QUIET: EventTime = 60 * SECOND;

/// What is remembered of learning.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LearningState {
    started: EventTime,
    steady_from: EventTime,
    window: EventTime,
    /// New nodes in each of the last 60 seconds, by second modulo 60.
    growth: Vec<u32>,
    growth_at: EventTime,
    last_loss: Option<EventTime>,
    ended: Option<EventTime>,
    partial: bool,
}

impl LearningState {
    pub(crate) fn new(now: EventTime, warmup: EventTime) -> Self {
        Self {
            started: now,
            steady_from: now + warmup,
            window: now / SECOND,
            growth: vec![0; 60],
            growth_at: now / SECOND,
            last_loss: None,
            ended: None,
            partial: false,
        }
    }

    /// False for a stored state that was not made by learning.
    pub(crate) fn is_sound(&self) -> bool {
        self.growth.len() == 60 && self.growth.iter().all(|nodes| *nodes < 1 << 24)
    }

    /// Since when activities count as evidence.
    pub(crate) fn steady_from(&self) -> EventTime {
        self.steady_from
    }

    /// A node is new. Growth belongs to the window at hand at the latest: the time of an event far
    /// ahead would not be over for as long.
    pub(crate) fn grew(&mut self, now: EventTime) {
        let second = (now / SECOND).min(self.window);
        self.slide(second);
        if let Some(count) = self.growth.get_mut((second % 60) as usize) {
            *count += 1;
        }
    }

    fn slide(&mut self, second: u64) {
        let passed = second.saturating_sub(self.growth_at).min(60);
        for step in 0..passed {
            if let Some(count) = self.growth.get_mut(((second - step) % 60) as usize) {
                *count = 0;
            }
        }
        self.growth_at = self.growth_at.max(second);
    }

    pub(crate) fn lossy(&mut self, now: EventTime) {
        self.last_loss = Some(now);
    }

    /// The end of the next one-second window that is over at `now`, in order.
    pub(crate) fn next_window(&mut self, now: EventTime) -> Option<EventTime> {
        let current = now / SECOND;
        if self.window >= current {
            return None;
        }
        // After a long silence nothing can have changed between its windows but the passing of
        // time, so the last hundred stand for all.
        self.window = (self.window + 1).max(current.saturating_sub(100));
        Some(self.window * SECOND)
    }

    /// The phase at the end of a window. `evidence` is asked for only when everything else is met.
    pub(crate) fn phase_at(
        &mut self,
        now: EventTime,
        rules: &LearnRules,
        evidence: impl FnOnce(EventTime) -> [Incidences; 3],
    ) -> Phase {
        self.slide(now / SECOND);
        let age = now.saturating_sub(self.started);
        if age < rules.warmup {
            return Phase::Warmup;
        }
        let lossy = self.is_lossy(now);
        let quiet = age >= rules.min_time && self.new_nodes() == 0 && !lossy;
        let waiting = if quiet || age >= rules.max_time {
            self.waiting_for(now, rules, &evidence(self.steady_from))
        } else {
            vec!["new_nodes".to_owned()]
        };
        if waiting.is_empty() || age >= rules.max_time {
            self.partial = !waiting.is_empty();
            self.ended = Some(now);
            return Phase::Detecting;
        }
        if lossy { Phase::Degraded } else { Phase::Learning }
    }

    fn is_lossy(&self, now: EventTime) -> bool {
        self.last_loss.is_some_and(|at| now.saturating_sub(at) < QUIET)
    }

    fn waiting_for(
        &self,
        now: EventTime,
        rules: &LearnRules,
        branches: &[Incidences; 3],
    ) -> Vec<String> {
        let age = now.saturating_sub(self.started);
        let mut waiting = Vec::new();
        if age < rules.min_time.max(rules.warmup) {
            waiting.push("min_time".to_owned());
        }
        if branches.iter().map(|b| b.events).sum::<u64>() < rules.min_events {
            waiting.push("min_events".to_owned());
        }
        for (name, branch) in BRANCHES.iter().zip(branches) {
            if branch.sum > 0 && unseen(branch) >= rules.novelty {
                waiting.push(format!("novelty:{name}"));
            }
        }
        if self.new_nodes() >= 1 {
            waiting.push("new_nodes".to_owned());
        }
        if self.is_lossy(now) {
            waiting.push("lossy".to_owned());
        }
        waiting
    }

    fn new_nodes(&self) -> u32 {
        self.growth.iter().sum()
    }

    pub(crate) fn progress(
        &self,
        phase: Phase,
        now: EventTime,
        rules: &LearnRules,
        branches: &[Incidences; 3],
    ) -> Learning {
        let branches_now: Vec<BranchProgress> = BRANCHES
            .iter()
            .zip(branches)
            .map(|(name, branch)| BranchProgress {
                branch: (*name).to_owned(),
                events: branch.events,
                paths: branch.paths,
                singletons: branch.once,
                incidences: branch.sum,
                unseen: unseen(branch),
            })
            .collect();
        if phase.detects() {
            return Learning {
                progress: 100.0,
                waiting_for: Vec::new(),
                branches: branches_now,
                partial: self.partial,
            };
        }
        let age = now.saturating_sub(self.started) as f64;
        let mut shares = vec![(age / rules.min_time.max(1) as f64).min(1.0)];
        let events: u64 = branches.iter().map(|b| b.events).sum();
        shares.push((events as f64 / rules.min_events.max(1) as f64).min(1.0));
        for branch in branches.iter().filter(|b| b.sum > 0) {
            shares.push((rules.novelty / unseen(branch)).min(1.0));
        }
        shares.push(1.0 / f64::from(1 + self.new_nodes()).sqrt());
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        Learning {
            progress: (mean * 1_000.0).round().min(990.0) / 10.0,
            waiting_for: self.waiting_for(now, rules, branches),
            branches: branches_now,
            partial: false,
        }
    }
}

const BRANCHES: [&str; 3] = ["process", "network", "file"];

/// The bound of a branch's unseen mass, 0..1; 1 before anything was seen. See the module's text.
pub fn unseen(branch: &Incidences) -> f64 {
    if branch.sum == 0 {
        return 1.0;
    }
    let once = branch.once as f64;
    ((once + (once + 1.0).sqrt()) / branch.sum as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use hanabi_event::SECOND;

    use super::{LearnRules, LearningState, unseen};
    use crate::{phase::Phase, tree::Incidences};

    fn branch(once: u64, sum: u64) -> Incidences {
        Incidences { once, sum, paths: 10, events: 1_000 }
    }

    #[test]
    fn the_bound_shrinks_with_evidence() {
        assert!((unseen(&Incidences::default()) - 1.0).abs() < f64::EPSILON);
        assert!(unseen(&branch(5, 100)) > 0.07);
        assert!(unseen(&branch(0, 1_000)) < 0.002);
        assert!(unseen(&branch(2, 1_000)) > unseen(&branch(1, 1_000)));
    }

    #[test]
    fn learning_ends_on_evidence_only() {
        let rules = LearnRules::default();
        let good = [branch(0, 1_000), branch(0, 1_000), Incidences::default()];
        let poor = [branch(30, 100), branch(0, 1_000), Incidences::default()];
        let mut state = LearningState::new(0, rules.warmup);
        assert_eq!(state.phase_at(10 * SECOND, &rules, |_| good), Phase::Warmup);
        assert_eq!(state.phase_at(60 * SECOND, &rules, |_| good), Phase::Learning);
        assert_eq!(state.phase_at(300 * SECOND, &rules, |_| poor), Phase::Learning);
        while state.next_window(290 * SECOND).is_some() {}
        state.grew(290 * SECOND);
        assert_eq!(state.phase_at(300 * SECOND, &rules, |_| good), Phase::Learning);
        state.lossy(345 * SECOND);
        assert_eq!(state.phase_at(360 * SECOND, &rules, |_| good), Phase::Degraded);
        assert_eq!(state.phase_at(420 * SECOND, &rules, |_| good), Phase::Detecting);
        let mut slow = LearningState::new(0, rules.warmup);
        assert_eq!(slow.phase_at(25 * 3_600 * SECOND, &rules, |_| poor), Phase::Detecting);
        assert!(slow.progress(Phase::Detecting, 0, &rules, &poor).partial);
    }

    #[test]
    fn windows_come_in_order_whatever_the_steps() {
        let mut state = LearningState::new(SECOND, 0);
        let mut ends = Vec::new();
        for now in [SECOND + 5, 2 * SECOND, 2 * SECOND + 1, 5 * SECOND + 9] {
            while let Some(end) = state.next_window(now) {
                ends.push(end / SECOND);
            }
        }
        assert_eq!(ends, [2, 3, 4, 5]);
    }
}
