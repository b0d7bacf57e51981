//! One series after the other, for what needs all of them and must not hold them at once.

use super::{SeriesError, SeriesStore};
use crate::{Series, storage::Matcher};

impl SeriesStore {
    /// Visits the series that meet all conditions of one of the selectors, in the order of their
    /// labels, with the samples from one time to another, both included; without selectors all
    /// series. Ends early with what `visit` fails with.
    pub fn each<E: From<SeriesError>>(
        &self,
        selectors: &[Vec<Matcher>],
        (from, to): (i64, i64),
        mut visit: impl FnMut(Series) -> Result<(), E>,
    ) -> Result<(), E> {
        let state = self.state.read();
        let view = self.view().map_err(|source| self.failed("read", source))?;
        let mut places: Vec<usize> = if selectors.is_empty() {
            state.index.select(&[])
        } else {
            selectors.iter().flat_map(|selector| state.index.select(selector)).collect()
        };
        // By name first, so that what belongs to one metric stands together.
        let key = |at: &usize| {
            let labels = state.index.get(*at).map(|(_, labels)| labels.clone());
            labels.map(|labels| (labels.get(crate::NAME).to_owned(), labels))
        };
        places.sort_by_cached_key(key);
        places.dedup();
        for at in places {
            let Some((id, labels)) = state.index.get(at) else { continue };
            let samples = Self::samples(&view, &state, at, id, (from, to));
            let samples = samples.map_err(|source| self.failed("read", source))?;
            if !samples.is_empty() {
                visit(Series { labels: labels.clone(), samples })?;
            }
        }
        Ok(())
    }
}
