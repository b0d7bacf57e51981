//! Standard input as a source.

#[cfg(test)]
mod tests;

use std::io::{self, Read};

use crate::lines::LineCutter;
use crate::{BATCH_BYTES, Control, Intake, Refused, SourceId};

/// Why reading standard input ended early.
#[derive(Debug, thiserror::Error)]
pub enum StdinError {
    /// It could not be read.
    #[error("failed to read events from standard input")]
    Read(#[source] io::Error),
    /// Its lines could not be recorded; those in hand were dropped and counted.
    #[error("failed to take events from standard input")]
    Refused(#[source] Refused),
}

/// Reads lines from a pipe. They are journalled where the queue has a journal; while the queue is
/// full nothing is read, and the writer waits.
pub struct StdinSource {
    id: SourceId,
    reader: Box<dyn Read + Send>,
}

impl StdinSource {
    /// The process's standard input.
    pub fn new() -> Self {
        Self::from_reader("stdin".into(), io::stdin())
    }

    /// Any pipe under a name of its own.
    pub fn from_reader(id: SourceId, reader: impl Read + Send + 'static) -> Self {
        Self { id, reader: Box::new(reader) }
    }

    /// The source's name.
    pub fn id(&self) -> &SourceId {
        &self.id
    }

    /// Reads into `intake` to the end of the pipe and returns the number of lines that were too
    /// long. A batch is what one read returns, so nothing waits for more. A stop takes effect when
    /// the read in progress returns; a pipe that never says anything more holds the thread.
    pub fn run(mut self, intake: &Intake, control: &Control) -> Result<u64, StdinError> {
        let mut cutter = LineCutter::default();
        let mut chunk = vec![0; BATCH_BYTES / 4];
        let mut lines = Vec::new();
        while !control.wait_while_paused() {
            let read = match self.reader.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StdinError::Read(error)),
            };
            cutter.begin(&mut lines);
            lines.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if cutter.cut(&mut lines) {
                let whole = std::mem::take(&mut lines);
                intake.record_wait(&self.id, whole, control).map_err(StdinError::Refused)?;
            }
        }
        if let Some(last) = cutter.finish() {
            intake.record_wait(&self.id, last, control).map_err(StdinError::Refused)?;
        }
        Ok(cutter.too_long())
    }
}

impl Default for StdinSource {
    fn default() -> Self {
        Self::new()
    }
}
