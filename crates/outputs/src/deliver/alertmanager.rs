//! Alertmanager's API, version 2: `POST /api/v2/alerts`, as in its own `OpenAPI` document
//! (<https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>).
//!
//! An alert there is its labels. It ends when its `endsAt` has passed, which is some minutes from
//! every time it is sent; so what goes on is sent again and again, as Prometheus does it, and what
//! Alertmanager has forgotten in a restart comes back. The labels are few and change only with the
//! priority; then the old ones are ended in the same request.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant, SystemTime},
};

use hanabi_detect::AlertSource;
use hanabi_event::{EventTime, Priority, time::format_time};
use serde_json::{Value, json};

use super::{Sent, http::Poster};
use crate::{
    HttpTarget, OutputSettings, format,
    notice::{Cause, Notice, clean},
};

/// How often what goes on is sent again, as Prometheus does (`rules.alert.resend-delay`).
pub const RESEND_EVERY: Duration = Duration::from_mins(1);
/// From sending to `endsAt`, in rounds, as Prometheus does: three rounds may fail.
const ROUNDS: u32 = 4;
/// Alerts that are sent again. Each costs about a kilobyte and a place in Alertmanager; past it the
/// oldest are left to end there by themselves, which is counted.
const GOING_ON_MAX: usize = 10_000;
/// Alerts of a request: some hundred kilobytes.
const REQUEST_ALERTS: usize = 200;
/// The longest value of a label, in bytes: routes and groupings read them.
const LABEL: usize = 128;

/// An Alertmanager, and what goes on there.
pub(crate) struct Alertmanager {
    poster: Poster,
    going_on: BTreeMap<String, Sendable>,
    /// The same, oldest first; those that have ended are passed over.
    order: VecDeque<String>,
    next: Instant,
    let_go: u64,
}

/// An alert without its end.
#[derive(Clone, Debug, PartialEq)]
struct Sendable(Value);

impl Alertmanager {
    pub(super) fn new(target: &HttpTarget) -> Result<Self, String> {
        let url = format!("{}/api/v2/alerts", target.url.trim_end_matches('/'));
        Ok(Self {
            poster: Poster::new(target, &url)?,
            going_on: BTreeMap::new(),
            order: VecDeque::new(),
            next: Instant::now(),
            let_go: 0,
        })
    }

    /// Takes over what went on before a restart; it is sent at the next [`Alertmanager::refresh`].
    pub(crate) fn resume(&mut self, settings: &OutputSettings, notices: &[Notice]) {
        for notice in notices {
            self.keep(notice.id.clone(), Sendable::of(settings, notice));
        }
        self.next = Instant::now();
    }

    pub(super) fn deliver(&mut self, settings: &OutputSettings, notices: &[Notice]) -> Sent {
        let now = SystemTime::now();
        let mut alerts = Vec::new();
        for notice in notices {
            let new = Sendable::of(settings, notice);
            let before = self.going_on.get(&notice.id);
            if let Some(before) = before.filter(|before| before.labels() != new.labels()) {
                alerts.push(before.ending(now));
            }
            alerts.push(match notice.event {
                Cause::Raised => new.ending(now + ROUNDS * RESEND_EVERY),
                // A test ends by itself.
                Cause::Test => new.ending(now + RESEND_EVERY),
                Cause::Ended => new.ending(now),
            });
        }
        let sent = self.post(&alerts);
        if sent == Sent::Taken {
            for notice in notices {
                match notice.event {
                    Cause::Raised => {
                        self.keep(notice.id.clone(), Sendable::of(settings, notice));
                    }
                    Cause::Ended => _ = self.going_on.remove(&notice.id),
                    Cause::Test => {}
                }
            }
        }
        sent
    }

    /// How long until what goes on is to be sent again; nothing where nothing does.
    pub(crate) fn refresh_in(&self) -> Option<Duration> {
        let wait = || self.next.saturating_duration_since(Instant::now());
        (!self.going_on.is_empty()).then(wait)
    }

    /// Sends what goes on again.
    pub(crate) fn refresh(&mut self) -> Sent {
        let ends = SystemTime::now() + ROUNDS * RESEND_EVERY;
        let all: Vec<Value> = self.going_on.values().map(|alert| alert.ending(ends)).collect();
        for part in all.chunks(REQUEST_ALERTS) {
            match self.post(part) {
                Sent::Taken => {}
                other => return other,
            }
        }
        self.next = Instant::now() + RESEND_EVERY;
        Sent::Taken
    }

    /// Alerts that go on here and are not sent again, since there are too many.
    pub(crate) fn let_go(&self) -> u64 {
        self.let_go
    }

    fn post(&self, alerts: &[Value]) -> Sent {
        self.poster.post("application/json", Value::from(alerts).to_string().as_bytes())
    }

    fn keep(&mut self, id: String, alert: Sendable) {
        if self.going_on.insert(id.clone(), alert).is_none() {
            self.order.push_back(id);
        }
        while self.going_on.len() > GOING_ON_MAX {
            let Some(oldest) = self.order.pop_front() else { break };
            self.let_go += u64::from(self.going_on.remove(&oldest).is_some());
        }
        if self.order.len() > 2 * GOING_ON_MAX {
            let going_on = &self.going_on;
            self.order.retain(|id| going_on.contains_key(id));
        }
    }
}

impl Sendable {
    fn of(settings: &OutputSettings, notice: &Notice) -> Self {
        let link = settings.link_to(notice);
        let text = settings.text.fill(notice, &link);
        let mut alert = json!({
            "labels": labels(notice),
            "annotations": annotations(notice, &text),
            "startsAt": format_time(notice.first_seen),
        });
        if !link.is_empty() {
            alert["generatorURL"] = link.into();
        }
        Self(alert)
    }

    fn labels(&self) -> &Value {
        &self.0["labels"]
    }

    fn ending(&self, at: SystemTime) -> Value {
        let mut alert = self.0.clone();
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        alert["endsAt"] = format_time(since.as_nanos() as EventTime).into();
        alert
    }
}

/// Few, and the same through an alert's life but for the priority. The fingerprint keeps alerts of
/// one rule and container apart, and groups them where it is named in `group_by`.
fn labels(notice: &Notice) -> Value {
    let source = match notice.source {
        AlertSource::Hanabi => "hanabi",
        AlertSource::Falco => "falco",
    };
    let texts = [
        ("alertname", notice.rule.as_str()),
        ("severity", severity(notice.priority)),
        ("priority", notice.priority.as_str()),
        ("source", source),
        ("container", &notice.container_name),
        ("namespace", &notice.namespace),
        ("fingerprint", &notice.fingerprint),
    ];
    // Alertmanager refuses nothing empty, but an empty label is none.
    texts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), clean(value, LABEL).into()))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}

fn annotations(notice: &Notice, text: &str) -> Value {
    let score = format!("{:.2}", notice.score);
    let (count, mitre) = (notice.count.to_string(), notice.mitre.join(", "));
    let expected = notice.expected.join(", ");
    let texts = [
        ("summary", notice.summary.as_str()),
        ("summary_zh", &notice.summary_zh),
        ("description", text),
        ("id", &notice.id),
        ("state", format::state_word(notice.state)),
        ("kind", &notice.kind),
        ("score", &score),
        ("count", &count),
        ("host", &notice.host),
        ("identity", &notice.identity),
        ("container_id", &notice.container_id),
        ("image", &notice.image),
        ("pod", &notice.pod),
        ("process", &notice.process),
        ("command_line", &notice.command_line),
        ("value", &notice.value),
        ("expected", &expected),
        ("mitre", &mitre),
    ];
    texts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}

/// The three words of Prometheus' own rules.
fn severity(priority: Priority) -> &'static str {
    match priority {
        Priority::Emergency | Priority::Alert | Priority::Critical => "critical",
        Priority::Error | Priority::Warning => "warning",
        Priority::Notice | Priority::Informational | Priority::Debug => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn unreachable() -> Alertmanager {
        // Nobody listens on the discard port.
        let target = HttpTarget { url: "http://127.0.0.1:9/".into(), token: None, ca: None };
        Alertmanager::new(&target).unwrap()
    }

    #[test]
    fn labels_are_few_and_annotations_tell_the_rest() {
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        let alert = Sendable::of(&testing::settings(), &notice).0;
        assert_eq!(
            alert["labels"],
            json!({ "alertname": "hbt.new_process", "severity": "warning", "priority": "Warning",
                "source": "hanabi", "container": "web", "namespace": "shop",
                "fingerprint": notice.fingerprint })
        );
        assert_eq!(alert["annotations"]["summary"], "sh was started in web");
        assert_eq!(alert["annotations"]["command_line"], "sh -c 'id'");
        assert!(alert["annotations"].as_object().unwrap().values().all(Value::is_string));
        // What grows changes no label.
        let mut more = testing::alert("a");
        (more.count, more.notifications, more.score) = (900, 3, 0.9);
        let more = Sendable::of(&testing::settings(), &Notice::of(&more, Cause::Raised));
        assert_eq!(more.labels(), &alert["labels"]);
    }

    #[test]
    fn what_was_not_taken_does_not_go_on() {
        let mut alertmanager = unreachable();
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        let sent = alertmanager.deliver(&testing::settings(), std::slice::from_ref(&notice));
        assert!(matches!(sent, Sent::Later(..)), "{sent:?}");
        assert_eq!(alertmanager.refresh_in(), None);
        alertmanager.resume(&testing::settings(), &[notice]);
        assert_eq!(alertmanager.refresh_in(), Some(Duration::ZERO));
        assert!(matches!(alertmanager.refresh(), Sent::Later(..)));
    }

    #[test]
    fn what_goes_on_is_bounded_and_the_oldest_are_let_go() {
        let mut alertmanager = unreachable();
        for number in 0..GOING_ON_MAX + 2 {
            alertmanager.keep(number.to_string(), Sendable(Value::Null));
        }
        assert_eq!((alertmanager.going_on.len(), alertmanager.let_go()), (GOING_ON_MAX, 2));
        assert!(!alertmanager.going_on.contains_key("1"));
        // Those that come and go leave nothing behind.
        for number in 0..5 * GOING_ON_MAX {
            let id = format!("x{number}");
            alertmanager.going_on.remove(&format!("{}", number + 2));
            alertmanager.keep(id.clone(), Sendable(Value::Null));
            alertmanager.going_on.remove(&id);
        }
        assert!(alertmanager.order.len() <= 2 * GOING_ON_MAX);
    }
}
