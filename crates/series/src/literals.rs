//! Numbers with underscores between their digits, as Prometheus 3 reads them and the parser does not.

use std::borrow::Cow;

/// The query with such underscores taken out; texts, names and comments stay as they are.
pub(crate) fn without_separators(query: &str) -> Cow<'_, str> {
    let bytes = query.as_bytes();
    let separates = |at: usize| {
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
        bytes[at] == b'_' && at > 0 && digit(at - 1) && digit(at + 1)
    };
    if !(0..bytes.len()).any(separates) {
        return Cow::Borrowed(query);
    }
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(first) = bytes.get(at).copied() {
        let end = at + length(&bytes[at..]);
        if first.is_ascii_digit() {
            out.extend((at..end).filter(|at| !separates(*at)).map(|at| bytes[at]));
        } else {
            out.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    // Underscores alone were taken out, so it is UTF-8 as before.
    String::from_utf8(out).map_or(Cow::Borrowed(query), Cow::Owned)
}

/// How long the text, name, number or comment is that something begins with; 1 for anything else.
fn length(rest: &[u8]) -> usize {
    let run = |part: fn(&u8) -> bool| rest.iter().position(|b| !part(b)).unwrap_or(rest.len());
    match rest.first() {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let mut escaped = false;
            let end = rest[1..].iter().position(|b| {
                let ends = b == quote && !escaped;
                escaped = *b == b'\\' && !escaped && *quote != b'`';
                ends
            });
            end.map_or(rest.len(), |end| end + 2)
        }
        Some(b'#') => run(|b| *b != b'\n').max(1),
        Some(first) if first.is_ascii_digit() => {
            run(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        }
        Some(first) if first.is_ascii_alphabetic() || matches!(first, b'_' | b':') => {
            run(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'))
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::without_separators;

    #[test]
    fn underscores_between_digits_of_numbers_go() {
        for (query, read) in [
            ("1_000 + 0xAB_CD * 1_0.5_0", "1000 + 0xABCD * 10.50"),
            ("m_1_0{l_1=\"1_0\\\"1_0\"} == 1_0 # 1_0", "m_1_0{l_1=\"1_0\\\"1_0\"} == 10 # 1_0"),
            ("x:1_0 '1_0' `1_0\\` 1_0", "x:1_0 '1_0' `1_0\\` 10"),
            ("1__0 1_ _1", "1__0 1_ _1"),
            ("\"é\" 1_0 é", "\"é\" 10 é"),
        ] {
            assert_eq!(without_separators(query), read);
        }
    }
}
