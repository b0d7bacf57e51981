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

/// Room for the digits of an id.
pub(crate) const DIGITS: usize = 20;

/// A number in decimal, without allocating.
pub(crate) fn decimal(number: i64, digits: &mut [u8; DIGITS]) -> &str {
    let mut rest = number.unsigned_abs();
    let mut at = DIGITS;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 || at == 1 {
            break;
        }
    }
    if number < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    std::str::from_utf8(&digits[at..]).unwrap_or_default()
}

/// The same with secrets masked.
pub(crate) fn shown(text: &str, limit: usize) -> String {
    bounded(&mask_secrets(text), limit)
}

/// The event as alerts keep it: Falco's shape, redacted.
pub(crate) fn sample(event: &hanabi_event::Event<'_>) -> serde_json::Value {
    event.to_json(&Redactor::default())
}

#[cfg(test)]
mod tests {
    use super::{DIGITS, bounded, decimal};

    #[test]
    fn numbers_and_cuts() {
        for number in [0, 7, -1, 4_294_967_295, i64::MIN + 1, i64::MAX] {
            assert_eq!(decimal(number, &mut [0; DIGITS]), number.to_string());
        }
        assert_eq!(bounded("äöü", 3), "ä…");
    }
}
