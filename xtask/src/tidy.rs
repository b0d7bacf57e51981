//! All checks over all files.
//!
//! A check takes text and returns findings, so that each is tested on text alone; only this
//! file reads the repository.

mod arrows;
mod markdown;
mod source;
mod text;

use std::{collections::BTreeSet, fmt, fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, from the workspace's folder.
    pub(crate) path: String,
    /// Line, from 1; 0 for the file as a whole.
    pub(crate) line: usize,
    /// Whether it fails the check or only asks for a look.
    pub(crate) severity: Severity,
    /// What is wrong.
    pub(crate) message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Fails.
    Error,
    /// Asks for a look.
    Warning,
}

impl Finding {
    /// A finding that fails the check.
    pub(crate) fn error(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, severity: Severity::Error, message: message.into() }
    }

    /// A finding that asks for a look.
    pub(crate) fn warning(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(path, line, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = if self.line == 0 { String::new() } else { format!(":{}", self.line) };
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}{line}: {kind}: {}", self.path, self.message)
    }
}

/// Checks the repository at `root`; true when nothing fails.
pub(crate) fn tidy(root: &Path) -> Result<bool> {
    let files = files(root)?;
    let metadata = metadata(root)?;
    let crates = arrows::workspace_crates(&metadata);
    let mut findings = Vec::new();
    for path in &files {
        let Ok(content) = fs::read_to_string(root.join(path)) else { continue };
        findings.extend(text::check(path, &content));
        if Path::new(path).extension().is_some_and(|e| e == "rs") {
            findings.extend(source::check(path, &content));
        }
        if Path::new(path).extension().is_some_and(|e| e == "md") {
            let exists = |named: &str| files.contains(named) || is_folder(&files, named);
            let document = |named: &str| fs::read_to_string(root.join(named)).ok();
            let known = markdown::Known { exists: &exists, document: &document, crates: &crates };
            findings.extend(markdown::check(path, &content, &known));
        }
    }
    let architecture = fs::read_to_string(root.join(arrows::DOCUMENT))
        .with_context(|| format!("failed to read {}", arrows::DOCUMENT))?;
    findings.extend(arrows::check(&architecture, &metadata));

    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    eprintln!("tidy: {} files, {errors} errors, {} warnings", files.len(), findings.len() - errors);
    Ok(errors == 0)
}

/// Files that git knows or would add, without those that are deleted in the work tree.
fn files(root: &Path) -> Result<BTreeSet<String>> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = run(root, "git", &list)?;
    let files = output.split('\0').filter(|path| !path.is_empty() && root.join(path).is_file());
    Ok(files.map(str::to_owned).collect())
}

fn is_folder(files: &BTreeSet<String>, path: &str) -> bool {
    let prefix = format!("{}/", path.trim_end_matches('/'));
    files.range(prefix.clone()..).next().is_some_and(|file| file.starts_with(&prefix))
}

fn metadata(root: &Path) -> Result<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = run(root, &cargo, &["metadata", "--format-version", "1"])?;
    serde_json::from_str(&output).context("failed to read the answer of `cargo metadata`")
}

fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("failed to run `{program}`"))?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{program} {}` failed: {message}", arguments.join(" "));
    String::from_utf8(output.stdout).with_context(|| format!("`{program}` printed no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::{Finding, is_folder};

    #[test]
    fn folders_are_known_by_their_files() {
        let files = ["a/b/c.rs", "a-b/d.rs"].map(str::to_owned).into();
        assert!(is_folder(&files, "a"));
        assert!(is_folder(&files, "a/b/"));
        assert!(!is_folder(&files, "a/b/c"));
        assert!(!is_folder(&files, "b"));
    }

    #[test]
    fn findings_print_like_compiler_messages() {
        assert_eq!(Finding::error("a.rs", 3, "odd").to_string(), "a.rs:3: error: odd");
        assert_eq!(Finding::warning("a.rs", 0, "long").to_string(), "a.rs: warning: long");
    }
}
