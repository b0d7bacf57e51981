//! Settings for the engine out of the configuration, and recordings into it.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use hanabi_detect::{
    Observer, Router, Settings,
    danger::{self, DangerList},
};
use hanabi_event::{Block, DecodeOptions, Direction};
use hanabi_ingest::{LineBlocks, Progress, open_lines};
use hanabi_profile::{LearnRules, Limits};
use hanabi_telemetry::{EventCounter, ExporterOptions, Metrics};

use crate::{
    config::{self, Config, IncludeHost},
    engine::Engine,
    matchers, profiles,
};

/// Bytes of lines in a block: large enough that handing it over costs nothing, small enough that a
/// dozen of them stay in the processor's cache and an alert is not late.
pub(crate) const BLOCK_BYTES: usize = 1 << 20;
/// The source of lines that are replayed.
const RECORDING: &str = "recording";

/// The engine's settings as the configuration has them, for runs without an exporter.
pub(crate) fn settings(config: &Config) -> anyhow::Result<Settings> {
    settings_with(config, &Metrics::new())
}

/// The engine's settings as the configuration has them.
pub(crate) fn settings_with(config: &Config, metrics: &Metrics) -> anyhow::Result<Settings> {
    let (learn, detect) = (config.learn(), config.detect());
    let danger = match &detect.danger_list {
        config::DangerList::Builtin => DangerList::parse(danger::BUILTIN)?,
        config::DangerList::File(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("failed to read the danger list {}", path.display()))?;
            DangerList::parse(&text)
                .with_context(|| format!("failed to use the danger list {}", path.display()))?
        }
    };
    Ok(Settings {
        learn: LearnRules {
            warmup: learn.warmup.as_nanos(),
            min_time: learn.min_time.as_nanos(),
            min_events: u64::from(learn.min_events),
            novelty: learn.novelty,
            max_time: learn.max_time.as_nanos(),
        },
        limits: Limits {
            max_nodes: config.profile().max_nodes as usize,
            files: config.profile().files_per_directory,
            arguments: config.profile().arguments_per_process,
            paths: config.profile().limits.clone(),
            ..Limits::default()
        },
        matcher: matchers::matcher(detect, metrics)?,
        danger,
        rule_min_priority: config.alerts().rule_min_priority,
        revision_window: learn.revision_window.as_nanos(),
        include_host: config.identity().include_host != IncludeHost::Never,
        ..Settings::default()
    })
}

/// How lines are decoded.
pub(crate) fn decoding(config: &Config) -> DecodeOptions {
    DecodeOptions { keep_payload: config.redact().keep_payload }
}

/// Counts lines for the metrics, as the service does.
pub(crate) struct Metered(pub(crate) EventCounter);

impl Metered {
    /// With the metrics' default limits.
    pub(crate) fn new() -> Self {
        Self(EventCounter::new(&ExporterOptions::default()))
    }
}

impl hanabi_detect::Observer for Metered {
    fn line(
        &mut self,
        event: &hanabi_event::Event<'_>,
        _identity: &str,
        _verdict: hanabi_detect::Verdict,
    ) {
        self.0.count(event);
    }
}

/// An engine that keeps nothing, from nothing or from stored profiles.
pub(crate) fn engine<O: Observer>(
    settings: Settings,
    config: &Config,
    threads: NonZeroUsize,
    stored: Option<&Path>,
    observer: impl FnMut() -> O,
) -> anyhow::Result<Engine<O>> {
    let mut router = Router::new(settings.include_host);
    let shards = match stored {
        Some(directory) => profiles::read(directory, &mut router)?,
        None => Vec::new(),
    };
    Ok(Engine::start(Arc::new(settings), decoding(config), threads, router, shards, observer))
}

/// One thread a core, unless told otherwise.
pub(crate) fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Blocks that are read ahead of the engine: reading must not wait for it, nor it for reading.
const READ_AHEAD: usize = 4;

/// Which lines of a recording are fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// All.
    All,
    /// Those that a Falco of 0.42 or later prints: none for the entry of a call.
    Exits,
}

/// Feeds recordings to their end. `shown` is told how far each is read.
pub(crate) fn recordings<O: Observer>(
    engine: &mut Engine<O>,
    files: &[PathBuf],
    which: Lines,
    mut shown: impl FnMut(&Progress),
) -> anyhow::Result<()> {
    for file in files {
        let blocks = LineBlocks::new(open_lines(file)?, BLOCK_BYTES);
        let progress = blocks.progress().clone();
        let (sender, receiver) = bounded(READ_AHEAD);
        std::thread::scope(|scope| {
            scope.spawn(move || read(blocks, which, &sender));
            while let Some(lines) = next(engine, &receiver) {
                let lines = lines.with_context(|| format!("failed to read {}", file.display()))?;
                engine.feed(RECORDING, lines);
                if !engine.has_room() {
                    engine.step();
                    shown(&progress);
                }
            }
            anyhow::Ok(())
        })?;
    }
    engine.flush();
    Ok(())
}

/// The next block that was read; the engine works on while there is none. `None` at the end.
fn next<O: Observer>(engine: &mut Engine<O>, blocks: &Receiver<Read>) -> Option<Read> {
    loop {
        match blocks.try_recv() {
            Ok(block) => return Some(block),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) if engine.is_idle() => return blocks.recv().ok(),
            Err(TryRecvError::Empty) => {
                engine.step();
            }
        }
    }
}

type Read = std::io::Result<Vec<u8>>;

/// Reads to the end, to the first error, or until nobody listens.
fn read(mut blocks: LineBlocks, which: Lines, to: &Sender<Read>) {
    loop {
        let mut lines = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
        let sent = match blocks.next_into(&mut lines) {
            Ok(true) if which == Lines::Exits => to.send(Ok(exits(lines))),
            Ok(true) => to.send(Ok(lines)),
            Ok(false) => return,
            Err(error) => to.send(Err(error)),
        };
        if sent.is_err() {
            return;
        }
    }
}

/// The lines of a block without those for the entry of a call.
fn exits(lines: Vec<u8>) -> Vec<u8> {
    let block = Block::decode(lines);
    let exits = block.records().iter().filter(|record| record.direction != Direction::Enter);
    exits.fold(Vec::new(), |mut kept, record| {
        kept.extend_from_slice(block.str(record.line).as_bytes());
        kept.push(b'\n');
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::exits;

    #[test]
    fn lines_for_the_entry_of_a_call_are_left_out() {
        let line = |args: &str| {
            format!(
                r#"{{"output_fields":{{"container.id":"112497b102cd","evt.args":"{args}","evt.time.iso8601":1795337732237776419,"evt.type":"openat","proc.name":"cat"}},"priority":"Debug","rule":"file","source":"syscall"}}"#
            )
        };
        let enter = line("dirfd=-100(AT_FDCWD) name=<NA> flags=1(O_RDONLY) mode=0");
        let exit =
            line("fd=3(<f>/etc/hosts) dirfd=-100(AT_FDCWD) name=/etc/hosts flags=1(O_RDONLY)");
        let kept = exits(format!("{enter}\n{exit}\n").into_bytes());
        assert_eq!(String::from_utf8(kept).unwrap(), format!("{exit}\n"));
    }
}
