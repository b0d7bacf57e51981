//! Event times as RFC 3339 text in JSON.

use hanabi_event::EventTime;
use serde::{Deserialize, Deserializer, Serializer, de::Error};

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn serialize<S: Serializer>(time: &EventTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hanabi_event::time::format_time(*time))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventTime, D::Error> {
    let text = String::deserialize(from)?;
    hanabi_event::time::parse_time(&text)
        .ok_or_else(|| D::Error::custom(format!("`{text}` is not an RFC 3339 time")))
}
