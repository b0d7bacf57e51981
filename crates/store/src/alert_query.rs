//! Pages and aggregates of alerts and incidents.

use std::collections::BTreeMap;

use hanabi_detect::{Alert, AlertSource, AlertState, Incident, Kind};
use hanabi_event::{EventTime, Priority};
use redb::{ReadOnlyTable, ReadTransaction};
use serde::{Deserialize, Serialize};

use crate::alerts::{
    ALERT_TEXT, ALERTS, AlertHead, INCIDENTS, IncidentHead, container_word, read_all, rule_word,
    state_word,
};
use crate::cursor::Cursor;
use crate::error::Fault;
use crate::indexed::{EVERY, Indexed};
use crate::page::bounded;
use crate::{Keep, Page, Store, StoreError};

/// How many alerts a page's text search looks at before it hands out a cursor instead: about a
/// tenth of a second.
pub const TEXT_SCAN_LIMIT: usize = 50_000;
/// The most buckets that a histogram has.
pub const BUCKET_LIMIT: usize = 1_000;

/// Which alerts. Filters that are absent or empty let everything through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertQuery {
    /// A container's id (short or full), its name, or its profile's identity.
    pub container: Option<String>,
    /// Alerts last seen at this time or later.
    pub start: Option<EventTime>,
    /// Alerts first seen before this time.
    pub end: Option<EventTime>,
    /// Alerts at least as severe.
    pub min_priority: Option<Priority>,
    /// Alerts in one of these states.
    pub states: Vec<AlertState>,
    /// Alerts of one source.
    pub source: Option<AlertSource>,
    /// Alerts of one kind.
    pub kind: Option<Kind>,
    /// Alerts of one rule, by its exact name.
    pub rule: Option<String>,
    /// Text in summary, rule, token, raw value, identity or container name, in any case.
    pub q: Option<String>,
    /// Rows a page, 1 to [`crate::PAGE_LIMIT`].
    pub limit: usize,
    /// [`Page::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// Which incidents. Filters that are absent let everything through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct IncidentQuery {
    /// A container's id (short or full), its name, or its profile's identity.
    pub container: Option<String>,
    /// Incidents last seen at this time or later.
    pub start: Option<EventTime>,
    /// Incidents first seen before this time.
    pub end: Option<EventTime>,
    /// Incidents at least as severe.
    pub min_priority: Option<Priority>,
    /// Rows a page, 1 to [`crate::PAGE_LIMIT`].
    pub limit: usize,
    /// [`Page::next_cursor`] of the page before.
    pub cursor: Option<String>,
}

/// Alerts in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AlertStats {
    /// Alerts.
    pub alerts: u64,
    /// Their occurrences.
    pub occurrences: u64,
    /// Alerts by rule.
    pub by_rule: BTreeMap<String, u64>,
    /// Alerts by priority, least severe first.
    pub by_priority: BTreeMap<Priority, u64>,
    /// Alerts by state.
    pub by_state: BTreeMap<AlertState, u64>,
    /// Alerts by source.
    pub by_source: BTreeMap<AlertSource, u64>,
    /// Alerts over time; empty unless buckets were asked for.
    pub over_time: Vec<AlertBucket>,
}

/// Alerts in one step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertBucket {
    /// The step's start.
    pub start: EventTime,
    /// The start of the next step.
    pub end: EventTime,
    /// Alerts first seen in it.
    pub opened: u64,
    /// Alerts whose first and last occurrence span it, or a part of it.
    pub active: u64,
}

impl Store {
    /// One page of alerts, those last seen newest first. A page deep in the list costs what the
    /// first one does, and what comes in meanwhile neither doubles nor hides a row that stays as it
    /// is.
    pub fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        self.alerts_kept(query, None)
    }

    /// The same of those alerts only that `keep` lets through.
    pub fn alerts_kept(
        &self,
        query: &AlertQuery,
        keep: Keep<'_>,
    ) -> Result<Page<Alert>, StoreError> {
        let limit = bounded(query.limit);
        let filter = AlertFilter::of(query);
        let after = filter.cursor(query.cursor.as_deref())?;
        self.db.read("list alerts", |from| {
            let mut hits = Hits::new(limit);
            let keeps = ALERTS.keeps(from, keep)?;
            filter.walk(from, after.as_ref(), |time, id, matches| {
                Ok(hits.take(time, id, matches.is_some() && keeps(id)?))
            })?;
            page_of(from, &ALERTS, hits, &filter.name)
        })
    }

    /// The alerts that a query means, in numbers; its limit and cursor do not count.
    ///
    /// `buckets` steps of equal length (0 for none, at most [`BUCKET_LIMIT`]) lie between the
    /// query's start and end, where they are given, and the first and last occurrence otherwise.
    pub fn alert_stats(
        &self,
        query: &AlertQuery,
        buckets: usize,
    ) -> Result<AlertStats, StoreError> {
        self.alert_stats_kept(query, buckets, None)
    }

    /// The same of those alerts only that `keep` lets through.
    pub fn alert_stats_kept(
        &self,
        query: &AlertQuery,
        buckets: usize,
        keep: Keep<'_>,
    ) -> Result<AlertStats, StoreError> {
        let filter = AlertFilter::of(query);
        self.db.read("count alerts", |from| {
            let mut stats = AlertStats::default();
            let mut spans = Vec::new();
            let mut rules: hashbrown::HashMap<String, u64> = hashbrown::HashMap::new();
            let keeps = ALERTS.keeps(from, keep)?;
            filter.walk(from, None, |last_seen, id, matches| {
                let Some(head) = matches else { return Ok(true) };
                if !keeps(id)? {
                    return Ok(true);
                }
                stats.alerts += 1;
                stats.occurrences = stats.occurrences.saturating_add(head.count);
                *rules.entry_ref(head.rule).or_default() += 1;
                *stats.by_priority.entry(head.priority).or_default() += 1;
                *stats.by_state.entry(head.state).or_default() += 1;
                *stats.by_source.entry(head.source).or_default() += 1;
                if buckets > 0 {
                    spans.push((head.first_seen, last_seen));
                }
                Ok(true)
            })?;
            stats.by_rule = rules.into_iter().collect();
            stats.over_time = over_time(&spans, query.start, query.end, buckets.min(BUCKET_LIMIT));
            Ok(stats)
        })
    }

    /// One page of incidents, those last seen newest first.
    pub fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, StoreError> {
        self.incidents_kept(query, None)
    }

    /// The same of those incidents only that `keep` lets through.
    pub fn incidents_kept(
        &self,
        query: &IncidentQuery,
        keep: Keep<'_>,
    ) -> Result<Page<Incident>, StoreError> {
        let limit = bounded(query.limit);
        let plain = IncidentQuery { limit: 0, cursor: None, ..query.clone() };
        let name = format!("{plain:?}");
        let after = query.cursor.as_deref().map(|text| place(text, &name)).transpose()?;
        let word = query.container.as_deref().map_or(EVERY.to_owned(), container_word);
        let since = query.start.unwrap_or(0);
        self.db.read("list incidents", |from| {
            let mut hits = Hits::new(limit);
            let before = after.as_ref().map(|(time, id)| (*time, id.as_str()));
            let keeps = INCIDENTS.keeps(from, keep)?;
            INCIDENTS.walk(from, &word, since, before, |time, id, head| {
                let head = IncidentHead::decode(head)?;
                let matches = query.end.is_none_or(|end| head.first_seen < end)
                    && query.min_priority.is_none_or(|least| head.priority >= least);
                Ok(hits.take(time, id, matches && keeps(id)?))
            })?;
            page_of(from, &INCIDENTS, hits, &name)
        })
    }
}

/// An alert query, made ready to be held against heads.
struct AlertFilter<'a> {
    query: &'a AlertQuery,
    word: String,
    needle: Option<String>,
    name: String,
}

impl<'a> AlertFilter<'a> {
    fn of(query: &'a AlertQuery) -> Self {
        let plain = AlertQuery { limit: 0, cursor: None, ..query.clone() };
        let word = match (&query.container, query.states.as_slice(), &query.rule) {
            (Some(container), _, _) => container_word(container),
            (None, _, Some(rule)) => rule_word(rule),
            (None, [state], None) => state_word(*state),
            (None, _, None) => EVERY.to_owned(),
        };
        let needle = query.q.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let needle = needle.map(str::to_lowercase);
        Self { query, word, needle, name: format!("{plain:?}") }
    }

    fn cursor(&self, text: Option<&str>) -> Result<Option<(u64, String)>, StoreError> {
        text.map(|text| place(text, &self.name)).transpose()
    }

    /// Shows every alert looked at, with its head where it matches, until `visit` answers `false`.
    fn walk(
        &self,
        from: &ReadTransaction,
        after: Option<&(u64, String)>,
        mut visit: impl FnMut(u64, &str, Option<AlertHead<'_>>) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let texts = self.needle.as_ref().map(|_| from.open_table(ALERT_TEXT)).transpose()?;
        let before = after.map(|(time, id)| (*time, id.as_str()));
        let since = self.query.start.unwrap_or(0);
        ALERTS.walk(from, &self.word, since, before, |time, id, head| {
            let head = AlertHead::decode(head)?;
            let matches = self.fits(&head) && self.reads(id, texts.as_ref())?;
            visit(time, id, matches.then_some(head))
        })
    }

    fn fits(&self, head: &AlertHead<'_>) -> bool {
        let query = self.query;
        query.end.is_none_or(|end| head.first_seen < end)
            && query.min_priority.is_none_or(|least| head.priority >= least)
            && (query.states.is_empty() || query.states.contains(&head.state))
            && query.source.is_none_or(|source| head.source == source)
            && query.kind.is_none_or(|kind| head.kind == kind.as_str())
            && query.rule.as_ref().is_none_or(|rule| head.rule == rule)
    }

    fn reads(
        &self,
        id: &str,
        texts: Option<&ReadOnlyTable<&'static str, &'static str>>,
    ) -> Result<bool, Fault> {
        let (Some(needle), Some(texts)) = (&self.needle, texts) else { return Ok(true) };
        let found = |text: &str| memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some();
        Ok(texts.get(id)?.is_some_and(|text| found(text.value())))
    }
}

/// The rows of a page while they are looked for.
struct Hits {
    limit: usize,
    ids: Vec<String>,
    looked_at: usize,
    last: Option<(u64, String)>,
    more: bool,
}

impl Hits {
    fn new(limit: usize) -> Self {
        Self { limit, ids: Vec::new(), looked_at: 0, last: None, more: false }
    }

    /// Answers whether to go on.
    fn take(&mut self, time: u64, id: &str, matches: bool) -> bool {
        self.looked_at += 1;
        if matches {
            if self.ids.len() == self.limit {
                self.more = true;
                return false;
            }
            self.ids.push(id.to_owned());
            self.last = Some((time, id.to_owned()));
        } else if self.looked_at >= TEXT_SCAN_LIMIT {
            self.last = Some((time, id.to_owned()));
            self.more = true;
            return false;
        }
        true
    }
}

fn page_of<T: serde::de::DeserializeOwned>(
    from: &ReadTransaction,
    tables: &Indexed,
    hits: Hits,
    name: &str,
) -> Result<Page<T>, Fault> {
    let items = read_all(&tables.get_all(from, &hits.ids)?);
    let last = hits.last.filter(|_| hits.more);
    let next_cursor = last.map(|(time, id)| Cursor { time, tie: id.into_bytes() }.encode(name));
    Ok(Page { items, next_cursor })
}

fn place(cursor: &str, name: &str) -> Result<(u64, String), StoreError> {
    let cursor = Cursor::decode(cursor, name)?;
    let id = String::from_utf8(cursor.tie).map_err(|_| StoreError::Cursor)?;
    Ok((cursor.time, id))
}

fn over_time(
    spans: &[(u64, u64)],
    start: Option<u64>,
    end: Option<u64>,
    buckets: usize,
) -> Vec<AlertBucket> {
    let first = spans.iter().map(|span| span.0).min();
    let last = spans.iter().map(|span| span.1).max();
    let (Some(start), Some(end)) = (start.or(first), end.or(last.map(|time| time + 1))) else {
        return Vec::new();
    };
    if buckets == 0 || end <= start {
        return Vec::new();
    }
    let step = (end - start).div_ceil(buckets as u64);
    let mut steps: Vec<AlertBucket> = (start..end)
        .step_by(step as usize)
        .map(|from| AlertBucket { start: from, end: (from + step).min(end), ..Default::default() })
        .collect();
    let at = |time: u64| ((time - start) / step) as usize;
    // Differences first, sums afterwards, so that a long alert costs no more than a short one.
    let mut change = vec![0i64; steps.len() + 1];
    for (first, last) in spans {
        if *last < start || *first >= end {
            continue;
        }
        if *first >= start {
            steps[at(*first)].opened += 1;
        }
        change[at((*first).max(start))] += 1;
        change[at((*last).min(end - 1)) + 1] -= 1;
    }
    let mut active = 0;
    for (step, change) in steps.iter_mut().zip(change) {
        active += change;
        step.active = active as u64;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::over_time;

    #[test]
    fn buckets_count_openings_and_overlaps() {
        let steps = over_time(&[(5, 25), (12, 12), (0, 3), (40, 50)], Some(0), Some(30), 3);
        let numbers: Vec<_> = steps.iter().map(|s| (s.start, s.end, s.opened, s.active)).collect();
        assert_eq!(numbers, [(0, 10, 2, 2), (10, 20, 1, 2), (20, 30, 0, 1)]);
        assert!(over_time(&[], None, None, 3).is_empty());
        assert_eq!(over_time(&[(7, 7)], None, None, 10).len(), 1);
    }
}
