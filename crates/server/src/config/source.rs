//! Source specifications: `stdin`, `file:PATH`, `docker:NAME`, `kubernetes:DIR`.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where event lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceSpec {
    /// Standard input, to its end.
    Stdin,
    /// A file that is followed through rotation and truncation.
    File(PathBuf),
    /// The output of a container, by its name.
    Docker(String),
    /// The logs of a node's containers below a folder.
    Kubernetes(PathBuf),
}

impl FromStr for SourceSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "stdin" | "-" if rest.is_empty() => Ok(Self::Stdin),
            "file" if rest.is_empty() => {
                Err("needs a path, as in \"file:/var/log/falco.jsonl\"".into())
            }
            "file" => Ok(Self::File(rest.into())),
            "docker" if !is_container_name(rest) => {
                Err("needs a container's name or id, as in \"docker:falco\"".into())
            }
            "docker" => Ok(Self::Docker(rest.into())),
            "kubernetes" if !rest.starts_with('/') => {
                Err("needs the absolute path of a folder, as \
                in \"kubernetes:/var/log/pods/falco_*\""
                    .into())
            }
            "kubernetes" => Ok(Self::Kubernetes(rest.into())),
            "nats" | "sensor" => Err(format!(
                "is a source that this version does not have (`{kind}`); pipe its lines in instead, \
                 as in `tail -F FILE | hanabi run --source stdin`"
            )),
            _ => Err("is not a source; write \"stdin\", \"file:PATH\", \"docker:NAME\" \
                 or \"kubernetes:DIR\""
                .into()),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Docker(name) => write!(f, "docker:{name}"),
            Self::Kubernetes(path) => write!(f, "kubernetes:{}", path.display()),
        }
    }
}

/// What Docker takes for a name; it goes into the path of requests.
fn is_container_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        && name.len() <= 255
}

#[cfg(test)]
mod tests {
    use super::SourceSpec;

    #[test]
    fn specifications() {
        assert_eq!("-".parse(), Ok(SourceSpec::Stdin));
        assert_eq!("stdin".parse(), Ok(SourceSpec::Stdin));
        assert_eq!("file:/a:b".parse(), Ok(SourceSpec::File("/a:b".into())));
        assert_eq!("docker:falco".parse(), Ok(SourceSpec::Docker("falco".into())));
        let logs = SourceSpec::Kubernetes("/var/log/pods/falco_*".into());
        assert_eq!("kubernetes:/var/log/pods/falco_*".parse(), Ok(logs));
        assert!("nats:x".parse::<SourceSpec>().unwrap_err().contains("--source stdin"));
        for wrong in [
            "",
            "file:",
            "kubernetes:",
            "kubernetes:pods",
            "docker:",
            "docker:a/b",
            "docker:../x",
            "stdin:x",
            "/var/log/falco.jsonl",
        ] {
            assert!(wrong.parse::<SourceSpec>().is_err(), "{wrong}");
        }
    }
}
