//! What holds for every text file.

use std::path::Path;

use super::Finding;

/// Files whose text is somebody else's: recorded lines, licences, snapshots of output.
fn is_verbatim(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
    path == "LICENSE" || matches!(extension, "jsonl" | "snap" | "svg" | "lock")
}

/// No blanks at line ends, no carriage returns, a newline at the end.
pub(super) fn check(path: &str, content: &str) -> Vec<Finding> {
    if is_verbatim(path) || content.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in content.split('\n').enumerate() {
        if line.ends_with('\r') {
            findings.push(Finding::error(
                path,
                index + 1,
                "carriage return at the end of the line",
            ));
        } else if line.trim_end() != line {
            findings.push(Finding::error(path, index + 1, "blanks at the end of the line"));
        }
    }
    if !content.ends_with('\n') {
        findings.push(Finding::error(path, 0, "no newline at the end of the file"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn blanks_and_ends() {
        assert!(check("a.md", "one\n\ntwo\n").is_empty());
        assert!(check("fixtures/a.jsonl", "one \r\n").is_empty());
        let lines: Vec<usize> =
            check("a.md", "one \ntwo\t\nthree\r\nfour").iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 2, 3, 0]);
    }
}
