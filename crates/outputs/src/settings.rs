//! What an output is: where to, in which format, and which alerts.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use hanabi_detect::danger::glob;
use hanabi_event::Priority;

use crate::{notice::Notice, template::Template};

/// An output, as configured.
#[derive(Clone, Debug)]
pub struct OutputSettings {
    /// Its name: a folder's name and a metric label, so letters, digits and `_`.
    pub name: String,
    /// Where to.
    pub target: Target,
    /// What a message is written as. Alertmanager has one of its own.
    pub format: Format,
    /// Which alerts.
    pub route: Route,
    /// The text of a message.
    pub text: Template,
    /// The address under which people reach the console, without a slash at its end; empty for no
    /// links.
    pub link: String,
    /// The most bytes that may wait on disk; past it the oldest messages go, and are counted.
    pub spool_bytes: u64,
    /// How what fails is tried again.
    pub retry: Retry,
}

impl OutputSettings {
    /// True for messages that this output's format has a word for.
    pub(crate) fn tells(&self, cause: crate::notice::Cause) -> bool {
        use crate::notice::Cause;
        match (cause, &self.target, self.format) {
            (Cause::Raised | Cause::Test, _, _)
            | (Cause::Ended, Target::Alertmanager(_), _)
            | (Cause::Ended, _, Format::Json | Format::Ecs | Format::Ocsf) => true,
            (Cause::Ended, _, Format::Falco | Format::Cef) => false,
        }
    }

    /// The page of an alert in the console, or `""`.
    pub(crate) fn link_to(&self, notice: &Notice) -> String {
        if self.link.is_empty() {
            return String::new();
        }
        format!("{}/alerts/{}", self.link, notice.id)
    }
}

/// The kinds of receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One request for each message.
    Webhook,
    /// Alertmanager's API of version 2.
    Alertmanager,
    /// A syslog daemon.
    Syslog,
    /// Lines in a file.
    File,
    /// Lines on standard output.
    Stdout,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Webhook, Self::Alertmanager, Self::Syslog, Self::File, Self::Stdout];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Alertmanager => "alertmanager",
            Self::Syslog => "syslog",
            Self::File => "file",
            Self::Stdout => "stdout",
        }
    }
}

/// Where messages go.
#[derive(Clone, Debug)]
pub enum Target {
    /// A URL that takes one message with each POST.
    Webhook(HttpTarget),
    /// The base of an Alertmanager, without `/api/v2`.
    Alertmanager(HttpTarget),
    /// A syslog daemon.
    Syslog(SyslogAddress),
    /// A file, and how it is kept small.
    File(PathBuf, Rotation),
    /// The process's standard output.
    Stdout,
}

impl Target {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Webhook(_) => Kind::Webhook,
            Self::Alertmanager(_) => Kind::Alertmanager,
            Self::Syslog(_) => Kind::Syslog,
            Self::File(..) => Kind::File,
            Self::Stdout => Kind::Stdout,
        }
    }

    /// Where it is, for people; see [`shown_url`].
    pub fn place(&self) -> String {
        match self {
            Self::Webhook(http) | Self::Alertmanager(http) => shown_url(&http.url),
            Self::Syslog(address) => address.to_string(),
            Self::File(path, _) => path.display().to_string(),
            Self::Stdout => String::new(),
        }
    }
}

/// Of a URL only scheme, host and port: paths and queries of webhooks are secrets.
pub fn shown_url(url: &str) -> String {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url[host..].find(['/', '?', '#']).map(|at| host + at);
    match end {
        Some(end) if end + 1 < url.len() => format!("{}/…", &url[..end]),
        Some(end) => url[..end].to_owned(),
        None => url.to_owned(),
    }
}

/// A server that is posted to.
#[derive(Clone)]
pub struct HttpTarget {
    /// Its URL, without credentials.
    pub url: String,
    /// Sent as Bearer.
    pub token: Option<String>,
    /// Certificates by which it is known, as PEM; those of public authorities without.
    pub ca: Option<Vec<u8>>,
}

/// Tokens do not get into logs.
impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").finish_non_exhaustive()
    }
}

/// Where a syslog daemon listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A datagram for each message (RFC 5426); nobody says whether it has arrived.
    Udp(String),
    /// Messages with their lengths before them (RFC 6587, octet counting).
    Tcp(String),
    /// Datagrams to a socket of this machine, as `/dev/log` is.
    Unix(PathBuf),
}

impl FromStr for SyslogAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "must be udp://HOST:PORT, tcp://HOST:PORT or unix:///PATH, as in udp://127.0.0.1:514"
                .to_owned()
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let host_and_port = || {
            let (host, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
            if host.is_empty() || port.parse::<u16>().is_err() {
                return Err(wrong());
            }
            Ok(rest.to_owned())
        };
        match scheme {
            "udp" => Ok(Self::Udp(host_and_port()?)),
            "tcp" => Ok(Self::Tcp(host_and_port()?)),
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.into())),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

/// How a file is kept small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// From this size it is renamed, and a new one begun.
    pub bytes: u64,
    /// Renamed files that are kept; at least one.
    pub keep: u32,
}

/// What a message is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The JSON that Falco itself sends, so that Falcosidekick takes it.
    Falco,
    /// Everything there is to tell, as JSON.
    Json,
    /// Elastic Common Schema 8.
    Ecs,
    /// Open Cybersecurity Schema Framework 1.3, class 2004 (detection finding).
    Ocsf,
    /// Common Event Format, one line.
    Cef,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Falco, Self::Json, Self::Ecs, Self::Ocsf, Self::Cef];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Falco => "falco",
            Self::Json => "json",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::Cef => "cef",
        }
    }
}

/// Which alerts an output is for.
#[derive(Clone, Debug)]
pub struct Route {
    /// The lowest priority.
    pub min_priority: Priority,
    /// Patterns of which the container's name or the identity is like one; all are without any.
    pub containers: Vec<String>,
    /// The same of rules.
    pub rules: Vec<String>,
}

impl Route {
    /// True when an alert goes this way.
    pub(crate) fn wants(&self, notice: &Notice) -> bool {
        let names = [notice.container_name.as_str(), notice.identity.as_str()];
        notice.priority >= self.min_priority
            && is_like(&self.containers, &names)
            && is_like(&self.rules, &[notice.rule.as_str()])
    }
}

fn is_like(patterns: &[String], texts: &[&str]) -> bool {
    // Two stars: a name may have slashes, which one star of a path's pattern does not cross.
    let like = |pattern: &String| {
        let pattern = pattern.replace('*', "**");
        texts.iter().any(|text| glob(&pattern, text))
    };
    patterns.is_empty() || patterns.iter().any(like)
}

/// How what fails is tried again: after `min`, then twice as long each time up to `max`, each wait a
/// quarter longer or shorter by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first wait.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { min: Duration::from_secs(1), max: Duration::from_mins(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{notice::Cause, testing};

    #[test]
    fn routes() {
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        let route = |min_priority, containers: &[&str], rules: &[&str]| {
            let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect();
            Route { min_priority, containers: owned(containers), rules: owned(rules) }
        };
        for (route, wanted) in [
            (route(Priority::Warning, &[], &[]), true),
            (route(Priority::Error, &[], &[]), false),
            (route(Priority::Debug, &["we*"], &[]), true),
            (route(Priority::Debug, &["db", "shop:*"], &[]), true),
            (route(Priority::Debug, &["db"], &[]), false),
            (route(Priority::Debug, &["web"], &["hbt.*"]), true),
            (route(Priority::Debug, &["web"], &["danger.*", "hbt.new_file"]), false),
        ] {
            assert_eq!(route.wants(&notice), wanted, "{route:?}");
        }
    }

    #[test]
    fn syslog_addresses() {
        for good in
            ["udp://127.0.0.1:514", "tcp://[::1]:601", "tcp://loghost:601", "unix:///dev/log"]
        {
            assert_eq!(good.parse::<SyslogAddress>().unwrap().to_string(), good);
        }
        for bad in ["", "udp://", "udp://host", "udp://host:x", "unix://dev/log", "http://h:1"] {
            assert!(bad.parse::<SyslogAddress>().unwrap_err().contains("udp://HOST:PORT"), "{bad}");
        }
    }

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        let http = |url: &str| HttpTarget { url: url.into(), token: Some("t0k".into()), ca: None };
        let hook = Target::Webhook(http("https://hooks.example:8443/services/T0/SECRET"));
        assert_eq!(hook.place(), "https://hooks.example:8443/…");
        assert!(!format!("{hook:?}").contains("t0k"));
        assert_eq!(Target::Alertmanager(http("http://am:9093")).place(), "http://am:9093");
    }
}
