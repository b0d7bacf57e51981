//! Every metric in one table: name, unit, kind, labels, help, and the cell that holds it.

use std::ops::Deref;
use std::sync::Arc;

use hanabi_event::{Category, IgnoreReason, Priority, RejectReason};

use crate::cell::{By, Counter, Gauge, Histogram, NameLabel, Named};
use crate::label::{
    AlertSource, CacheResult, DeviationKind, DropReason, Family, HttpStatus, Label, Outcome,
    OutputName, Phase, Route, SourceKind,
};

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, and starts at zero with the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
    /// Constant 1; what it says is in its labels.
    Info,
}

impl Kind {
    /// The word used in the exposition formats and the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// What is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things: lines, events, profiles.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// A part of one.
    Ratio,
}

impl Unit {
    /// The unit's word, which also ends the metric's name; `""` for things.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
            Self::Ratio => "ratio",
        }
    }
}

/// One metric's entry in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The full name, `_total` included.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// What is counted.
    pub unit: Unit,
    /// The labels, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// What it tells, in a sentence without a period.
    pub help: &'static str,
}

pub(crate) const SYSCALL_EVENTS: Definition = Definition {
    name: "syscall_events_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &[
        "rule",
        "priority",
        "container_name",
        "image_repository",
        "process_name",
        "k8s_namespace",
        "k8s_pod",
        "rule_category",
    ],
    help: "Events accepted, enter lines included",
};

pub(crate) const LAST_EVENT: Definition = Definition {
    name: "syscall_last_event_timestamp_seconds",
    kind: Kind::Gauge,
    unit: Unit::Seconds,
    labels: &["container_name"],
    help: "Event time of the newest event of a container, since the epoch",
};

pub(crate) const SECURITY_ALERTS: Definition = Definition {
    name: "security_alerts_total",
    kind: Kind::Counter,
    unit: Unit::Count,
    labels: &["container_name", "rule", "priority", "source"],
    help: "Occurrences of alerts that are not suppressed",
};

pub(crate) const BUILD_INFO: Definition = Definition {
    name: "hanabi_build_info",
    kind: Kind::Info,
    unit: Unit::Count,
    labels: &["version"],
    help: "The version that is running",
};

/// A metric's numbers, for writing out.
pub(crate) enum Numbers<'a> {
    Counter(&'a Counter),
    Gauge(&'a Gauge),
    Histogram(&'a Histogram),
}

/// A cell type that can stand in the table.
pub(crate) trait Cell {
    const LABELS: &'static [&'static str];
    /// Shows every number with its label value; `""` where there is no label.
    fn visit(&self, visit: &mut dyn FnMut(&str, Numbers<'_>));
}

macro_rules! plain_cells {
    ($($cell:ident),+) => {$(
        impl Cell for $cell {
            const LABELS: &'static [&'static str] = &[];

            fn visit(&self, visit: &mut dyn FnMut(&str, Numbers<'_>)) {
                visit("", Numbers::$cell(self));
            }
        }

        impl<L: Label> Cell for By<L, $cell> {
            const LABELS: &'static [&'static str] = &[L::NAME];

            fn visit(&self, visit: &mut dyn FnMut(&str, Numbers<'_>)) {
                for (value, cell) in self.iter() {
                    visit(value, Numbers::$cell(cell));
                }
            }
        }

        impl<L: NameLabel> Cell for Named<L, $cell> {
            const LABELS: &'static [&'static str] = &[L::NAME];

            fn visit(&self, visit: &mut dyn FnMut(&str, Numbers<'_>)) {
                for (name, cell) in self.all() {
                    visit(&name, Numbers::$cell(&cell));
                }
            }
        }
    )+};
}

plain_cells!(Counter, Gauge, Histogram);

macro_rules! metrics {
    ($($field:ident: $cell:ty = $name:literal, $kind:ident, $unit:ident, $help:literal;)+) => {
        /// The cells of all metrics that are not labelled by events.
        #[derive(Debug, Default)]
        pub struct Table {
            $(#[doc = concat!("`", $name, "`: ", $help, ".")] pub $field: $cell,)+
        }

        const TABLE: &[Definition] = &[$(Definition {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: <$cell as Cell>::LABELS,
            help: $help,
        }),+];

        impl Table {
            /// Shows every metric with its numbers, in the table's order.
            pub(crate) fn visit(&self, visit: &mut dyn FnMut(&'static Definition, &dyn DynCell)) {
                let mut definitions = TABLE.iter();
                $(if let Some(definition) = definitions.next() {
                    visit(definition, &self.$field);
                })+
            }
        }
    };
}

/// [`Cell`] without its constant, so that one function can write all of them.
pub(crate) trait DynCell {
    fn numbers(&self, visit: &mut dyn FnMut(&str, Numbers<'_>));
}

impl<C: Cell> DynCell for C {
    fn numbers(&self, visit: &mut dyn FnMut(&str, Numbers<'_>)) {
        self.visit(visit);
    }
}

metrics! {
    events: Counter = "hanabi_events_total", Counter, Count, "Events accepted; exact, whatever the label budgets fold";
    security_alerts: Counter = "hanabi_security_alerts_total", Counter, Count, "Occurrences of alerts that are not suppressed; exact, whatever the label budgets fold";

    ingest_lines_received: By<SourceKind, Counter> = "hanabi_ingest_lines_received_total", Counter, Count, "Lines received: modelled, ignored, rejected, dropped and pending ones together";
    ingest_received_bytes: By<SourceKind, Counter> = "hanabi_ingest_received_bytes_total", Counter, Bytes, "Bytes of lines received";
    ingest_offers_refused: By<SourceKind, Counter> = "hanabi_ingest_offers_refused_total", Counter, Count, "Requests told to come again later because the queue or the journal was full";
    ingest_lines_modelled: Counter = "hanabi_ingest_lines_modelled_total", Counter, Count, "Lines that reached the behaviour model";
    modelled_events: By<Category, Counter> = "hanabi_modelled_events_total", Counter, Count, "Events that reached the behaviour model, by branch";
    ingest_lines_ignored: By<IgnoreReason, Counter> = "hanabi_ingest_lines_ignored_total", Counter, Count, "Events that are not modelled, by reason";
    ingest_lines_rejected: By<RejectReason, Counter> = "hanabi_ingest_lines_rejected_total", Counter, Count, "Lines that are not events, by reason";
    ingest_lines_dropped: By<DropReason, Counter> = "hanabi_ingest_lines_dropped_total", Counter, Count, "Lines lost before they were read, by reason";
    ingest_lines_pending: Gauge = "hanabi_ingest_lines_pending", Gauge, Count, "Lines received and neither modelled, ignored, rejected nor dropped yet";
    ingest_lines_too_long: Counter = "hanabi_ingest_lines_too_long_total", Counter, Count, "Lines cut off at the source because they were too long";
    ingest_queue_bytes: Gauge = "hanabi_ingest_queue_bytes", Gauge, Bytes, "Bytes queued between the sources and the engine";
    ingest_queue_limit_bytes: Gauge = "hanabi_ingest_queue_limit_bytes", Gauge, Bytes, "The most bytes that may be queued";
    ingest_queue_batches: Gauge = "hanabi_ingest_queue_batches", Gauge, Count, "Batches queued between the sources and the engine";
    ingest_journal_bytes: Gauge = "hanabi_ingest_journal_bytes", Gauge, Bytes, "Bytes in the journal of what cannot be read again";
    ingest_journal_refused: Counter = "hanabi_ingest_journal_refused_total", Counter, Count, "Batches refused because the journal was full";
    ingest_journal_damaged_bytes: Counter = "hanabi_ingest_journal_damaged_bytes_total", Counter, Bytes, "Bytes of the journal that could not be read back";
    ingest_files_behind_bytes: Gauge = "hanabi_ingest_files_behind_bytes", Gauge, Bytes, "Bytes of followed files not read yet";
    ingest_file_rotations: Counter = "hanabi_ingest_file_rotations_total", Counter, Count, "Followed files that were finished and followed by another";
    ingest_file_truncations: Counter = "hanabi_ingest_file_truncations_total", Counter, Count, "Times a followed file was cut to nothing and started anew";
    ingest_file_positions_lost: Counter = "hanabi_ingest_file_positions_lost_total", Counter, Count, "Stored file positions whose file was gone, so that lines may be missing";
    ingest_docker_reconnects: Counter = "hanabi_ingest_docker_reconnects_total", Counter, Count, "Times that the log of a followed container was opened again";
    ingest_docker_errors: Counter = "hanabi_ingest_docker_errors_total", Counter, Count, "Requests to Docker that failed, and entries of its logs without a time stamp";
    ingest_docker_lag: Gauge = "hanabi_ingest_docker_lag_seconds", Gauge, Seconds, "From Docker's time stamp of the last line to when it was read, of the source that is furthest behind";
    ingest_docker_positions_lost: Counter = "hanabi_ingest_docker_positions_lost_total", Counter, Count, "Times that lines may be missing: a container gone before its log was read, or the place where reading stopped rotated away";
    ingest_kubernetes_files: Gauge = "hanabi_ingest_kubernetes_files", Gauge, Count, "Container logs of a Kubernetes node that are followed";
    ingest_kubernetes_files_left_out: Gauge = "hanabi_ingest_kubernetes_files_left_out", Gauge, Count, "Container logs that are not followed because there are too many";
    ingest_kubernetes_unparsed: Counter = "hanabi_ingest_kubernetes_unparsed_total", Counter, Count, "Entries of container logs that are not in the runtime's format";
    ingest_clock_skew: Counter = "hanabi_ingest_clock_skew_events_total", Counter, Count, "Events more than five minutes off the clock of their host";
    ingest_upstream_lost: Counter = "hanabi_ingest_upstream_lost_events_total", Counter, Count, "Events that the source itself says it has lost";

    containers: Gauge = "hanabi_containers", Gauge, Count, "Containers seen";
    profiles: By<Phase, Gauge> = "hanabi_profiles", Gauge, Count, "Profiles by phase";
    profile_phase_changes: By<Phase, Counter> = "hanabi_profile_phase_changes_total", Counter, Count, "Changes of phase, by the phase entered";
    profile_nodes: Gauge = "hanabi_profile_nodes", Gauge, Count, "Nodes of all profiles together";
    profile_coarsened: Counter = "hanabi_profile_coarsenings_total", Counter, Count, "Times a full profile was made coarser";
    quarantine_items: Gauge = "hanabi_quarantine_items", Gauge, Count, "Behaviours waiting for a decision";
    learning_progress_average: Gauge = "hanabi_learning_progress_average_ratio", Gauge, Ratio, "Learning progress, averaged over the profiles that learn";
    learning_progress_minimum: Gauge = "hanabi_learning_progress_minimum_ratio", Gauge, Ratio, "Learning progress of the profile that is least far";

    calls_unpaired: Counter = "hanabi_calls_unpaired_total", Counter, Count, "Calls that were begun and whose end was not printed, modelled as failed";
    calls_unwatched: Counter = "hanabi_calls_unwatched_total", Counter, Count, "Calls whose end is not waited for because too many were under way";
    deviations: By<DeviationKind, Counter> = "hanabi_deviations_total", Counter, Count, "Events that did not fit their profile, by kind";
    variations: Counter = "hanabi_variations_total", Counter, Count, "Unknown tokens accepted because they are near a known one";
    embedding_duration: Histogram = "hanabi_embedding_duration_seconds", Histogram, Seconds, "Time for the model of the embedding matcher to read one name";
    embedding_cached: Counter = "hanabi_embedding_cached_total", Counter, Count, "Names whose vector the embedding matcher still had";
    embedding_evicted: Counter = "hanabi_embedding_evicted_total", Counter, Count, "Vectors that the embedding matcher forgot because it had too many";
    embedding_failed: Counter = "hanabi_embedding_failed_total", Counter, Count, "Names that the model of the embedding matcher could not read";
    embedding_unasked: Counter = "hanabi_embedding_unasked_total", Counter, Count, "New tokens judged by the structural matcher alone because their profile had too many in a minute";
    match_duration: Histogram = "hanabi_match_duration_seconds", Histogram, Seconds, "Time to hold one event against its profile, sampled";
    batch_duration: Histogram = "hanabi_batch_duration_seconds", Histogram, Seconds, "Time to decode and model one batch";
    alert_latency: Histogram = "hanabi_alert_latency_seconds", Histogram, Seconds, "Time from reading a line to publishing the alert it raised";
    alerts_opened: By<AlertSource, Counter> = "hanabi_alerts_opened_total", Counter, Count, "Alerts opened, by source";
    alerts_open: By<Priority, Gauge> = "hanabi_alerts_open", Gauge, Count, "Alerts open now, by priority";
    alerts_suppressed: Counter = "hanabi_alerts_suppressed_total", Counter, Count, "Occurrences of suppressed alerts";
    alerts_departed: Counter = "hanabi_alerts_departed_total", Counter, Count, "Alerts that left memory for the store because a profile had too many";
    alerts_overflowed: Counter = "hanabi_alerts_overflowed_total", Counter, Count, "Findings that had to share one alert because a profile was full of alerts that matter";
    notifications_held: Counter = "hanabi_notifications_held_total", Counter, Count, "Notifications that maintenance windows held back";
    silence_unwatched: Counter = "hanabi_silence_unwatched_total", Counter, Count, "Containers not watched for silence because there were too many";
    notifications: By<Outcome, Counter> = "hanabi_notifications_total", Counter, Count, "Notifications sent out, by outcome";
    output_delivered: Named<OutputName, Counter> = "hanabi_output_delivered_total", Counter, Count, "Messages that the receiver of an output has taken";
    output_retries: Named<OutputName, Counter> = "hanabi_output_retries_total", Counter, Count, "Times that the receiver of an output took nothing and was tried again";
    output_refused: Named<OutputName, Counter> = "hanabi_output_refused_total", Counter, Count, "Messages that the receiver of an output has refused for good";
    output_dropped: Named<OutputName, Counter> = "hanabi_output_dropped_total", Counter, Count, "Messages lost before they were delivered: the spool or the queue before it was full, or the disk failed";
    output_let_go: Named<OutputName, Counter> = "hanabi_output_let_go_total", Counter, Count, "Open alerts that are not sent to an Alertmanager again because there are too many";
    output_forgotten: Named<OutputName, Counter> = "hanabi_output_forgotten_total", Counter, Count, "Alerts of which it was forgotten that they were sent because there were too many";
    output_waiting: Named<OutputName, Gauge> = "hanabi_output_waiting", Gauge, Count, "Messages that wait on disk to be delivered";
    output_spool_bytes: Named<OutputName, Gauge> = "hanabi_output_spool_bytes", Gauge, Bytes, "Bytes of an output's spool";
    output_failing: Named<OutputName, Gauge> = "hanabi_output_failing", Gauge, Count, "1 while the receiver of an output takes nothing";
    output_last_delivery: Named<OutputName, Gauge> = "hanabi_output_last_delivery_timestamp_seconds", Gauge, Seconds, "When the receiver of an output last took a message, since the epoch";

    series_stored: Gauge = "hanabi_series_stored", Gauge, Count, "Time series that the service keeps of its own metrics";
    series_samples: Counter = "hanabi_series_stored_samples_total", Counter, Count, "Samples taken into the time series";
    series_refused: Counter = "hanabi_series_stored_refused_total", Counter, Count, "Samples refused because there were too many series, or because they came out of order";
    remote_write_samples: Counter = "hanabi_remote_write_samples_total", Counter, Count, "Samples that the server of series.remote_write_url has taken";
    remote_write_refused: Counter = "hanabi_remote_write_refused_samples_total", Counter, Count, "Samples that it has refused for good";
    remote_write_retries: Counter = "hanabi_remote_write_retries_total", Counter, Count, "Times that it could not be sent to and was tried again";
    remote_write_behind: Gauge = "hanabi_remote_write_behind_seconds", Gauge, Seconds, "From the newest sample sent to now";
    series_errors: Counter = "hanabi_series_stored_errors_total", Counter, Count, "Times that the time series could not be scraped or stored";
    store_commit: Histogram = "hanabi_store_commit_duration_seconds", Histogram, Seconds, "Time to commit to the store";
    store_errors: Counter = "hanabi_store_errors_total", Counter, Count, "Operations of the store that failed";
    store_bytes: Gauge = "hanabi_store_bytes", Gauge, Bytes, "Bytes in the store";
    store_checkpoint_time: Gauge = "hanabi_store_checkpoint_timestamp_seconds", Gauge, Seconds, "When the last checkpoint was completed, since the epoch";
    restore_points: Gauge = "hanabi_restore_points", Gauge, Count, "Restore points of profiles in the store";
    restore_points_dropped: Counter = "hanabi_restore_points_dropped_total", Counter, Count, "Restore points that went because of a bound of their number, age or bytes";
    event_log_dropped: Counter = "hanabi_event_log_dropped_total", Counter, Count, "Events left out of the event log because its budget was used up";

    http_requests: By<HttpStatus, Counter> = "hanabi_http_requests_total", Counter, Count, "Requests answered, by class of status";
    api_cache: By<CacheResult, Counter> = "hanabi_api_cache_lookups_total", Counter, Count, "Questions for overviews, trees and PromQL, by whether an answer was kept";
    http_duration: By<Route, Histogram> = "hanabi_http_request_duration_seconds", Histogram, Seconds, "Time to answer a request, by part of the API, streams left out";
    http_unauthorized: Counter = "hanabi_http_unauthorized_total", Counter, Count, "Requests refused for missing or insufficient rights";
    http_refusals_unaudited: Counter = "hanabi_http_refusals_unaudited_total", Counter, Count, "Refusals that are not in the audit log because there were too many";
    reload_errors: Counter = "hanabi_reload_errors_total", Counter, Count, "Times that certificates or keys could not be read or fetched again; those known before stay";
    http_hosts_refused: Counter = "hanabi_http_hosts_refused_total", Counter, Count, "Requests refused because of their Host or Origin";
    http_requests_refused: Counter = "hanabi_http_requests_refused_total", Counter, Count, "Requests refused because too many were being answered";
    http_requests_shed: Counter = "hanabi_http_requests_shed_total", Counter, Count, "Expensive reads refused because the service could not keep up";
    degraded: Gauge = "hanabi_degraded", Gauge, Count, "1 while expensive reads are refused because the service cannot keep up, else 0";
    http_timeouts: Counter = "hanabi_http_timeouts_total", Counter, Count, "Requests given up because they took too long";
    http_connections: Gauge = "hanabi_http_connections", Gauge, Count, "Open connections";
    http_connections_refused: Counter = "hanabi_http_connections_refused_total", Counter, Count, "Connections refused because too many were open";
    sse_clients: Gauge = "hanabi_sse_clients", Gauge, Count, "Connected stream clients";
    sse_clients_refused: Counter = "hanabi_sse_clients_refused_total", Counter, Count, "Stream clients refused because too many were connected";
    sse_messages: Counter = "hanabi_sse_messages_total", Counter, Count, "Messages sent to stream clients";
    sse_lagged: Counter = "hanabi_sse_lagged_total", Counter, Count, "Messages skipped because a stream client was too slow";
    sse_gaps: Counter = "hanabi_sse_gaps_total", Counter, Count, "Times a stream client was told that messages are missing";
    sse_events_skipped: Counter = "hanabi_sse_events_skipped_total", Counter, Count, "Events left out of the stream because a tick was full";
    sse_alerts_dropped: Counter = "hanabi_sse_alerts_dropped_total", Counter, Count, "Alerts left out of the stream because too many were waiting";

    uncommitted_evicted: Counter = "hanabi_alerts_uncommitted_evicted_total", Counter, Count, "Alerts and incidents that the API forgot before the store had them because there were too many";
    overview_late: Counter = "hanabi_overview_late_events_total", Counter, Count, "Events more than 24 hours late, which no window of the overview counts";

    series: By<Family, Gauge> = "hanabi_series", Gauge, Count, "Series held, by family";
    series_folded: By<Family, Counter> = "hanabi_series_folded_total", Counter, Count, "Occurrences counted under _other_ because a label budget was used up, by family";
    series_expired: By<Family, Counter> = "hanabi_series_expired_total", Counter, Count, "Series removed because they were idle, by family";

    process_start_time: Gauge = "process_start_time_seconds", Gauge, Seconds, "When the process was started, since the epoch";
    process_resident_memory: Gauge = "process_resident_memory_bytes", Gauge, Bytes, "Resident memory";
    process_virtual_memory: Gauge = "process_virtual_memory_bytes", Gauge, Bytes, "Virtual memory";
    process_cpu: Gauge = "process_cpu_seconds_total", Counter, Seconds, "Processor time used";
    process_open_files: Gauge = "process_open_fds", Gauge, Count, "Open file descriptors";
    process_threads: Gauge = "process_threads", Gauge, Count, "Threads";
}

/// All metrics, in the order of the table, those labelled by events first.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    [&SYSCALL_EVENTS, &LAST_EVENT, &SECURITY_ALERTS, &BUILD_INFO].into_iter().chain(TABLE)
}

/// The service's own metrics. Clones are the same metrics; all fields of [`Table`] are reached
/// through it: `metrics.ingest_lines_modelled.add(17)`.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Table>);

impl Metrics {
    /// Metrics at zero.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Deref for Metrics {
    type Target = Table;

    fn deref(&self) -> &Table {
        &self.0
    }
}
