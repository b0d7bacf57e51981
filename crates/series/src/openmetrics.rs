//! `OpenMetrics` text with a time on every sample: what `promtool` makes blocks from, and what
//! `hanabi series dump` writes.
//!
//! Source: `OpenMetrics` 1.0. As `promtool` has it, every sample needs a time, the text ends with
//! `# EOF`, types are not compared with names, and exemplars are passed over. One exemplar means
//! something here: the format has no way to say that a series has ended, so that is written as
//! [`STALE`], which other readers pass over.

mod line;

use std::fmt::Write as _;

use crate::{Labels, NAME, Sample, is_stale, number};

/// The exemplar of a sample that says that its series has ended.
pub const STALE: &str = "{marker=\"stale\"} 1";
/// A line at most: thousands of labels.
pub const MAX_LINE: usize = 1 << 20;

/// Why a text cannot be read, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct OpenMetricsError {
    /// The line, from 1 on.
    pub line: u64,
    /// What is wrong.
    pub why: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Reads a text line by line.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    line: u64,
    ended: bool,
}

impl Reader {
    /// The next line, without its end; a sample where it has one.
    pub fn line(&mut self, text: &[u8]) -> Result<Option<(Labels, Sample)>, OpenMetricsError> {
        self.line += 1;
        let failed = |line::Wrong(why, remedy)| OpenMetricsError { line: self.line, why, remedy };
        if self.ended {
            let remedy = "take out what follows `# EOF`, or put it into a file of its own";
            return Err(failed(line::Wrong("there is more after `# EOF`".to_owned(), remedy)));
        }
        match line::parse(text).map_err(failed)? {
            line::Line::Sample(labels, sample) => Ok(Some((labels, sample))),
            line::Line::About => Ok(None),
            line::Line::End => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// Lines so far.
    pub fn lines(&self) -> u64 {
        self.line
    }

    /// There are no more lines.
    pub fn end(&self) -> Result<(), OpenMetricsError> {
        if self.ended {
            return Ok(());
        }
        Err(OpenMetricsError {
            line: self.line + 1,
            why: "the text ends without `# EOF`".to_owned(),
            remedy: "it may have been cut off: where it is whole, add a line `# EOF`",
        })
    }
}

/// Appends a sample as one line.
pub fn write(labels: &Labels, sample: Sample, into: &mut String) {
    into.push_str(labels.get(NAME));
    let mut before = '{';
    for (name, value) in labels.iter().filter(|(name, _)| *name != NAME) {
        into.push(before);
        into.push_str(name);
        into.push_str("=\"");
        for c in value.chars() {
            match c {
                '\\' => into.push_str("\\\\"),
                '"' => into.push_str("\\\""),
                '\n' => into.push_str("\\n"),
                c => into.push(c),
            }
        }
        into.push('"');
        before = ',';
    }
    let close = if before == ',' { "}" } else { "" };
    let sign = if sample.time < 0 { "-" } else { "" };
    let (seconds, rest) = (sample.time.unsigned_abs() / 1_000, sample.time.unsigned_abs() % 1_000);
    // Writing to a string does not fail.
    _ = write!(into, "{close} {} {sign}{seconds}", number(sample.value));
    if rest > 0 {
        let digits = format!("{rest:03}");
        _ = write!(into, ".{}", digits.trim_end_matches('0'));
    }
    if is_stale(sample.value) {
        _ = write!(into, " # {STALE}");
    }
    into.push('\n');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stale;

    fn read(text: &str) -> Result<Vec<(Labels, Sample)>, OpenMetricsError> {
        let (mut reader, mut all) = (Reader::default(), Vec::new());
        for line in text.lines() {
            all.extend(reader.line(line.as_bytes())?);
        }
        reader.end().map(|()| all)
    }

    fn shown(text: &str) -> String {
        let mut out = String::new();
        for (labels, sample) in read(text).unwrap() {
            write(&labels, sample, &mut out);
        }
        out
    }

    #[test]
    fn what_promtool_takes_is_taken() {
        let text = "# HELP a some \\n help\n# TYPE a counter\n# UNIT a seconds\na_total 1 0\n\
            a_created{} 1.7e9 1.5\n\
            b{x=\"q\\\"\\\\n\\n}\",y=\"\"} +Inf 1700000000.25 # {trace_id=\"1\"} 0.5 1.25\n\
            :c{z=\"é\"} -Inf -1.001\nd NaN 1e3\ne -0 1700000000.1239\n# EOF\n";
        assert_eq!(
            shown(text),
            "a_total 1 0\na_created 1700000000 1.5\n\
             b{x=\"q\\\"\\\\n\\n}\"} +Inf 1700000000.25\n\
             :c{z=\"é\"} -Inf -1.001\nd NaN 1000\ne -0 1700000000.123\n"
        );
    }

    #[test]
    fn the_end_of_a_series_is_read_back() {
        let mut text = String::new();
        write(&Labels::new([(NAME, "up")]), Sample { time: 1_500, value: stale() }, &mut text);
        assert_eq!(text, "up NaN 1.5 # {marker=\"stale\"} 1\n");
        let back = read(&(text + "up NaN 2\n# EOF")).unwrap();
        assert!(
            is_stale(back[0].1.value) && !is_stale(back[1].1.value) && back[1].1.value.is_nan()
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, why) in [
            ("a 1 1\na 2\n", "line 2: the sample `a 2` has no time"),
            ("a 1 1\n\n", "line 2: the line is empty"),
            ("a 1 1\n", "line 2: the text ends without `# EOF`"),
            ("# EOF\na 1 1\n", "line 2: there is more after `# EOF`"),
            ("# a comment\n", "line 1: the comment is none of HELP, TYPE, UNIT and EOF"),
            ("# TYPE a number\n", "line 1: `number` is no type of OpenMetrics"),
            ("a one 1\n", "line 1: the value `one` is no number"),
            ("a 0x1p3 1\n", "line 1: the value `0x1p3` is no number"),
            ("a 1 now\n", "line 1: the time `now` is no number"),
            ("a 1 NaN\n", "line 1: the time `NaN` is no number"),
            ("a 1 1700000000000\n", "line 1: the time `1700000000000` is after the year 9999"),
            ("a 1 1 1\n", "line 1: `1` follows the time"),
            ("a  1 1\n", "line 1: the value `` is no number"),
            ("a 1 1\r\n", "line 1: the line ends with a carriage return"),
            ("1a 1 1\n", "line 1: the line does not begin with the name of a metric"),
            ("{a=\"1\"} 1 1\n", "line 1: the line does not begin with the name of a metric"),
            ("a{b=1} 1 1\n", "line 1: the value of the label `b` is not in quotes"),
            ("a{b=\"1} 1 1\n", "line 1: the value of the label `b` has no closing quote"),
            ("a{b=\"1\",b=\"2\"} 1 1\n", "line 1: the label `b` is there twice"),
            (
                "a{1b=\"1\"} 1 1\n",
                "line 1: `1b=\"1\"} 1 1` does not begin with the name of a label",
            ),
            ("a{b=\"1\" c=\"2\"} 1 1\n", "line 1: neither a comma nor `}` follows the label `b`"),
            ("a 1 1 # x\n", "line 1: the exemplar cannot be read"),
        ] {
            let text = text.replace("\r\n", "\r");
            let mut reader = Reader::default();
            let lines = text.strip_suffix('\n').unwrap_or(&text).split('\n');
            let failed = lines.map(|line| reader.line(line.as_bytes())).find_map(Result::err);
            let failed = failed.or_else(|| reader.end().err()).unwrap();
            assert_eq!(failed.to_string(), why);
            assert!(!failed.remedy.is_empty());
        }
        assert!(Reader::default().line(b"a\xff 1 1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_to_the_bit(
            values in proptest::collection::vec((any::<i64>(), any::<f64>(), ".{0,8}"), 0..40)
        ) {
            let mut all = Vec::new();
            for (time, value, text) in values {
                let time = time % 250_000_000_000_000;
                let value = if value.is_nan() { f64::NAN } else { value };
                all.push((Labels::new([(NAME, "m"), ("l", &text)]), Sample { time, value }));
            }
            let mut text = String::new();
            for (labels, sample) in &all {
                write(labels, *sample, &mut text);
            }
            let (mut reader, mut back) = (Reader::default(), Vec::new());
            for line in text.split_terminator('\n') {
                back.extend(reader.line(line.as_bytes()).unwrap());
            }
            prop_assert_eq!(format!("{back:?}"), format!("{all:?}"));
        }

        #[test]
        fn no_line_makes_it_panic(line in ".{0,60}") {
            drop(Reader::default().line(line.as_bytes()));
            drop(Reader::default().line(format!("a{{{line}").as_bytes()));
            drop(Reader::default().line(format!("a 1 {line}").as_bytes()));
        }
    }
}
