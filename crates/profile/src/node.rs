//! One node of the tree, 64 bytes: what few nodes have lies in tables beside the arena.

use hanabi_event::EventTime;
use serde::{Deserialize, Serialize};

use crate::{access::Access, names::NameId};

/// A node of a [`crate::Tree`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct NodeId(pub(crate) u32);

/// What a node stands for. The path of an event below its program is a sequence of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum NodeKind {
    /// The root.
    Root,
    /// A program: name, executable and user.
    Program,
    /// A call that the program makes; one for each branch and call.
    Operation,
    /// Who started it.
    Parent,
    /// An argument it was started with.
    Argument,
    /// A directory.
    Directory,
    /// A file.
    File,
    /// `out`, `in`, `listen`.
    Direction,
    /// An address class.
    Class,
    /// A port.
    Port,
    /// An address.
    Peer,
    /// A unix socket's path.
    Unix,
    /// A socket's family and type.
    Socket,
}

impl NodeKind {
    /// A file can be used as a directory, and the other way round.
    pub(crate) fn other(self) -> Option<Self> {
        match self {
            Self::File => Some(Self::Directory),
            Self::Directory => Some(Self::File),
            _ => None,
        }
    }
}

/// How a node came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Seen while learning.
    #[default]
    Learned,
    /// Several siblings of one shape.
    Merged,
    /// Put in by an operator.
    Promoted,
    /// What a full tree, or a merge that was split again, could not tell apart any more.
    Rest,
}

pub(crate) const NONE: u32 = u32::MAX;

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) parent: NodeId,
    pub(crate) name: NameId,
    pub(crate) first_child: u32,
    pub(crate) next_sibling: u32,
    /// The first of its entries in the table of calls.
    pub(crate) first_call: u32,
    /// How many children it has.
    pub(crate) width: u32,
    /// The second of event time of the last one.
    pub(crate) last_slot: u32,
    /// In how many different seconds it was seen.
    pub slots: u32,
    /// Events that ended here.
    pub count: u64,
    /// First of them.
    pub first: EventTime,
    /// Last of them.
    pub last: EventTime,
    /// How its path was used, for files.
    pub access: Access,
    /// The set of revisions that have used it.
    pub(crate) revisions: u16,
    pub(crate) kind: NodeKind,
    pub(crate) origin: Origin,
    pub(crate) flags: Flags,
}

bitflags::bitflags! {
    /// What is true of a node beside its counters.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Flags: u8 {
        /// A child's name is a pattern, which a plain look-up does not find.
        const PATTERNS = 1;
        /// It is no longer in the tree, and its place may be used again.
        const DEAD = 1 << 1;
        /// It has more children than fit, and is to be looked at when the window ends.
        const CROWDED = 1 << 2;
        /// An operator has split what its children were merged into: they stay apart.
        const APART = 1 << 3;
    }
}

impl Node {
    pub(crate) fn new(parent: NodeId, kind: NodeKind, name: NameId) -> Self {
        Self {
            parent,
            name,
            first_child: NONE,
            next_sibling: NONE,
            first_call: NONE,
            width: 0,
            last_slot: NONE,
            slots: 0,
            count: 0,
            first: 0,
            last: 0,
            access: Access::empty(),
            revisions: 0,
            kind,
            origin: Origin::Learned,
            flags: Flags::empty(),
        }
    }

    /// What it stands for.
    pub fn kind(&self) -> NodeKind {
        self.kind
    }

    /// How it came to be.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Its parent; the root is its own.
    pub fn parent(&self) -> NodeId {
        self.parent
    }

    pub(crate) fn is(&self, flag: Flags) -> bool {
        self.flags.contains(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::Node;

    #[test]
    fn a_node_is_one_cache_line() {
        assert_eq!(size_of::<Node>(), 64);
    }
}
