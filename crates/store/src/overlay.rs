//! A database file that is looked at and never written to.
//!
//! Opening a database writes, and after a kill it repairs. Here all of that goes into memory, so
//! that a check works on a read-only medium and leaves what it finds for whoever comes next.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use parking_lot::Mutex;
use redb::StorageBackend;

/// Bytes kept for each place that was written to: a page of the database.
const PAGE: u64 = 4_096;

#[derive(Debug)]
pub(crate) struct Overlay {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    length: u64,
    /// Of the file's own bytes, those before this are still valid: it only shrinks.
    own: u64,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let state = State { length, own: length, written: BTreeMap::new() };
        Ok(Self { file, state: Mutex::new(state) })
    }

    /// The page as it is now.
    fn page(&self, state: &State, number: u64) -> io::Result<Vec<u8>> {
        if let Some(page) = state.written.get(&number) {
            return Ok(page.clone());
        }
        let mut page = vec![0; PAGE as usize];
        let at = number * PAGE;
        let there = state.own.saturating_sub(at).min(PAGE) as usize;
        if let Some(part) = page.get_mut(..there) {
            self.file.read_exact_at(part, at)?;
        }
        Ok(page)
    }
}

/// The parts of a range by page: the page's number, where in it, and how many bytes.
fn pages(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + length as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (number, inside) = (at / PAGE, at % PAGE);
        let count = (PAGE - inside).min(end - at);
        at += count;
        Some((number, inside as usize, count as usize))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        if offset + out.len() as u64 > state.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = out;
        for (number, inside, count) in pages(offset, rest.len()) {
            let (part, after) = rest.split_at_mut(count);
            rest = after;
            let at = number * PAGE + inside as u64;
            if !state.written.contains_key(&number) && at + count as u64 <= state.own {
                self.file.read_exact_at(part, at)?;
            } else if let Some(bytes) = self.page(&state, number)?.get(inside..inside + count) {
                part.copy_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        if length < state.length {
            // What lies behind the end must read as zeros when the file grows again.
            let (last, inside) = (length / PAGE, (length % PAGE) as usize);
            let mut page = self.page(&state, last)?;
            page.iter_mut().skip(inside).for_each(|byte| *byte = 0);
            state.own = state.own.min(length);
            state.written.split_off(&last);
            if inside > 0 {
                state.written.insert(last, page);
            }
        }
        state.length = length;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut rest = data;
        for (number, inside, count) in pages(offset, data.len()) {
            let (part, after) = rest.split_at(count);
            rest = after;
            let mut page = self.page(&state, number)?;
            if let Some(place) = page.get_mut(inside..inside + count) {
                place.copy_from_slice(part);
            }
            state.written.insert(number, page);
        }
        state.length = state.length.max(offset + data.len() as u64);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use redb::StorageBackend;

    use super::Overlay;

    #[derive(Clone, Debug)]
    enum Step {
        Write(u64, Vec<u8>),
        Length(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..20_000u64, prop::collection::vec(any::<u8>(), 1..9_000))
                .prop_map(|(at, bytes)| Step::Write(at, bytes)),
            (0..30_000u64).prop_map(Step::Length),
        ]
    }

    proptest! {
        #[test]
        fn an_overlay_is_a_file_that_stays_as_it_was(
            size in 0..20_000usize,
            steps in prop::collection::vec(step(), 0..12),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            let original: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            std::fs::write(&path, &original).unwrap();
            let overlay = Overlay::open(&path).unwrap();
            let mut model = original.clone();
            for step in steps {
                match step {
                    Step::Write(at, bytes) => {
                        let end = at as usize + bytes.len();
                        model.resize(model.len().max(end), 0);
                        model[at as usize..end].copy_from_slice(&bytes);
                        overlay.write(at, &bytes).unwrap();
                    }
                    Step::Length(length) => {
                        model.resize(length as usize, 0);
                        overlay.set_len(length).unwrap();
                    }
                }
                let mut all = vec![1; overlay.len().unwrap() as usize];
                overlay.read(0, &mut all).unwrap();
                prop_assert!(all == model);
                prop_assert!(overlay.read(model.len() as u64, &mut [0]).is_err());
            }
            prop_assert!(std::fs::read(&path).unwrap() == original);
        }
    }
}
