//! The files beside a followed one that rotation has made of it.

use std::cmp::Ordering;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How many of a file's first bytes tell it from others: the beginning of a Falco line with its
/// time in nanoseconds.
pub(super) const HEAD_BYTES: usize = 256;
/// With fewer bytes than this, equal beginnings are no evidence that two files are the same.
const HEAD_EVIDENCE: u64 = 64;

/// A file's device and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileKey {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileKey {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// What a stored position says of its file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) key: FileKey,
    pub(super) offset: u64,
    pub(super) head: u32,
}

impl Mark {
    /// True when `file` is as long as the position and begins with the same bytes.
    fn fits(&self, file: &File, metadata: &Metadata) -> bool {
        if metadata.len() < self.offset {
            return false;
        }
        let length = self.offset.min(HEAD_BYTES as u64) as usize;
        read_head(file, length)
            .is_ok_and(|head| head.len() == length && checksum(&head) == self.head)
    }
}

/// The first `length` bytes of a file, or fewer if it is shorter.
pub(super) fn read_head(file: &File, length: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(head.get_mut(read..).unwrap_or_default(), read as u64) {
            Ok(0) => break,
            Ok(bytes) => read += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(read);
    Ok(head)
}

pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The part of a rotated file's name that gives its age.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Suffix {
    /// `x.log.3`: the higher, the older.
    Number(u32),
    /// `x.log-20250131`, `x-2025-01-31T10.log`: the higher, the newer.
    Date(String),
}

impl Suffix {
    fn of(name: &OsStr, followed: &Path) -> Option<Self> {
        let name = name.to_str()?;
        let base = followed.file_name()?.to_str()?;
        let middle = name.strip_prefix(base).or_else(|| {
            let stem = followed.file_stem()?.to_str()?;
            let extension = followed.extension()?.to_str()?;
            name.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.')
        })?;
        let text = middle.strip_prefix(['.', '-', '_'])?;
        let dated = |c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ':' | 'T' | 'Z');
        if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(dated) {
            return None;
        }
        let number = text.parse().ok().filter(|_| text.len() < 6);
        Some(number.map_or_else(|| Self::Date(text.to_string()), Self::Number))
    }

    /// `None` for names of different kinds.
    fn age_order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Some(b.cmp(a)),
            (Self::Date(a), Self::Date(b)) => Some(a.cmp(b)),
            (Self::Number(_), Self::Date(_)) | (Self::Date(_), Self::Number(_)) => None,
        }
    }
}

struct Sibling {
    path: PathBuf,
    key: FileKey,
    modified: SystemTime,
    suffix: Option<Suffix>,
}

fn list(followed: &Path) -> Vec<Sibling> {
    let dir = match followed.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) | None => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let sibling = |entry: fs::DirEntry| {
        let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
        Some(Sibling {
            suffix: Suffix::of(&entry.file_name(), followed),
            path: entry.path(),
            key: FileKey::of(&metadata),
            modified: metadata.modified().ok()?,
        })
    };
    entries.flatten().filter_map(sibling).collect()
}

/// Times that a directory is read before a file counts as gone.
const LOOKS: usize = 3;

/// The file a stored position is in, wherever rotation has moved or copied it.
///
/// The same file under any name is best. A file with another number, but the same beginning and
/// not shorter, is what copying has left of it: the followed path itself (moved to another disk),
/// or a rotated name (copied, then cut to nothing).
pub(super) fn find(followed: &Path, mark: &Mark) -> Option<(PathBuf, File)> {
    // A file that is renamed while the directory is read can be missing under both names.
    (0..LOOKS).find_map(|_| look(followed, mark))
}

fn look(followed: &Path, mark: &Mark) -> Option<(PathBuf, File)> {
    let open = |path: &Path| {
        let file = File::open(path).ok()?;
        let metadata = file.metadata().ok()?;
        mark.fits(&file, &metadata).then_some((path.to_path_buf(), file))
    };
    let siblings = list(followed);
    // A followed symbolic link is not in the list, but leads to the file.
    let here = fs::metadata(followed).is_ok_and(|m| FileKey::of(&m) == mark.key);
    let same = if here {
        open(followed)
    } else {
        siblings.iter().find(|s| s.key == mark.key).and_then(|s| open(&s.path))
    };
    if same.is_some() || mark.offset < HEAD_EVIDENCE {
        return same;
    }
    open(followed)
        .or_else(|| siblings.iter().filter(|s| s.suffix.is_some()).find_map(|s| open(&s.path)))
}

/// The rotated file that came right after `finished`, if it is not the followed path itself.
///
/// Ages are told by the names where they are of one kind, and by the time of the last change
/// otherwise. `done` are files already read, which a coarse clock could bring back.
pub(super) fn successor(
    followed: &Path,
    finished: &Metadata,
    current: Option<FileKey>,
    done: &[FileKey],
) -> Option<(PathBuf, FileKey)> {
    let finished_key = FileKey::of(finished);
    let finished_time = finished.modified().ok()?;
    let siblings = list(followed);
    let finished_suffix =
        siblings.iter().find(|s| s.key == finished_key).and_then(|s| s.suffix.as_ref());
    let is_later = |sibling: &Sibling| {
        let Some(suffix) = &sibling.suffix else { return false };
        match finished_suffix.and_then(|finished| suffix.age_order(finished)) {
            Some(order) => order == Ordering::Greater && sibling.modified >= finished_time,
            None => sibling.modified > finished_time,
        }
    };
    let by_age = |a: &Sibling, b: &Sibling| {
        let by_name = a.suffix.as_ref().zip(b.suffix.as_ref());
        by_name.and_then(|(a, b)| a.age_order(b)).unwrap_or_else(|| a.modified.cmp(&b.modified))
    };
    siblings
        .iter()
        .filter(|s| s.key != finished_key && Some(s.key) != current && !done.contains(&s.key))
        .filter(|s| is_later(s))
        .min_by(|a, b| by_age(a, b))
        .map(|s| (s.path.clone(), s.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_are_known() {
        let followed = Path::new("/logs/x.log");
        let number = |n| Some(Suffix::Number(n));
        let date = |text: &str| Some(Suffix::Date(text.to_string()));
        for (name, suffix) in [
            ("x.log.1", number(1)),
            ("x.log.12", number(12)),
            ("x.log-20250131", date("20250131")),
            ("x.log.2025-01-31T10:00:00Z", date("2025-01-31T10:00:00Z")),
            ("x-2025-01-31T10-00-00.000.log", date("2025-01-31T10-00-00.000")),
            ("x.log", None),
            ("x.log.1.gz", None),
            ("x.log.offset", None),
            ("x.log.lock", None),
            ("y.log.1", None),
            ("x.logs.1", None),
        ] {
            assert_eq!(Suffix::of(OsStr::new(name), followed), suffix, "{name}");
        }
    }

    #[test]
    fn ages_are_told_within_one_kind_of_name() {
        let older = Suffix::Number(2).age_order(&Suffix::Number(1));
        assert_eq!(older, Some(Ordering::Less));
        let date = |text: &str| Suffix::Date(text.to_string());
        assert_eq!(date("20250131").age_order(&date("20250201")), Some(Ordering::Less));
        assert_eq!(date("20250131").age_order(&Suffix::Number(1)), None);
    }
}
