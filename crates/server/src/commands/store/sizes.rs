//! How much room the parts of a data directory take on disk.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// Bytes of files, by part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) store: u64,
    pub(super) event_log: u64,
    pub(super) series: u64,
    pub(super) journal: u64,
    pub(super) other: u64,
}

impl Sizes {
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let mut sizes = Self::default();
        for entry in read(dir)? {
            let bytes = bytes(&entry)?;
            let name = entry.file_name().unwrap_or_default();
            let part = match name.to_str() {
                Some("hanabi.redb") => &mut sizes.store,
                Some("events") => &mut sizes.event_log,
                Some("series.redb") => &mut sizes.series,
                Some("journal") => &mut sizes.journal,
                _ => &mut sizes.other,
            };
            *part += bytes;
        }
        Ok(sizes)
    }

    pub(super) fn total(&self) -> u64 {
        self.store + self.event_log + self.series + self.journal + self.other
    }

    pub(super) fn rows(&self) -> [(&'static str, u64); 6] {
        [
            ("store", self.store),
            ("event log", self.event_log),
            ("series", self.series),
            ("journal", self.journal),
            ("other", self.other),
            ("all", self.total()),
        ]
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "store": self.store,
            "event_log": self.event_log,
            "series": self.series,
            "journal": self.journal,
            "other": self.other,
            "all": self.total(),
        })
    }
}

fn read(dir: &Path) -> Result<Vec<std::path::PathBuf>> {
    let failed = || format!("failed to list {}", dir.display());
    let entries = fs::read_dir(dir).with_context(failed)?;
    entries.map(|entry| Ok(entry.with_context(failed)?.path())).collect()
}

fn bytes(path: &Path) -> Result<u64> {
    let found =
        fs::metadata(path).with_context(|| format!("failed to measure {}", path.display()))?;
    if !found.is_dir() {
        return Ok(found.len());
    }
    read(path)?.iter().map(|inner| bytes(inner)).sum()
}

/// Bytes for people.
pub(super) fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let digits = usize::from(unit != "B");
            return format!("{value:.digits$} {unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!([0, 1023, 1536, 5 << 30].map(human), ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]);
        assert_eq!(human(3 << 40), "3.0 TiB");
    }
}
