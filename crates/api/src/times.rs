//! Times on the wire: RFC 3339 out, RFC 3339 or integer nanoseconds in.

use hanabi_event::EventTime;
use serde::Serializer;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
/// RFC 3339, or `null` for 0, which stands for "never".
pub(crate) fn serialize<S: Serializer>(time: &EventTime, to: S) -> Result<S::Ok, S::Error> {
    match *time {
        0 => to.serialize_none(),
        time => to.serialize_str(&hanabi_event::time::format_time(time)),
    }
}

/// RFC 3339.
pub(crate) fn text(time: EventTime) -> String {
    hanabi_event::time::format_time(time)
}

/// Reads RFC 3339 or integer nanoseconds since the epoch.
pub(crate) fn parse(text: &str) -> Option<EventTime> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    // A `+` in a query string that was not percent-encoded arrives as a blank.
    hanabi_event::time::parse_time(&text.replace(' ', "+"))
}

/// The service's own clock, for heartbeats and access times; never for event windows.
pub(crate) fn now() -> EventTime {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}
