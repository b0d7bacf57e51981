//! Finding where a JSON value ends, without recursion and without judging what is in it.

/// Nesting up to which brackets are held against their kind. Deeper ones are counted only: the
/// decoder rejects such a value as too deep.
const CHECKED_DEPTH: u32 = 128;

/// Where the text stops being what it began as.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) offset: usize,
    pub(super) problem: &'static str,
}

/// The first byte from `at` on that is not JSON white space.
pub(super) fn skip_blank(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    let blank = rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    at + blank
}

/// The end of the value that begins at `at`. A number or word ends before the next `,`, bracket or
/// white space.
pub(super) fn value_end(text: &[u8], at: usize) -> Result<usize, Broken> {
    match text.get(at) {
        None => Err(Broken { offset: at, problem: "expected a value" }),
        Some(b'"') => string_end(text, at),
        Some(b'{' | b'[') => brackets_end(text, at),
        Some(_) => {
            let ends = |b: &u8| {
                matches!(b, b',' | b']' | b'}' | b'[' | b'{' | b'"') || b.is_ascii_whitespace()
            };
            let rest = text.get(at..).unwrap_or_default();
            match rest.iter().position(ends).unwrap_or(rest.len()) {
                0 => Err(Broken { offset: at, problem: "expected a value" }),
                length => Ok(at + length),
            }
        }
    }
}

fn string_end(text: &[u8], start: usize) -> Result<usize, Broken> {
    let mut at = start + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', text.get(at..).unwrap_or_default()) {
        at += found;
        if text.get(at) == Some(&b'"') {
            return Ok(at + 1);
        }
        at += 2;
    }
    Err(Broken { offset: start, problem: "string has no end" })
}

fn brackets_end(text: &[u8], start: usize) -> Result<usize, Broken> {
    let mut depth: u32 = 0;
    // One bit a level: set for `{`.
    let mut kinds: u128 = 0;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at = string_end(text, at)?;
                continue;
            }
            b'{' | b'[' => {
                if depth < CHECKED_DEPTH {
                    kinds = kinds << 1 | u128::from(byte == b'{');
                }
                depth = depth.saturating_add(1);
            }
            b'}' | b']' => {
                if depth <= CHECKED_DEPTH {
                    if (kinds & 1 == 1) != (byte == b'}') {
                        return Err(Broken { offset: at, problem: "bracket does not match" });
                    }
                    kinds >>= 1;
                }
                depth -= 1;
                if depth == 0 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Broken { offset: start, problem: "value has no end" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found() {
        for (text, end) in [
            ("1,", Some(1)),
            ("true]", Some(4)),
            (r#""a\"]b" x"#, Some(7)),
            (r#"{"a":[1,{"b":"}"}]} tail"#, Some(19)),
            (r#""\\" "#, Some(4)),
            (r#"{"a":"\"#, None),
            ("[1}", None),
            ("[[1]", None),
            (",", None),
            ("", None),
        ] {
            assert_eq!(value_end(text.as_bytes(), 0).ok(), end, "{text}");
        }
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let depth = 1_000_000;
        let text = [vec![b'['; depth], vec![b']'; depth]].concat();
        assert_eq!(value_end(&text, 0), Ok(2 * depth));
        let cut = Err(Broken { offset: 0, problem: "value has no end" });
        assert_eq!(value_end(&text[..2 * depth - 1], 0), cut);
    }
}
