//! Samples by series and time. Of a row only the chunks that reach into the time are unpacked.

use redb::{ReadOnlyTable, ReadableDatabase};

use super::{CHUNKS, SeriesStore, State, rows};
use crate::{
    QueryError, Sample, Series, Storage,
    chunk::{first_time, last_time, unpack},
    storage::Matcher,
};

/// The rows as they are at one moment.
pub(super) type View = ReadOnlyTable<(u64, i64), &'static [u8]>;

impl SeriesStore {
    pub(super) fn view(&self) -> Result<View, redb::Error> {
        Ok(self.database.begin_read()?.open_table(CHUNKS)?)
    }

    /// All samples of a series: those of its rows, then those of its head.
    pub(super) fn samples(
        view: &View,
        state: &State,
        at: usize,
        id: u64,
        (from, to): (i64, i64),
    ) -> Result<Vec<Sample>, redb::Error> {
        let inside = |sample: &Sample| (from..=to).contains(&sample.time);
        let mut samples = Vec::new();
        if from <= to {
            // The row before the first that begins inside may reach into it.
            let before = view.range((id, i64::MIN)..(id, from))?.next_back().transpose()?;
            let start = before.map_or(from, |(key, _)| key.value().1);
            for entry in view.range((id, start)..=(id, to))? {
                let (_, row) = entry?;
                for chunk in reaching(row.value(), from, to) {
                    // A chunk that cannot be read is as if it were not there.
                    let unpacked = unpack(chunk).unwrap_or_default();
                    samples.extend(unpacked.into_iter().filter(inside));
                }
            }
        }
        let head = state.heads.get(at).map_or(&[][..], |head| head.samples.as_slice());
        samples.extend(head.iter().filter(|sample| inside(sample)));
        Ok(samples)
    }
}

/// The chunks of a row of which some of the time between first and last sample is asked for.
fn reaching(row: &[u8], from: i64, to: i64) -> impl Iterator<Item = &[u8]> {
    rows::chunks(row)
        .skip_while(move |chunk| last_time(chunk).is_none_or(|last| last < from))
        .take_while(move |chunk| first_time(chunk).is_none_or(|first| first <= to))
}

/// Whether a series has a sample in its rows in a time; at most one chunk is unpacked for that.
pub(super) fn holds(view: &View, id: u64, from: i64, to: i64) -> Result<bool, redb::Error> {
    if from > to {
        return Ok(false);
    }
    if view.range((id, from)..=(id, to))?.next().is_some() {
        return Ok(true);
    }
    let before = view.range((id, i64::MIN)..(id, from))?.next_back().transpose()?;
    Ok(before.is_some_and(|(_, row)| {
        reaching(row.value(), from, to).any(|chunk| {
            first_time(chunk).is_some_and(|first| first >= from)
                || unpack(chunk)
                    .unwrap_or_default()
                    .iter()
                    .any(|sample| (from..=to).contains(&sample.time))
        })
    }))
}

impl Storage for SeriesStore {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError> {
        let failed = |error| QueryError::Execution(self.failed("read", error).to_string());
        let state = self.state.read();
        let view = self.view().map_err(failed)?;
        let (mut all, mut count) = (Vec::new(), 0);
        for at in state.index.select(matchers) {
            let Some((id, labels)) = state.index.get(at) else { continue };
            let samples = Self::samples(&view, &state, at, id, (from, to)).map_err(failed)?;
            count += samples.len();
            if count > most {
                return Err(QueryError::too_many_samples());
            }
            if !samples.is_empty() {
                all.push(Series { labels: labels.clone(), samples });
            }
        }
        Ok(all)
    }
}
