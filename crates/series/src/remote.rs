//! Prometheus' remote write (version 1): series as protobuf in a block of Snappy.
//!
//! The format is `prompb/remote.proto` and `prompb/types.proto` of Prometheus; of metadata and
//! exemplars nothing is taken.

use prost::Message;

use crate::{Labels, NAME, Sample, storage::Series};

/// A request at most, unpacked: Prometheus sends some hundred kilobytes, and what is read takes up
/// to fifty times as much where labels are empty.
pub const MAX_BYTES: usize = 8 << 20;
/// Bytes of all labels of a series at most: names of containers and images take some hundred.
pub const MAX_LABEL_BYTES: usize = 16 << 10;

/// Why a request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// It is larger than [`MAX_BYTES`].
    #[error("the request unpacks to {0} bytes, and {MAX_BYTES} are the most that are taken")]
    TooLarge(usize),
    /// It is no block of Snappy.
    #[error("the request is not packed with Snappy's block format")]
    Packing(#[source] snap::Error),
    /// It is no such message.
    #[error("the request is not a remote write request of version 1")]
    Format(#[source] prost::DecodeError),
}

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Point>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Point {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time: i64,
}

/// A request of these series. Linear in the samples.
pub fn encode(series: &[Series]) -> Vec<u8> {
    let one = |series: &Series| TimeSeries {
        labels: series
            .labels
            .iter()
            .map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() })
            .collect(),
        samples: series
            .samples
            .iter()
            .map(|sample| Point { value: sample.value, time: sample.time })
            .collect(),
    };
    let request = WriteRequest { series: series.iter().map(one).collect() };
    let packed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec());
    packed.unwrap_or_default()
}

/// What a request has.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Its series, as they stand there.
    pub series: Vec<Series>,
    /// Samples of series whose labels cannot be taken.
    pub invalid: u64,
    /// What is wrong with the first of these.
    pub why: Option<String>,
}

/// The series of a request.
pub fn decode(packed: &[u8]) -> Result<Request, RemoteError> {
    let size = snap::raw::decompress_len(packed).map_err(RemoteError::Packing)?;
    if size > MAX_BYTES {
        return Err(RemoteError::TooLarge(size));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(packed).map_err(RemoteError::Packing)?;
    let request = WriteRequest::decode(bytes.as_slice()).map_err(RemoteError::Format)?;
    let mut all = Request::default();
    for series in request.series {
        match labels(series.labels) {
            Ok(labels) => {
                let sample = |point: Point| Sample { time: point.time, value: point.value };
                let samples = series.samples.into_iter().map(sample).collect();
                all.series.push(Series { labels, samples });
            }
            Err(why) => {
                all.invalid += series.samples.len() as u64;
                all.why.get_or_insert(why);
            }
        }
    }
    Ok(all)
}

/// Labels with a name, each once, of letters, digits and underscores.
fn labels(pairs: Vec<Label>) -> Result<Labels, String> {
    let count = pairs.iter().filter(|label| !label.value.is_empty()).count();
    let bytes: usize = pairs.iter().map(|label| label.name.len() + label.value.len()).sum();
    if bytes > MAX_LABEL_BYTES {
        return Err(format!("labels of {bytes} bytes, and {MAX_LABEL_BYTES} are the most"));
    }
    let labels = Labels::new(pairs.into_iter().map(|label| (label.name, label.value)));
    if labels.iter().count() != count {
        return Err(format!("a label twice in {labels}"));
    }
    let valid = |name: &str, colon: bool| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colon && c == ':');
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(inner)
    };
    if let Some((name, _)) = labels.iter().find(|(name, _)| !valid(name, false)) {
        return Err(format!("the label name {name:?} in {labels}"));
    }
    if !valid(labels.get(NAME), true) {
        return Err(format!("no metric's name, or one that is none, in {labels}"));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{is_stale, stale};

    #[test]
    fn what_was_sent_is_read_back_to_the_bit() {
        let labels = Labels::new([("__name__", "up"), ("job", "a\nb")]);
        let samples = vec![Sample { time: -5, value: 0.1 }, Sample { time: 7, value: stale() }];
        let back = decode(&encode(&[Series { labels: labels.clone(), samples }])).unwrap().series;
        assert_eq!((back.len(), &back[0].labels), (1, &labels));
        assert!(is_stale(back[0].samples[1].value), "{back:?}");
    }

    #[test]
    fn labels_that_cannot_be_are_named_and_the_others_taken() {
        let series = |pairs: &[(&str, &str)]| TimeSeries {
            labels: pairs
                .iter()
                .map(|(name, value)| Label { name: (*name).into(), value: (*value).into() })
                .collect(),
            samples: vec![Point { value: 1.0, time: 1 }],
        };
        let long = "x".repeat(MAX_LABEL_BYTES);
        for (wrong, why) in [
            (series(&[("job", "a")]), "no metric's name"),
            (series(&[(NAME, "up"), ("a b", "a")]), "the label name \"a b\""),
            (series(&[(NAME, "up"), ("a", "1"), ("a", "2")]), "a label twice"),
            (series(&[(NAME, "up"), ("a", &long)]), "labels of 16"),
            (series(&[(NAME, "1up")]), "no metric's name"),
        ] {
            let request =
                WriteRequest { series: vec![wrong, series(&[(NAME, "a:b"), ("empty", "")])] };
            let packed = snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap();
            let read = decode(&packed).unwrap();
            assert_eq!((read.series.len(), read.invalid), (1, 1));
            assert!(read.why.as_ref().unwrap().contains(why), "{:?}", read.why);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(matches!(decode(b"\xff\xff\xff\xff\xff\xff"), Err(RemoteError::Packing(_))));
        let packed = snap::raw::Encoder::new().compress_vec(b"not protobuf").unwrap();
        assert!(matches!(decode(&packed), Err(RemoteError::Format(_))));
        // A block that says it is large is not unpacked.
        assert!(matches!(decode(b"\xff\xff\xff\xff\x07x"), Err(RemoteError::TooLarge(_))));
    }
}
