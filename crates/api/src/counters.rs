//! What the gateway counts of itself beside the exporter's own metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use hanabi_telemetry::Metrics;

use crate::live::Live;
use crate::stream::StreamCounters;

/// What the gateway counts. All only grow, `connections` apart.
#[derive(Debug, Default)]
pub struct ApiCounters {
    /// Open connections.
    pub connections: AtomicU64,
    /// Connections refused because of the limit.
    pub connections_refused: AtomicU64,
    /// Requests refused because of a limit on requests at a time.
    pub requests_refused: AtomicU64,
    /// Expensive reads refused because the service could not keep up.
    pub shed: AtomicU64,
    /// Requests refused because of their `Host` or `Origin`.
    pub hosts_refused: AtomicU64,
    /// Requests that took too long.
    pub timeouts: AtomicU64,
}

/// Adds one.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl ApiCounters {
    /// Brings the exporter's metrics up to what is counted here.
    pub(crate) fn show(&self, metrics: &Metrics) {
        metrics.http_connections.set_count(get(&self.connections));
        metrics.http_connections_refused.raise_to(get(&self.connections_refused));
        metrics.http_requests_refused.raise_to(get(&self.requests_refused));
        metrics.http_requests_shed.raise_to(get(&self.shed));
        metrics.http_hosts_refused.raise_to(get(&self.hosts_refused));
        metrics.http_timeouts.raise_to(get(&self.timeouts));
    }
}

/// The same for the stream.
pub(crate) fn show_stream(stream: &StreamCounters, metrics: &Metrics) {
    metrics.sse_clients.set_count(get(&stream.clients));
    metrics.sse_clients_refused.raise_to(get(&stream.clients_refused));
    metrics.sse_messages.raise_to(get(&stream.messages));
    metrics.sse_lagged.raise_to(get(&stream.lagged));
    metrics.sse_gaps.raise_to(get(&stream.gaps));
    metrics.sse_events_skipped.raise_to(get(&stream.events_skipped));
    metrics.sse_alerts_dropped.raise_to(get(&stream.alerts_dropped));
}

/// The same for what the engine has published.
pub(crate) fn show_live(live: &Live, metrics: &Metrics) {
    metrics.uncommitted_evicted.raise_to(live.overlay_evicted());
    metrics.overview_late.raise_to(live.with_overview(|overview| overview.late()));
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use hanabi_event::{Category, Priority};
    use hanabi_telemetry::Counter;

    use super::*;

    #[test]
    fn each_counter_has_its_metric() {
        let metrics = Metrics::new();
        ApiCounters {
            connections: 1.into(),
            connections_refused: 2.into(),
            requests_refused: 3.into(),
            hosts_refused: 4.into(),
            timeouts: 5.into(),
            shed: 14.into(),
        }
        .show(&metrics);
        let stream = StreamCounters {
            clients: 6.into(),
            clients_refused: 7.into(),
            messages: 8.into(),
            events_skipped: 9.into(),
            alerts_dropped: 10.into(),
            lagged: 11.into(),
            gaps: 12.into(),
        };
        show_stream(&stream, &metrics);
        let live = Live::new();
        let day = 86_400;
        live.with_overview(|overview| {
            for (second, n) in [(3 * day, 1), (day, 13)] {
                overview.add(second, Category::File, Priority::Debug, "rule", "web", n);
            }
        });
        show_live(&live, &metrics);
        assert!((metrics.http_connections.get() - 1.0).abs() < 0.1);
        assert!((metrics.sse_clients.get() - 6.0).abs() < 0.1);
        let counted = [
            &metrics.http_connections_refused,
            &metrics.http_requests_refused,
            &metrics.http_hosts_refused,
            &metrics.http_timeouts,
            &metrics.sse_clients_refused,
            &metrics.sse_messages,
            &metrics.sse_events_skipped,
            &metrics.sse_alerts_dropped,
            &metrics.sse_lagged,
            &metrics.sse_gaps,
            &metrics.overview_late,
            &metrics.http_requests_shed,
        ];
        assert_eq!(counted.map(Counter::get), [2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14]);
    }
}
