//! How wide and how large a tree may grow.

use crate::node::NodeKind;

/// How wide and how large a tree may grow, and what is generalised in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Nodes of a profile. Past it the tree coarsens and never stops counting.
    pub max_nodes: usize,
    /// File names in a directory before those of one shape merge.
    pub files: u32,
    /// Directories in a directory, two levels down or deeper.
    pub directories: u32,
    /// Arguments of a program.
    pub arguments: u32,
    /// Ports of one class of address.
    pub ports: u32,
    /// Addresses of one port.
    pub peers: u32,
    /// Files, and directories, of the directories below a path, in place of the general limits. The
    /// longest path that holds a directory counts.
    pub paths: Vec<(String, u32)>,
    /// Switches merging off, for measurement.
    pub merge: bool,
    /// Switches lexical generalisation off, for measurement: names keep their numbers.
    pub lexical: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_nodes: 50_000,
            files: 24,
            directories: 24,
            arguments: 48,
            ports: 24,
            peers: 16,
            paths: Vec::new(),
            merge: true,
            lexical: true,
        }
    }
}

impl Limits {
    /// The number of siblings of a kind above which they are looked at, below no path in
    /// particular.
    pub fn width(&self, kind: NodeKind) -> u32 {
        match kind {
            NodeKind::File | NodeKind::Unix => self.files,
            NodeKind::Directory => self.directories,
            NodeKind::Argument => self.arguments,
            NodeKind::Port => self.ports,
            NodeKind::Peer => self.peers,
            _ => 4_096,
        }
    }

    /// The same below a directory. Linear in the configured paths.
    pub fn width_at(&self, kind: NodeKind, directory: &str) -> u32 {
        let below = |path: &str| {
            let path = path.trim_end_matches('/');
            directory
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let place = matches!(kind, NodeKind::File | NodeKind::Directory);
        let paths = self.paths.iter().filter(|(path, _)| place && below(path));
        paths.max_by_key(|(path, _)| path.len()).map_or(self.width(kind), |(_, width)| *width)
    }

    /// The least that [`Limits::width_at`] can be for a kind: fewer siblings are never looked at.
    pub(crate) fn least(&self, kind: NodeKind) -> u32 {
        let place = matches!(kind, NodeKind::File | NodeKind::Directory);
        let paths = self.paths.iter().filter(|_| place).map(|(_, width)| *width);
        paths.fold(self.width(kind), u32::min)
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use crate::node::NodeKind;

    #[test]
    fn the_longest_path_counts() {
        let paths = vec![("/var".into(), 100), ("/var/lib/".into(), 8), ("/".into(), 50)];
        let limits = Limits { paths, ..Limits::default() };
        for (directory, width) in
            [("/var/lib/x", 8), ("/var/lib", 8), ("/var/libexec", 100), ("/srv", 50)]
        {
            assert_eq!(limits.width_at(NodeKind::File, directory), width, "{directory}");
        }
        assert_eq!(limits.width_at(NodeKind::Peer, "/var/lib"), 16);
        assert_eq!((limits.least(NodeKind::File), limits.least(NodeKind::Port)), (8, 24));
    }
}
