//! Text from events, made safe to keep and to show.

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
    bounded(text, limit)
}

/// The event as alerts keep it.
pub(crate) fn sample(event: &hanabi_event::Event<'_>) -> serde_json::Value {
    serde_json::json!({"time": hanabi_event::time::format_time(event.time), "evt.type": event.call})
}
