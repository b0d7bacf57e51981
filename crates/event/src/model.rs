//! One event, lent out of its block.

use crate::{Category, Direction, EventTime, FdKind, Priority};

/// One runtime observation in Falco's fields. Strings live as long as the block; `""` is absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// When it happened (`evt.time`, `evt.time.iso8601`, else `time`).
    pub time: EventTime,
    /// Falco's running number, `evt.num`; stock rules often leave it out.
    pub number: Option<u64>,
    /// The host that saw it.
    pub host: &'a str,
    /// The Falco rule that printed it.
    pub rule: &'a str,
    /// That rule's priority.
    pub priority: Priority,
    /// Falco's event source: `syscall`, `internal`, a plugin's name.
    pub source: &'a str,
    /// The rule's tags as the JSON array Falco printed (`["T1059","shell"]`), or `""`.
    pub tags: &'a str,
    /// True when `rule` is one of the catch-all rules by which Falco prints every call.
    pub catch_all: bool,
    /// The branch it belongs to.
    pub category: Category,
    /// The call, `evt.type`.
    pub call: &'a str,
    /// Start or end of the call.
    pub direction: Direction,
    /// What the call returned (`res=`, `fd=` of opening calls, `evt.res`), where the line says so.
    pub result: Option<i64>,
    /// `evt.args` without environment and payload.
    pub args: Args<'a>,
    /// Whose event it is.
    pub container: Container<'a>,
    /// Who did it.
    pub process: Process<'a>,
    /// The descriptor it was done to.
    pub fd: Fd<'a>,
    /// As whom.
    pub user: User<'a>,
}

/// The container of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Container<'a> {
    /// The short id (12 hex digits), `host`, or `""`.
    pub id: &'a str,
    /// Its name; absent in a container's first moments.
    pub name: &'a str,
    /// `container.image.repository`.
    pub repository: &'a str,
    /// `container.image.tag`.
    pub tag: &'a str,
    /// `k8s.ns.name`.
    pub namespace: &'a str,
    /// `k8s.pod.name`.
    pub pod: &'a str,
}

/// The process of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process<'a> {
    /// `proc.name`, at most 15 bytes from the kernel.
    pub name: &'a str,
    /// `proc.exepath`; can be stale after a lost execve.
    pub executable: &'a str,
    /// `proc.cmdline`: name and arguments joined by blanks.
    pub command_line: &'a str,
    /// `proc.args`: the arguments alone.
    pub arguments: &'a str,
    /// `proc.pname`.
    pub parent: &'a str,
    /// `proc.aname[2]`, where present.
    pub grandparent: &'a str,
    /// `proc.pid`, host namespace.
    pub pid: Option<i64>,
    /// `proc.ppid`.
    pub parent_pid: Option<i64>,
    /// `proc.tty`, or `tty=` of an execve; 0 is none.
    pub tty: Option<i64>,
}

/// The file descriptor of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fd<'a> {
    /// `fd.name`: a path, a connection tuple, a socket name.
    pub name: &'a str,
    /// What it is.
    pub kind: FdKind,
    /// `fd.num`.
    pub number: Option<i64>,
}

/// The user of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct User<'a> {
    /// `user.name`; `""` when the lookup failed.
    pub name: &'a str,
    /// `user.uid`.
    pub uid: Option<i64>,
}

/// `evt.args` in two parts, around what was cut out for privacy (`env=…` or `data=…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Args<'a> {
    /// The part before the cut, or all of it.
    pub head: &'a str,
    /// The part after the cut.
    pub tail: &'a str,
}

impl<'a> Args<'a> {
    /// The value of `key`: up to the next ` word=`, or to the end. Cost is linear in the text.
    ///
    /// Falco joins arguments with blanks and escapes nothing, so a value written by an attacker can
    /// imitate a later key; the first occurrence of a key wins, which is the kernel's own order.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        find_value(self.head, key).or_else(|| find_value(self.tail, key))
    }

    /// True when there are no arguments at all.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty() && self.tail.is_empty()
    }
}

fn find_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(key) {
        let start = from + found;
        let end = start + key.len();
        let at_word = start == 0 || bytes.get(start - 1) == Some(&b' ');
        if at_word && bytes.get(end) == Some(&b'=') {
            let value = text.get(end + 1..)?;
            return Some(value.get(..value_length(value)).unwrap_or(value));
        }
        from = end;
    }
    None
}

/// Length of a value: it ends before a blank that is followed by `word=`.
fn value_length(value: &str) -> usize {
    let bytes = value.as_bytes();
    for blank in memchr::memchr_iter(b' ', bytes) {
        let rest = bytes.get(blank + 1..).unwrap_or_default();
        let word = rest.iter().take_while(|b| b.is_ascii_lowercase() || **b == b'_').count();
        if word > 0 && rest.get(word) == Some(&b'=') {
            return blank;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::Args;

    #[test]
    fn args_are_found_by_key() {
        let args = Args {
            head: "fd=3(<f>/tmp/a b) dirfd=-100(AT_FDCWD) name=/tmp/a b flags=65(O_RDONLY)",
            tail: "tty=34816 pgid=5",
        };
        assert_eq!(args.get("name"), Some("/tmp/a b"));
        assert_eq!(args.get("fd"), Some("3(<f>/tmp/a b)"));
        assert_eq!(args.get("flags"), Some("65(O_RDONLY)"));
        assert_eq!(args.get("tty"), Some("34816"));
        assert_eq!(args.get("ame"), None);
        assert_eq!(Args::default().get("name"), None);
    }
}
