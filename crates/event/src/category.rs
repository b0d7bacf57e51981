//! The three branches of behaviour, and what a descriptor is.

use serde::{Deserialize, Serialize};

/// Which branch of the behaviour tree an event belongs to.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Processes: execve, clone, exit, credentials, namespaces.
    Process,
    /// Sockets.
    Network,
    /// Files and directories.
    File,
    /// None of the above; counted, never modelled.
    #[default]
    Unknown,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 4] = [Self::Process, Self::Network, Self::File, Self::Unknown];

    /// The lower-case word used in labels, JSON and parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Network => "network",
            Self::File => "file",
            Self::Unknown => "unknown",
        }
    }
}

/// What an event's file descriptor is, from Falco's `fd.typechar` (or `fd.type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FdKind {
    /// No descriptor, or an unknown one.
    #[default]
    None,
    /// `f`: a regular file.
    File,
    /// `d`: a directory.
    Directory,
    /// `4`: an IPv4 socket.
    Ipv4,
    /// `6`: an IPv6 socket.
    Ipv6,
    /// `u`: a unix socket.
    Unix,
    /// `n`: a netlink socket.
    Netlink,
    /// `p`: a pipe.
    Pipe,
    /// Anything else Falco names (`e` event, `s` signal, `i` inotify, `m` memfd, `o` other …).
    Other,
}

impl FdKind {
    /// True for sockets of any family.
    pub fn is_socket(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Unix | Self::Netlink)
    }
}
