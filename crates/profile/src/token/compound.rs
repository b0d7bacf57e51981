//! What is written in several pieces: uuids, addresses, dates, versions, names that Kubernetes
//! makes, base64.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::date;
use crate::peer::{self, AddressClass};

/// Appends what begins at `at` as tokens; returns its length, `None` when nothing of the kind does.
pub(super) fn compound(word: &str, at: usize, out: &mut String) -> Option<usize> {
    let bytes = word.as_bytes();
    let before = bytes.get(..at)?;
    // Beside a token there is only what is left of a run; an arrow is no token.
    let beside = matches!(before, [.., b'a'..=b'z' | b'0'..=b'9', b'>']);
    if beside || before.last().is_some_and(u8::is_ascii_alphanumeric) || address_before(before) {
        return None;
    }
    let text = bytes.get(at..)?;
    let first = *text.first()?;
    if first == b':' || first == b'[' {
        return address6(text, out);
    }
    let digit = first.is_ascii_digit();
    if first.is_ascii_hexdigit() && is_uuid(text) {
        out.push_str("<uuid>");
        return Some(36);
    }
    if digit && let Some(length) = date::written(text, out) {
        return Some(length);
    }
    if digit && let Some(length) = address4(text, before, out) {
        return Some(length);
    }
    if first.is_ascii_hexdigit()
        && let Some(length) = address6(text, out)
    {
        return Some(length);
    }
    if (digit || first == b'v' || first == b'V')
        && let Some(length) = version(text, before, out)
    {
        return Some(length);
    }
    if before.last() == Some(&b'-')
        && let Some(length) = pod(text, out)
    {
        return Some(length);
    }
    base64(text, out)
}

/// `<ip:private>:` stands before it: what follows is a port.
pub(super) fn address_before(before: &[u8]) -> bool {
    let Some(token) = before.strip_suffix(b">:") else { return false };
    let back = token.iter().rev().take(16).position(|b| *b == b'<');
    let Some(class) = back.and_then(|back| token.get(token.len() - back..)) else { return false };
    class.strip_prefix(b"ip:").is_some_and(|name| name.iter().all(u8::is_ascii_lowercase))
}

fn ends(text: &[u8], at: usize) -> bool {
    text.get(at).is_none_or(|b| !b.is_ascii_alphanumeric())
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|b| b.is_ascii_digit()).count()
}

fn is_uuid(text: &[u8]) -> bool {
    let shaped = |whole: &[u8]| {
        whole.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    ends(text, 36) && text.get(..36).is_some_and(shaped)
}

/// An IPv4 address by its class, with its port. Four numbers behind a dash or an underscore are a
/// version.
fn address4(text: &[u8], before: &[u8], out: &mut String) -> Option<usize> {
    let length = text.iter().take(16).take_while(|b| b.is_ascii_digit() || **b == b'.').count();
    let mut end = length;
    while end > 0 && text[end - 1] == b'.' {
        end -= 1;
    }
    if before.last().is_some_and(|b| b"-_.".contains(b)) || !ends(text, end) {
        return None;
    }
    let address: Ipv4Addr = std::str::from_utf8(text.get(..end)?).ok()?.parse().ok()?;
    out.push_str(AddressClass::of(IpAddr::V4(address)).token());
    Some(end + port(text.get(end..)?, out))
}

/// An IPv6 address by its class, bare or in brackets with its port. It has a digit, so that
/// `Bad::Face` is a name.
fn address6(text: &[u8], out: &mut String) -> Option<usize> {
    let open = usize::from(text.first() == Some(&b'['));
    let inner = text.get(open..)?;
    let part = |b: &&u8| b.is_ascii_hexdigit() || **b == b':' || **b == b'.';
    let mut end = inner.iter().take(46).take_while(part).count();
    // A colon at the end belongs to what follows, but for `::`.
    while end > 2 && (inner[end - 1] == b'.' || (inner[end - 1] == b':' && inner[end - 2] != b':'))
    {
        end -= 1;
    }
    let body = inner.get(..end)?;
    let single = body.iter().position(|b| *b == b':') == body.iter().rposition(|b| *b == b':');
    if single || !ends(inner, end) || !body.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(body).ok()?.parse().ok()?;
    if open == 1 && inner.get(end) != Some(&b']') {
        return None;
    }
    let token = AddressClass::of(IpAddr::V6(address)).token();
    if open == 0 {
        out.push_str(token);
        return Some(end);
    }
    // The brackets are left out: with them the port would not be known for one a second time.
    out.push_str(token);
    Some(end + 2 + port(text.get(end + 2..)?, out))
}

/// `:5432` behind an address: a server's port keeps its number.
fn port(text: &[u8], out: &mut String) -> usize {
    let Some(number) = text.strip_prefix(b":") else { return 0 };
    let length = digits(number);
    let value = number.get(..length).and_then(|d| std::str::from_utf8(d).ok());
    match value.and_then(|v| v.parse::<u16>().ok()) {
        Some(port) if ends(number, length) => {
            out.push(':');
            out.push_str(&peer::port_token(port));
            length + 1
        }
        _ => 0,
    }
}

/// `1.2.3`, `v2.0.1-rc1`, `1.25` behind a dash, `.so.1.2`: two numbers alone can be anything.
fn version(text: &[u8], before: &[u8], out: &mut String) -> Option<usize> {
    let marked = usize::from(!text.first()?.is_ascii_digit());
    let mut end = marked;
    let mut numbers = 0;
    loop {
        let length = text.get(end..).map_or(0, digits);
        if length == 0 || length > 4 {
            break;
        }
        numbers += 1;
        end += length;
        match text.get(end..end + 2) {
            Some([b'.', next]) if next.is_ascii_digit() => end += 1,
            _ => break,
        }
    }
    let named = marked == 1 || before.ends_with(b".so.") || before.ends_with(b"-");
    if numbers < 2 || (numbers == 2 && !named) {
        return None;
    }
    end += suffix(text.get(end..)?);
    ends(text, end).then(|| out.push_str("<version>"))?;
    Some(end)
}

/// `-rc1`, `.beta.2`, `k`, `+deb12u1`: what is said of a version behind its numbers.
fn suffix(text: &[u8]) -> usize {
    const WORDS: [&[u8]; 6] = [b"alpha", b"beta", b"post", b"dev", b"pre", b"rc"];
    /// Words, or file endings, unless a number follows.
    const NUMBERED: [&[u8]; 6] = [b"deb", b"el", b"fc", b"a", b"b", b"p"];
    if text.first().is_some_and(u8::is_ascii_lowercase) && ends(text, 1) {
        return 1;
    }
    let sign = usize::from(text.first().is_some_and(|b| b"-.+~_".contains(b)));
    let starts = |w: &&&[u8]| text.get(sign..).is_some_and(|t| t.starts_with(w));
    let plain = WORDS.iter().find(starts);
    let Some(word) = plain.or_else(|| NUMBERED.iter().find(starts)) else { return 0 };
    let mut end = sign + word.len();
    let dotted = usize::from(text.get(end) == Some(&b'.'));
    let count = text.get(end + dotted..).map_or(0, digits);
    end += if count > 0 { dotted + count } else { 0 };
    if count > 0 && text.get(end) == Some(&b'u') {
        end += 1 + text.get(end + 1..).map_or(0, digits);
    }
    // A word that goes on is another word: `1.2.3-debug`.
    let said = count > 0 || (plain.is_some() && sign == 1);
    if said && ends(text, end) { end } else { 0 }
}

/// The characters of the names that Kubernetes makes: no vowels, no digits that look like letters.
fn is_safe(byte: u8) -> bool {
    b"bcdfghjklmnpqrstvwxz2456789".contains(&byte)
}

/// A pod's suffix behind a dash: `7d4b9c6f5-x2x4q` of a deployment, `x2x4q` of a set.
fn pod(text: &[u8], out: &mut String) -> Option<usize> {
    const SUFFIX: usize = 5;
    let hash = text.iter().take(11).take_while(|b| is_safe(**b)).count();
    let tail = |at: usize| {
        text.get(at..at + SUFFIX).is_some_and(|t| t.iter().all(|b| is_safe(*b)))
            && ends(text, at + SUFFIX)
    };
    if (8..=10).contains(&hash) && text.get(hash) == Some(&b'-') && tail(hash + 1) {
        out.push_str("<rand>-<rand>");
        return Some(hash + 1 + SUFFIX);
    }
    let own = text.get(..SUFFIX)?;
    let changes = own.windows(2).filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit()).count();
    if tail(0) && changes >= 2 {
        out.push_str("<rand>");
        return Some(SUFFIX);
    }
    None
}

/// The fewest characters of base64 that are told from a name.
const BASE64: usize = 16;
/// Looked at no further: a word of a megabyte must cost no more than its beginning.
const LONGEST: usize = 1_024;

/// Padded, or long and with digits; in whole groups of four, and of no pattern.
fn base64(text: &[u8], out: &mut String) -> Option<usize> {
    let part = |b: &&u8| b.is_ascii_alphanumeric() || b"+/".contains(b);
    let body = text.iter().take(LONGEST).take_while(part).count();
    if body < BASE64 - 2 {
        return None;
    }
    let padding = text.get(body..)?.iter().take_while(|b| **b == b'=').count();
    let written = text.get(..body)?;
    let count = |is: fn(&u8) -> bool| written.iter().filter(|b| is(b)).count();
    let has = |is: fn(&u8) -> bool| count(is) > 0;
    let mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    let slashes = count(|b| *b == b'/');
    let sure = padding > 0 || (has(u8::is_ascii_digit) && body >= 24 && slashes == 0);
    let shaped = padding <= 2 && (body + padding) % 4 == 0 && body + padding >= BASE64;
    let kind = |b: &u8| (b.is_ascii_digit(), b.is_ascii_uppercase(), b.is_ascii_lowercase());
    let changes = written.windows(2).filter(|w| kind(&w[0]) != kind(&w[1])).count();
    // A token behind it was a word before, and then this was no end.
    let whole = ends(text, body + padding) && text.get(body + padding) != Some(&b'<');
    (whole && sure && shaped && mixed && changes * 5 >= body * 2).then(|| {
        out.push_str("<base64>");
        body + padding
    })
}
