//! The body of `POST /ingest/falco`, made into lines.
//!
//! Accepted are one event (Falco's `http_output`, Falcosidekick's webhook), possibly printed over
//! several lines, an array of events, and newline-delimited events; plain or gzip. Only the shape
//! is judged here: an element or a line that is not an event is passed on for the decoder to
//! reject and count.

mod scan;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use bytes::Bytes;
use scan::{Broken, skip_blank, value_end};

/// Bounds on what a body may unfold to.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Most bytes after decompression. 64 MiB: forty thousand events, and it fits the queue.
    pub max_bytes: usize,
    /// Most bytes after decompression for each compressed byte. 256: Falco's JSON compresses 10 to
    /// 40 times, a bomb 1 000 times.
    pub max_ratio: usize,
}

impl BodyLimits {
    /// Bodies up to this size are not held to [`BodyLimits::max_ratio`]: the same event a thousand
    /// times over is no attack.
    pub const RATIO_FREE_BYTES: usize = 1 << 20;

    fn unfolded(&self, compressed: usize) -> usize {
        let by_ratio = compressed.saturating_mul(self.max_ratio).max(Self::RATIO_FREE_BYTES);
        by_ratio.min(self.max_bytes)
    }
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_ratio: 256 }
    }
}

/// Why a body was refused as a whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Larger than the limits after decompression (HTTP 413).
    #[error("body is larger than {limit} bytes after decompression")]
    TooLarge {
        /// The limit that it passed.
        limit: usize,
    },
    /// An unknown `Content-Encoding` (HTTP 415).
    #[error("content encoding {encoding:?} is not supported; send gzip or identity")]
    UnsupportedEncoding {
        /// What was named.
        encoding: String,
    },
    /// A `Content-Type` that cannot hold events (HTTP 415).
    #[error(
        "content type {content_type:?} is not supported; send application/json, \
         application/x-ndjson or text/plain"
    )]
    UnsupportedType {
        /// What was named.
        content_type: String,
    },
    /// Not gzip, or cut off (HTTP 400).
    #[error("failed to decompress body")]
    Gzip(#[source] io::Error),
    /// A JSON array that does not hold together (HTTP 400).
    #[error("array of events is broken at byte {offset}: {problem}")]
    BrokenArray {
        /// Bytes from the start of the decompressed body.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
}

/// Turns a body into lines, each ending in `\n` and holding one JSON value or something that the
/// decoder will reject. An empty body gives no lines. Cost is linear, memory at most twice the
/// decompressed body, and the stack does not grow with nesting.
pub fn decode_body(
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    body: Bytes,
    limits: &BodyLimits,
) -> Result<Vec<u8>, BodyError> {
    let kind = Kind::of(content_type)?;
    let mut text = match content_encoding.map(str::trim) {
        None | Some("") => plain(body, limits)?,
        Some(name) if name.eq_ignore_ascii_case("identity") => plain(body, limits)?,
        Some(name) if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
            gunzip(&body, limits)?
        }
        Some(name) => return Err(BodyError::UnsupportedEncoding { encoding: shown(name) }),
    };
    if text.starts_with(b"\xef\xbb\xbf") {
        text.drain(..3);
    }
    let start = skip_blank(&text, 0);
    match (kind, text.get(start)) {
        (_, None) => Ok(Vec::new()),
        (Kind::Any, Some(b'[')) => split_array(&text, start),
        (Kind::Any, Some(b'{')) => Ok(join_values(text, start)),
        (Kind::Lines | Kind::Any, Some(_)) => Ok(terminated(text)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Newline-delimited by declaration.
    Lines,
    /// Told by its first bytes: senders say `application/json` for all of the shapes.
    Any,
}

impl Kind {
    fn of(content_type: Option<&str>) -> Result<Self, BodyError> {
        let Some(content_type) = content_type else { return Ok(Self::Any) };
        let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match media.as_str() {
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/x-jsonlines"
            | "application/jsonlines" => Ok(Self::Lines),
            "" | "application/json" | "text/json" | "text/plain" | "application/octet-stream" => {
                Ok(Self::Any)
            }
            media if media.starts_with("application/") && media.ends_with("+json") => Ok(Self::Any),
            _ => Err(BodyError::UnsupportedType { content_type: shown(content_type) }),
        }
    }
}

/// A header's value as it may be repeated in an answer and a log.
fn shown(value: &str) -> String {
    value.chars().filter(|c| !c.is_control()).take(100).collect()
}

fn plain(body: Bytes, limits: &BodyLimits) -> Result<Vec<u8>, BodyError> {
    if body.len() > limits.max_bytes {
        return Err(BodyError::TooLarge { limit: limits.max_bytes });
    }
    Ok(Vec::from(body))
}

fn gunzip(body: &[u8], limits: &BodyLimits) -> Result<Vec<u8>, BodyError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let limit = limits.unfolded(body.len());
    let mut text = Vec::new();
    flate2::read::MultiGzDecoder::new(body)
        .take(limit as u64 + 1)
        .read_to_end(&mut text)
        .map_err(BodyError::Gzip)?;
    if text.len() > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(text)
}

fn terminated(mut text: Vec<u8>) -> Vec<u8> {
    if text.last() != Some(&b'\n') {
        text.push(b'\n');
    }
    text
}

/// The elements of the array that begins at `start`, one a line.
fn split_array(text: &[u8], start: usize) -> Result<Vec<u8>, BodyError> {
    let broken = |Broken { offset, problem }| BodyError::BrokenArray { offset, problem };
    let mut lines = Vec::with_capacity(text.len());
    let mut at = skip_blank(text, start + 1);
    if text.get(at) == Some(&b']') {
        at += 1;
    } else {
        loop {
            let end = value_end(text, at).map_err(broken)?;
            push_line(&mut lines, text.get(at..end).unwrap_or_default());
            at = skip_blank(text, end);
            match text.get(at) {
                Some(b',') => at = skip_blank(text, at + 1),
                Some(b']') => {
                    at += 1;
                    break;
                }
                Some(_) => return Err(broken(Broken { offset: at, problem: "expected , or ]" })),
                None => return Err(broken(Broken { offset: at, problem: "array has no end" })),
            }
        }
    }
    at = skip_blank(text, at);
    if at < text.len() {
        return Err(broken(Broken { offset: at, problem: "text behind the array" }));
    }
    Ok(lines)
}

/// Objects one after the other. Where the first fills exactly its own line, these are lines
/// already; where it is spread over several, each object becomes one line.
fn join_values(text: Vec<u8>, start: usize) -> Vec<u8> {
    let line_end = memchr::memchr(b'\n', text.get(start..).unwrap_or_default())
        .map_or(text.len(), |end| start + end);
    let Ok(first_end) = value_end(&text, start) else { return terminated(text) };
    if first_end <= line_end {
        return terminated(text);
    }
    let mut lines = Vec::with_capacity(text.len());
    let mut at = start;
    while at < text.len() {
        let Ok(end) = value_end(&text, at) else {
            lines.extend_from_slice(text.get(at..).unwrap_or_default());
            return terminated(lines);
        };
        push_line(&mut lines, text.get(at..end).unwrap_or_default());
        at = skip_blank(&text, end);
    }
    lines
}

/// Appends a value as one line: white space between its tokens goes, if there is a line break.
fn push_line(lines: &mut Vec<u8>, value: &[u8]) {
    if memchr::memchr2(b'\n', b'\r', value).is_none() {
        lines.extend_from_slice(value);
        lines.push(b'\n');
        return;
    }
    let mut in_string = false;
    let mut escaped = false;
    for &byte in value {
        match byte {
            // Not allowed in a string, but a line must stay one line.
            b'\n' if in_string => lines.extend_from_slice(b"\\n"),
            b'\r' if in_string => lines.extend_from_slice(b"\\r"),
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => {}
            _ => lines.push(byte),
        }
        in_string ^= byte == b'"' && !escaped;
        escaped = in_string && byte == b'\\' && !escaped;
    }
    lines.push(b'\n');
}
