//! Where in a text the secrets are.

use std::cell::OnceCell;

use super::keys::Keys;

/// Programs whose `-p` takes a password without a blank between.
const CLIENTS: [&[u8]; 8] = [
    b"mysql",
    b"mysqldump",
    b"mysqladmin",
    b"mysqlimport",
    b"mysqlcheck",
    b"mariadb",
    b"mariadb-dump",
    b"sshpass",
];

/// Tokens that can be told by their first letters, and the fewest that must follow.
const TOKENS: [(&[u8], usize); 11] = [
    (b"AKIA", 16),
    (b"ASIA", 16),
    (b"eyJ", 8),
    (b"ghp_", 20),
    (b"gho_", 20),
    (b"ghs_", 20),
    (b"github_pat_", 20),
    (b"glpat-", 16),
    (b"xoxb-", 16),
    (b"xoxp-", 16),
    (b"sk_live_", 16),
];

/// The words that say how a header's secret is to be read, and stay.
const SCHEMES: [&str; 5] = ["bearer", "basic", "token", "digest", "negotiate"];

/// One text that is searched.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    program: &'a [u8],
    keys: &'a Keys,
    /// Where the first of [`CLIENTS`] is named, once somebody asked.
    first_client: OnceCell<Option<usize>>,
}

/// Where a secret begins and ends.
type Range = (usize, usize);

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str, program: &'a str, keys: &'a Keys) -> Self {
        Self {
            bytes: text.as_bytes(),
            program: program.as_bytes(),
            keys,
            first_client: OnceCell::new(),
        }
    }

    /// The next byte at or after `at` that [`Text::secret`] may know something about.
    pub(super) fn next_candidate(&self, at: usize) -> Option<usize> {
        let rest = self.bytes.get(at..)?;
        rest.iter().position(|byte| CANDIDATES[*byte as usize]).map(|found| at + found)
    }

    /// The secret that the byte at `at` announces, or begins with; up to `masked` all is dealt with.
    /// Both ends are at ASCII bytes or at the text's end.
    pub(super) fn secret(&self, at: usize, masked: usize) -> Option<Range> {
        match self.bytes[at] {
            b'=' => self.assignment(at),
            b':' if self.bytes[at..].starts_with(b"://") => self.user_information(at + 3),
            b':' => self.header(at),
            b'-' => self.private_key(at).or_else(|| self.option(at)),
            _ if at > masked && is_token(self.bytes[at - 1]) => None,
            _ => self.token(at),
        }
    }

    fn at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The first offset at or after `at` where `stop` holds, or the end.
    fn find(&self, at: usize, stop: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        rest.iter().position(|byte| stop(*byte)).map_or(self.bytes.len(), |found| at + found)
    }

    /// Where the key that ends at `end` begins.
    fn key_start(&self, end: usize) -> usize {
        let floor = end.saturating_sub(Keys::LONGEST);
        let key = self.bytes[floor..end].iter().rev().take_while(|byte| is_key(**byte));
        end - key.count()
    }

    /// `key=value`
    fn assignment(&self, at: usize) -> Option<Range> {
        let start = self.key_start(at);
        if !self.keys.is_secret(&self.bytes[start..at]) {
            return None;
        }
        let in_query = start > 0 && matches!(self.bytes[start - 1], b'?' | b'&');
        if in_query {
            return Some((at + 1, self.find(at + 1, |b| b == b'&' || b == b'#' || is_end(b))));
        }
        Some(self.value(at + 1))
    }

    /// A value at `at`: within its quotes, or up to a blank.
    fn value(&self, at: usize) -> Range {
        let backslash = usize::from(self.at(at) == Some(b'\\'));
        match self.at(at + backslash) {
            Some(quote @ (b'"' | b'\'')) => {
                let start = at + backslash + 1;
                (start, self.find(start, |b| b == quote || (backslash > 0 && b == b'\\')))
            }
            _ => (at, self.find(at, is_end)),
        }
    }

    /// `Authorization: Bearer x`, `X-Api-Key: x`, `"password":"x"`
    fn header(&self, at: usize) -> Option<Range> {
        let quotes = self.bytes[..at].iter().rev().take(2);
        let end = at - quotes.take_while(|b| matches!(b, b'"' | b'\'' | b'\\')).count();
        let key = &self.bytes[self.key_start(end)..end];
        let mut start = self.find(at + 1, |b| b != b' ');
        if has_end(key, b"authorization") {
            let (word, word_end) = self.value(start);
            let scheme = &self.bytes[word..word_end];
            if SCHEMES.iter().any(|s| scheme.eq_ignore_ascii_case(s.as_bytes())) {
                start = self.find(word_end, |b| b != b' ');
            }
        } else if has_end(key, b"cookie") {
            return Some((start, self.cookie_end(start)));
        } else if !self.keys.is_secret(key) {
            return None;
        }
        Some(self.value(start)).filter(|(start, end)| start < end)
    }

    /// The words of a cookie: all but the last end with a semicolon.
    fn cookie_end(&self, start: usize) -> usize {
        let mut end = self.find(start, is_end);
        while end > start && self.bytes[end - 1] == b';' && self.at(end) == Some(b' ') {
            end = self.find(end + 1, is_end);
        }
        end
    }

    /// `user:password@` behind `://`; a long name without a password is a token.
    fn user_information(&self, start: usize) -> Option<Range> {
        let end = self.find(start, |b| matches!(b, b'/' | b'?' | b'#') || is_end(b));
        let at = memchr::memrchr(b'@', &self.bytes[start..end])?;
        match memchr::memchr(b':', &self.bytes[start..start + at]) {
            Some(colon) if colon + 1 < at => Some((start + colon + 1, start + at)),
            None if at >= 20 => Some((start, start + at)),
            _ => None,
        }
    }

    /// `--password x`, and the `-px` of clients that take it so.
    fn option(&self, at: usize) -> Option<Range> {
        // Falco prints the blanks between the arguments of an execve as dots.
        let begins = at == 0 || matches!(self.bytes[at - 1], b' ' | b'.' | b'=' | b'"' | b'\'');
        if !begins {
            return None;
        }
        if self.at(at + 1) == Some(b'p') && self.has_client_before(at) {
            let start = at + 2;
            let end = self.find(start, |b| b == b' ');
            // `-port=3306` is another option.
            let is_option = self.bytes[start..end].starts_with(b"ort");
            return (start < end && !is_option).then_some((start, end));
        }
        let end = self.find(at, |b| !is_key(b) || b == b'.');
        let separator = self.at(end).filter(|b| matches!(b, b' ' | b'.'))?;
        if end - at < 4 || !self.keys.is_secret(&self.bytes[at..end]) {
            return None;
        }
        let start = self.find(end, |b| b != separator);
        if self.at(start) == Some(b'-') {
            return None;
        }
        Some(self.value(start)).filter(|(start, end)| start < end)
    }

    /// True when the program is a known client, or one is named before `at`.
    fn has_client_before(&self, at: usize) -> bool {
        let first = self.first_client.get_or_init(|| {
            let is_separator = |b: &u8| matches!(b, b' ' | b'/' | b'=' | b'"' | b'\'');
            let mut words = self.bytes.split(is_separator);
            let word = words.find(|word| CLIENTS.contains(word))?;
            Some(word.as_ptr().addr() - self.bytes.as_ptr().addr())
        });
        first.is_some_and(|first| first < at) || CLIENTS.contains(&self.program)
    }

    /// From `-----BEGIN … PRIVATE KEY-----` to its end.
    fn private_key(&self, at: usize) -> Option<Range> {
        const END: &[u8] = b"PRIVATE KEY-----";
        let rest = self.bytes[at..].strip_prefix(b"-----BEGIN ")?;
        let label = rest.iter().take_while(|b| b.is_ascii_uppercase() || **b == b' ').count();
        let header = label + b"-----".len();
        if !rest.get(..header)?.ends_with(END) {
            return None;
        }
        let close = memchr::memmem::find(&rest[header..], END);
        let length = close.map_or(rest.len(), |close| header + close + END.len());
        Some((at, self.bytes.len() - rest.len() + length))
    }

    /// A token that can be told by its first letters, where a word begins.
    fn token(&self, at: usize) -> Option<Range> {
        let rest = &self.bytes[at..];
        let (prefix, fewest) = TOKENS.iter().find(|(prefix, _)| rest.starts_with(prefix))?;
        let mut end = self.find(at + prefix.len(), |b| !is_token(b));
        if end - at - prefix.len() < *fewest {
            return None;
        }
        if *prefix == b"eyJ" {
            // A JSON web token has three parts, of which the last may be empty.
            if self.at(end) != Some(b'.') {
                return None;
            }
            end = self.find(end + 1, |b| !is_token(b) && b != b'.');
        }
        Some((at, end))
    }
}

/// The bytes that a secret can be announced by, or begin with.
const CANDIDATES: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < TOKENS.len() {
        table[TOKENS[at].0[0] as usize] = true;
        at += 1;
    }
    table[b'=' as usize] = true;
    table[b':' as usize] = true;
    table[b'-' as usize] = true;
    table
};

fn has_end(key: &[u8], end: &[u8]) -> bool {
    key.len() >= end.len() && key[key.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// What a key is made of.
fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// What a token is made of.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// What ends a value without quotes.
fn is_end(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'')
}
