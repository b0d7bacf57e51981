//! Alerts and incidents: put, found by id, and their place in the index.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hanabi_detect::{Alert, AlertContainer, AlertSource, AlertState, Incident};
use hanabi_event::{EventTime, Priority};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::de::DeserializeOwned;

use crate::codec::{self, Reader};
use crate::error::Fault;
use crate::indexed::{Entry, Indexed};
use crate::owner::Owner;
use crate::{Store, StoreError};

pub(crate) const ALERTS: Indexed = Indexed::new("alerts", "alert_index");
pub(crate) const INCIDENTS: Indexed = Indexed::new("incidents", "incident_index");
/// What a text search looks through, in lower case, by alert id.
pub(crate) const ALERT_TEXT: TableDefinition<'static, &str, &str> =
    TableDefinition::new("alert_text");

/// What filters and aggregates read of an alert, without unpacking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlertHead<'a> {
    pub(crate) state: AlertState,
    pub(crate) source: AlertSource,
    pub(crate) priority: Priority,
    pub(crate) first_seen: EventTime,
    pub(crate) count: u64,
    pub(crate) kind: &'a str,
    pub(crate) rule: &'a str,
}

/// What filters read of an incident.
pub(crate) struct IncidentHead {
    pub(crate) priority: Priority,
    pub(crate) first_seen: EventTime,
}

impl Store {
    /// The alert with this id.
    pub fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        self.db.read("read an alert", |from| {
            ALERTS.get(from, id)?.map(|body| codec::from_json(&body)).transpose()
        })
    }

    /// Puts an alert in place of the one with its id, durable on return: for what people do.
    pub fn put_alert(&self, alert: &Alert) -> Result<(), StoreError> {
        self.put_alerts(std::slice::from_ref(alert))
    }

    /// Puts several alerts, all of them or none, durable on return.
    pub fn put_alerts(&self, alerts: &[Alert]) -> Result<(), StoreError> {
        self.db.write("write alerts", |to| put_alerts(to, alerts))
    }

    /// The incident with this id.
    pub fn incident(&self, id: &str) -> Result<Option<Incident>, StoreError> {
        self.db.read("read an incident", |from| {
            INCIDENTS.get(from, id)?.map(|body| codec::from_json(&body)).transpose()
        })
    }

    /// Takes out alerts that are resolved or promoted, and incidents, last seen before `before`.
    /// Answers how many alerts went. Alerts that wait for a person stay, whatever their age.
    pub fn prune_alerts(&self, before: EventTime) -> Result<u64, StoreError> {
        self.db.write("remove old alerts", |to| prune(to, before))
    }
}

pub(crate) fn put_alerts(to: &WriteTransaction, alerts: &[Alert]) -> Result<(), Fault> {
    if alerts.is_empty() {
        return Ok(());
    }
    let mut writer = ALERTS.writer(to)?;
    let mut text = to.open_table(ALERT_TEXT)?;
    for alert in alerts {
        let alert = &*with_finite_numbers(alert);
        let body = codec::to_json(alert)?;
        writer.put(&Entry {
            id: &alert.id,
            time: alert.last_seen,
            words: alert_words(alert),
            head: AlertHead::of(alert).encode(),
            owner: Owner::new(&alert.identity, names(alert)),
            body: &body,
        })?;
        text.insert(alert.id.as_str(), alert_text(alert).as_str())?;
    }
    Ok(())
}

pub(crate) fn put_incidents(to: &WriteTransaction, incidents: &[Incident]) -> Result<(), Fault> {
    if incidents.is_empty() {
        return Ok(());
    }
    let mut writer = INCIDENTS.writer(to)?;
    for incident in incidents {
        let body = codec::to_json(incident)?;
        let words = container_words(&incident.identity, std::slice::from_ref(&incident.container));
        let mut head = vec![priority_code(incident.priority)];
        head.extend_from_slice(&incident.first_seen.to_le_bytes());
        let time = incident.last_seen;
        let name = incident.container.name.as_str();
        let owner = Owner::new(&incident.identity, std::iter::once(name));
        writer.put(&Entry { id: &incident.id, time, words, head, owner, body: &body })?;
    }
    Ok(())
}

/// The names of an alert's containers, the one that it shows last: it is there always.
fn names(alert: &Alert) -> impl Iterator<Item = &str> {
    alert.containers.iter().chain([&alert.container]).map(|container| container.name.as_str())
}

/// JSON has no word for a number that is none, and an alert must not become unreadable by one.
fn with_finite_numbers(alert: &Alert) -> Cow<'_, Alert> {
    let parts = alert.score_parts.iter().map(|part| part.value);
    let nearest = alert.nearest.iter().flat_map(|one| [one.similarity, one.threshold]);
    if [alert.score].into_iter().chain(parts).chain(nearest).all(f64::is_finite) {
        return Cow::Borrowed(alert);
    }
    let mut alert = alert.clone();
    tracing::error!(id = alert.id, "alert with a score that is no number, stored as 0");
    let parts = alert.score_parts.iter_mut().map(|part| &mut part.value);
    let nearest = alert.nearest.iter_mut();
    let nearest = nearest.flat_map(|one| [&mut one.similarity, &mut one.threshold]);
    for number in [&mut alert.score].into_iter().chain(parts).chain(nearest) {
        if !number.is_finite() {
            *number = 0.0;
        }
    }
    Cow::Owned(alert)
}

/// Bodies as what they are. One that cannot be read, written by a version that knew other fields,
/// is left out and reported: it must not keep the others from being seen, or the service from
/// starting. It stays where it is, and a check names it.
pub(crate) fn read_all<T: DeserializeOwned>(bodies: &[Vec<u8>]) -> Vec<T> {
    let read = |body: &Vec<u8>| match serde_json::from_slice(body) {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::error!(%error, "stored alert or incident left out: it cannot be read");
            None
        }
    };
    bodies.iter().filter_map(read).collect()
}

fn prune(to: &WriteTransaction, before: EventTime) -> Result<u64, Fault> {
    let old = |tables: &Indexed, keep: &dyn Fn(&[u8]) -> Result<bool, Fault>| {
        let index = to.open_table(tables.index)?;
        let mut ids: Vec<String> = Vec::new();
        for entry in index.range(("", 0, "")..("", before, ""))? {
            let (key, head) = entry?;
            if !keep(head.value())? {
                ids.push(key.value().2.to_owned());
            }
        }
        Ok::<_, Fault>(ids)
    };
    let waits = |head: &[u8]| Ok(!is_closed(AlertHead::decode(head)?.state));
    let alerts = old(&ALERTS, &waits)?;
    let incidents = old(&INCIDENTS, &|_| Ok(false))?;
    let mut writer = ALERTS.writer(to)?;
    let mut text = to.open_table(ALERT_TEXT)?;
    for id in &alerts {
        writer.remove(id)?;
        text.remove(id.as_str())?;
    }
    let mut writer = INCIDENTS.writer(to)?;
    for id in &incidents {
        writer.remove(id)?;
    }
    Ok(alerts.len() as u64)
}

/// True when nobody has to do anything about an alert any more.
pub(crate) fn is_closed(state: AlertState) -> bool {
    match state {
        AlertState::Open | AlertState::Acknowledged | AlertState::Suppressed => false,
        AlertState::Promoted | AlertState::Resolved => true,
    }
}

/// Creates the tables, so that readers never meet a missing one.
pub(crate) fn create_tables(to: &WriteTransaction) -> Result<(), Fault> {
    ALERTS.writer(to)?;
    INCIDENTS.writer(to)?;
    to.open_table(ALERT_TEXT)?;
    Ok(())
}

/// Alerts and incidents stored; an error where a table is missing.
pub(crate) fn count(from: &ReadTransaction) -> Result<(u64, u64), Fault> {
    use redb::ReadableTableMetadata as _;
    from.open_table(ALERTS.index)?;
    from.open_table(INCIDENTS.index)?;
    from.open_table(ALERT_TEXT)?;
    let alerts = from.open_table(ALERTS.records)?.len()?;
    Ok((alerts, from.open_table(INCIDENTS.records)?.len()?))
}

/// Walks everything and notes what does not fit together.
pub(crate) fn check(
    from: &ReadTransaction,
    problems: &mut Vec<String>,
) -> Result<(u64, u64), Fault> {
    let alert = |id: &str, time: u64, body: &[u8]| match serde_json::from_slice::<Alert>(body) {
        Ok(alert) if alert.id == id && alert.last_seen == time => Ok(()),
        Ok(_) => Err("it is filed under another id or time".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let alerts = ALERTS.check(from, alert, problems)?;
    let incident = |id: &str, time: u64, body: &[u8]| match serde_json::from_slice::<Incident>(body)
    {
        Ok(incident) if incident.id == id && incident.last_seen == time => Ok(()),
        Ok(_) => Err("it is filed under another id or time".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let incidents = INCIDENTS.check(from, incident, problems)?;
    let texts = redb::ReadableTableMetadata::len(&from.open_table(ALERT_TEXT)?)?;
    if texts != alerts {
        problems.push(format!("{texts} texts for {alerts} alerts"));
    }
    Ok((alerts, incidents))
}

/// The word of a container, by its id, its name or its profile's identity.
pub(crate) fn container_word(text: &str) -> String {
    format!("c:{}", short_id(text))
}

pub(crate) fn state_word(state: AlertState) -> String {
    format!("s:{}", state_code(state))
}

pub(crate) fn rule_word(rule: &str) -> String {
    format!("r:{rule}")
}

/// Docker's short id for a full one; anything else as it is.
pub(crate) fn short_id(text: &str) -> &str {
    let is_full = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.get(..12).filter(|_| is_full).unwrap_or(text)
}

fn alert_words(alert: &Alert) -> Vec<String> {
    let first = std::slice::from_ref(&alert.container);
    let mut words = container_words(&alert.identity, first.iter().chain(&alert.containers));
    words.push(state_word(alert.state));
    words.push(rule_word(&alert.rule));
    words
}

fn container_words<'a>(
    identity: &'a str,
    containers: impl IntoIterator<Item = &'a AlertContainer>,
) -> Vec<String> {
    let mut words = BTreeSet::from([container_word(identity)]);
    for container in containers {
        for text in [&container.id, &container.name] {
            if !text.is_empty() {
                words.insert(container_word(text));
            }
        }
    }
    words.into_iter().collect()
}

fn alert_text(alert: &Alert) -> String {
    let parts = [
        &alert.summary.en,
        &alert.summary.zh,
        &alert.rule,
        &alert.path.token,
        &alert.path.raw,
        &alert.identity,
        &alert.container.name,
    ];
    // A separator that no search can contain keeps a match from running over two parts.
    parts.map(String::as_str).join("\n").to_lowercase()
}

impl<'a> AlertHead<'a> {
    pub(crate) fn of(alert: &'a Alert) -> Self {
        Self {
            state: alert.state,
            source: alert.source,
            priority: alert.priority,
            first_seen: alert.first_seen,
            count: alert.count,
            kind: alert.kind.as_str(),
            rule: &alert.rule,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let source = match self.source {
            AlertSource::Hanabi => 0,
            AlertSource::Falco => 1,
        };
        let mut out = vec![state_code(self.state), source, priority_code(self.priority)];
        out.extend_from_slice(&self.first_seen.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        codec::put_bytes(&mut out, self.kind.as_bytes());
        codec::put_bytes(&mut out, self.rule.as_bytes());
        out
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let state = match reader.u8()? {
            0 => AlertState::Open,
            1 => AlertState::Acknowledged,
            2 => AlertState::Suppressed,
            3 => AlertState::Promoted,
            4 => AlertState::Resolved,
            code => return Err(Fault::Damaged(format!("unknown alert state {code}"))),
        };
        let source = match reader.u8()? {
            0 => AlertSource::Hanabi,
            1 => AlertSource::Falco,
            code => return Err(Fault::Damaged(format!("unknown alert source {code}"))),
        };
        let priority = priority_of(reader.u8()?)?;
        let (first_seen, count) = (reader.u64()?, reader.u64()?);
        let (kind, rule) = (reader.str()?, reader.str()?);
        Ok(Self { state, source, priority, first_seen, count, kind, rule })
    }
}

impl IncidentHead {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        Ok(Self { priority: priority_of(reader.u8()?)?, first_seen: reader.u64()? })
    }
}

fn state_code(state: AlertState) -> u8 {
    match state {
        AlertState::Open => 0,
        AlertState::Acknowledged => 1,
        AlertState::Suppressed => 2,
        AlertState::Promoted => 3,
        AlertState::Resolved => 4,
    }
}

/// The stored number of a priority, least severe first.
pub(crate) fn priority_code(priority: Priority) -> u8 {
    match priority {
        Priority::Debug => 0,
        Priority::Informational => 1,
        Priority::Notice => 2,
        Priority::Warning => 3,
        Priority::Error => 4,
        Priority::Critical => 5,
        Priority::Alert => 6,
        Priority::Emergency => 7,
    }
}

pub(crate) fn priority_of(code: u8) -> Result<Priority, Fault> {
    let found = Priority::ALL.into_iter().find(|priority| priority_code(*priority) == code);
    found.ok_or_else(|| Fault::Damaged(format!("unknown priority {code}")))
}
