//! Rows for the event log and the stream out of the lines that a shard works on.

use std::{
    hash::{BuildHasher, Hash, Hasher},
    sync::Arc,
};

use foldhash::fast::RandomState;
use hanabi_event::{Event, Redactor, SECOND, result_text};
use hanabi_store::LogRow;
use hashbrown::HashMap;

/// Rows of one shard and block that are kept whole: ten times what a busy container does between
/// two blocks of a live service, and a stream shows no more.
const WHOLE_MAX: usize = 2_000;
/// Rows of one shard and block at most. Past it lines of behaviours not seen in the block are left
/// out and counted.
const ROWS_MAX: usize = 4_000;
/// The longest text of a row, in bytes; Falco's are shorter but for the arguments of an execve.
const TEXT_MAX: usize = 1_024;

/// The rows of one shard since they were last taken.
pub(crate) struct Rows {
    redactor: Arc<Redactor>,
    /// Its seeds differ from process to process, so nobody outside can choose behaviours that
    /// collide.
    hasher: RandomState,
    taken: Vec<LogRow>,
    /// Where the row is that repetitions of a behaviour go into.
    places: HashMap<u64, usize>,
    merging: bool,
    dropped: u64,
}

impl Rows {
    pub(crate) fn new(redactor: Arc<Redactor>) -> Self {
        Self {
            redactor,
            hasher: RandomState::default(),
            taken: Vec::new(),
            places: HashMap::new(),
            merging: false,
            dropped: 0,
        }
    }

    /// While a backlog is worked off, repetitions within a second go into one row with a count;
    /// what is seen live is kept line by line.
    pub(crate) fn merge_repetitions(&mut self, merging: bool) {
        self.merging = merging;
    }

    /// Takes a modelled line in.
    pub(crate) fn take(&mut self, event: &Event<'_>, identity: &str) {
        if self.merging || self.taken.len() >= WHOLE_MAX {
            let behaviour = self.behaviour(event);
            if let Some(row) = self.places.get(&behaviour).and_then(|at| self.taken.get_mut(*at)) {
                row.count += 1;
                return;
            }
            if self.taken.len() >= ROWS_MAX {
                self.dropped += 1;
                return;
            }
            self.places.insert(behaviour, self.taken.len());
        }
        let raw = !self.merging;
        self.taken.push(self.row(event, identity, raw));
    }

    /// The rows, in the order of their first lines.
    pub(crate) fn drain(&mut self) -> std::vec::Drain<'_, LogRow> {
        self.places.clear();
        self.taken.drain(..)
    }

    /// True when there is nothing to drain.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Lines left out since the last call.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn behaviour(&self, event: &Event<'_>) -> u64 {
        let mut state = self.hasher.build_hasher();
        (event.time / SECOND, event.priority as u8).hash(&mut state);
        (event.container.id, event.process.name, event.call).hash(&mut state);
        (event.rule, event.result.is_some_and(|r| r < 0)).hash(&mut state);
        state.finish()
    }

    fn row(&self, event: &Event<'_>, identity: &str, raw: bool) -> LogRow {
        let container = &event.container;
        LogRow {
            time: event.time,
            container_id: container.id.to_owned(),
            container_name: container.name.to_owned(),
            identity: identity.to_owned(),
            host: event.host.to_owned(),
            category: event.category,
            priority: event.priority,
            rule: bounded(event.rule).to_owned(),
            call: event.call.to_owned(),
            process: event.process.name.to_owned(),
            command_line: self.redactor.mask(bounded(event.process.command_line)).into_owned(),
            object: self.redactor.mask(bounded(event.fd.name)).into_owned(),
            outcome: outcome(event.result),
            count: 1,
            deviation: None,
            raw: raw.then(|| event.to_json(&self.redactor)),
        }
    }
}

fn outcome(result: Option<i64>) -> String {
    match result {
        None => String::new(),
        Some(0..) => "ok".to_owned(),
        Some(error) => result_text(error),
    }
}

fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX.min(text.len()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hanabi_event::{Block, Redactor};

    use super::{ROWS_MAX, Rows};

    fn line(number: u64, call: &str) -> String {
        format!(
            r#"{{"output_fields":{{"evt.time":{number},"evt.type":"{call}","proc.name":"sh","container.id":"abc","proc.cmdline":"sh --password x{number}"}},"rule":"process"}}"#
        )
    }

    fn take(rows: &mut Rows, lines: &[String]) {
        let block = Block::decode(lines.join("\n").into_bytes());
        for record in block.records() {
            rows.take(&block.event(record), "web");
        }
    }

    #[test]
    fn live_lines_are_kept_whole_and_a_backlog_is_merged() {
        let lines: Vec<String> = (1..=10).map(|n| line(n, "execve")).collect();
        let mut rows = Rows::new(Arc::new(Redactor::default()));
        take(&mut rows, &lines);
        let whole: Vec<_> = rows.drain().collect();
        assert_eq!(whole.len(), 10);
        assert!(whole.iter().all(|row| row.count == 1 && row.raw.is_some()));
        assert!(!whole.iter().any(|row| row.command_line.contains('x')), "masked");
        rows.merge_repetitions(true);
        take(&mut rows, &lines);
        let merged: Vec<_> = rows.drain().collect();
        assert_eq!((merged.len(), merged[0].count), (1, 10));
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let lines: Vec<String> = (0..=ROWS_MAX).map(|n| line(1, &format!("call{n}"))).collect();
        let mut rows = Rows::new(Arc::new(Redactor::default()));
        take(&mut rows, &lines);
        assert_eq!(rows.take_dropped(), 1);
        assert_eq!(rows.drain().count(), ROWS_MAX);
    }
}
