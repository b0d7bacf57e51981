//! Shapes: what siblings have in common, from the most particular to the least.

use std::collections::BTreeMap;

use crate::node::{NodeId, NodeKind};

/// A merge needs at least this many members: fewer are a list, not a shape.
pub(crate) const MEMBERS: usize = 8;

/// What of a name is kept. In this order: `page_*.html` tells more than `*.html`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The beginning and the ending: `page_*.html`.
    Both,
    /// The beginning: `user-*`, `--tenant=*`, `10.0.3.*`.
    Beginning,
    /// The ending: `*.log`, `*.so.<version>`.
    Ending,
}

impl Shape {
    /// All of them, the most particular first.
    pub(crate) const ALL: [Self; 3] = [Self::Both, Self::Beginning, Self::Ending];

    /// The pattern of a name, and the part of it that the pattern leaves open.
    pub(crate) fn pattern(self, kind: NodeKind, name: &str) -> Option<(String, &str)> {
        let (before, after) = match self {
            Self::Both => (beginning(kind, name)?, ending(kind, name)?),
            Self::Beginning => (beginning(kind, name)?, ""),
            Self::Ending => ("", ending(kind, name)?),
        };
        let open = name.get(before.len()..name.len().checked_sub(after.len())?)?;
        (!open.is_empty() && !name.contains('*')).then(|| (format!("{before}*{after}"), open))
    }
}

/// The beginning up to the first sign that parts a name, where it says something.
fn beginning(kind: NodeKind, name: &str) -> Option<&str> {
    let end = match kind {
        NodeKind::Peer => name.rfind(['.', ':'])?,
        NodeKind::Argument if name.starts_with('-') => name.find('=')?,
        NodeKind::File | NodeKind::Directory | NodeKind::Argument => {
            name.find(['-', '_', '.', '=', ':', '@', '+', ','])?
        }
        _ => return None,
    };
    let before = name.get(..=end)?;
    let said = before.bytes().filter(u8::is_ascii_alphanumeric).count();
    (said >= 2).then_some(before)
}

/// The ending behind the last dot, with the typed parts behind it: `.log`, `.log.<num>`.
fn ending(kind: NodeKind, name: &str) -> Option<&str> {
    if !matches!(kind, NodeKind::File | NodeKind::Unix) {
        return None;
    }
    let mut start = name.len();
    loop {
        let dot = name.get(..start)?.rfind('.')?;
        let part = name.get(dot + 1..start)?;
        start = dot;
        if !(part.starts_with('<') && part.ends_with('>')) {
            let plain = !part.is_empty() && part.len() <= 12 && !part.contains(['*', '<']);
            return (plain && start > 0).then(|| name.get(start..))?;
        }
    }
}

/// Groups of at least [`MEMBERS`] of one shape, by pattern. Where `typed` is asked for, what a
/// pattern leaves open holds a typed part in every member: names that people chose stay apart.
pub(crate) fn groups(
    shape: Shape,
    kind: NodeKind,
    members: &[(String, NodeId)],
    typed: bool,
) -> Vec<(String, Vec<NodeId>)> {
    let mut groups = BTreeMap::<String, Vec<NodeId>>::new();
    for (name, id) in members {
        if let Some((pattern, open)) = shape.pattern(kind, name)
            && (!typed || open.contains('<'))
        {
            groups.entry(pattern).or_default().push(*id);
        }
    }
    groups.into_iter().filter(|(_, group)| group.len() >= MEMBERS).collect()
}

#[cfg(test)]
mod tests {
    use super::{MEMBERS, Shape, groups};
    use crate::node::{NodeId, NodeKind};

    #[test]
    fn names_have_shapes() {
        let pattern =
            |shape: Shape, kind, name| shape.pattern(kind, name).map(|(pattern, _)| pattern);
        for (kind, name, expected) in [
            (NodeKind::File, "page_home.html", ["page_*.html", "page_*", "*.html"]),
            (NodeKind::File, "user-alice", ["", "user-*", ""]),
            (NodeKind::File, "libc.so.<version>", ["", "libc.*", "*.so.<version>"]),
            (NodeKind::File, "app.log.<num>", ["", "app.*", "*.log.<num>"]),
            (NodeKind::File, ".bashrc", ["", "", ""]),
            (NodeKind::File, "a.b", ["", "", "*.b"]),
            (NodeKind::Directory, "job.d", ["", "job.*", ""]),
            (NodeKind::Argument, "--tenant=acme", ["", "--tenant=*", ""]),
            (NodeKind::Argument, "--all", ["", "", ""]),
            (NodeKind::Peer, "10.0.3.7", ["", "10.0.3.*", ""]),
            (NodeKind::Port, "80", ["", "", ""]),
        ] {
            for (shape, expected) in Shape::ALL.into_iter().zip(expected) {
                let found = pattern(shape, kind, name).unwrap_or_default();
                assert_eq!(found, expected, "{name} {shape:?}");
            }
        }
    }

    #[test]
    fn a_group_has_enough_members_and_typed_ones_near_the_root() {
        let name = |n: usize| {
            if n.is_multiple_of(2) {
                format!("app-{n}x.conf")
            } else {
                format!("app-<num>{n}.conf")
            }
        };
        let members: Vec<_> = (0..2 * MEMBERS).map(|n| (name(n), NodeId(n as u32))).collect();
        let sizes = |typed, count: usize| -> Vec<usize> {
            let members = &members[..count];
            groups(Shape::Both, NodeKind::File, members, typed).iter().map(|g| g.1.len()).collect()
        };
        assert_eq!(sizes(false, 2 * MEMBERS), [2 * MEMBERS]);
        assert_eq!(sizes(true, 2 * MEMBERS), [MEMBERS]);
        assert_eq!(sizes(false, MEMBERS - 1), [0; 0]);
    }
}
