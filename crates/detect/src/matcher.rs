//! Comparing an unknown token with its learned siblings by meaning.

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
        let mut best: Option<Match> = None;
        for (index, sibling) in siblings.iter().take(COMPARED).enumerate() {
            let similarity = match kind {
                NodeKind::Peer => addresses(token, sibling),
                NodeKind::Port => ports(token, sibling),
                NodeKind::File | NodeKind::Directory | NodeKind::Unix => names(token, sibling),
                _ => words(token, sibling),
            };
            if best.as_ref().is_none_or(|b| similarity > b.similarity) {
                best = Some(Match { index, similarity });
            }
        }
        best
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

/// Shared leading bits, 16 of 32 being 0.5.
fn addresses(a: &str, b: &str) -> f64 {
    match (a.parse(), b.parse()) {
        (Ok(a), Ok(b)) => {
            let bits = if matches!(a, std::net::IpAddr::V4(_)) { 32.0 } else { 128.0 };
            f64::from(peer::shared_prefix(a, b)) / bits
        }
        _ => f64::from(u8::from(a == b || b == "*")),
    }
}

fn ports(a: &str, b: &str) -> f64 {
    f64::from(u8::from(a == b || b == "*"))
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
    let length = symbols(part).len();
    before.len() >= 3
        && (4..=12).contains(&length)
        && part.chars().all(|c| c.is_ascii_alphanumeric() || "_<>".contains(c))
        && !part.bytes().all(|b| b.is_ascii_lowercase())
}

/// File names: the same ending and a like stem.
fn names(a: &str, b: &str) -> f64 {
    if is_of_template(a, b) {
        return TEMPLATE;
    }
    let (stem_a, ending_a) = a.rsplit_once('.').unwrap_or((a, ""));
    let (stem_b, ending_b) = b.rsplit_once('.').unwrap_or((b, ""));
    let stems = words(stem_a, stem_b);
    if ending_a == ending_b && !ending_a.is_empty() {
        0.3 + 0.7 * stems
    } else {
        0.85 * words(a, b)
    }
}

/// One minus the edit distance over the longer length, where typed parts count as one character.
fn words(a: &str, b: &str) -> f64 {
    let a = symbols(a);
    let b = symbols(b);
    let longest = a.len().max(b.len());
    if longest == 0 {
        return 1.0;
    }
    1.0 - distance(&a, &b) as f64 / longest as f64
}

/// Longer words are compared by their beginnings: what fits into the bits of one number.
const SYMBOLS: usize = 48;

/// A word's characters, its typed parts as one each.
struct Symbols {
    all: [u32; SYMBOLS],
    length: usize,
}

impl std::ops::Deref for Symbols {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        self.all.get(..self.length).unwrap_or_default()
    }
}

fn symbols(text: &str) -> Symbols {
    let mut symbols = Symbols { all: [0; SYMBOLS], length: 0 };
    let mut rest = text;
    while let Some(character) = rest.chars().next()
        && let Some(place) = symbols.all.get_mut(symbols.length)
    {
        let token = (character == '<').then(|| rest.find('>').filter(|end| *end < 24)).flatten();
        if let Some(end) = token {
            // A code point no text has stands for each typed part.
            *place = 0x11_0000 + end as u32;
            rest = rest.get(end + 1..).unwrap_or_default();
        } else {
            *place = character as u32;
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        symbols.length += 1;
    }
    symbols
}

/// Levenshtein's distance, a column of its table in the bits of two numbers (Myers 1999, as Hyyrö
/// put it in 2003): 48 steps of a dozen operations where the table has 2 304 cells.
fn distance(a: &[u32], b: &[u32]) -> usize {
    if a.is_empty() {
        return b.len();
    }
    let mut ascii = [0u64; 128];
    for (bit, symbol) in a.iter().enumerate() {
        if let Some(mask) = ascii.get_mut(*symbol as usize) {
            *mask |= 1 << bit;
        }
    }
    let places = |symbol: u32| {
        ascii.get(symbol as usize).copied().unwrap_or_else(|| {
            let equal = a.iter().enumerate().filter(|(_, other)| **other == symbol);
            equal.fold(0, |mask, (bit, _)| mask | 1 << bit)
        })
    };
    let last = 1u64 << (a.len() - 1);
    let (mut more, mut less) = (!0u64, 0u64);
    let mut distance = a.len();
    for symbol in b {
        let equal = places(*symbol);
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
    distance
}

#[cfg(test)]
mod tests {
    use hanabi_profile::NodeKind;
    use proptest::prelude::*;

    use super::{SYMBOLS, SemanticMatcher, Structural, distance};

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

    proptest! {
        #[test]
        fn distances_are_those_of_the_table(
            a in proptest::collection::vec(prop_oneof![97u32..101, 0x11_0000u32..0x11_0003], 0..=SYMBOLS),
            b in proptest::collection::vec(prop_oneof![97u32..101, 0x11_0000u32..0x11_0003], 0..=SYMBOLS),
        ) {
            prop_assert_eq!(distance(&a, &b), by_table(&a, &b));
        }
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
