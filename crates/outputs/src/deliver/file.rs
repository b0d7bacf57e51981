//! Lines in a file that is kept small.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::Sent;
use crate::Rotation;

/// A file that lines are appended to. Others may rename or remove it: then it is made anew.
pub(crate) struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    open: Option<File>,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation, open: None }
    }

    /// Writes lines and makes them survive a power cut. Of lines that failed a part may be there,
    /// which ends before the next.
    pub(super) fn append(&mut self, lines: impl Iterator<Item = String>) -> Sent {
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        match self.write(text.as_bytes()) {
            Ok(()) => Sent::Taken,
            Err(error) => {
                self.open = None;
                Sent::Later(format!("{}: {error}", self.path.display()), None)
            }
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if self.is_elsewhere() {
            self.open = None;
        }
        let mut file = match self.open.take() {
            Some(file) => file,
            None => open(&self.path)?,
        };
        if file.metadata()?.len() >= self.rotation.bytes {
            self.rotate()?;
            file = open(&self.path)?;
        }
        file.write_all(text)?;
        file.sync_data()?;
        self.open = Some(file);
        Ok(())
    }

    /// True when the open file is no longer the one at the path.
    fn is_elsewhere(&self) -> bool {
        let key = |m: &fs::Metadata| (m.dev(), m.ino());
        let open = self.open.as_ref().and_then(|file| file.metadata().ok());
        let there = fs::metadata(&self.path).ok();
        open.as_ref().map(key) != there.as_ref().map(key)
    }

    /// The file becomes `.1`, what was that `.2`, and so on; the oldest goes.
    fn rotate(&self) -> io::Result<()> {
        let named = |number: u32| {
            let mut name = OsString::from(&self.path);
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.rotation.keep).rev() {
            match fs::rename(named(number), named(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        fs::rename(&self.path, named(1))
    }
}

/// Alerts tell what runs where, so only the owner reads them unless somebody changes that.
fn open(path: &Path) -> io::Result<File> {
    let mut file =
        OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    // Somebody was killed within a line, which is then sent again whole.
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(dir: &Path, bytes: u64, keep: u32) -> LogFile {
        LogFile::new(dir.join("alerts.jsonl"), Rotation { bytes, keep })
    }

    fn append(file: &mut LogFile, lines: &[&str]) {
        assert_eq!(file.append(lines.iter().map(|&line| line.to_owned())), Sent::Taken);
    }

    #[test]
    fn files_are_renamed_when_they_are_full() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = log(dir.path(), 10, 2);
        for round in 0..4 {
            append(&mut file, &[&format!("line {round} a"), &format!("line {round} b")]);
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("alerts.jsonl"), "line 3 a\nline 3 b\n");
        assert_eq!(read("alerts.jsonl.1"), "line 2 a\nline 2 b\n");
        assert_eq!(read("alerts.jsonl.2"), "line 1 a\nline 1 b\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
    }

    #[test]
    fn half_a_line_is_ended_and_a_removed_file_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.jsonl");
        fs::write(&path, "{\"ha").unwrap();
        let mut file = log(dir.path(), 1_000, 1);
        append(&mut file, &["{}"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"ha\n{}\n");
        fs::remove_file(&path).unwrap();
        append(&mut file, &["{}"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
    }

    #[test]
    fn a_folder_that_is_not_there_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("later");
        let mut file = log(&below, 1_000, 1);
        let line = || std::iter::once("{}".to_owned());
        assert!(matches!(file.append(line()), Sent::Later(why, _) if why.contains("later")));
        fs::create_dir(&below).unwrap();
        assert_eq!(file.append(line()), Sent::Taken);
    }
}
