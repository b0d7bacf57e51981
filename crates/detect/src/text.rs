//! Text from events, made safe to keep and to show.

use hanabi_event::redact::{Redactor, mask_secrets};

/// The beginning of a text, at most `limit` bytes, cut between characters.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    cut.push('…');
    cut
}

/// The same with secrets masked.
pub(crate) fn shown(text: &str, limit: usize) -> String {
    bounded(&mask_secrets(text), limit)
}

/// The event as alerts keep it: Falco's shape, redacted.
pub(crate) fn sample(event: &hanabi_event::Event<'_>) -> serde_json::Value {
    event.to_json(&Redactor::default())
}
