//! The queries that the console, the dashboards and people begin with, in one place.

/// A question and its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub question: &'static str,
    /// The query; `$id` stands for a container's name.
    pub query: &'static str,
}

const fn template(name: &'static str, question: &'static str, query: &'static str) -> Template {
    Template { name, question, query }
}

/// All of them; the first six are those of the system's architecture document.
pub const TEMPLATES: [Template; 14] = [
    template("rate", "events a second", "sum(rate(syscall_events_total[5m]))"),
    template(
        "rate_by_priority",
        "by priority",
        "sum by(priority) (rate(syscall_events_total[5m]))",
    ),
    template(
        "rate_by_category",
        "by category",
        "sum by(rule_category) (rate(syscall_events_total[5m]))",
    ),
    template("newest", "newest event", "max(syscall_last_event_timestamp_seconds)"),
    template(
        "container_rate",
        "of one container",
        "sum(rate(syscall_events_total{container_name=\"$id\"}[5m]))",
    ),
    template(
        "container_alerts",
        "alerts of one container",
        "sum by(rule,priority) (rate(security_alerts_total{container_name=\"$id\"}[5m]))",
    ),
    template(
        "busiest",
        "busiest containers",
        "topk(10, sum by(container_name) (rate(syscall_events_total[5m])))",
    ),
    template("exact_rate", "exact rate, whatever was folded", "rate(hanabi_events_total[5m])"),
    template(
        "dropped",
        "lines lost before they were read",
        "sum by(reason) (rate(hanabi_ingest_lines_dropped_total[5m]))",
    ),
    template(
        "upstream_lost",
        "events that the source lost",
        "rate(hanabi_ingest_upstream_lost_events_total[5m])",
    ),
    template("profiles", "profiles by phase", "hanabi_profiles"),
    template("learning", "how far learning is", "hanabi_learning_progress_average_ratio"),
    template(
        "queue",
        "queue, as a share of its limit",
        "hanabi_ingest_queue_bytes / hanabi_ingest_queue_limit_bytes",
    ),
    template(
        "folded",
        "label values folded",
        "sum by(family) (rate(hanabi_series_folded_total[1h]))",
    ),
];

impl Template {
    /// The query for a container, whatever its name holds.
    pub fn of_container(&self, name: &str) -> String {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        self.query.replace("$id", &quoted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Memory, Options};

    #[test]
    fn every_template_is_a_query_for_any_container() {
        let memory = Memory::default();
        let engine = Engine::new(&memory, Options::default(), &|| None);
        for template in TEMPLATES {
            for name in ["web", "a\"} or vector(1) #", "a\\", "a\nb", "$id"] {
                let query = template.of_container(name);
                let answer =
                    engine.instant(&query, 1_000).unwrap_or_else(|e| panic!("{query}: {e}"));
                assert_eq!(answer, crate::Answer::Vector(Vec::new()), "{query}");
            }
        }
    }
}
