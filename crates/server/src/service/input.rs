//! What the engine is fed: batches in order, cut and joined to blocks.

use std::{collections::VecDeque, time::Instant};

use crossbeam_channel::{Receiver, TryRecvError};
use hanabi_ingest::{Batch, Position, Replay, SourceId};

use crate::feed::BLOCK_BYTES;

/// Whole lines of one source, about a block of them.
pub(crate) struct Piece {
    pub(crate) source: SourceId,
    pub(crate) bytes: Vec<u8>,
    /// Bytes, also after they were handed on.
    pub(crate) size: u64,
    /// Lines, blank ones left out.
    pub(crate) lines: u64,
    /// Where reading goes on after this piece; none when more of its batch follows.
    pub(crate) position: Option<Position>,
    /// When it was taken from the queue.
    pub(crate) taken: Instant,
    /// More was waiting when it was taken: the service is behind.
    pub(crate) behind: bool,
}

/// The journal's replay first, then the queue.
pub(crate) struct Input {
    replay: Option<Replay>,
    batches: Receiver<Batch>,
    /// Taken from the queue, but of another source than what it would have been joined to.
    next: Option<Batch>,
    pieces: VecDeque<Piece>,
    ended: bool,
}

impl Input {
    pub(crate) fn new(replay: Replay, batches: Receiver<Batch>) -> Self {
        Self { replay: Some(replay), batches, next: None, pieces: VecDeque::new(), ended: false }
    }

    /// True while the journal is being read back.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replay.is_some()
    }

    /// True when there will be nothing more.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended && self.next.is_none() && self.pieces.is_empty()
    }

    /// True in the middle of a batch: no position is true then.
    pub(crate) fn is_within_batch(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Lines taken from the queue and not handed on yet.
    pub(crate) fn waiting_lines(&self) -> u64 {
        let next = self.next.as_ref().map_or(0, |batch| batch.lines);
        self.pieces.iter().map(|piece| piece.lines).sum::<u64>() + next
    }

    /// The channel to wait on while nothing is waiting here.
    pub(crate) fn batches(&self) -> &Receiver<Batch> {
        &self.batches
    }

    /// Takes in what was received from [`Input::batches`].
    pub(crate) fn put(&mut self, batch: Option<Batch>) {
        match batch {
            Some(batch) => self.keep(batch),
            None => self.ended = true,
        }
    }

    /// Lines are counted here or by the queue, never by both.
    fn keep(&mut self, mut batch: Batch) {
        batch.release();
        self.next = Some(batch);
    }

    /// The next piece, if there is one now.
    pub(crate) fn next(&mut self) -> Option<Piece> {
        if self.pieces.is_empty() {
            let first = self.batch()?;
            self.cut(first);
        }
        self.pieces.pop_front()
    }

    fn batch(&mut self) -> Option<Batch> {
        if let Some(batch) = self.next.take() {
            return Some(batch);
        }
        if let Some(replay) = &mut self.replay {
            match replay.next() {
                Some(Ok(batch)) => return Some(batch),
                Some(Err(error)) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the journal could not be read back to its end");
                    self.replay = None;
                }
                None => self.replay = None,
            }
        }
        match self.batches.try_recv() {
            Ok(batch) => Some(batch),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
        }
    }

    /// Joins small batches of one source and cuts large ones at ends of lines.
    fn cut(&mut self, mut first: Batch) {
        let taken = Instant::now();
        let source = first.source.clone();
        let (mut lines, mut position) = (first.lines, first.position.clone());
        let mut bytes = std::mem::take(&mut first.bytes);
        while bytes.len() < BLOCK_BYTES {
            let Some(mut batch) = self.batch() else { break };
            if batch.source != source || bytes.len() + batch.bytes.len() > BLOCK_BYTES {
                self.keep(batch);
                break;
            }
            bytes.append(&mut batch.bytes);
            lines += batch.lines;
            position = batch.position.clone();
        }
        let behind = self.next.is_some() || !self.batches.is_empty();
        let mut piece = |bytes: Vec<u8>, lines, position| {
            let source = source.clone();
            let size = bytes.len() as u64;
            self.pieces.push_back(Piece { source, bytes, size, lines, position, taken, behind });
        };
        if bytes.len() <= 2 * BLOCK_BYTES {
            piece(bytes, lines, Some(position));
            return;
        }
        let mut rest = bytes.as_slice();
        while rest.len() > 2 * BLOCK_BYTES {
            let head = rest.get(BLOCK_BYTES..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', head) else { break };
            let (block, after) = rest.split_at(BLOCK_BYTES + end + 1);
            let part = hanabi_ingest::count_lines(block);
            piece(block.to_vec(), part, None);
            lines = lines.saturating_sub(part);
            rest = after;
        }
        piece(rest.to_vec(), lines, Some(position));
    }
}

#[cfg(test)]
mod tests {
    use hanabi_ingest::{Batch, Journal, JournalOptions, Position};

    use super::Input;

    fn batch(source: &str, bytes: Vec<u8>, sequence: u64) -> Batch {
        Batch::new(source.into(), bytes, Position::Journal { sequence })
    }

    fn pieces(batches: Vec<Batch>) -> Vec<(String, usize, u64, Option<Position>)> {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path(), JournalOptions::default()).unwrap();
        let (sender, receiver) = crossbeam_channel::unbounded();
        for batch in batches {
            sender.send(batch).unwrap();
        }
        drop(sender);
        let mut input = Input::new(journal.replay_from(0).unwrap(), receiver);
        let mut pieces = Vec::new();
        while let Some(piece) = input.next() {
            pieces.push((piece.source.to_string(), piece.bytes.len(), piece.lines, piece.position));
        }
        assert!(input.has_ended());
        pieces
    }

    #[test]
    fn small_batches_of_one_source_are_joined() {
        let batches = vec![
            batch("http", b"{}\n".to_vec(), 1),
            batch("http", b"{}\n{}\n".to_vec(), 2),
            batch("stdin", b"{}\n".to_vec(), 3),
            batch("http", b"{}\n".to_vec(), 4),
        ];
        let at = |sequence| Some(Position::Journal { sequence });
        assert_eq!(
            pieces(batches),
            [
                ("http".into(), 9, 3, at(2)),
                ("stdin".into(), 3, 1, at(3)),
                ("http".into(), 3, 1, at(4)),
            ]
        );
    }

    #[test]
    fn large_batches_are_cut_and_only_the_last_piece_has_the_position() {
        let line = [vec![b'x'; 99_999], vec![b'\n']].concat();
        let cut = pieces(vec![batch("http", line.repeat(100), 1)]);
        assert!(cut.len() > 3, "{}", cut.len());
        assert_eq!(cut.iter().map(|p| p.2).sum::<u64>(), 100);
        assert_eq!(cut.iter().map(|p| p.1).sum::<usize>(), 10_000_000);
        assert!(cut.iter().all(|p| p.1 % 100_000 == 0));
        assert_eq!(cut.iter().filter(|p| p.3.is_some()).count(), 1);
        assert!(cut.last().unwrap().3.is_some());
    }
}
