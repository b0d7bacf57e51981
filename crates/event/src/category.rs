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

    /// The branch of a catch-all rule, by its name in any case; `None` for every other rule.
    pub(crate) fn of_catch_all(rule: &[u8]) -> Option<Self> {
        let is = |name: &str| rule.eq_ignore_ascii_case(name.as_bytes());
        match rule.len() {
            3 if is("net") => Some(Self::Network),
            4 if is("file") => Some(Self::File),
            4 if is("proc") => Some(Self::Process),
            7 if is("process") => Some(Self::Process),
            7 if is("network") => Some(Self::Network),
            _ => None,
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
    /// Reads `fd.typechar`. Listening sockets have letters of their own in some versions.
    pub(crate) fn from_char(text: &[u8]) -> Self {
        match text {
            b"" => Self::None,
            b"f" => Self::File,
            b"d" => Self::Directory,
            b"4" | b"2" => Self::Ipv4,
            b"6" | b"3" => Self::Ipv6,
            b"u" => Self::Unix,
            b"n" => Self::Netlink,
            b"p" => Self::Pipe,
            _ => Self::Other,
        }
    }

    /// Reads `fd.type`.
    pub(crate) fn from_name(text: &[u8]) -> Self {
        match text {
            b"" => Self::None,
            b"file" => Self::File,
            b"directory" => Self::Directory,
            b"ipv4" => Self::Ipv4,
            b"ipv6" => Self::Ipv6,
            b"unix" => Self::Unix,
            b"netlink" => Self::Netlink,
            b"pipe" => Self::Pipe,
            _ => Self::Other,
        }
    }

    /// The letter of `fd.typechar`; `""` for no descriptor.
    pub(crate) fn as_char(self) -> &'static str {
        match self {
            Self::None => "",
            Self::File => "f",
            Self::Directory => "d",
            Self::Ipv4 => "4",
            Self::Ipv6 => "6",
            Self::Unix => "u",
            Self::Netlink => "n",
            Self::Pipe => "p",
            Self::Other => "o",
        }
    }

    /// True for sockets of any family.
    pub fn is_socket(self) -> bool {
        matches!(self, Self::Ipv4 | Self::Ipv6 | Self::Unix | Self::Netlink)
    }
}
