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

/// Longer words are compared by their beginnings.
const SYMBOLS: usize = 48;

fn symbols(text: &str) -> Vec<u32> {
    let mut symbols = Vec::with_capacity(text.len().min(SYMBOLS));
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if symbols.len() >= SYMBOLS {
            break;
        }
        let token = (character == '<').then(|| rest.find('>').filter(|end| *end < 24)).flatten();
        if let Some(end) = token {
            // A code point no text has stands for each typed part.
            symbols.push(0x11_0000 + end as u32);
            rest = rest.get(end + 1..).unwrap_or_default();
        } else {
            symbols.push(character as u32);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    symbols
}

/// Levenshtein's distance by one row (Wagner–Fischer).
fn distance(a: &[u32], b: &[u32]) -> usize {
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

#[cfg(test)]
mod tests {
    use hanabi_profile::NodeKind;

    use super::{SemanticMatcher, Structural};

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
