//! What a call does to a file, by its name and flags.

use hanabi_event::{Event, FdKind};
use serde::{Deserialize, Serialize};

bitflags::bitflags! {
    /// Ways in which a path was used.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub struct Access: u16 {
        /// Opened for reading, or read.
        const READ = 1;
        /// Opened for writing, or written.
        const WRITE = 1 << 1;
        /// Made: a file, a directory, a link, a device.
        const CREATE = 1 << 2;
        /// Removed.
        const DELETE = 1 << 3;
        /// Renamed away, or a name taken by a rename.
        const RENAME = 1 << 4;
        /// Mode, owner, times or attributes changed.
        const CHANGE = 1 << 5;
        /// Listed, or entered, as a directory.
        const LIST = 1 << 6;
        /// Looked at: stat, access, readlink.
        const STAT = 1 << 7;
        /// Run.
        const EXECUTE = 1 << 8;
        /// Asked for and not there.
        const PROBE = 1 << 9;
        /// Mounted, or mounted on.
        const MOUNT = 1 << 10;
        /// Refused: EACCES or EPERM.
        const REFUSED = 1 << 11;
        /// Given the execute bit, or set-user-id.
        const CHANGE_EXECUTE = 1 << 12;
        /// Cut to nothing.
        const TRUNCATE = 1 << 13;
    }
}

impl Access {
    /// Everything that leaves a trace on the file system.
    pub const ALTERING: Self = Self::WRITE
        .union(Self::CREATE)
        .union(Self::DELETE)
        .union(Self::RENAME)
        .union(Self::CHANGE)
        .union(Self::MOUNT)
        .union(Self::CHANGE_EXECUTE)
        .union(Self::TRUNCATE);

    /// The lower-case words, for people and rules.
    pub fn words(self) -> Vec<&'static str> {
        const WORDS: [(Access, &str); 14] = [
            (Access::READ, "read"),
            (Access::WRITE, "write"),
            (Access::CREATE, "create"),
            (Access::DELETE, "delete"),
            (Access::RENAME, "rename"),
            (Access::CHANGE, "change"),
            (Access::LIST, "list"),
            (Access::STAT, "stat"),
            (Access::EXECUTE, "execute"),
            (Access::PROBE, "probe"),
            (Access::MOUNT, "mount"),
            (Access::REFUSED, "refused"),
            (Access::CHANGE_EXECUTE, "chmod_exec"),
            (Access::TRUNCATE, "truncate"),
        ];
        WORDS.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, word)| *word).collect()
    }

    /// The access with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        (0..14).map(|bit| Self::from_bits_truncate(1 << bit)).find(|a| a.words() == [word])
    }
}

const ENOENT: i64 = -2;
const EACCES: i64 = -13;
const EPERM: i64 = -1;
const ENOTDIR: i64 = -20;

/// What an event of the file branch does; empty for calls that only follow an open (`close`,
/// `lseek`, `fcntl`, `mmap` …).
pub fn of_file_event(event: &Event<'_>) -> Access {
    let access = by_call(event);
    match event.result {
        Some(ENOENT | ENOTDIR) => Access::PROBE,
        Some(EACCES | EPERM) => access | Access::REFUSED,
        Some(result) if result < 0 => access & Access::STAT,
        _ => access,
    }
}

fn by_call(event: &Event<'_>) -> Access {
    match event.call {
        "open" | "openat" | "openat2" | "open_by_handle_at" => opened(event),
        "creat" => Access::CREATE | Access::WRITE | Access::TRUNCATE,
        "read" | "pread" | "pread64" | "readv" | "preadv" | "preadv2" => Access::READ,
        "write" | "pwrite" | "pwrite64" | "writev" | "pwritev" | "pwritev2" | "copy_file_range"
        | "sendfile" | "splice" | "fallocate" => Access::WRITE,
        "truncate" | "ftruncate" => Access::WRITE | Access::TRUNCATE,
        "unlink" | "unlinkat" | "rmdir" => Access::DELETE,
        "rename" | "renameat" | "renameat2" => Access::RENAME,
        "mkdir" | "mkdirat" | "mknod" | "mknodat" | "symlink" | "symlinkat" | "link" | "linkat" => {
            Access::CREATE
        }
        "chmod" | "fchmod" | "fchmodat" | "fchmodat2" => changed_mode(event),
        "chown" | "fchown" | "lchown" | "fchownat" | "utime" | "utimes" | "futimesat"
        | "utimensat" | "setxattr" | "lsetxattr" | "fsetxattr" | "removexattr" | "lremovexattr"
        | "fremovexattr" => Access::CHANGE,
        "getdents" | "getdents64" | "chdir" | "fchdir" | "chroot" | "pivot_root" => Access::LIST,
        "stat" | "lstat" | "newfstatat" | "fstatat" | "fstatat64" | "statx" | "access"
        | "faccessat" | "faccessat2" | "readlink" | "readlinkat" | "statfs" | "getxattr"
        | "lgetxattr" | "listxattr" => Access::STAT,
        "mount" | "umount" | "umount2" | "move_mount" | "fsmount" | "open_tree" => Access::MOUNT,
        _ => Access::empty(),
    }
}

/// Falco prints the flags both as a number of its own and by name: `4097(O_RDONLY|O_CLOEXEC)`.
fn opened(event: &Event<'_>) -> Access {
    let Some(flags) = event.args.get("flags") else {
        return Access::READ;
    };
    let mut access = Access::empty();
    if event.fd.kind == FdKind::Directory {
        return Access::LIST;
    }
    if flags.contains("O_DIRECTORY") && !flags.contains("O_TMPFILE") {
        return Access::LIST;
    }
    if flags.contains("O_RDWR") || flags.contains("O_WRONLY") {
        access |= Access::WRITE;
    }
    if !flags.contains("O_WRONLY") {
        access |= Access::READ;
    }
    if flags.contains("O_F_CREATED") || (flags.contains("O_CREAT") && flags.contains("O_EXCL")) {
        access |= Access::CREATE;
    }
    // A file that this very call has made had nothing to be cut.
    if flags.contains("O_TRUNC") && !flags.contains("O_F_CREATED") {
        access |= Access::TRUNCATE;
    }
    access
}

fn changed_mode(event: &Event<'_>) -> Access {
    let mode = event.args.get("mode").unwrap_or_default();
    // A server marks its files by single bits for others (gunicorn its heartbeat); what is to be
    // run has the owner's.
    if mode.contains("S_IXUSR") || mode.contains("S_ISUID") {
        Access::CHANGE | Access::CHANGE_EXECUTE
    } else {
        Access::CHANGE
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::{Args, Event};

    use super::{Access, of_file_event};

    fn access(call: &str, args: &str, result: Option<i64>) -> String {
        let args = Args { head: args, tail: "" };
        of_file_event(&Event { call, args, result, ..Event::default() }).words().join(" ")
    }

    #[test]
    fn calls_tell_what_they_do() {
        for (call, args, result, expected) in [
            ("openat", "fd=3 name=/x flags=4097(O_RDONLY|O_CLOEXEC) mode=0", Some(3), "read"),
            (
                "openat",
                "fd=3 name=/x flags=262(O_TRUNC|O_CREAT|O_WRONLY)",
                Some(3),
                "write truncate",
            ),
            (
                "openat",
                "fd=3 name=/x flags=262(O_TRUNC|O_CREAT|O_WRONLY|O_F_CREATED)",
                Some(3),
                "write create",
            ),
            ("openat", "fd=3 name=/x flags=32775(O_CREAT|O_RDWR)", Some(3), "read write"),
            (
                "openat",
                "fd=3 name=/x flags=49190(O_EXCL|O_CREAT|O_WRONLY|O_F_CREATED)",
                Some(3),
                "write create",
            ),
            ("openat", "fd=3 name=/ flags=1(O_DIRECTORY|O_RDONLY)", Some(3), "list"),
            ("openat", "fd=-2(ENOENT) name=/x flags=1(O_RDONLY)", Some(-2), "probe"),
            ("openat", "fd=-13(EACCES) name=/x flags=1(O_RDONLY)", Some(-13), "read refused"),
            (
                "fchmodat",
                "res=0 filename=/x mode=0755(S_IXOTH|S_IXUSR)",
                Some(0),
                "change chmod_exec",
            ),
            ("unlinkat", "res=0 name=/x flags=0", Some(0), "delete"),
            ("close", "res=0", Some(0), ""),
        ] {
            assert_eq!(access(call, args, result), expected, "{call} {args}");
        }
    }

    #[test]
    fn words_and_flags_agree() {
        for flag in Access::all().iter() {
            assert_eq!(Access::from_word(flag.words()[0]), Some(flag));
        }
    }
}
