//! Event counts over the last 24 hours, for `/api/overview`.
//!
//! Time is event time: the newest second added is "now". Nothing here reads a clock, so a replay
//! answers as the live run did. Memory is fixed by the limits below, whatever arrives.

use std::collections::{BTreeMap, HashMap};

use hanabi_event::{Category, EventTime, Priority, SECOND};
use serde::Serialize;

/// Length of a step of the category and priority counts.
const STEP_SECONDS: u64 = 10;
/// 24 hours of them: 8 640 × 128 bytes, about 1.1 MiB.
const STEPS: usize = 24 * 360;
/// Name counts of the last hour keep the short step …
const NAME_STEPS_FINE: usize = 360;
/// … and those of the whole day this one, so that they cost 648 steps and not 8 640.
const NAME_STEP_COARSE_SECONDS: u64 = 300;
const NAME_STEPS_COARSE: usize = 288;
/// Names told apart at a time, for rules and for containers each. At 8 bytes a count and step this
/// bounds either table to 648 × 512 × 8 bytes, about 2.6 MiB. The rest is `_other_`.
pub const OVERVIEW_NAMES_MAX: usize = 512;
/// Names a window's answer lists; the rest is summed up as `_other_`.
pub const OVERVIEW_TOP: usize = 10;
/// What names past a budget are called.
pub const OTHER: &str = "_other_";

const CELLS: usize = 32;

/// The windows that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// `5m`
    FiveMinutes,
    /// `15m`
    FifteenMinutes,
    /// `1h`
    Hour,
    /// `24h`
    Day,
}

impl Window {
    /// All windows.
    pub const ALL: [Self; 4] = [Self::FiveMinutes, Self::FifteenMinutes, Self::Hour, Self::Day];

    /// The word of the `window` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
            Self::Hour => "1h",
            Self::Day => "24h",
        }
    }

    /// Reads the `window` parameter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|window| window.as_str() == text)
    }

    /// Its length.
    pub fn seconds(self) -> u64 {
        match self {
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Length of a point of its series.
    pub fn point_seconds(self) -> u64 {
        match self {
            Self::FiveMinutes | Self::FifteenMinutes => 10,
            Self::Hour => 60,
            Self::Day => 900,
        }
    }
}

/// A name with its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameCount {
    /// Rule or container; `_other_` is everything else.
    pub name: String,
    /// Events.
    pub events: u64,
}

/// One point of a window's series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Its start.
    #[serde(with = "crate::times")]
    pub start: EventTime,
    /// Events in it.
    pub events: u64,
    /// By category, zeros left out.
    pub by_category: BTreeMap<Category, u64>,
    /// By priority, zeros left out.
    pub by_priority: BTreeMap<Priority, u64>,
}

/// What happened in a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowStats {
    /// `5m`, `15m`, `1h` or `24h`.
    pub window: &'static str,
    /// Its start; `null` when nothing has arrived.
    #[serde(with = "crate::times")]
    pub start: EventTime,
    /// Its end: just after the newest event.
    #[serde(with = "crate::times")]
    pub end: EventTime,
    /// Seconds of it that lie after the first event ever; rates are over these.
    pub covered_seconds: u64,
    /// Events in it.
    pub events: u64,
    /// Events a second.
    pub events_per_second: f64,
    /// By category.
    pub by_category: BTreeMap<Category, u64>,
    /// By priority.
    pub by_priority: BTreeMap<Priority, u64>,
    /// Length of a point of `series`.
    pub point_seconds: u64,
    /// Oldest first, without holes.
    pub series: Vec<Point>,
    /// The rules with the most events.
    pub top_rules: Vec<NameCount>,
    /// The containers with the most events.
    pub top_containers: Vec<NameCount>,
}

/// A ring of steps; the newest step known is its end.
#[derive(Debug)]
struct Ring<T> {
    seconds: u64,
    steps: Vec<T>,
    newest: u64,
}

impl<T: Clone> Ring<T> {
    fn new(seconds: u64, length: usize, empty: &T) -> Self {
        Self { seconds, steps: vec![empty.clone(); length], newest: 0 }
    }

    /// The step of a second; `None` when it has left the ring.
    fn at(&mut self, second: u64, clear: impl Fn(&mut T)) -> Option<&mut T> {
        let step = second / self.seconds;
        let length = self.steps.len() as u64;
        if step > self.newest {
            for gone in (self.newest + 1).max((step + 1).saturating_sub(length))..=step {
                clear(&mut self.steps[(gone % length) as usize]);
            }
            self.newest = step;
        }
        (step + length > self.newest).then(|| &mut self.steps[(step % length) as usize])
    }

    /// The steps from `first` on that are in the ring, oldest first.
    fn since(&self, first: u64) -> impl Iterator<Item = (u64, &T)> {
        let length = self.steps.len() as u64;
        let oldest = (self.newest + 1).saturating_sub(length);
        (first.max(oldest)..=self.newest)
            .map(move |step| (step, &self.steps[(step % length) as usize]))
    }
}

type NameStep = Vec<(u16, u32)>;

/// Counts by name, with a budget of names.
#[derive(Debug)]
struct Names {
    ids: HashMap<String, u16>,
    by_id: Vec<String>,
    free: Vec<u16>,
    fine: Ring<NameStep>,
    coarse: Ring<NameStep>,
    reclaimed_at: u64,
}

impl Names {
    fn new() -> Self {
        Self {
            ids: HashMap::from([(OTHER.to_owned(), 0)]),
            by_id: vec![OTHER.to_owned()],
            free: Vec::new(),
            fine: Ring::new(STEP_SECONDS, NAME_STEPS_FINE, &NameStep::new()),
            coarse: Ring::new(NAME_STEP_COARSE_SECONDS, NAME_STEPS_COARSE, &NameStep::new()),
            reclaimed_at: 0,
        }
    }

    fn add(&mut self, second: u64, name: &str, n: u32) {
        // The steps come first: what they clear makes room for names.
        self.advance(second);
        let id = self.id(name);
        for ring in [&mut self.fine, &mut self.coarse] {
            if let Some(step) = ring.at(second, Vec::clear) {
                bump(step, id, n);
            }
        }
    }

    fn advance(&mut self, second: u64) {
        self.fine.at(second, Vec::clear);
        self.coarse.at(second, Vec::clear);
    }

    fn id(&mut self, name: &str) -> u16 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        if self.by_id.len() > OVERVIEW_NAMES_MAX && self.free.is_empty() {
            self.reclaim();
        }
        let id = if let Some(id) = self.free.pop() {
            name.clone_into(&mut self.by_id[id as usize]);
            id
        } else if self.by_id.len() <= OVERVIEW_NAMES_MAX {
            self.by_id.push(name.to_owned());
            (self.by_id.len() - 1) as u16
        } else {
            return 0;
        };
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// Frees the names that have no count left. Once a coarse step at most: it walks all steps, and
    /// more cannot have left meanwhile.
    fn reclaim(&mut self) {
        if self.reclaimed_at == self.coarse.newest {
            return;
        }
        self.reclaimed_at = self.coarse.newest;
        let mut used = vec![false; self.by_id.len()];
        used[0] = true;
        for step in self.coarse.steps.iter().chain(&self.fine.steps) {
            for (id, _) in step {
                used[*id as usize] = true;
            }
        }
        self.ids.retain(|_, id| used[*id as usize]);
        self.free = (1..self.by_id.len()).filter(|id| !used[*id]).map(|id| id as u16).collect();
    }

    /// Events of the chosen names for each step since a second.
    fn steps_of(
        &self,
        from: u64,
        window: Window,
        chosen: impl Fn(&str) -> bool,
    ) -> Vec<(u64, u64)> {
        let ring = if window == Window::Day { &self.coarse } else { &self.fine };
        let chosen: Vec<bool> =
            self.by_id.iter().enumerate().map(|(id, name)| id > 0 && chosen(name)).collect();
        let sum = |step: &NameStep| {
            step.iter().filter(|(id, _)| chosen[*id as usize]).map(|(_, n)| u64::from(*n)).sum()
        };
        ring.since(from / ring.seconds)
            .map(|(step, names)| (step * ring.seconds, sum(names)))
            .collect()
    }

    /// The names with the most events since a second, `_other_` last.
    fn top(&self, from: u64, window: Window) -> Vec<NameCount> {
        let ring = if window == Window::Day { &self.coarse } else { &self.fine };
        let mut sums = vec![0_u64; self.by_id.len()];
        for (_, step) in ring.since(from / ring.seconds) {
            for (id, n) in step {
                sums[*id as usize] += u64::from(*n);
            }
        }
        let mut other = sums[0];
        let mut top: Vec<NameCount> = (1..sums.len())
            .filter(|id| sums[*id] > 0)
            .map(|id| NameCount { name: self.by_id[id].clone(), events: sums[id] })
            .collect();
        top.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        other += top.iter().skip(OVERVIEW_TOP).map(|name| name.events).sum::<u64>();
        top.truncate(OVERVIEW_TOP);
        if other > 0 {
            top.push(NameCount { name: OTHER.to_owned(), events: other });
        }
        top
    }
}

fn bump(step: &mut NameStep, id: u16, n: u32) {
    match step.binary_search_by_key(&id, |(id, _)| *id) {
        Ok(at) => step[at].1 = step[at].1.saturating_add(n),
        Err(at) => step.insert(at, (id, n)),
    }
}

/// Event counts of the last 24 hours of event time.
#[derive(Debug)]
pub struct OverviewStats {
    counts: Ring<[u32; CELLS]>,
    rules: Names,
    containers: Names,
    first: u64,
    newest: u64,
    late: u64,
    version: u64,
}

impl Default for OverviewStats {
    fn default() -> Self {
        Self {
            counts: Ring::new(STEP_SECONDS, STEPS, &[0; CELLS]),
            rules: Names::new(),
            containers: Names::new(),
            first: 0,
            newest: 0,
            late: 0,
            version: 0,
        }
    }
}

impl OverviewStats {
    /// Adds `n` events of a second since the epoch. A second newer than all before moves the windows,
    /// so the caller gives skewed events the second of its watermark. Cost: two hash look-ups.
    pub fn add(
        &mut self,
        second: u64,
        category: Category,
        priority: Priority,
        rule: &str,
        container: &str,
        n: u64,
    ) {
        self.version += 1;
        if self.first == 0 || second < self.first {
            self.first = second;
        }
        self.newest = self.newest.max(second);
        let Some(cells) = self.counts.at(second, |cells| *cells = [0; CELLS]) else {
            self.late += n;
            return;
        };
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let cell = &mut cells[cell(category, priority)];
        *cell = cell.saturating_add(n);
        self.rules.add(second, rule, n);
        self.containers.add(second, container, n);
    }

    /// Moves the windows to a second without events, as a tick of the watermark does.
    pub fn advance(&mut self, second: u64) {
        if self.newest != 0 && second > self.newest {
            self.version += 1;
            self.newest = second;
            self.counts.at(second, |cells| *cells = [0; CELLS]);
            self.rules.advance(second);
            self.containers.advance(second);
        }
    }

    /// Events that came more than 24 hours late and are in no window.
    pub fn late(&self) -> u64 {
        self.late
    }

    /// Changes with every change, so that answers can be kept.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A window's numbers of some containers, by their names; what is not counted by container is
    /// left out.
    pub fn window_of(&self, window: Window, chosen: impl Fn(&str) -> bool) -> WindowStats {
        let mut stats = self.window(window);
        let (mut points, mut events): (BTreeMap<EventTime, u64>, u64) = (BTreeMap::new(), 0);
        for (second, n) in self.containers.steps_of(stats.start / SECOND, window, &chosen) {
            let point = second / window.point_seconds() * window.point_seconds() * SECOND;
            *points.entry(point).or_default() += n;
            events += n;
        }
        for point in &mut stats.series {
            point.events = points.get(&point.start).copied().unwrap_or(0);
            point.by_category.clear();
            point.by_priority.clear();
        }
        let covered = stats.covered_seconds;
        stats.events = events;
        stats.events_per_second = if covered == 0 { 0.0 } else { events as f64 / covered as f64 };
        stats.by_category.clear();
        stats.by_priority.clear();
        stats.top_rules.clear();
        stats.top_containers.retain(|count| chosen(&count.name));
        stats
    }

    /// A window's numbers. Cost is linear in the window's steps: about 0.3 ms for a day.
    pub fn window(&self, window: Window) -> WindowStats {
        let newest_step = self.newest / STEP_SECONDS;
        let first_step = (newest_step + 1).saturating_sub(window.seconds() / STEP_SECONDS);
        let per_point = window.point_seconds() / STEP_SECONDS;
        let mut total = [0_u64; CELLS];
        let mut points: BTreeMap<u64, [u64; CELLS]> = BTreeMap::new();
        if self.newest != 0 {
            for point in first_step / per_point..=newest_step / per_point {
                points.insert(point, [0; CELLS]);
            }
            for (step, cells) in self.counts.since(first_step) {
                let point = points.entry(step / per_point).or_insert([0; CELLS]);
                for (i, n) in cells.iter().enumerate() {
                    total[i] += u64::from(*n);
                    point[i] += u64::from(*n);
                }
            }
        }
        let start = first_step * STEP_SECONDS;
        let end = if self.newest == 0 { 0 } else { (newest_step + 1) * STEP_SECONDS };
        let covered = if end == 0 { 0 } else { self.newest + 1 - start.max(self.first) };
        let events: u64 = total.iter().sum();
        WindowStats {
            window: window.as_str(),
            start: if end == 0 { 0 } else { start * SECOND },
            end: end * SECOND,
            covered_seconds: covered,
            events,
            events_per_second: if covered == 0 { 0.0 } else { events as f64 / covered as f64 },
            by_category: by_category(&total),
            by_priority: by_priority(&total),
            point_seconds: window.point_seconds(),
            series: points
                .into_iter()
                .map(|(point, cells)| Point {
                    start: point * window.point_seconds() * SECOND,
                    events: cells.iter().sum(),
                    by_category: by_category(&cells),
                    by_priority: by_priority(&cells),
                })
                .collect(),
            top_rules: self.rules.top(start, window),
            top_containers: self.containers.top(start, window),
        }
    }
}

fn cell(category: Category, priority: Priority) -> usize {
    category as usize * Priority::ALL.len() + priority as usize
}

fn by_category(cells: &[u64; CELLS]) -> BTreeMap<Category, u64> {
    let mut sums = BTreeMap::new();
    for category in Category::ALL {
        let n: u64 = Priority::ALL.iter().map(|p| cells[cell(category, *p)]).sum();
        if n > 0 {
            sums.insert(category, n);
        }
    }
    sums
}

fn by_priority(cells: &[u64; CELLS]) -> BTreeMap<Priority, u64> {
    let mut sums = BTreeMap::new();
    for priority in Priority::ALL {
        let n: u64 = Category::ALL.iter().map(|c| cells[cell(*c, priority)]).sum();
        if n > 0 {
            sums.insert(priority, n);
        }
    }
    sums
}

#[cfg(test)]
mod tests;
