//! What is known of each call by its name: the branch it belongs to, how the start and the end of
//! it look in `evt.args`, and whether its arguments carry data that must not be kept.

mod table;

use self::table::CALLS;

/// The branch of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Branch {
    Process,
    Network,
    File,
    /// Whatever the descriptor is decides.
    Descriptor,
    /// Memory, time, scheduling, waiting: nothing that is modelled.
    Unknown,
}

/// What `evt.args` of the end of a call begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// `res=`
    Result,
    /// `fd=`, the descriptor that was opened.
    Descriptor,
    /// Anything: there is only one line for it, or both lines have no arguments.
    Always,
}

/// What of a call's arguments is private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    None,
    /// `env=`, the environment.
    Environment,
    /// `data=`, what was read or written.
    Data,
    /// `"env":[…]` in a container's description.
    Description,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) branch: Branch,
    pub(crate) start: Start,
    pub(crate) payload: Payload,
}

/// The row of names that no kernel and no Falco has.
pub(crate) const UNKNOWN: Call =
    Call { name: "", branch: Branch::Unknown, start: Start::Result, payload: Payload::None };

/// Four times the number of rows: most names are found at the first look.
const SLOTS: usize = 2048;
const EMPTY: u16 = u16::MAX;
const INDEX: [u16; SLOTS] = index();

/// Finds a call by its name; [`UNKNOWN`] for any other text. A few nanoseconds.
pub(crate) fn find(name: &[u8]) -> &'static Call {
    let mut slot = hash(name) % SLOTS;
    loop {
        match INDEX[slot] {
            EMPTY => return &UNKNOWN,
            row => {
                let call = &CALLS[row as usize];
                if call.name.as_bytes() == name {
                    return call;
                }
            }
        }
        slot = (slot + 1) % SLOTS;
    }
}

/// Open addressing over the rows, built by the compiler.
const fn index() -> [u16; SLOTS] {
    let mut index = [EMPTY; SLOTS];
    let mut row = 0;
    while row < CALLS.len() {
        let mut slot = hash(CALLS[row].name.as_bytes()) % SLOTS;
        while index[slot] != EMPTY {
            slot = (slot + 1) % SLOTS;
        }
        index[slot] = row as u16;
        row += 1;
    }
    index
}

/// Mixes the length, the first eight and the last eight bytes, in which all the names differ.
const fn hash(name: &[u8]) -> usize {
    let (head, tail) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(head), Some(tail)) => (u64::from_le_bytes(*head), u64::from_le_bytes(*tail)),
        _ => (short(name), 0),
    };
    let mixed =
        (head ^ tail.rotate_left(29) ^ name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 48) as usize
}

/// The bytes of a name shorter than eight, as a number.
const fn short(name: &[u8]) -> u64 {
    let mut word = 0;
    let mut at = 0;
    while at < name.len() {
        word = word << 8 | name[at] as u64;
        at += 1;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::{Branch, CALLS, Start, find, hash};

    #[test]
    fn table_is_sorted_and_unique() {
        for pair in CALLS.windows(2) {
            assert!(pair[0].name < pair[1].name, "{} before {}", pair[0].name, pair[1].name);
        }
    }

    #[test]
    fn every_name_is_found() {
        for call in &CALLS {
            assert_eq!(find(call.name.as_bytes()).name, call.name);
        }
        for other in ["", "opena", "openatt", "OPEN", "\u{fc}", "a_name_longer_than_any_call_has"] {
            assert_eq!(find(other.as_bytes()).name, "", "{other}");
        }
    }

    #[test]
    fn few_names_share_a_slot() {
        let mut slots: Vec<usize> =
            CALLS.iter().map(|c| hash(c.name.as_bytes()) % super::SLOTS).collect();
        slots.sort_unstable();
        slots.dedup();
        assert!(slots.len() * 10 > CALLS.len() * 8, "{} of {}", slots.len(), CALLS.len());
    }

    #[test]
    fn branches_and_starts() {
        for (name, branch, start) in [
            ("execve", Branch::Process, Start::Result),
            ("container", Branch::Process, Start::Always),
            ("openat2", Branch::File, Start::Descriptor),
            ("close", Branch::Descriptor, Start::Result),
            ("accept4", Branch::Network, Start::Descriptor),
            ("getpeername", Branch::Network, Start::Always),
            ("mmap", Branch::Unknown, Start::Result),
        ] {
            let call = find(name.as_bytes());
            assert_eq!((call.branch, call.start), (branch, start), "{name}");
        }
    }
}
