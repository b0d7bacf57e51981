//! `[outputs.NAME]`: where alerts go.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use hanabi_outputs::{
    Format, HttpTarget, Kind, OutputSettings, Retry, Rotation, Route, Target, Template,
};

use super::{
    ByteSize, Period,
    layers::{OUTPUTS, PATTERN},
    validate::{Checker, SECOND},
};
use crate::commands::failure::Hint as _;

/// Outputs at most: each has two threads' worth of work, a folder, and a label of its metrics.
const OUTPUTS_MAX: usize = 32;
const HOUR: Period = Period::from_secs(3600);

/// An output as configured; its files are read when it is opened.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    settings: OutputSettings,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

impl Output {
    /// Reads the files that it names.
    pub(crate) fn open(&self) -> anyhow::Result<OutputSettings> {
        let mut settings = self.settings.clone();
        if let Target::Webhook(http) | Target::Alertmanager(http) = &mut settings.target {
            let key = |key: &str| format!("{OUTPUTS}.{}.{key} names it", self.settings.name);
            if let Some(path) = &self.token_file {
                http.token = Some(super::token(path).hint(key("token_file"))?);
            }
            if let Some(path) = &self.ca_file {
                http.ca = Some(read_file(path).hint(key("ca_file"))?);
            }
        }
        Ok(settings)
    }
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("failed to read {}", path.display()))
}

/// Reads the pattern and all outputs.
pub(super) fn read(check: &mut Checker<'_>) -> Vec<Output> {
    // Values of the pattern are checked where an output has them; one by itself may be incomplete.
    check.pass(&format!("{OUTPUTS}.{PATTERN}."));
    let names = check.outputs();
    if names.len() > OUTPUTS_MAX {
        let why = format!("are {}, and {OUTPUTS_MAX} are the most", names.len());
        check.problem(OUTPUTS, &why);
    }
    names.into_iter().filter_map(|name| output(check, name)).collect()
}

fn output(check: &mut Checker<'_>, name: String) -> Option<Output> {
    let key = |key: &str| format!("{OUTPUTS}.{name}.{key}");
    let target = target(check, &key);
    let text = check
        .parsed(&key("text"), |text| text.parse::<Template>().map_err(|error| error.to_string()));
    let link = check.text(&key("link")).trim_end_matches('/').to_owned();
    if !link.is_empty() && !is_http(&link) {
        check.problem(&key("link"), "must be empty, or http://HOST or https://HOST");
    }
    let route = Route {
        min_priority: check.priority(&key("min_priority")),
        containers: check.list(&key("containers")),
        rules: check.list(&key("rules")),
    };
    let max = check.period(&key("retry_max"), SECOND..=HOUR).as_duration();
    let spool = check.size(&key("spool_bytes"), ByteSize::mib(1)..=ByteSize::mib(16 * 1024));
    let format = check.word(&key("format"), &Format::ALL.map(|one| (one.as_str(), one)));
    let file = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let token_file = file(check.text(&key("token_file")));
    let ca_file = file(check.text(&key("ca_file")));
    Some(Output {
        settings: OutputSettings {
            target: target?,
            format,
            route,
            text: text?,
            link,
            spool_bytes: spool.as_u64(),
            retry: Retry { max, ..Retry::default() },
            name,
        },
        token_file,
        ca_file,
    })
}

/// Where an output goes; nothing where that is wrong, which was noted.
fn target(check: &mut Checker<'_>, key: &impl Fn(&str) -> String) -> Option<Target> {
    let kind = check.word(&key("kind"), &Kind::ALL.map(|one| (one.as_str(), one)));
    let least = ByteSize::kib(64);
    let rotation = Rotation {
        bytes: check.size(&key("rotate_bytes"), least..=ByteSize::mib(16 * 1024)).as_u64(),
        keep: check.count(&key("rotate_keep"), 1..=100),
    };
    let to = check.text(&key("to")).to_owned();
    let why = match kind {
        Kind::Webhook | Kind::Alertmanager if !is_http(&to) => {
            "must be http://HOST:PORT/PATH or https://HOST:PORT/PATH, without a password; put a \
             token into a file, see token_file"
        }
        Kind::Webhook => return Some(Target::Webhook(http(to))),
        Kind::Alertmanager => return Some(Target::Alertmanager(http(to))),
        Kind::Syslog => {
            return check.parsed(&key("to"), |text| text.parse().map(Target::Syslog));
        }
        Kind::File if to.is_empty() => "must be a path",
        Kind::File => return Some(Target::File(to.into(), rotation)),
        Kind::Stdout if !to.is_empty() => "must be empty for standard output",
        Kind::Stdout => return Some(Target::Stdout),
    };
    check.problem(&key("to"), why);
    None
}

fn http(url: String) -> HttpTarget {
    HttpTarget { url, token: None, ca: None }
}

fn is_http(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    })
}
