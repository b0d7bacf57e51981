//! Comparing an unknown token with its learned siblings by meaning.

use std::net::IpAddr;

use hanabi_profile::{NodeKind, peer};

/// The nearest learned sibling of a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Its index among the siblings given.
    pub index: usize,
    /// 0 (nothing alike) to 1 (the same).
    pub similarity: f64,
}

/// How alike two tokens of one kind are. Chosen by configuration.
pub trait SemanticMatcher: Send + Sync {
    /// The sibling most like `token`; `None` without siblings. Ties go to the first.
    fn nearest(&self, kind: NodeKind, token: &str, siblings: &[&str]) -> Option<Match>;

    /// At or above this similarity a token is accepted as a variation of its sibling.
    fn threshold(&self, kind: NodeKind) -> f64;

    /// The matcher that judges where this one would take too long: a profile whose new tokens have
    /// used up their minute's share. `None` for one that costs little.
    fn cheaper(&self) -> Option<&dyn SemanticMatcher> {
        None
    }
}

/// Accepts nothing but the very same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exact;

impl SemanticMatcher for Exact {
    fn nearest(&self, _kind: NodeKind, token: &str, siblings: &[&str]) -> Option<Match> {
        let equal = siblings.iter().position(|s| *s == token);
        let index = equal.or_else(|| (!siblings.is_empty()).then_some(0))?;
        Some(Match { index, similarity: if equal.is_some() { 1.0 } else { 0.0 } })
    }

    fn threshold(&self, _kind: NodeKind) -> f64 {
        1.0
    }
}

/// Types, shapes, edit distance and address prefixes.
#[derive(Clone, Copy, Debug)]
pub struct Structural {
    /// The similarity at which file names and arguments are accepted, 0..1.
    pub threshold: f64,
}

impl Default for Structural {
    fn default() -> Self {
        Self { threshold: 0.8 }
    }
}

/// So many siblings are compared at most: the work for one token stays below 50 µs.
const COMPARED: usize = 128;

impl SemanticMatcher for Structural {
    fn nearest(&self, kind: NodeKind, token: &str, siblings: &[&str]) -> Option<Match> {
        let siblings = siblings.get(..COMPARED).unwrap_or(siblings);
        match kind {
            NodeKind::Peer => {
                let address = token.parse().ok();
                best(siblings, |sibling| addresses(token, address, sibling))
            }
            NodeKind::Port => best(siblings, |sibling| same(token, sibling)),
            NodeKind::File | NodeKind::Directory | NodeKind::Unix => {
                let name = Name::new(token);
                best(siblings, |sibling| name.similarity(sibling))
            }
            _ => {
                let word = Word::new(token);
                best(siblings, |sibling| word.similarity(sibling))
            }
        }
    }

    fn threshold(&self, kind: NodeKind) -> f64 {
        match kind {
            // A new directory is a new place, whatever it is called; a new class of address too.
            NodeKind::Directory => 0.95,
            NodeKind::Class | NodeKind::Direction | NodeKind::Port | NodeKind::Parent => 1.0,
            // One /16 is one cluster network.
            NodeKind::Peer => 0.5,
            _ => self.threshold,
        }
    }
}

fn best(siblings: &[&str], similarity: impl Fn(&str) -> f64) -> Option<Match> {
    let mut best: Option<Match> = None;
    for (index, sibling) in siblings.iter().enumerate() {
        let similarity = similarity(sibling);
        if best.as_ref().is_none_or(|b| similarity > b.similarity) {
            best = Some(Match { index, similarity });
        }
    }
    best
}

/// Shared leading bits, 16 of 32 being 0.5.
fn addresses(token: &str, address: Option<IpAddr>, sibling: &str) -> f64 {
    match (address, sibling.parse()) {
        (Some(a), Ok(b)) => {
            let bits = if a.is_ipv4() { 32.0 } else { 128.0 };
            f64::from(peer::shared_prefix(a, b)) / bits
        }
        _ => same(token, sibling),
    }
}

fn same(token: &str, sibling: &str) -> f64 {
    f64::from(u8::from(token == sibling || sibling == "*"))
}

/// Where one name of a template is known, `build.<rand>`, another of it is nearly the same: a random
/// part of letters alone is not known for one by itself.
const TEMPLATE: f64 = 0.96;

/// True when `name` is `sibling` with its random part filled in: six to twelve letters, digits and
/// typed parts, not small letters alone, which are a word.
fn is_of_template(name: &str, sibling: &str) -> bool {
    let Some((before, after)) = sibling.split_once("<rand>") else { return false };
    let Some(part) = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) else {
        return false;
    };
    let length = symbols(part).count();
    before.len() >= 3
        && (4..=12).contains(&length)
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "_<>".contains(c))
        && !part.bytes().all(|b| b.is_ascii_lowercase())
}

/// A file name that is compared with others.
struct Name<'a> {
    text: &'a str,
    ending: &'a str,
    stem: Word,
    whole: Word,
}

impl<'a> Name<'a> {
    fn new(text: &'a str) -> Self {
        let (stem, ending) = stem_and_ending(text);
        Self { text, ending, stem: Word::new(stem), whole: Word::new(text) }
    }

    /// The same ending and a like stem.
    fn similarity(&self, other: &str) -> f64 {
        if is_of_template(self.text, other) {
            return TEMPLATE;
        }
        let (stem, ending) = stem_and_ending(other);
        if self.ending == ending && !ending.is_empty() {
            0.3 + 0.7 * self.stem.similarity(stem)
        } else {
            0.85 * self.whole.similarity(other)
        }
    }
}

fn stem_and_ending(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// Longer words are compared by their beginnings: what fits into the bits of one number.
const SYMBOLS: usize = 48;

/// A word's characters, its typed parts as one each.
fn symbols(text: &str) -> impl Iterator<Item = u32> {
    let mut rest = text;
    let next = move || {
        let character = match *rest.as_bytes().first()? {
            byte if byte.is_ascii() => char::from(byte),
            _ => rest.chars().next()?,
        };
        let token = (character == '<').then(|| rest.find('>').filter(|end| *end < 24)).flatten();
        let (symbol, length) = match token {
            // A code point no text has stands for each typed part.
            Some(end) => (0x11_0000 + end as u32, end + 1),
            None => (character as u32, character.len_utf8()),
        };
        rest = rest.get(length..).unwrap_or_default();
        Some(symbol)
    };
    std::iter::from_fn(next).take(SYMBOLS)
}

/// A word that is compared with others: where each of its symbols stands, as bits.
struct Word {
    ascii: [u64; 128],
    others: Vec<(u32, u64)>,
    length: usize,
}

impl Word {
    fn new(text: &str) -> Self {
        let mut word = Self { ascii: [0; 128], others: Vec::new(), length: 0 };
        for symbol in symbols(text) {
            let bit = 1 << word.length;
            word.length += 1;
            match word.ascii.get_mut(symbol as usize) {
                Some(places) => *places |= bit,
                None => word.others.push((symbol, bit)),
            }
        }
        word
    }

    fn places(&self, symbol: u32) -> u64 {
        self.ascii.get(symbol as usize).copied().unwrap_or_else(|| {
            let same = self.others.iter().filter(|(other, _)| *other == symbol);
            same.fold(0, |places, (_, bit)| places | bit)
        })
    }

    /// One minus the edit distance over the longer length, where typed parts count as one character.
    fn similarity(&self, other: &str) -> f64 {
        let (distance, length) = self.distance(symbols(other));
        let longest = self.length.max(length);
        if longest == 0 { 1.0 } else { 1.0 - distance as f64 / longest as f64 }
    }

    /// Levenshtein's distance, and the other's length: a column of its table in the bits of two
    /// numbers (Myers 1999, as Hyyrö put it in 2003), so 48 steps of a dozen operations where the
    /// table has 2 304 cells.
    fn distance(&self, other: impl Iterator<Item = u32>) -> (usize, usize) {
        let Some(last) = self.length.checked_sub(1).map(|shift| 1u64 << shift) else {
            let length = other.count();
            return (length, length);
        };
        let (mut more, mut less) = (!0u64, 0u64);
        let (mut distance, mut length) = (self.length, 0);
        for symbol in other {
            length += 1;
            let equal = self.places(symbol);
            let across = ((equal & more).wrapping_add(more) ^ more) | equal;
            let up = less | !(across | more);
            let down = more & across;
            distance += usize::from(up & last != 0);
            distance -= usize::from(down & last != 0);
            let up = (up << 1) | 1;
            let vertical = equal | less;
            more = (down << 1) | !(vertical | up);
            less = up & vertical;
        }
        (distance, length)
    }
}

#[cfg(test)]
mod tests {
    use hanabi_profile::NodeKind;
    use proptest::prelude::*;

    use super::{SYMBOLS, SemanticMatcher, Structural, Word, symbols};

    /// The table row by row (Wagner–Fischer).
    fn by_table(a: &[u32], b: &[u32]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut diagonal = i;
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let cost = diagonal + usize::from(x != y);
                diagonal = row[j + 1];
                row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
            }
        }
        row[b.len()]
    }

    /// Words of few letters, typed parts, what looks like one and other scripts.
    fn text() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            6 => "[a-d]".prop_map(String::from),
            1 => Just("<num>".to_owned()),
            1 => Just("<hex>".to_owned()),
            1 => Just("<".to_owned()),
            1 => Just("é花".to_owned()),
        ];
        proptest::collection::vec(part, 0..SYMBOLS + 8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn distances_are_those_of_the_table(a in text(), b in text()) {
            let (left, right): (Vec<u32>, Vec<u32>) = (symbols(&a).collect(), symbols(&b).collect());
            let expected = (by_table(&left, &right), right.len());
            prop_assert_eq!(Word::new(&a).distance(symbols(&b)), expected);
        }
    }

    #[test]
    fn typed_parts_are_one_symbol_each_and_long_words_end() {
        for (text, count) in [("", 0), ("a<num>b", 3), ("<num><hex>", 2), ("a<b", 3), ("é花", 2)]
        {
            assert_eq!(symbols(text).count(), count, "{text}");
        }
        assert_eq!(symbols(&"x".repeat(100)).count(), SYMBOLS);
    }

    #[test]
    fn the_nearest_sibling_is_found() {
        let matcher = Structural::default();
        for (kind, token, siblings, expected, accepted) in [
            (NodeKind::File, "pages<num>.html", &["i<num>.png", "page<num>.html"][..], 1, true),
            (NodeKind::File, "evil.so", &["dump.rdb", "appendonly.aof"], 1, false),
            (NodeKind::Directory, "build.Cuswpp", &["build.<rand>"], 0, true),
            (NodeKind::Directory, "build.udw<num>L", &["src", "build.<rand>"], 1, true),
            (NodeKind::Directory, "build.release", &["build.<rand>"], 0, false),
            (NodeKind::Directory, "Cuswpp", &["<rand>"], 0, false),
            (NodeKind::Peer, "172.18.0.9", &["172.18.0.2"], 0, true),
            (NodeKind::Peer, "203.0.113.9", &["172.18.0.2"], 0, false),
            (NodeKind::Port, "4444", &["80"], 0, false),
            (NodeKind::Argument, "--jobs=<num>", &["--jobs=<num>"], 0, true),
        ] {
            let found = matcher.nearest(kind, token, siblings).unwrap();
            assert_eq!(found.index, expected, "{token}");
            assert_eq!(found.similarity >= matcher.threshold(kind), accepted, "{token} {found:?}");
        }
        assert_eq!(matcher.nearest(NodeKind::File, "x", &[]), None);
    }
}
