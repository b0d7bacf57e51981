//! Opening a recording: plain, gzip or zstd, from a file or standard input.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a recording could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to open {path}", path = path.display())]
pub struct OpenError {
    path: PathBuf,
    source: io::Error,
}

#[derive(Debug, Default)]
struct Counts {
    position: AtomicU64,
    total: AtomicU64,
}

/// How far a recording was read, in bytes of the file as it lies on disk. Clones see the same.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

impl Progress {
    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.0.position.load(Ordering::Relaxed)
    }

    /// The file's size; `None` for standard input and pipes.
    pub fn total(&self) -> Option<u64> {
        Some(self.0.total.load(Ordering::Relaxed)).filter(|total| *total > 0)
    }

    fn advance(&self, bytes: usize) {
        self.0.position.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

enum Reader {
    /// Read by `File` itself, which fills a buffer without clearing it first.
    Plain(File),
    Other(Box<dyn Read + Send>),
}

/// An opened recording: its lines, decompressed.
pub struct Input {
    reader: Reader,
    /// True where `reader` does not count by itself.
    counts_here: bool,
    progress: Progress,
}

/// Opens `path`, or standard input for `-`. Compression is told by the first bytes, not by the
/// name; zstd windows up to 128 MiB are read.
pub fn open_lines(path: &Path) -> Result<Input, OpenError> {
    let open = || {
        if path == Path::new("-") {
            return sniff(io::stdin(), Progress::default());
        }
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let progress = Progress::default();
        if !metadata.is_file() {
            return sniff(file, progress);
        }
        progress.0.total.store(metadata.len(), Ordering::Relaxed);
        let start = read_start(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        if Compression::of(&start) == Compression::None {
            return Ok(Input { reader: Reader::Plain(file), counts_here: true, progress });
        }
        sniff(file, progress)
    };
    open().map_err(|source| OpenError { path: path.to_path_buf(), source })
}

impl Input {
    /// Any reader as an input, taken as it is.
    pub fn from_reader(reader: impl Read + Send + 'static) -> Self {
        let reader = Reader::Other(Box::new(reader));
        Self { reader, counts_here: true, progress: Progress::default() }
    }

    /// How far it was read.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Reads up to `bytes` behind what is in `into`; less only at the end, 0 behind it.
    pub(crate) fn fill(&mut self, into: &mut Vec<u8>, bytes: usize) -> io::Result<usize> {
        into.reserve(bytes);
        let read = match &mut self.reader {
            Reader::Plain(file) => file.take(bytes as u64).read_to_end(into)?,
            Reader::Other(reader) => reader.take(bytes as u64).read_to_end(into)?,
        };
        if self.counts_here {
            self.progress.advance(read);
        }
        Ok(read)
    }
}

impl Read for Input {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.reader {
            Reader::Plain(file) => file.read(into)?,
            Reader::Other(reader) => reader.read(into)?,
        };
        if self.counts_here {
            self.progress.advance(read);
        }
        Ok(read)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

fn read_start(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(4);
    reader.take(4).read_to_end(&mut start)?;
    Ok(start)
}

fn sniff(mut reader: impl Read + Send + 'static, progress: Progress) -> io::Result<Input> {
    /// The largest window a recording may use: what `zstd --long=27` writes, 128 MiB.
    const WINDOW_LOG_MAX: u32 = 27;
    let start = read_start(&mut reader)?;
    let compression = Compression::of(&start);
    let reader = Cursor::new(start).chain(reader);
    let counted = Counted { reader, progress: progress.clone() };
    let reader: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(counted),
        Compression::Gzip => {
            let buffered = BufReader::with_capacity(1 << 17, counted);
            Box::new(flate2::bufread::MultiGzDecoder::new(buffered))
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(counted)?;
            decoder.window_log_max(WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok(Input { reader: Reader::Other(reader), counts_here: false, progress })
}

struct Counted<R> {
    reader: R,
    progress: Progress,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(into)?;
        self.progress.advance(read);
        Ok(read)
    }
}
