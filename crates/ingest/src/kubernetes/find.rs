//! The logs below a folder whose path may have patterns.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Folders below the given one that are looked into: `NAMESPACE_POD_UID/CONTAINER/0.log`, and one
/// more.
const DEPTH: usize = 3;
/// Entries of folders that are looked at in one search: far more than a node's pods have, and the
/// bound of a folder that is none of Kubernetes'.
const ENTRIES_MAX: usize = 100_000;

/// What a search has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Logs, symbolic links followed, in alphabetical order.
    pub(super) logs: BTreeSet<PathBuf>,
    /// The folder is there.
    pub(super) is_there: bool,
    /// Entries that were not looked at, since there were too many.
    pub(super) passed_over: bool,
}

/// Every file `*.log` below the folders that are like `pattern`, in which `*` stands for any text
/// within a name.
pub(super) fn find(pattern: &Path) -> Found {
    let mut folders = vec![PathBuf::new()];
    let mut left = ENTRIES_MAX;
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if matches!(part, Component::Normal(_)) && name.contains('*') {
            let like = |folder: &PathBuf| entries(folder, &mut left, |entry| is_like(&name, entry));
            folders = folders.iter().flat_map(like).collect();
        } else {
            for folder in &mut folders {
                folder.push(part);
            }
        }
    }
    folders.retain(|folder| folder.is_dir());
    let mut found = Found { is_there: !folders.is_empty(), ..Found::default() };
    for _ in 0..=DEPTH {
        let mut below = Vec::new();
        for path in folders.iter().flat_map(|folder| entries(folder, &mut left, |_| true)) {
            // Links of /var/log/containers lead to the files of /var/log/pods.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let is_log = path.extension().is_some_and(|extension| extension == "log");
            if metadata.is_dir() {
                below.push(path);
            } else if metadata.is_file() && is_log {
                found.logs.extend(fs::canonicalize(&path));
            }
        }
        folders = below;
    }
    found.passed_over = left == 0;
    found
}

fn entries(folder: &Path, left: &mut usize, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        if *left == 0 {
            break;
        }
        *left -= 1;
        if wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found
}

/// True when `name` is like `pattern`. Backtracks only to the last star, so linear in both lengths'
/// product.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_like_patterns() {
        for (pattern, name, like) in [
            ("falco_*", "falco_falco-x_uid", true),
            ("*", "", true),
            ("a*b*c", "aXbYc", true),
            ("a*b", "ab", true),
            ("a*ab", "ab", false),
            ("a", "ab", false),
            ("*log", "x.log.1", false),
        ] {
            assert_eq!(is_like(pattern, name), like, "{pattern} {name}");
        }
    }

    #[test]
    fn logs_are_found_once_whatever_leads_to_them() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let pod = root.join("pods/falco_falco-abc_uid/falco");
        fs::create_dir_all(&pod).unwrap();
        fs::create_dir_all(root.join("pods/shop_web-abc_uid/web")).unwrap();
        fs::create_dir_all(root.join("containers")).unwrap();
        for name in ["0.log", "1.log", "0.log.20261122-085532", "0.log.20261121-085532.gz"] {
            fs::write(pod.join(name), "").unwrap();
        }
        fs::write(root.join("pods/shop_web-abc_uid/web/0.log"), "").unwrap();
        std::os::unix::fs::symlink(pod.join("1.log"), root.join("containers/falco.log")).unwrap();
        let logs = |pattern: &str| find(&root.join(pattern)).logs.into_iter().collect::<Vec<_>>();
        let falco = vec![pod.join("0.log"), pod.join("1.log")];
        assert_eq!(logs("pods/falco_*"), falco);
        assert_eq!(logs("pods").len(), 3);
        assert_eq!(logs("pods/*/falco"), falco);
        assert_eq!(logs("containers"), [pod.join("1.log")]);
        assert!(!find(&root.join("nothing")).is_there);
        assert!(!find(&root.join("pods/x*")).is_there);
    }
}
