//! The text line of a message, as people have written it.

use std::str::FromStr;

use crate::notice::Notice;

/// The longest line, in bytes: what a chat or a mail's subject shows, and a bound for templates
/// that repeat a placeholder.
const LINE: usize = 2_000;
/// The longest template, in bytes.
const TEMPLATE: usize = 1_000;

/// What can stand in braces, in the order of the reference.
pub const PLACEHOLDERS: &[&str] = &[
    "summary",
    "summary_zh",
    "rule",
    "kind",
    "priority",
    "score",
    "container",
    "container_id",
    "image",
    "namespace",
    "pod",
    "host",
    "identity",
    "process",
    "executable",
    "command",
    "parent",
    "token",
    "value",
    "mitre",
    "count",
    "state",
    "id",
    "fingerprint",
    "time",
    "link",
];

/// A text with placeholders in braces, as in `{priority} {summary} in {container}`; `{{` and `}}`
/// are braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// One of [`PLACEHOLDERS`].
    Field(&'static str),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A word in braces that means nothing.
    #[error("has {{{word}}}, which is none of {}", PLACEHOLDERS.join(", "))]
    Unknown {
        /// The word.
        word: String,
    },
    /// A brace without its other half.
    #[error("has a brace without its other half; write {{{{ and }}}} for braces themselves")]
    Brace,
    /// It is too long.
    #[error("is longer than {TEMPLATE} bytes")]
    TooLong,
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE {
            return Err(TemplateError::TooLong);
        }
        let (mut pieces, mut plain) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..];
            if let Some(after) = brace.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = brace.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let inner = brace.strip_prefix('{').ok_or(TemplateError::Brace)?;
                let (word, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
                let known = PLACEHOLDERS.iter().find(|known| **known == word);
                let unknown = || TemplateError::Unknown { word: word.to_owned() };
                let field = known.ok_or_else(unknown)?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Field(field));
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }
}

/// The summary alone.
impl Default for Template {
    fn default() -> Self {
        Self(vec![Piece::Field("summary")])
    }
}

impl Template {
    /// The line of a notice. What an alert says is put in as it is: a brace in it means nothing.
    pub(crate) fn fill(&self, notice: &Notice, link: &str) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(field) => out.push_str(&value(notice, field, link)),
            }
        }
        crate::notice::clean(&out, LINE)
    }
}

fn value(notice: &Notice, field: &str, link: &str) -> String {
    match field {
        "summary" => notice.summary.clone(),
        "summary_zh" => notice.summary_zh.clone(),
        "rule" => notice.rule.clone(),
        "kind" => notice.kind.clone(),
        "priority" => notice.priority.as_str().to_owned(),
        "score" => format!("{:.2}", notice.score),
        "container" => notice.container_name.clone(),
        "container_id" => notice.container_id.clone(),
        "image" => notice.image.clone(),
        "namespace" => notice.namespace.clone(),
        "pod" => notice.pod.clone(),
        "host" => notice.host.clone(),
        "identity" => notice.identity.clone(),
        "process" => notice.process.clone(),
        "executable" => notice.executable.clone(),
        "command" => notice.command_line.clone(),
        "parent" => notice.parent.clone(),
        "token" => notice.token.clone(),
        "value" => notice.value.clone(),
        "mitre" => notice.mitre.join(","),
        "count" => notice.count.to_string(),
        "state" => crate::format::state_word(notice.state).to_owned(),
        "id" => notice.id.clone(),
        "fingerprint" => notice.fingerprint.clone(),
        "time" => hanabi_event::time::format_time(notice.last_seen),
        "link" => link.to_owned(),
        // The constructor lets nothing else in.
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{notice::Cause, testing};

    #[test]
    fn every_placeholder_has_a_value() {
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        for field in PLACEHOLDERS {
            let template: Template = format!("{{{field}}}").parse().unwrap();
            assert!(!template.fill(&notice, "http://h/x").is_empty(), "{field}");
        }
    }

    #[test]
    fn a_template_is_filled_once() {
        let template: Template = "{priority} {{{rule}}} {container}: {value}".parse().unwrap();
        let mut alert = testing::alert("a");
        alert.path.raw = "{summary}\n".into();
        let notice = Notice::of(&alert, Cause::Raised);
        assert_eq!(template.fill(&notice, ""), "Warning {hbt.new_process} web: {summary}\u{fffd}");
    }

    #[test]
    fn what_is_no_template_is_told() {
        for (text, wrong) in [("{sumary}", "{sumary}"), ("{summary", "brace"), ("a}", "brace")] {
            let error = text.parse::<Template>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
        assert_eq!("x".repeat(1_001).parse::<Template>(), Err(TemplateError::TooLong));
        let long: Template = "{command}".repeat(100).parse().unwrap();
        let mut alert = testing::alert("a");
        alert.lineage[1].command_line = "x".repeat(400);
        let notice = Notice::of(&alert, Cause::Raised);
        assert_eq!(long.fill(&notice, "").len(), LINE);
    }
}
