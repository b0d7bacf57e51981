//! A small file system of a test's own; left out, and said so, where mounting is not permitted.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A small file system in memory, gone with this value.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    _dir: tempfile::TempDir,
}

impl Disk {
    pub(crate) fn mount(test: &str, size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        fs::create_dir(&path).unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(&path)
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            eprintln!("SKIPPED {test}: mounting a tmpfs is not permitted here");
            return None;
        }
        Some(Self { path, _dir: dir })
    }

    pub(crate) fn remount(&self, option: &str) {
        let done = Command::new("mount").args(["-o", option]).arg(&self.path).status().unwrap();
        assert!(done.success());
    }

    /// Takes all space but `left` bytes.
    pub(crate) fn fill(&self, left: u64) -> PathBuf {
        let filler = self.path.join("filler");
        let chunk = vec![0u8; 4_096];
        let mut file = fs::File::create(&filler).unwrap();
        let mut taken = 0;
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {
            taken += chunk.len() as u64;
        }
        file.set_len(taken.saturating_sub(left)).unwrap();
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(&self.path).status());
    }
}
