//! What people run Hanabi with: Prometheus, Grafana, compose, the image, Kubernetes, systemd. Each file
//! is held to the tool that reads it where Debian has that tool, and to what it names where not.

mod compose;
mod grafana;
mod image;
mod kubernetes;
mod prometheus;
mod unit;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

/// The repository's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document of a YAML file.
fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The one document of a YAML file.
fn yaml(path: &str) -> Value {
    let mut all = documents(path);
    assert_eq!(all.len(), 1, "{path} has several documents");
    all.remove(0)
}

/// The text at a pointer, which has to be there.
fn word<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} in {value}"))
}

/// The members of a list; of none where there is no list.
fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Runs a command that has to succeed; what it has said.
fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", said(&output));
    said(&output)
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// A token that is written somewhere instead of its file's name.
fn holds_secret(text: &str) -> bool {
    let hex = |word: &str| word.len() >= 32 && word.bytes().all(|b| b.is_ascii_hexdigit());
    text.contains("hnb_") || text.split(|c: char| !c.is_ascii_alphanumeric()).any(hex)
}

#[test]
fn no_file_of_the_stack_holds_a_secret() {
    assert!(holds_secret(&format!("token: {}", "0f".repeat(32))) && !holds_secret("sha256"));
    let folders = ["prometheus", "grafana", "deploy", "falco"];
    let mut files: Vec<PathBuf> = ["docker-compose.yml", "docker-compose.app.yml", "Dockerfile"]
        .map(|name| root().join(name))
        .to_vec();
    for folder in folders {
        collect(&root().join(folder), &mut files);
    }
    assert!(files.len() > 25, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!holds_secret(&text), "{} holds a secret", file.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}
