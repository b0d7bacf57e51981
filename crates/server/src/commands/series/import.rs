//! `hanabi series import`: a text of any length, a batch at a time.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher as _, RandomState},
    path::Path,
};

use anyhow::{Context as _, Result, anyhow};
use hanabi_ingest::{BATCH_BYTES, LineBlocks, open_lines};
use hanabi_series::{
    Appended, Labels, Sample, SeriesStore,
    openmetrics::{OpenMetricsError, Reader},
};
use indicatif::ProgressBar;

use crate::{
    commands::{
        failure::{Hint as _, NotAccepted},
        text,
    },
    send::progress_bar,
};

/// Samples that are held and written at a time: 16 bytes each beside their labels, and few enough
/// writes that their cost does not matter.
const BATCH_SAMPLES: usize = 250_000;
/// Lines between two looks of the progress bar.
const LOOK_EVERY: u64 = 10_000;

/// Reads a file twice, so that one with an error changes nothing; standard input cannot be.
pub(super) fn import(file: &Path, store: &SeriesStore) -> Result<()> {
    if file.is_file() {
        let checked = read(file, "checked", |_| Ok(()));
        checked.map_err(|failure| failure.told(file, "nothing was imported"))?;
    }
    let mut import = Import::new(store);
    let done = read(file, "imported", |sample| import.take(sample))
        .and_then(|()| import.flush().map_err(Failure::Other));
    if let Err(failure) = done {
        // What was read before the error is as good as any.
        import.flush()?;
        let taken = import.all.taken;
        let stays = format!("{taken} samples before it were imported, and stay");
        return Err(failure.told(file, &stays));
    }
    import.tell(file)
}

/// Why the reading ended before the end.
enum Failure {
    Line(OpenMetricsError),
    Other(anyhow::Error),
}

impl Failure {
    fn told(self, file: &Path, so_far: &str) -> anyhow::Error {
        match self {
            Self::Other(error) => error,
            Self::Line(error) => {
                let remedy = format!("{}; {so_far}", error.remedy);
                let context = format!("failed to read {}", shown(file));
                let failed = Err::<(), _>(error).hint(remedy).context(context);
                failed.err().unwrap_or_else(|| anyhow!("failed to read"))
            }
        }
    }
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

/// Gives every sample of a text to `take`.
fn read(
    file: &Path,
    word: &'static str,
    mut take: impl FnMut((Labels, Sample)) -> Result<()>,
) -> Result<(), Failure> {
    let input = open_lines(file).map_err(|error| Failure::Other(error.into()))?;
    let mut blocks = LineBlocks::new(input, BATCH_BYTES);
    let progress = blocks.progress().clone();
    let bar = progress_bar(&progress);
    let mut reader = Reader::default();
    let mut block = Vec::new();
    let reading = || format!("failed to read {}", shown(file));
    while blocks.next_into(&mut block).with_context(reading).map_err(Failure::Other)? {
        if blocks.too_long() > 0 {
            let why =
                anyhow!("a line after line {} of {} is too long", reader.lines(), shown(file));
            return Err(Failure::Other(why));
        }
        let lines = block.strip_suffix(b"\n").unwrap_or(&block);
        for line in lines.split(|byte| *byte == b'\n') {
            if let Some(sample) = reader.line(line).map_err(Failure::Line)? {
                take(sample).map_err(Failure::Other)?;
            }
            if reader.lines().is_multiple_of(LOOK_EVERY) {
                show(&bar, progress.position(), word, reader.lines());
            }
        }
    }
    bar.finish_and_clear();
    reader.end().map_err(Failure::Line)
}

fn show(bar: &ProgressBar, position: u64, word: &str, lines: u64) {
    bar.set_position(position);
    bar.set_message(format!("{word} {lines} lines"));
}

/// What waits to be written, and what became of what was.
struct Import<'a> {
    store: &'a SeriesStore,
    batch: BTreeMap<Labels, Vec<Sample>>,
    samples: usize,
    all: Appended,
    /// Hashes of the series met: their names would take more than their samples.
    series: HashSet<u64>,
    hasher: RandomState,
}

impl<'a> Import<'a> {
    fn new(store: &'a SeriesStore) -> Self {
        Self {
            store,
            batch: BTreeMap::new(),
            samples: 0,
            all: Appended::default(),
            series: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    fn take(&mut self, (labels, sample): (Labels, Sample)) -> Result<()> {
        self.batch.entry(labels).or_default().push(sample);
        self.samples += 1;
        if self.samples >= BATCH_SAMPLES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.samples = 0;
        self.series.extend(batch.keys().map(|labels| self.hasher.hash_one(labels)));
        let Appended { taken, known, too_many_series, out_of_order: _ } =
            self.store.insert_series(batch)?;
        self.all.taken += taken;
        self.all.known += known;
        self.all.too_many_series += too_many_series;
        Ok(())
    }

    fn tell(&self, file: &Path) -> Result<()> {
        let Appended { taken, known, too_many_series: refused, .. } = self.all;
        text::print(&format!(
            "imported {taken} samples from {}: {} series; {known} samples were there already, \
             {refused} were refused\n",
            shown(file),
            self.series.len(),
        ))?;
        if refused == 0 {
            return Ok(());
        }
        let series = self.store.series();
        let why = format!(
            "{refused} samples were refused: the store holds {series} series, and no more fit"
        );
        Err(NotAccepted(why)).hint("import fewer series, or into another data directory")
    }
}
