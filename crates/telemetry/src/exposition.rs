//! Prometheus' text format 0.0.4 and `OpenMetrics` 1.0.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crate::cell::Histogram;
use crate::family::Series;
use crate::labels::Labels;
use crate::table::{Definition, DynCell, Kind, Numbers, Unit};

/// A form in which the metrics can be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, version 0.0.4.
    #[default]
    Text,
    /// `OpenMetrics`, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The form that an `Accept` header likes best; the text format when it names neither.
    pub fn from_accept(accept: Option<&str>) -> Self {
        let (mut open_metrics, mut text) = (0.0, 0.0);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .filter_map(|part| part.split_once('='))
                .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
                .map_or(1.0, |(_, value)| value.trim().parse().unwrap_or(0.0));
            match media.as_str() {
                "application/openmetrics-text" => open_metrics = f64::max(open_metrics, quality),
                "text/plain" | "text/*" | "*/*" => text = f64::max(text, quality),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The answer's `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A page in the making: families by name.
pub(crate) struct Page {
    format: Format,
    started: u64,
    families: BTreeMap<&'static str, String>,
}

impl Page {
    pub(crate) fn new(format: Format, started: u64) -> Self {
        Self { format, started, families: BTreeMap::new() }
    }

    /// Writes a family labelled by events. A gauge among them holds an event time.
    pub(crate) fn family(
        &mut self,
        definition: &'static Definition,
        mut series: Vec<(Arc<Labels>, Series)>,
    ) {
        series.sort_unstable_by(|(a, _), (b, _)| a.iter().cmp(b.iter()));
        let mut text = Text::new(self.format, definition);
        for (labels, series) in &series {
            let values: Vec<&str> = labels.iter().collect();
            match definition.kind {
                Kind::Counter => text.counter(&values, &series.value.to_string(), series.created),
                Kind::Gauge | Kind::Histogram | Kind::Info => {
                    text.sample("", &values, None, &seconds(series.value));
                }
            }
        }
        self.families.insert(definition.name, text.out);
    }

    /// Writes a metric of the table.
    pub(crate) fn metric(&mut self, definition: &'static Definition, cell: &dyn DynCell) {
        let mut text = Text::new(self.format, definition);
        let started = self.started;
        cell.numbers(&mut |value, numbers| {
            let values = if definition.labels.is_empty() { &[][..] } else { &[value][..] };
            match (definition.kind, numbers) {
                (_, Numbers::Counter(counter)) => {
                    text.counter(values, &counter.get().to_string(), started);
                }
                (Kind::Counter, Numbers::Gauge(gauge)) => {
                    text.counter(values, &float(gauge.get()), started);
                }
                (_, Numbers::Gauge(gauge)) => text.sample("", values, None, &float(gauge.get())),
                (_, Numbers::Histogram(histogram)) => text.histogram(values, histogram, started),
            }
        });
        self.families.insert(definition.name, text.out);
    }

    /// Writes a constant 1 with labels.
    pub(crate) fn info(&mut self, definition: &'static Definition, values: &[&str]) {
        let mut text = Text::new(self.format, definition);
        text.sample("_info", values, None, "1");
        self.families.insert(definition.name, text.out);
    }

    pub(crate) fn finish(self) -> String {
        let mut page: String = self.families.into_values().collect();
        if self.format == Format::OpenMetrics {
            page.push_str("# EOF\n");
        }
        page
    }
}

/// The text of one family.
struct Text {
    format: Format,
    definition: &'static Definition,
    /// The name without `_total` and `_info`.
    base: &'static str,
    out: String,
}

impl Text {
    fn new(format: Format, definition: &'static Definition) -> Self {
        let name = definition.name;
        let base = name.strip_suffix("_total").or_else(|| name.strip_suffix("_info"));
        let mut text = Self { format, definition, base: base.unwrap_or(name), out: String::new() };
        text.head();
        text
    }

    fn head(&mut self) {
        let Definition { name, kind, unit, help, .. } = *self.definition;
        let (name, kind) = match (self.format, kind) {
            (Format::OpenMetrics, kind) => (self.base, kind),
            (Format::Text, Kind::Info) => (name, Kind::Gauge),
            (Format::Text, kind) => (name, kind),
        };
        let kind = kind.as_str();
        let unit = unit_line(name, unit);
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        match self.format {
            Format::Text => self.push(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n")),
            Format::OpenMetrics => {
                self.push(format_args!("# TYPE {name} {kind}\n"));
                if let Some(unit) = unit {
                    self.push(format_args!("# UNIT {name} {unit}\n"));
                }
                self.push(format_args!("# HELP {name} {help}\n"));
            }
        }
    }

    fn counter(&mut self, values: &[&str], value: &str, created: u64) {
        self.sample("_total", values, None, value);
        self.created(values, created);
    }

    fn created(&mut self, values: &[&str], created: u64) {
        if self.format == Format::OpenMetrics {
            self.sample("_created", values, None, &seconds(created));
        }
    }

    fn histogram(&mut self, values: &[&str], histogram: &Histogram, created: u64) {
        let (cumulated, sum) = histogram.read();
        let mut total = 0;
        let bounds = Histogram::BOUNDS.iter().map(|bound| float(*bound as f64 / 1e9));
        for (count, bound) in cumulated.iter().zip(bounds.chain(["+Inf".to_string()])) {
            self.sample("_bucket", values, Some(&bound), &count.to_string());
            total = *count;
        }
        self.sample("_count", values, None, &total.to_string());
        self.sample("_sum", values, None, &seconds(sum));
        self.created(values, created);
    }

    fn sample(&mut self, suffix: &str, values: &[&str], bound: Option<&str>, value: &str) {
        self.out.push_str(self.base);
        self.out.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        let labels = self.definition.labels.iter().copied().zip(values.iter().copied());
        let mut separator = '{';
        // An empty value and a missing label are the same to Prometheus; switched off is missing.
        for (name, value) in labels.filter(|(_, value)| !value.is_empty()).chain(bound) {
            self.out.push(separator);
            separator = ',';
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(value, &mut self.out);
            self.out.push('"');
        }
        if separator == ',' {
            self.out.push('}');
        }
        self.out.push(' ');
        self.out.push_str(value);
        self.out.push('\n');
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        self.out.write_fmt(text).ok();
    }
}

/// `UNIT` may be said only of a name that ends in it.
fn unit_line(name: &str, unit: Unit) -> Option<&'static str> {
    let unit = unit.as_str();
    let named = name.strip_suffix(unit).is_some_and(|rest| rest.ends_with('_'));
    (!unit.is_empty() && named).then_some(unit)
}

fn escape(value: &str, out: &mut String) {
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        let (clean, special) = rest.split_at(at);
        out.push_str(clean);
        let mut special = special.chars();
        out.push_str(match special.next() {
            Some('\\') => "\\\\",
            Some('"') => "\\\"",
            Some(_) | None => "\\n",
        });
        rest = special.as_str();
    }
    out.push_str(rest);
}

/// Nanoseconds as decimal seconds, exactly.
fn seconds(nanoseconds: u64) -> String {
    let (whole, part) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    if part == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{part:09}");
    text.trim_end_matches('0').to_string()
}

fn float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_string()
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers() {
        use Format::{OpenMetrics, Text};
        for (accept, format) in [
            (None, Text),
            (Some(""), Text),
            (Some("*/*"), Text),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Text),
            (Some("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), Text),
            (Some("application/openmetrics-text"), OpenMetrics),
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,\
                     application/openmetrics-text;version=0.0.1;q=0.4,\
                     text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                OpenMetrics,
            ),
            (Some("application/openmetrics-text; q=0.1, text/plain; q=0.9"), Text),
            (Some("application/openmetrics-text;q=0"), Text),
            (Some("application/openmetrics-text;q=much"), Text),
        ] {
            assert_eq!(Format::from_accept(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn values_are_escaped() {
        for (value, escaped) in [
            ("plain", "plain"),
            ("a\"b", "a\\\"b"),
            ("a\\b", "a\\\\b"),
            ("a\nb\n", "a\\nb\\n"),
            ("花火", "花火"),
            ("\\\"\n", "\\\\\\\"\\n"),
        ] {
            let mut out = String::new();
            escape(value, &mut out);
            assert_eq!(out, escaped);
        }
    }

    #[test]
    fn seconds_are_exact() {
        assert_eq!(seconds(1_795_337_732_237_776_419), "1795337732.237776419");
        assert_eq!(seconds(1_500_000_000), "1.5");
        assert_eq!(seconds(2_000_000_000), "2");
        assert_eq!(seconds(1), "0.000000001");
    }

    #[test]
    fn units_are_named_only_where_valid() {
        assert_eq!(unit_line("x_bytes", Unit::Bytes), Some("bytes"));
        assert_eq!(unit_line("x_bytes_total", Unit::Bytes), None);
        assert_eq!(unit_line("bytes", Unit::Bytes), None);
        assert_eq!(unit_line("x", Unit::Count), None);
    }
}
