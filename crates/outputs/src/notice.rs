//! What is told of an alert: bounded and clean, whatever an attacker has put into it.

use hanabi_detect::{Alert, AlertSource, AlertState};
use hanabi_event::{EventTime, Priority, time::format_time};
use serde::{Deserialize, Serialize};

/// The longest text of a notice, in bytes: a command line that still fits a screen, and a message
/// of all texts together below the 8 KiB at which syslog daemons cut.
pub const TEXT: usize = 512;
/// The longest text where [`TEXT`] would make too long a message: characters that JSON escapes
/// take six times their room.
pub const SHORT_TEXT: usize = 64;
/// The longest message, in bytes: rsyslog takes 8 KiB (`maxMessageSize`), head included.
pub(crate) const MESSAGE: usize = 7 * 1024;
/// Siblings and techniques that are named.
const NAMED: usize = 3;

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cause {
    /// It asks for attention: opened, reopened, or worse than before.
    Raised,
    /// It does not any more: resolved, promoted or suppressed.
    Ended,
    /// Nothing has happened: a person tries the output.
    Test,
}

/// An alert as it is told. Texts are cut at [`TEXT`] bytes, and have no control characters.
///
/// Its JSON is the format `json`, and what lies in the spool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub(crate) event: Cause,
    pub(crate) id: String,
    pub(crate) fingerprint: String,
    /// How often it has asked for attention.
    pub(crate) notifications: u64,
    pub(crate) state: AlertState,
    pub(crate) source: AlertSource,
    pub(crate) rule: String,
    pub(crate) kind: String,
    pub(crate) priority: Priority,
    pub(crate) score: f64,
    pub(crate) summary: String,
    pub(crate) summary_zh: String,
    pub(crate) host: String,
    pub(crate) identity: String,
    pub(crate) container_id: String,
    pub(crate) container_name: String,
    pub(crate) image: String,
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) process: String,
    pub(crate) executable: String,
    pub(crate) command_line: String,
    pub(crate) parent: String,
    /// The generalised token that did not fit.
    pub(crate) token: String,
    /// The value as the event had it, redacted.
    pub(crate) value: String,
    /// The likeliest learned siblings.
    pub(crate) expected: Vec<String>,
    pub(crate) mitre: Vec<String>,
    pub(crate) count: u64,
    pub(crate) containers: u64,
    pub(crate) incident: String,
    #[serde(with = "times")]
    pub(crate) first_seen: EventTime,
    #[serde(with = "times")]
    pub(crate) last_seen: EventTime,
}

impl Notice {
    /// What is told of an alert.
    pub(crate) fn of(alert: &Alert, event: Cause) -> Self {
        let notice = Self::with_texts(alert, event);
        match serde_json::to_vec(&notice) {
            Ok(json) if json.len() > MESSAGE => notice.shortened(),
            _ => notice,
        }
    }

    fn with_texts(alert: &Alert, event: Cause) -> Self {
        let text = |text: &str| clean(text, TEXT);
        let (process, parent) = match alert.lineage.as_slice() {
            [.., parent, process] => (Some(process), Some(parent)),
            [process] => (Some(process), None),
            [] => (None, None),
        };
        let of = |entry: Option<&hanabi_detect::LineageEntry>,
                  field: fn(&hanabi_detect::LineageEntry) -> &String| {
            entry.map(|entry| text(field(entry))).unwrap_or_default()
        };
        let container = &alert.container;
        Self {
            event,
            id: text(&alert.id),
            fingerprint: text(&alert.fingerprint),
            notifications: alert.notifications,
            state: alert.state,
            source: alert.source,
            rule: text(&alert.rule),
            kind: alert.kind.as_str().to_owned(),
            priority: alert.priority,
            score: alert.score,
            summary: text(&alert.summary.en),
            summary_zh: text(&alert.summary.zh),
            host: text(&alert.host),
            identity: text(&alert.identity),
            container_id: text(&container.id),
            container_name: text(&container.name),
            image: text(&container.image),
            namespace: text(&alert.k8s.namespace),
            pod: text(&container.pod),
            process: of(process, |entry| &entry.name),
            executable: of(process, |entry| &entry.executable),
            command_line: of(process, |entry| &entry.command_line),
            parent: of(parent, |entry| &entry.name),
            token: text(&alert.path.token),
            value: text(&alert.path.raw),
            expected: alert.expected.iter().take(NAMED).map(|e| text(&e.token)).collect(),
            mitre: alert.mitre.iter().take(NAMED).map(|m| text(m)).collect(),
            count: alert.count,
            containers: alert.containers_total,
            incident: text(&alert.incident),
            first_seen: alert.first_seen,
            last_seen: alert.last_seen,
        }
    }

    /// The same with texts of [`SHORT_TEXT`].
    pub(crate) fn shortened(&self) -> Self {
        let mut short = self.clone();
        for text in [
            &mut short.rule,
            &mut short.summary,
            &mut short.summary_zh,
            &mut short.host,
            &mut short.identity,
            &mut short.container_id,
            &mut short.container_name,
            &mut short.image,
            &mut short.namespace,
            &mut short.pod,
            &mut short.process,
            &mut short.executable,
            &mut short.command_line,
            &mut short.parent,
            &mut short.token,
            &mut short.value,
        ]
        .into_iter()
        .chain(&mut short.expected)
        .chain(&mut short.mitre)
        {
            *text = clean(text, SHORT_TEXT);
        }
        short
    }

    /// What a person sends to see whether it arrives; nothing has happened.
    pub(crate) fn test(output: &str, now: EventTime) -> Self {
        let id = hanabi_detect::stable_id(&["test", output, &now.to_string()]);
        let summary = format!("A test of the output {output}: nothing has happened");
        Self {
            event: Cause::Test,
            fingerprint: id.clone(),
            id,
            notifications: 1,
            state: AlertState::Open,
            source: AlertSource::Hanabi,
            rule: "hanabi.test".to_owned(),
            kind: "test".to_owned(),
            priority: Priority::Notice,
            score: 0.0,
            summary: clean(&summary, TEXT),
            summary_zh: format!("输出 {output} 的测试:什么也没有发生"),
            host: String::new(),
            identity: "test".to_owned(),
            container_id: String::new(),
            container_name: "test".to_owned(),
            image: String::new(),
            namespace: String::new(),
            pod: String::new(),
            process: String::new(),
            executable: String::new(),
            command_line: String::new(),
            parent: String::new(),
            token: String::new(),
            value: String::new(),
            expected: Vec::new(),
            mitre: Vec::new(),
            count: 1,
            containers: 1,
            incident: String::new(),
            first_seen: now,
            last_seen: now,
        }
    }

    /// The number of this message, the same in every try: receivers can tell repetitions by it.
    /// A UUID of version 8 (RFC 9562) out of the alert's id and how often it has asked.
    pub(crate) fn uuid(&self) -> String {
        let word = match self.event {
            Cause::Raised => "raised",
            Cause::Ended => "ended",
            Cause::Test => "test",
        };
        let times = self.notifications.to_string();
        let high = hanabi_detect::stable_id(&["message", &self.id, word, &times]);
        let low = hanabi_detect::stable_id(&["number", &self.id, word, &times]);
        let digits = |text: &str| -> String {
            let hex = text.chars().filter(char::is_ascii_hexdigit);
            hex.chain(std::iter::repeat('0')).take(16).collect()
        };
        let (high, low) = (digits(&high), digits(&low));
        format!(
            "{}-{}-8{}-8{}-{}",
            &high[..8],
            &high[8..12],
            &high[13..16],
            &low[1..4],
            &low[4..16]
        )
    }
}

/// A text without what a terminal, a log or a reader's eye takes for an order: control characters
/// and those that turn the direction of writing become `U+FFFD`. Cut at `most` bytes.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut out = String::with_capacity(text.len().min(most));
    for character in text.chars() {
        let shown = if is_order(character) { '\u{fffd}' } else { character };
        if out.len() + shown.len_utf8() > most {
            break;
        }
        out.push(shown);
    }
    out
}

fn is_order(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Times as RFC 3339.
mod times {
    use hanabi_event::{EventTime, time::parse_time};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    pub(super) fn serialize<S: Serializer>(time: &EventTime, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&super::format_time(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EventTime, D::Error> {
        let text = String::deserialize(from)?;
        parse_time(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no time")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    #[test]
    fn texts_are_cut_between_characters_and_cleaned() {
        for (text, shown) in [
            ("plain", "plain"),
            ("a\nb\u{1b}[2J", "a\u{fffd}b\u{fffd}"),
            ("\u{202e}gpj", "\u{fffd}gpj"),
            ("花火花火", "花火"),
            ("\u{85}", "\u{fffd}"),
        ] {
            assert_eq!(clean(text, 8), shown, "{text:?}");
        }
    }

    #[test]
    fn the_number_of_a_message_is_the_same_in_every_try_and_another_for_each() {
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        let uuid = notice.uuid();
        assert_eq!(uuid, notice.clone().uuid());
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.as_bytes()[14], b'8');
        let ended = Notice { event: Cause::Ended, ..notice.clone() };
        let again = Notice { notifications: 2, ..notice };
        assert_ne!(ended.uuid(), uuid);
        assert_ne!(again.uuid(), uuid);
    }

    proptest! {
        /// Whatever is in an event, a message is not longer than receivers take, and comes back
        /// from the spool as it was.
        #[test]
        fn a_notice_is_bounded_and_survives_the_spool(text in "\\PC{0,900}|[\\x00-\\x1f\"\\\\]{0,900}") {
            let mut alert = testing::alert("a");
            for field in [
                &mut alert.rule, &mut alert.host, &mut alert.identity, &mut alert.summary.en,
                &mut alert.summary.zh, &mut alert.path.raw, &mut alert.path.token,
                &mut alert.container.name, &mut alert.container.image, &mut alert.k8s.namespace,
                &mut alert.container.pod, &mut alert.container.id,
            ] {
                field.clone_from(&text);
            }
            for entry in &mut alert.lineage {
                entry.command_line.clone_from(&text);
                entry.executable.clone_from(&text);
                entry.name.clone_from(&text);
            }
            let notice = Notice::of(&alert, Cause::Raised);
            let json = serde_json::to_string(&notice).unwrap();
            prop_assert!(json.len() <= MESSAGE, "{}", json.len());
            prop_assert!(!json.chars().any(char::is_control));
            prop_assert_eq!(serde_json::from_str::<Notice>(&json).unwrap(), notice);
        }
    }
}
