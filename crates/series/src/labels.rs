//! The names of a series: sorted pairs of label and value.

use std::{fmt, sync::Arc};

/// The label that holds a metric's name.
pub const NAME: &str = "__name__";

/// Labels, sorted by name, without empty values: an empty value is no label. Clones are cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<Vec<(Arc<str>, Arc<str>)>>);

impl Labels {
    /// Sorts; of a name that is there twice the last value counts.
    pub fn new<N: Into<Arc<str>>, V: Into<Arc<str>>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.into(), value.into());
            match all.binary_search_by(|(known, _)| known.as_ref().cmp(&name)) {
                Ok(at) => all[at].1 = value,
                Err(at) => all.insert(at, (name, value)),
            }
        }
        all.retain(|(_, value)| !value.is_empty());
        Self(Arc::new(all))
    }

    /// A label's value; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name));
        found.map_or("", |at| &self.0[at].1)
    }

    /// All pairs, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// Those whose names pass.
    #[must_use]
    pub fn filtered(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        if self.0.iter().all(|(name, _)| keep(name)) {
            return self.clone();
        }
        Self(Arc::new(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect()))
    }

    /// Without the metric's name.
    #[must_use]
    pub fn nameless(&self) -> Self {
        self.filtered(|name| name != NAME)
    }

    /// With a label set, or taken out where the value is empty.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let others = self.0.iter().filter(|(known, _)| known.as_ref() != name).cloned();
        Self::new(others.chain([(Arc::from(name), Arc::from(value))]))
    }
}

impl fmt::Display for Labels {
    /// `{a="b", __name__="c"}`, as Prometheus writes them in errors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_an_empty_value_is_none() {
        let labels = Labels::new([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!((labels.get("b"), labels.get("c")), ("3", ""));
        assert_eq!(labels.with("b", "").to_string(), r#"{a="1"}"#);
        assert_eq!(labels.with(NAME, "up").nameless(), labels);
        assert_eq!(labels.filtered(|name| name == "a"), Labels::new([("a", "1")]));
    }
}
