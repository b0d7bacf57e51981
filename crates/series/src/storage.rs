//! Where series come from.

use std::collections::BTreeMap;

use promql_parser::label::{MatchOp, Matcher as Parsed};
use regex::Regex;

use crate::{Labels, QueryError, Sample};

/// A condition on a label.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `name="value"`; an empty value means that the label is not there.
    Equal(String, String),
    /// `name!="value"`.
    NotEqual(String, String),
    /// `name=~"pattern"`, on the whole value.
    Matches(String, Regex),
    /// `name!~"pattern"`.
    MatchesNot(String, Regex),
}

impl Matcher {
    /// True for labels that meet the condition.
    pub fn accepts(&self, labels: &Labels) -> bool {
        match self {
            Self::Equal(name, value) => labels.get(name) == value,
            Self::NotEqual(name, value) => labels.get(name) != value,
            Self::Matches(name, pattern) => pattern.is_match(labels.get(name)),
            Self::MatchesNot(name, pattern) => !pattern.is_match(labels.get(name)),
        }
    }

    /// True when it accepts the absence of its label.
    pub(crate) fn accepts_nothing(&self) -> bool {
        self.accepts(&Labels::default())
    }
}

impl From<&Parsed> for Matcher {
    fn from(parsed: &Parsed) -> Self {
        let (name, value) = (parsed.name.clone(), parsed.value.clone());
        match &parsed.op {
            MatchOp::Equal => Self::Equal(name, value),
            MatchOp::NotEqual => Self::NotEqual(name, value),
            MatchOp::Re(pattern) => Self::Matches(name, pattern.clone()),
            MatchOp::NotRe(pattern) => Self::MatchesNot(name, pattern.clone()),
        }
    }
}

/// A series with its samples in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its names.
    pub labels: Labels,
    /// Its samples, stale ones among them.
    pub samples: Vec<Sample>,
}

/// Something that holds series.
pub trait Storage {
    /// The series that meet all conditions, with their samples from one time to another, both
    /// included. Series without samples there may be left out. An error as soon as there are more
    /// than `most` samples: nobody can hold all of a store at a time.
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError>;
}

/// Series in memory, for tests and small sets.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Vec<Sample>>,
}

impl Memory {
    /// Adds a sample; false when it is not later than the last of its series.
    pub fn add(&mut self, labels: &Labels, sample: Sample) -> bool {
        let samples = self.series.entry(labels.clone()).or_default();
        let later = samples.last().is_none_or(|last| last.time < sample.time);
        if later {
            samples.push(sample);
        }
        later
    }

    /// All series.
    pub fn iter(&self) -> impl Iterator<Item = (&Labels, &[Sample])> {
        self.series.iter().map(|(labels, samples)| (labels, samples.as_slice()))
    }
}

impl Storage for Memory {
    fn select(
        &self,
        matchers: &[Matcher],
        from: i64,
        to: i64,
        most: usize,
    ) -> Result<Vec<Series>, QueryError> {
        let selected = self.series.iter().filter(|(l, _)| matchers.iter().all(|m| m.accepts(l)));
        let cut = |(labels, samples): (&Labels, &Vec<Sample>)| {
            let start = samples.partition_point(|sample| sample.time < from);
            let end = samples.partition_point(|sample| sample.time <= to);
            let samples = samples.get(start..end).unwrap_or_default().to_vec();
            Series { labels: labels.clone(), samples }
        };
        let all: Vec<Series> =
            selected.map(cut).filter(|series| !series.samples.is_empty()).collect();
        let count: usize = all.iter().map(|series| series.samples.len()).sum();
        if count > most { Err(QueryError::too_many_samples()) } else { Ok(all) }
    }
}
