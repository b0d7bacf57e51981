//! Source specifications: `stdin`, `file:PATH`.

use std::{fmt, path::PathBuf, str::FromStr};

/// Where event lines come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceSpec {
    /// Standard input, to its end.
    Stdin,
    /// A file that is followed through rotation and truncation.
    File(PathBuf),
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
            "docker" | "kubernetes" | "nats" | "sensor" => Err(format!(
                "is a source that this version does not have (`{kind}`); pipe its lines in instead, \
                 as in `docker logs -f falco | hanabi run --source stdin`"
            )),
            _ => Err("is not a source; write \"stdin\" or \"file:PATH\"".into()),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("stdin"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SourceSpec;

    #[test]
    fn specifications() {
        assert_eq!("-".parse(), Ok(SourceSpec::Stdin));
        assert_eq!("stdin".parse(), Ok(SourceSpec::Stdin));
        assert_eq!("file:/a:b".parse(), Ok(SourceSpec::File("/a:b".into())));
        assert!("docker:falco".parse::<SourceSpec>().unwrap_err().contains("--source stdin"));
        for wrong in ["", "file:", "stdin:x", "/var/log/falco.jsonl"] {
            assert!(wrong.parse::<SourceSpec>().is_err(), "{wrong}");
        }
    }
}
