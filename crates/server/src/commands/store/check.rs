//! `hanabi store check`: everything in a data directory is read, and nothing changed.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use anyhow::{Result, bail};
use hanabi_ingest::JournalReport;
use hanabi_series::SeriesReport;
use hanabi_store::{DataDirectory, Problem, StoreError};
use serde_json::{Value, json};

use crate::commands::text::plain;

const RESTORE: &str = "restore a backup (`hanabi store restore`), or move the file away to begin \
                       that part anew";

/// What was looked at, and what is wrong with it.
pub(super) struct Report {
    dir: String,
    format: u32,
    /// Each part and how many things of it were read.
    parts: Vec<(&'static str, u64, &'static str)>,
    problems: Vec<(&'static str, Problem)>,
    notes: Vec<String>,
}

pub(super) fn check(dir: &DataDirectory) -> Result<Report> {
    let mut report = Report {
        dir: dir.path().display().to_string(),
        format: dir.format()?,
        parts: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    report.store(dir)?;
    report.log(dir)?;
    report.series(dir.path())?;
    report.journal(dir.path())?;
    Ok(report)
}

impl Report {
    fn store(&mut self, dir: &DataDirectory) -> Result<()> {
        let looked = guarded(dir.path(), || {
            let store = dir.look_at_store()?;
            Ok((store.database_path(), store.check()?))
        });
        match looked {
            Ok((path, found)) => {
                self.parts.push(("store", found.looked_at, "records"));
                for what in found.problems {
                    self.problems.push(("store", Problem::new(&path, what, RESTORE)));
                }
            }
            Err(error) => self.refused("store", error)?,
        }
        Ok(())
    }

    fn log(&mut self, dir: &DataDirectory) -> Result<()> {
        match dir.look_at_log(true) {
            Ok(found) => {
                self.parts.push(("event log", found.rows, "rows"));
                self.problems.extend(found.problems.into_iter().map(|one| ("event log", one)));
                self.notes.extend(found.notes);
            }
            Err(error) => self.refused("event log", error)?,
        }
        Ok(())
    }

    fn series(&mut self, dir: &Path) -> Result<()> {
        let path = hanabi_series::database_path(dir);
        match look_at_series(dir) {
            Ok(found) => {
                self.parts.push(("series", found.samples, "samples"));
                for what in found.problems {
                    self.problems.push(("series", Problem::new(&path, what, RESTORE)));
                }
            }
            Err(error) => match error.downcast::<StoreError>() {
                Ok(error) => self.refused("series", error)?,
                Err(error) => {
                    let problem = Problem::new(&path, format!("{error:#}"), RESTORE);
                    self.problems.push(("series", problem));
                }
            },
        }
        Ok(())
    }

    fn journal(&mut self, dir: &Path) -> Result<()> {
        let dir = dir.join("journal");
        let JournalReport { batches, damaged, torn_bytes, .. } =
            hanabi_ingest::check_journal(&dir)?;
        self.parts.push(("journal", batches, "batches"));
        for (path, what) in damaged {
            let remedy = "restore a backup; a start reads what is whole and counts the rest";
            self.problems.push(("journal", Problem::new(&path, what, remedy)));
        }
        if torn_bytes > 0 {
            self.notes.push(format!(
                "{}: its last {torn_bytes} bytes were not written whole, as a kill or a power cut \
                 leaves them; the next start cuts them off",
                dir.display()
            ));
        }
        Ok(())
    }

    /// Damage is what is looked for; whatever else keeps a part from being read ends the check.
    fn refused(&mut self, part: &'static str, error: StoreError) -> Result<()> {
        match error {
            StoreError::Damaged { path, detail, .. } => {
                self.problems.push((part, Problem::new(&path, detail, RESTORE)));
                Ok(())
            }
            StoreError::Database { ref path, ref source, .. } => {
                let problem = Problem::new(path, source.to_string(), RESTORE);
                self.problems.push((part, problem));
                Ok(())
            }
            StoreError::Io { ref path, ref source, .. } => {
                self.problems.push((part, Problem::new(path, source.to_string(), RESTORE)));
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    pub(super) fn json(&self) -> Value {
        let parts = self
            .parts
            .iter()
            .map(|(part, count, of)| json!({ "part": part, "looked_at": count, "of": of }));
        let problems = self.problems.iter().map(|(part, problem)| {
            json!({
                "part": part,
                "place": problem.place.display().to_string(),
                "what": problem.what,
                "remedy": problem.remedy,
            })
        });
        json!({
            "data_dir": self.dir,
            "format": self.format,
            "clean": self.problems.is_empty(),
            "parts": parts.collect::<Vec<_>>(),
            "problems": problems.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("data directory {} (format {})\n", self.dir, self.format);
        for (part, count, of) in &self.parts {
            let wrong = self.problems.iter().filter(|(of, _)| of == part).count();
            let state = if wrong == 0 { "whole".into() } else { format!("{wrong} problems") };
            _ = writeln!(text, "  {part:<10} {state}: {count} {of} read");
        }
        for (_, problem) in &self.problems {
            let (what, remedy) = (plain(&problem.what), &problem.remedy);
            _ = writeln!(text, "problem: {}: {what}\n  remedy: {remedy}", problem.place.display());
        }
        for note in &self.notes {
            _ = writeln!(text, "note: {}", plain(note));
        }
        text
    }

    /// Fails when there is a problem, so that scripts need not read the report.
    pub(super) fn verdict(&self) -> Result<()> {
        match self.problems.len() {
            0 => Ok(()),
            1 => bail!("the check found a problem"),
            count => bail!("the check found {count} problems"),
        }
    }
}

/// The series; empty where none were ever stored.
pub(super) fn look_at_series(dir: &Path) -> Result<SeriesReport> {
    let path = hanabi_series::database_path(dir);
    if !path.exists() {
        return Ok(SeriesReport::default());
    }
    Ok(guarded(&path, || {
        let mut database = hanabi_store::open_unchanged(&path)?;
        Ok(hanabi_series::check_store(&mut database, &path))
    })??)
}

/// A database trusts its own file, and panics on some of what can become of it.
fn guarded<T>(path: &Path, look: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(look)).unwrap_or_else(|_| {
        Err(StoreError::Damaged {
            operation: "check",
            path: path.to_path_buf(),
            detail: "its pages contradict each other".to_owned(),
        })
    })
}
