//! Closed sets of label values.

use hanabi_event::{Category, IgnoreReason, Priority, RejectReason};

use crate::cell::NameLabel;

/// A label whose values are known in advance.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// How many values there are.
    const COUNT: usize;
    /// The value at `index`, below [`Label::COUNT`].
    fn value(index: usize) -> &'static str;
    /// This value's index.
    fn index(self) -> usize;
}

/// The label `output`: names of outputs, as configured.
#[derive(Clone, Copy, Debug)]
pub enum OutputName {}

impl NameLabel for OutputName {
    const NAME: &'static str = "output";
}

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $label:literal { $($(#[$vdoc:meta])* $variant:ident = $value:literal),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All values.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label value.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value),+ }
            }
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const COUNT: usize = Self::ALL.len();

            fn value(index: usize) -> &'static str {
                Self::ALL[index].as_str()
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

labels! {
    /// What kind of origin lines come from.
    SourceKind = "source" {
        /// `POST /ingest/falco`.
        Http = "http",
        /// A followed file.
        File = "file",
        /// Standard input.
        Stdin = "stdin",
        /// A container's log through the Docker Engine API.
        Docker = "docker",
        /// Container logs of a Kubernetes node.
        Kubernetes = "kubernetes",
        /// NATS `JetStream`.
        Nats = "nats",
        /// The built-in sensor.
        Sensor = "sensor",
        /// A recording being replayed.
        Replay = "replay",
    }

    /// Why lines were dropped before anybody looked at them.
    DropReason = "reason" {
        /// The queue was full and the origin cannot wait.
        QueueFull = "queue_full",
        /// The journal was full or could not be written.
        Journal = "journal",
        /// The service was ending.
        Closed = "closed",
    }

    /// The phase of a profile.
    Phase = "phase" {
        /// Learning, too early to end.
        Warmup = "warmup",
        /// Learning.
        Learning = "learning",
        /// Detecting.
        Detecting = "detecting",
        /// Detecting, and learning a new revision.
        Relearning = "relearning",
        /// Events were lost.
        Degraded = "degraded",
        /// Held by an operator.
        Frozen = "frozen",
    }

    /// The level of the tree that an event did not fit.
    DeviationKind = "kind" {
        /// An operation.
        NewOperation = "new_operation",
        /// A process.
        NewProcess = "new_process",
        /// An argument.
        NewArgument = "new_argument",
        /// An executable.
        NewExecutable = "new_executable",
        /// A parent.
        NewParent = "new_parent",
        /// A user.
        NewUser = "new_user",
        /// A peer.
        NewPeer = "new_peer",
        /// A port.
        NewPort = "new_port",
        /// A directory.
        NewDirectory = "new_directory",
        /// A file.
        NewFile = "new_file",
        /// A kind of access.
        NewAccess = "new_access",
        /// A match of the list of what is always dangerous.
        Danger = "danger",
        /// A rate.
        Rate = "rate",
        /// Silence of a source, host or container.
        Silence = "silence",
    }

    /// Who says that it is an alert.
    AlertSource = "source" {
        /// The behaviour model.
        Hanabi = "hanabi",
        /// A Falco rule.
        Falco = "falco",
    }

    /// What became of something sent out.
    Outcome = "outcome" {
        /// Delivered.
        Sent = "sent",
        /// Tried in vain; it is tried again.
        Failed = "failed",
        /// Given up.
        Dropped = "dropped",
    }

    /// What a look for a kept answer has found.
    CacheResult = "result" {
        /// An answer.
        Hit = "hit",
        /// None, so that it was made.
        Miss = "miss",
    }

    /// The class of an HTTP answer.
    HttpStatus = "status" {
        /// 1xx.
        Informational = "1xx",
        /// 2xx.
        Success = "2xx",
        /// 3xx.
        Redirection = "3xx",
        /// 4xx.
        ClientError = "4xx",
        /// 5xx.
        ServerError = "5xx",
    }

    /// A part of the API.
    Route = "route" {
        /// `/api/containers`.
        Containers = "containers",
        /// `/api/alerts`, `/api/incidents` and what is decided about them.
        Alerts = "alerts",
        /// `/api/hbt`.
        Trees = "hbt",
        /// `/api/overview`.
        Overview = "overview",
        /// `/api/export`; until the file begins.
        Export = "export",
        /// `/api/v1`.
        PromQl = "promql",
        /// `/ingest`.
        Ingest = "ingest",
        /// `/metrics`.
        Metrics = "metrics",
        /// Everything else.
        Other = "other",
    }

    /// A family whose labels come from events.
    Family = "family" {
        /// `syscall_events_total`.
        SyscallEvents = "syscall_events_total",
        /// `syscall_last_event_timestamp_seconds`.
        LastEvent = "syscall_last_event_timestamp_seconds",
        /// `security_alerts_total`.
        SecurityAlerts = "security_alerts_total",
    }
}

impl Route {
    /// The part that a route's path is of.
    pub fn of(path: &str) -> Self {
        let mut words = path.split('/').skip(1);
        match (words.next().unwrap_or_default(), words.next().unwrap_or_default()) {
            ("api", "containers") => Self::Containers,
            ("api", "alerts" | "incidents" | "suppressions" | "maintenance") => Self::Alerts,
            ("api", "hbt") => Self::Trees,
            ("api", "overview") => Self::Overview,
            ("api", "export") => Self::Export,
            ("api", "v1") => Self::PromQl,
            ("ingest", _) => Self::Ingest,
            ("metrics", _) => Self::Metrics,
            _ => Self::Other,
        }
    }
}

impl HttpStatus {
    /// The class of a status code; what is no code counts as a server error.
    pub fn of(code: u16) -> Self {
        match code {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}

macro_rules! event_labels {
    ($($name:ident = $label:literal),+ $(,)?) => {$(
        impl Label for $name {
            const NAME: &'static str = $label;
            const COUNT: usize = Self::ALL.len();

            fn value(index: usize) -> &'static str {
                Self::ALL[index].as_str()
            }

            fn index(self) -> usize {
                self as usize
            }
        }
    )+};
}

event_labels! {
    IgnoreReason = "reason",
    RejectReason = "reason",
    Category = "category",
    Priority = "priority",
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<L: Label>(all: &[L]) {
        assert_eq!(all.len(), L::COUNT);
        for (index, value) in all.iter().enumerate() {
            assert_eq!(value.index(), index, "{}", L::value(index));
        }
    }

    #[test]
    fn indexes_follow_the_order_of_the_values() {
        check(&IgnoreReason::ALL);
        check(&RejectReason::ALL);
        check(&Category::ALL);
        check(&Priority::ALL);
        check(Phase::ALL);
        check(DeviationKind::ALL);
        check(SourceKind::ALL);
    }

    #[test]
    fn status_codes_have_a_class() {
        for (code, class) in [(204, "2xx"), (429, "4xx"), (503, "5xx"), (0, "5xx"), (101, "1xx")] {
            assert_eq!(HttpStatus::of(code).as_str(), class);
        }
    }

    #[test]
    fn every_path_is_of_a_part() {
        for (path, part) in [
            ("/api/containers/{id}/logs", "containers"),
            ("/api/incidents", "alerts"),
            ("/api/hbt/{id}/diff", "hbt"),
            ("/api/v1/query", "promql"),
            ("/ingest/falco", "ingest"),
            ("/metrics", "metrics"),
            ("/", "other"),
            ("other", "other"),
        ] {
            assert_eq!(Route::of(path).as_str(), part, "{path}");
        }
    }
}
