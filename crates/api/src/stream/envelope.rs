//! Messages as they go over the wire.

use std::fmt::Write as _;
use std::ops::Range;

use bytes::Bytes;
use hanabi_detect::{Alert, Kind};
use hanabi_event::{Category, Priority};
use serde_json::{Value, json};

use super::filter::{Bits, CELLS, StreamFilter, StreamScope};
use super::inbox::{Owner, PendingEvents};

/// One numbered message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) seq: u64,
    pub(super) owner: Owner,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Alert { frame: Bytes, priority: Priority, category: Option<Category> },
    Events(Box<Events>),
}

#[derive(Debug)]
struct Events {
    frame: Bytes,
    /// Where each event is in the frame.
    parts: Vec<(u8, Range<u32>)>,
    /// Where the list of events begins: what comes before is the same for every filter.
    list: usize,
    skipped: [u32; CELLS],
}

impl Message {
    pub(super) fn alert(boot: &str, seq: u64, owner: Owner, alert: &Alert) -> Self {
        let envelope = json!({
            "type": "alert",
            "ts": crate::times::text(alert.last_seen),
            "container": &*owner.id,
            "payload": alert,
        });
        let body = Body::Alert {
            frame: frame(boot, seq, &envelope),
            priority: alert.priority,
            category: alert_category(alert.kind),
        };
        Self { seq, owner, body }
    }

    pub(super) fn events(boot: &str, seq: u64, pending: PendingEvents) -> Self {
        let owner = pending.owner;
        let mut frame = Vec::with_capacity(pending.rows.len() + 160);
        let head = json!({
            "type": "event",
            "ts": crate::times::text(pending.time),
            "container": &*owner.id,
        });
        frame.extend_from_slice(format!("id: {boot}-{seq}\ndata: ").as_bytes());
        frame.extend_from_slice(head.to_string().trim_end_matches('}').as_bytes());
        frame.extend_from_slice(br#","payload":{"events":["#);
        let list = frame.len();
        frame.extend_from_slice(&pending.rows);
        let parts = pending
            .parts
            .into_iter()
            .map(|(cell, part)| (cell, part.start + list as u32..part.end + list as u32))
            .collect();
        let skipped = pending.skipped.iter().map(|n| u64::from(*n)).sum();
        close_list(&mut frame, skipped);
        let events = Events { frame: frame.into(), parts, list, skipped: pending.skipped };
        Self { seq, owner, body: Body::Events(Box::new(events)) }
    }

    /// Bytes it holds.
    pub(super) fn cost(&self) -> usize {
        let body = match &self.body {
            Body::Alert { frame, .. } => frame.len(),
            Body::Events(events) => {
                events.frame.len() + events.parts.len() * size_of::<(u8, Range<u32>)>()
            }
        };
        body + size_of::<Self>()
    }

    /// True when a client gets it, or a part of it.
    pub(super) fn concerns(&self, scope: &StreamScope, filter: &StreamFilter, bits: Bits) -> bool {
        let in_scope = match scope {
            StreamScope::All => true,
            StreamScope::Container(id) => *id == self.owner.id,
            StreamScope::Identity(identity) => *identity == self.owner.identity,
        };
        let is_seen = filter.within.is_everything()
            || self.owner.names.iter().any(|name| filter.within.covers(&self.owner.identity, name));
        in_scope
            && is_seen
            && match &self.body {
                Body::Alert { priority, category, .. } => {
                    filter.types.alerts
                        && filter.takes_priority(*priority)
                        && category.is_none_or(|category| filter.takes_category(category))
                }
                Body::Events(events) => {
                    filter.types.events
                        && (filter.takes_all_events()
                            || events.parts.iter().any(|(cell, _)| bits.has(*cell as usize))
                            || events.skipped_of(bits) > 0)
                }
            }
    }

    /// The message as one client gets it: shared, unless its filter leaves events out.
    pub(super) fn frame(&self, filter: &StreamFilter, bits: Bits) -> Bytes {
        match &self.body {
            Body::Alert { frame, .. } => frame.clone(),
            Body::Events(events) if filter.takes_all_events() => events.frame.clone(),
            Body::Events(events) => events.filtered(bits),
        }
    }
}

impl Events {
    fn skipped_of(&self, bits: Bits) -> u64 {
        let cells = self.skipped.iter().enumerate();
        cells.filter(|(cell, _)| bits.has(*cell)).map(|(_, n)| u64::from(*n)).sum()
    }

    fn filtered(&self, bits: Bits) -> Bytes {
        let mut frame = self.frame[..self.list].to_vec();
        let wanted = self.parts.iter().filter(|(cell, _)| bits.has(*cell as usize));
        for (i, (_, part)) in wanted.enumerate() {
            if i > 0 {
                frame.push(b',');
            }
            frame.extend_from_slice(&self.frame[part.start as usize..part.end as usize]);
        }
        close_list(&mut frame, self.skipped_of(bits));
        frame.into()
    }
}

fn close_list(frame: &mut Vec<u8>, skipped: u64) {
    frame.extend_from_slice(format!("],\"skipped\":{skipped}}}}}\n\n").as_bytes());
}

/// A heartbeat: no number of its own, but the position it tells, so that a client that heard nothing
/// else can resume from here.
pub(super) fn heartbeat(position: Option<(&str, u64)>, payload: &Value) -> Bytes {
    let envelope = json!({
        "type": "heartbeat",
        "ts": crate::times::text(crate::times::now()),
        "container": null,
        "payload": payload,
    });
    match position {
        Some((boot, seq)) => frame(boot, seq, &envelope),
        None => Bytes::from(format!("data: {envelope}\n\n")),
    }
}

fn frame(boot: &str, seq: u64, envelope: &Value) -> Bytes {
    let mut text = String::new();
    // JSON text has no raw line breaks, so one `data:` line holds it.
    if write!(text, "id: {boot}-{seq}\ndata: {envelope}\n\n").is_err() {
        text.clear();
    }
    text.into()
}

/// A message as text for a WebSocket: the envelope of the frame, with its `id` as a field, since
/// there is no other place for it. `None` for what says nothing, such as `retry:`.
pub(crate) fn message_of(frame: &[u8]) -> Option<String> {
    let frame = std::str::from_utf8(frame).ok()?;
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name));
    let envelope = field("data: ")?;
    Some(match (field("id: "), envelope.strip_prefix('{')) {
        // A boot and a number: nothing in it needs an escape.
        (Some(id), Some(rest)) => format!("{{\"id\":\"{id}\",{rest}"),
        _ => envelope.to_owned(),
    })
}

/// The category of an alert's kind; `None` when the kind belongs to none.
fn alert_category(kind: Kind) -> Option<Category> {
    match kind {
        Kind::NewProcess
        | Kind::NewArgument
        | Kind::NewExecutable
        | Kind::NewParent
        | Kind::NewUser => Some(Category::Process),
        Kind::NewPeer | Kind::NewPort => Some(Category::Network),
        Kind::NewDirectory | Kind::NewFile | Kind::NewAccess => Some(Category::File),
        Kind::NewOperation
        | Kind::Danger
        | Kind::Burst
        | Kind::Rule
        | Kind::Revision
        | Kind::Silence => None,
    }
}
