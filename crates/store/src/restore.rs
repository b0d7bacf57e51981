//! Restoring a backup: all of it is read and verified beside the place it goes to, then put there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::StoreError;
use crate::backup::{self, FileEntry, Hashing, MANIFEST_FILE, Manifest, copy_to, sync_tree};
use crate::directory::{self, Directory, FORMAT_FILE, LOCK_FILE, UNFINISHED, sync_parent};

/// What a directory is called that was moved aside, with a number behind it.
pub(crate) const ASIDE: &str = "before-restore-";
/// Where a backup is unpacked in a directory that cannot be replaced as a whole.
const STAGE: &str = "restore.tmp";
/// The largest manifest that is read: a million files.
const MAX_MANIFEST: u64 = 256 << 20;
/// The first bytes of a zstd frame.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// The backup's manifest.
    pub manifest: Manifest,
    /// Where what was there before is now.
    pub moved_aside: Option<PathBuf>,
}

/// Puts a backup in place of a data directory that is absent or empty; with `force`, moves what is
/// there aside. Nothing of the directory changes before every checksum of the backup was verified.
pub fn restore(from: &Path, dir: &Path, force: bool) -> Result<Restoration, StoreError> {
    let mut place = Place::of(dir, force)?;
    let stage = place.stage()?;
    let done = unpack(from, &stage).and_then(|manifest| {
        sync_tree(&stage)?;
        let moved_aside = place.put(&stage)?;
        Ok(Restoration { manifest, moved_aside })
    });
    done.map_err(|error| {
        discard(&stage);
        backup::no_room(error, dir, size_of(from))
    })
}

/// About how much room a backup takes when it is unpacked.
fn size_of(backup: &Path) -> u64 {
    let manifest = fs::read(backup.join(MANIFEST_FILE)).map_err(drop);
    let manifest = manifest.and_then(|text| Manifest::parse(&text, backup).map_err(drop));
    manifest.map_or_else(
        |()| fs::metadata(backup).map_or(0, |found| found.len()),
        |manifest| manifest.bytes,
    )
}

/// Takes away what was begun; what cannot be taken away only takes room.
pub(crate) fn discard(path: &Path) {
    let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "could not be removed");
        }
        _ => {}
    }
}

/// Where a backup goes to.
struct Place {
    dir: PathBuf,
    /// Names of what is there.
    there: Vec<PathBuf>,
    /// The directory is a mount, or its parent refuses: its content is exchanged, not itself.
    inside: bool,
    /// Nobody may start in it meanwhile.
    _held: Option<Directory>,
}

impl Place {
    fn of(dir: &Path, force: bool) -> Result<Self, StoreError> {
        let found = match fs::metadata(dir) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let parent = parent_of(dir);
                directory::create(&parent)?;
                return Ok(Self { dir: dir.into(), there: Vec::new(), inside: false, _held: None });
            }
            found => found.map_err(|source| StoreError::io("read", dir, source))?,
        };
        let refused =
            |detail, remedy| Err(StoreError::Place { path: dir.to_path_buf(), detail, remedy });
        if !found.is_dir() {
            return refused("it is a file", "name a directory");
        }
        let dir = dir.canonicalize().map_err(|source| StoreError::io("read", dir, source))?;
        let there = entries(&dir)?;
        let held = dir.join(LOCK_FILE).exists().then(|| Directory::lock(&dir)).transpose()?;
        if !there.is_empty() && !force {
            return refused(
                "it is not empty",
                "choose an empty directory, or use --force, which moves what is there aside",
            );
        }
        let parent = fs::metadata(parent_of(&dir));
        let inside = parent.is_ok_and(|parent| parent.dev() != found.dev());
        Ok(Self { dir, there, inside, _held: held })
    }

    /// Makes the directory that the backup is unpacked into.
    fn stage(&mut self) -> Result<PathBuf, StoreError> {
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        let beside = parent_of(&self.dir).join(format!(".{name}.{}.tmp", std::process::id()));
        let inside = self.dir.join(STAGE);
        if !self.inside {
            discard(&beside);
            match directory::create(&beside) {
                // A user who owns the directory need not own what it lies in.
                Err(StoreError::ReadOnly { .. }) if self.dir.exists() => self.inside = true,
                made => return made.map(|()| beside),
            }
        }
        discard(&inside);
        directory::create(&inside)?;
        Ok(inside)
    }

    /// Lets the unpacked backup take the place; answers where what was there is now.
    fn put(&self, stage: &Path) -> Result<Option<PathBuf>, StoreError> {
        if self.inside {
            return self.exchange_content(stage);
        }
        let aside = if self.there.is_empty() {
            // A lock that nobody holds is no content, and would keep the directory in its place.
            discard(&self.dir.join(LOCK_FILE));
            None
        } else {
            let aside = free_name(&parent_of(&self.dir), &self.dir)?;
            rename(&self.dir, &aside)?;
            Some(aside)
        };
        if let Err(error) = rename(stage, &self.dir) {
            if let Some(aside) = &aside {
                rename(aside, &self.dir)?;
            }
            return Err(error);
        }
        sync_parent(&self.dir)?;
        Ok(aside)
    }

    /// The same for a directory that cannot be renamed. From the first move to the last its format
    /// says that a restore did not finish, so that no service starts in a mixture.
    fn exchange_content(&self, stage: &Path) -> Result<Option<PathBuf>, StoreError> {
        let format = self.dir.join(FORMAT_FILE);
        let mut aside = None;
        if !self.there.is_empty() {
            let named = free_name(&self.dir, Path::new(""))?;
            directory::create(&named)?;
            if let Ok(mut old) = File::open(&format) {
                copy_to(&mut old, &named.join(FORMAT_FILE))?;
            }
            aside = Some(named);
        }
        directory::write_whole(&format, UNFINISHED.as_bytes())?;
        if let Some(aside) = &aside {
            for old in self.there.iter().filter(|old| **old != format) {
                rename(old, &aside.join(old.file_name().unwrap_or_default()))?;
            }
        }
        let staged_format = stage.join(FORMAT_FILE);
        for fresh in entries(stage)?.iter().filter(|fresh| **fresh != staged_format) {
            rename(fresh, &self.dir.join(fresh.file_name().unwrap_or_default()))?;
        }
        sync_tree(&self.dir)?;
        rename(&staged_format, &format)?;
        discard(stage);
        sync_parent(&format)?;
        Ok(aside)
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_path_buf(),
        None => path.to_path_buf(),
    }
}

/// What is in a directory, but for its lock, what a file system keeps there for itself, and what
/// an earlier restore has moved aside or left.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let failed = |source| StoreError::io("list", dir, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let own = [LOCK_FILE, "lost+found", STAGE].contains(&&*name) || name.starts_with(ASIDE);
        if !own {
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn free_name(parent: &Path, of: &Path) -> Result<PathBuf, StoreError> {
    let name = of.file_name().unwrap_or_default().to_string_lossy();
    let dot = if name.is_empty() { "" } else { "." };
    let named = |number: u32| parent.join(format!("{name}{dot}{ASIDE}{number}"));
    let free = (1..10_000).map(named).find(|path| path.symlink_metadata().is_err());
    free.ok_or_else(|| StoreError::Place {
        path: named(1),
        detail: "too many directories were moved aside before",
        remedy: "delete those that are not needed",
    })
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| StoreError::io("rename", from, source))
}

/// Unpacks a backup of either shape and holds every file against the manifest.
fn unpack(from: &Path, stage: &Path) -> Result<Manifest, StoreError> {
    let bad = |detail: String| StoreError::Backup { path: from.to_path_buf(), detail };
    let found = match fs::metadata(from) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(bad("there is no such file or directory".to_owned()));
        }
        Err(source) => return Err(StoreError::io("read", from, source)),
    };
    let (manifest, copied) =
        if found.is_dir() { copy_directory(from, stage)? } else { unpack_archive(from, stage)? };
    for expected in &manifest.files {
        let Some(found) = copied.get(&expected.path) else {
            return Err(bad(format!("{} is missing", expected.path)));
        };
        if found != expected {
            return Err(bad(format!("{} does not match its checksum", expected.path)));
        }
    }
    if copied.len() != manifest.files.len() {
        return Err(bad("it holds files that its manifest does not name".to_owned()));
    }
    Ok(manifest)
}

type Copied = BTreeMap<String, FileEntry>;

fn copy_directory(from: &Path, stage: &Path) -> Result<(Manifest, Copied), StoreError> {
    let bad = |detail: String| StoreError::Backup { path: from.to_path_buf(), detail };
    let text = fs::read(from.join(MANIFEST_FILE))
        .map_err(|error| bad(format!("its {MANIFEST_FILE} cannot be read: {error}")))?;
    let manifest = Manifest::parse(&text, from)?;
    let mut copied = Copied::new();
    for file in &manifest.files {
        let path = from.join(&file.path);
        let source = match File::open(&path) {
            Ok(source) => source,
            Err(error) => return Err(bad(format!("{} cannot be read: {error}", file.path))),
        };
        keep(source, &file.path, stage, &mut copied, from)?;
    }
    Ok((manifest, copied))
}

fn unpack_archive(from: &Path, stage: &Path) -> Result<(Manifest, Copied), StoreError> {
    let bad = |detail: String| StoreError::Backup { path: from.to_path_buf(), detail };
    let unread = |error: std::io::Error| bad(format!("it cannot be read: {error}"));
    let mut file = File::open(from).map_err(|source| StoreError::io("read", from, source))?;
    let mut magic = [0; ZSTD.len()];
    let packed = file.read_exact(&mut magic).is_ok() && magic == ZSTD;
    let file = File::open(from).map_err(|source| StoreError::io("read", from, source))?;
    let reader: Box<dyn Read> = if packed {
        Box::new(zstd::Decoder::new(file).map_err(unread)?)
    } else {
        Box::new(BufReader::new(file))
    };
    let (mut manifest, mut copied) = (None, Copied::new());
    for entry in tar::Archive::new(reader).entries().map_err(unread)? {
        let mut entry = entry.map_err(unread)?;
        let path = entry.path().map_err(unread)?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let Some(name) = path.to_str().filter(|_| plain && entry.header().entry_type().is_file())
        else {
            return Err(bad(format!("it holds `{}`, which is no file", path.display())));
        };
        if name == MANIFEST_FILE {
            let mut text = Vec::new();
            entry.take(MAX_MANIFEST).read_to_end(&mut text).map_err(unread)?;
            manifest = Some(Manifest::parse(&text, from)?);
        } else {
            keep(&mut entry, name, stage, &mut copied, from)?;
        }
    }
    let manifest = manifest.ok_or_else(|| bad(format!("it holds no {MANIFEST_FILE}")))?;
    Ok((manifest, copied))
}

fn keep(
    content: impl Read,
    name: &str,
    stage: &Path,
    copied: &mut Copied,
    from: &Path,
) -> Result<(), StoreError> {
    let mut reader = Hashing::new(content);
    let written = copy_to(&mut reader, &stage.join(name));
    if let Some(error) = reader.failure() {
        let detail = format!("{name} cannot be read: {error}");
        return Err(StoreError::Backup { path: from.to_path_buf(), detail });
    }
    written?;
    let (bytes, sha256) = reader.finish();
    let path = name.to_owned();
    copied.insert(path.clone(), FileEntry { path, bytes, sha256 });
    Ok(())
}
