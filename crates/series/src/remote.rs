//! Prometheus' remote write (version 1): series as protobuf in a block of Snappy.
//!
//! The format is `prompb/remote.proto` and `prompb/types.proto` of Prometheus; of metadata and
//! exemplars nothing is taken.

use prost::Message;

use crate::{Labels, Sample, storage::Series};

/// A request at most, unpacked: Prometheus sends some hundred kilobytes.
pub const MAX_BYTES: usize = 64 << 20;

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

/// The series of a request, as they stand there.
pub fn decode(packed: &[u8]) -> Result<Vec<Series>, RemoteError> {
    let size = snap::raw::decompress_len(packed).map_err(RemoteError::Packing)?;
    if size > MAX_BYTES {
        return Err(RemoteError::TooLarge(size));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(packed).map_err(RemoteError::Packing)?;
    let request = WriteRequest::decode(bytes.as_slice()).map_err(RemoteError::Format)?;
    let one = |series: TimeSeries| Series {
        labels: Labels::new(series.labels.into_iter().map(|label| (label.name, label.value))),
        samples: series
            .samples
            .into_iter()
            .map(|point| Sample { time: point.time, value: point.value })
            .collect(),
    };
    Ok(request.series.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{is_stale, stale};

    #[test]
    fn what_was_sent_is_read_back_to_the_bit() {
        let labels = Labels::new([("__name__", "up"), ("job", "a\nb")]);
        let samples = vec![Sample { time: -5, value: 0.1 }, Sample { time: 7, value: stale() }];
        let back = decode(&encode(&[Series { labels: labels.clone(), samples }])).unwrap();
        assert_eq!((back.len(), &back[0].labels), (1, &labels));
        assert!(is_stale(back[0].samples[1].value), "{back:?}");
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
