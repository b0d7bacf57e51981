//! Backups: a copy of a data directory that nobody has open, with a manifest that proves it whole.
//!
//! A backup is a directory, or an archive where its name ends in `.tar` or `.tar.zst`. Either gets
//! its name when all of it is on disk. Files are copied as they are: what a kill leaves is a state
//! that a start recovers, so a copy of it is one, too.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::directory::{
    self, FORMAT_FILE, FORMAT_VERSION, LOCK_FILE, create_private, format_of, sync_parent,
};
use crate::reserve::RESERVE_FILE;
use crate::{StoreError, restore};

/// The manifest's name in a backup.
pub const MANIFEST_FILE: &str = "manifest.json";
pub(crate) const KIND: &str = "hanabi-backup";
/// The version of the manifest itself.
pub(crate) const MANIFEST_VERSION: u32 = 1;
/// Directories below a data directory; deeper ones are a link that leads back.
const DEPTH: usize = 16;
/// zstd's own default: a backup waits for the disk.
const LEVEL: i32 = 3;

/// What the caller says of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// When it is made, RFC 3339.
    pub created: String,
    /// The program that makes it, with its version.
    pub program: String,
}

/// What is in a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `hanabi-backup`.
    pub kind: String,
    /// The manifest's own version.
    pub version: u32,
    /// The data directory's format.
    pub format: u32,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The program that made it.
    pub program: String,
    /// Bytes of all files.
    pub bytes: u64,
    /// Every file, sorted by path.
    pub files: Vec<FileEntry>,
}

/// A file of a backup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path below the data directory, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// Copies a data directory that the caller holds to a place where nothing is yet.
pub(crate) fn create(data: &Path, target: &Path, about: &About) -> Result<Manifest, StoreError> {
    let parent = place(data, target)?;
    let files = list(data)?;
    let bytes = files.iter().map(|(_, bytes)| bytes).sum();
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let fresh = parent.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = write(data, &files, &fresh, target, about).and_then(|manifest| {
        fs::rename(&fresh, target).map_err(|source| StoreError::io("rename", target, source))?;
        sync_parent(target)?;
        Ok(manifest)
    });
    written.map_err(|error| {
        restore::discard(&fresh);
        no_room(error, target, bytes)
    })
}

/// A full disk has another remedy here than in a running service.
pub(crate) fn no_room(error: StoreError, path: &Path, bytes: u64) -> StoreError {
    match error {
        StoreError::Full { source, .. } => {
            StoreError::NoRoom { path: path.to_path_buf(), bytes, source }
        }
        error => error,
    }
}

/// Refuses a target that is there, or where a backup would be part of the next one; answers the
/// directory that it goes into.
fn place(data: &Path, target: &Path) -> Result<PathBuf, StoreError> {
    let refused =
        |detail, remedy| Err(StoreError::Place { path: target.to_path_buf(), detail, remedy });
    if target.symlink_metadata().is_ok() {
        return refused("it is there already", "name one that does not exist yet");
    }
    let parent = match target.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return refused("it has no name", "name a directory or a file"),
    };
    let (Ok(parent), Ok(data)) = (parent.canonicalize(), data.canonicalize()) else {
        return refused("the directory for it does not exist", "create that, or choose another");
    };
    if parent.starts_with(data) {
        return refused("it lies in the data directory", "choose a place beside it");
    }
    Ok(parent)
}

/// The files of a data directory with their sizes, by path, without locks and what was left half
/// written.
fn list(data: &Path) -> Result<Vec<(String, u64)>, StoreError> {
    let mut found = Vec::new();
    walk(data, "", DEPTH, &mut found)?;
    found.sort_unstable();
    Ok(found)
}

fn walk(
    dir: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, u64)>,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("list", dir, source);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(StoreError::damaged("back up", &path, "its name is no text"));
        };
        let file = fs::metadata(&path).map_err(|source| StoreError::io("read", &path, source))?;
        if file.is_dir() && depth > 0 && !name.starts_with(restore::ASIDE) {
            walk(&path, &format!("{prefix}{name}/"), depth - 1, found)?;
        } else if file.is_file() && ![LOCK_FILE, RESERVE_FILE].contains(&name) && !is_half(name) {
            found.push((format!("{prefix}{name}"), file.len()));
        }
    }
    Ok(())
}

fn is_half(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "tmp")
}

fn write(
    data: &Path,
    files: &[(String, u64)],
    fresh: &Path,
    target: &Path,
    about: &About,
) -> Result<Manifest, StoreError> {
    let mut sink = Sink::create(fresh, target)?;
    let mut entries = Vec::with_capacity(files.len());
    for (path, bytes) in files {
        entries.push(sink.add(&data.join(path), path, *bytes)?);
    }
    let manifest = Manifest {
        kind: KIND.to_owned(),
        version: MANIFEST_VERSION,
        format: format_of(data)?.unwrap_or(FORMAT_VERSION),
        created: about.created.clone(),
        program: about.program.clone(),
        bytes: entries.iter().map(|entry| entry.bytes).sum(),
        files: entries,
    };
    let mut text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| StoreError::damaged("write", target, error.to_string()))?;
    text.push(b'\n');
    sink.finish(&text)?;
    Ok(manifest)
}

/// How a backup's files are kept, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Directory,
    Tar,
    TarZstd,
}

impl Shape {
    fn of(target: &Path) -> Self {
        let name = target.to_string_lossy();
        if name.ends_with(".tar.zst") {
            Self::TarZstd
        } else if name.ends_with(".tar") {
            Self::Tar
        } else {
            Self::Directory
        }
    }
}

/// Where a backup's files go.
enum Sink {
    Directory(PathBuf),
    Archive(PathBuf, Box<tar::Builder<Packed>>),
}

/// An archive's bytes on their way to its file.
enum Packed {
    Plain(File),
    Zstd(zstd::Encoder<'static, File>),
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl Sink {
    fn create(fresh: &Path, target: &Path) -> Result<Self, StoreError> {
        let shape = Shape::of(target);
        if shape == Shape::Directory {
            directory::create(fresh)?;
            return Ok(Self::Directory(fresh.to_path_buf()));
        }
        let opened = create_private(fresh).and_then(|file| match shape {
            Shape::TarZstd => Ok(Packed::Zstd(zstd::Encoder::new(file, LEVEL)?)),
            Shape::Directory | Shape::Tar => Ok(Packed::Plain(file)),
        });
        let packed = opened.map_err(|source| StoreError::io("create", fresh, source))?;
        Ok(Self::Archive(fresh.to_path_buf(), Box::new(tar::Builder::new(packed))))
    }

    fn add(&mut self, from: &Path, path: &str, bytes: u64) -> Result<FileEntry, StoreError> {
        let file = File::open(from).map_err(|source| StoreError::io("read", from, source))?;
        let mut reader = Hashing::new(file.take(bytes));
        let copied = match self {
            Self::Directory(dir) => copy_to(&mut reader, &dir.join(path)),
            Self::Archive(fresh, builder) => builder
                .append_data(&mut header(bytes), path, &mut reader)
                .map_err(|source| StoreError::io("write", fresh, source)),
        };
        if let Some(source) = reader.failure() {
            return Err(StoreError::io("read", from, source));
        }
        copied?;
        let (found, sha256) = reader.finish();
        if found != bytes {
            let detail = format!("{found} bytes instead of {bytes}: it changed meanwhile");
            return Err(StoreError::damaged("back up", from, detail));
        }
        Ok(FileEntry { path: path.to_owned(), bytes, sha256 })
    }

    fn finish(self, manifest: &[u8]) -> Result<(), StoreError> {
        match self {
            Self::Directory(dir) => {
                copy_to(&mut &*manifest, &dir.join(MANIFEST_FILE))?;
                sync_tree(&dir)
            }
            Self::Archive(fresh, mut builder) => {
                let mut head = header(manifest.len() as u64);
                let done = builder
                    .append_data(&mut head, MANIFEST_FILE, manifest)
                    .and_then(|()| builder.into_inner())
                    .and_then(|packed| match packed {
                        Packed::Plain(file) => Ok(file),
                        Packed::Zstd(encoder) => encoder.finish(),
                    })
                    .and_then(|file| file.sync_all());
                done.map_err(|source| StoreError::io("write", &fresh, source))
            }
        }
    }
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

/// Writes a file of its own, durable on return, with the directories that lead to it.
pub(crate) fn copy_to(from: &mut impl Read, path: &Path) -> Result<(), StoreError> {
    directory::create(path.parent().unwrap_or(path))?;
    let copied = create_private(path).and_then(|mut file| {
        io::copy(from, &mut file)?;
        file.sync_all()
    });
    copied.map_err(|source| StoreError::io("write", path, source))
}

/// Makes the names of all files below a directory durable.
pub(crate) fn sync_tree(dir: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::io("sync", dir, source);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)
}

/// Counts and hashes what is read through it.
pub(crate) struct Hashing<R> {
    inner: R,
    bytes: u64,
    hash: Sha256,
    failed: Option<(io::ErrorKind, String)>,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, bytes: 0, hash: Sha256::new(), failed: None }
    }

    /// Why reading failed, if it did: whoever copies cannot tell that from a failure to write.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.failed.as_ref().map(|(kind, text)| io::Error::new(*kind, text.clone()))
    }

    pub(crate) fn finish(self) -> (u64, String) {
        (self.bytes, crate::cursor::to_hex(&self.hash.finalize()))
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(out);
        if let Err(error) = &read
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some((error.kind(), error.to_string()));
        }
        let count = read?;
        self.hash.update(out.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

impl Manifest {
    /// Refuses a manifest of something else, of a later version, or with paths that lead out.
    pub(crate) fn parse(text: &[u8], backup: &Path) -> Result<Self, StoreError> {
        let bad = |detail: String| StoreError::Backup { path: backup.to_path_buf(), detail };
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| bad(format!("its {MANIFEST_FILE} cannot be read: {error}")))?;
        if manifest.kind != KIND {
            return Err(bad(format!("its {MANIFEST_FILE} is not that of a backup")));
        }
        if manifest.version > MANIFEST_VERSION || manifest.format > FORMAT_VERSION {
            let found = manifest.format.max(manifest.version);
            let dir = backup.to_path_buf();
            return Err(StoreError::FutureFormat { dir, found, known: FORMAT_VERSION });
        }
        let leads_out = |path: &str| {
            let parts = Path::new(path).components();
            path.is_empty() || !parts.into_iter().all(|part| matches!(part, Component::Normal(_)))
        };
        if let Some(file) = manifest.files.iter().find(|file| leads_out(&file.path)) {
            return Err(bad(format!("its manifest names `{}`", file.path)));
        }
        if !manifest.files.iter().any(|file| file.path == FORMAT_FILE) {
            return Err(bad(format!("its manifest names no file `{FORMAT_FILE}`")));
        }
        Ok(manifest)
    }
}
