//! An event as JSON in Falco's own shape, redacted: what is stored, streamed and shown.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::{Args, Direction, Event, Redactor, errno, time};

/// The longest string that is written, in bytes. Falco's are shorter but for the arguments of an
/// execve; 4 KiB holds what a person would read.
pub const MAX_TEXT: usize = 4096;

impl Event<'_> {
    /// The redacted event as Falco would print it: only the fields that are there, by Falco's
    /// names; decoding it again gives the same event, without its `output`.
    ///
    /// Secrets are masked, and strings longer than [`MAX_TEXT`] are cut and end with `…`.
    pub fn to_json(&self, redactor: &Redactor) -> Value {
        let mut top = Fields(Map::new());
        top.text("hostname", self.host);
        top.0.insert("output_fields".into(), self.fields(redactor).0.into());
        top.text("priority", self.priority.as_str());
        top.text("rule", self.rule);
        top.text("source", self.source);
        if self.tags.len() <= MAX_TEXT
            && let Ok(tags @ Value::Array(_)) = serde_json::from_str(self.tags)
        {
            top.0.insert("tags".into(), tags);
        }
        top.text("time", &time::format_time(self.time));
        Value::Object(top.0)
    }

    fn fields(&self, redactor: &Redactor) -> Fields {
        let mut fields = Fields(Map::new());
        let arguments = redactor.mask_arguments(self.process.name, self.process.arguments);
        let container = &self.container;
        for (key, text) in [
            ("container.id", container.id),
            ("container.image.repository", container.repository),
            ("container.image.tag", container.tag),
            ("container.name", container.name),
            ("evt.args", &redactor.mask(&join(&self.args))),
            ("evt.dir", if self.direction == Direction::Enter { ">" } else { "<" }),
            ("evt.res", &self.result_text()),
            ("evt.type", self.call),
            ("fd.name", &redactor.mask(self.fd.name)),
            ("fd.typechar", self.fd.kind.as_char()),
            ("k8s.ns.name", container.namespace),
            ("k8s.pod.name", container.pod),
            ("proc.aname[2]", self.process.grandparent),
            ("proc.args", &arguments),
            ("proc.cmdline", &redactor.mask(self.process.command_line)),
            ("proc.exepath", &redactor.mask(self.process.executable)),
            ("proc.name", self.process.name),
            ("proc.pname", self.process.parent),
            ("user.name", self.user.name),
        ] {
            fields.text(key, text);
        }
        fields.number("evt.num", self.number);
        fields.number("fd.num", self.fd.number);
        fields.number("proc.pid", self.process.pid);
        fields.number("proc.ppid", self.process.parent_pid);
        fields.number("proc.tty", self.process.tty);
        fields.number("user.uid", self.user.uid);
        fields
    }

    /// `evt.res`, where the arguments do not already say what the call returned.
    fn result_text(&self) -> String {
        let is_in_args = self.args.head.starts_with("res=") || self.args.head.starts_with("fd=");
        self.result.filter(|_| !is_in_args).map_or_else(String::new, errno::result_text)
    }
}

/// The arguments without what was cut out of them.
fn join<'a>(args: &Args<'a>) -> Cow<'a, str> {
    match (args.head, args.tail) {
        (head, "") => head.into(),
        ("", tail) => tail.into(),
        (head, tail) => format!("{head} {tail}").into(),
    }
}

/// The members of an object; absent values are left out.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.0.insert(key.into(), bounded(text).into());
        }
    }

    fn number(&mut self, key: &str, number: Option<impl Into<Value>>) {
        if let Some(number) = number {
            self.0.insert(key.into(), number.into());
        }
    }
}

/// At most [`MAX_TEXT`] bytes, the ellipsis included.
fn bounded(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_TEXT - '…'.len_utf8());
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, bounded};
    use crate::{Block, Redactor};

    const LINES: &str = include_str!("../fixtures/lines.jsonl");

    #[test]
    fn an_event_as_json() {
        let line = LINES.lines().find(|line| line.contains("\"sendto\"")).unwrap();
        let block = Block::decode(line.into());
        let json = block.event(&block.records()[0]).to_json(&Redactor::default());
        insta::assert_json_snapshot!(json);
    }

    #[test]
    fn real_events_read_back() {
        let block = Block::decode(LINES.into());
        for record in block.records() {
            let event = block.event(record);
            let json = event.to_json(&Redactor::default()).to_string();
            let again = Block::decode(json.into());
            let mut again = again.event(&again.records()[0]);
            if !event.args.tail.is_empty() {
                assert!(again.args.head.ends_with(event.args.tail));
                again.args = event.args;
            }
            assert_eq!(format!("{again:?}"), format!("{event:?}"));
        }
    }

    #[test]
    fn secrets_and_environment_are_gone() {
        let line = r#"{"output_fields":{"evt.time":1,"evt.type":"execve","proc.name":"mysql",
            "evt.args":"res=0 exe=mysql args=-pHIDDEN. cgroups=x env=A=HIDDEN tty=0",
            "proc.args":"-pHIDDEN --token HIDDEN","proc.cmdline":"mysql -pHIDDEN --token HIDDEN",
            "fd.name":"redis://:HIDDEN@cache"},"rule":"process"}"#;
        let block = Block::decode(line.replace('\n', " ").into());
        let json = block.event(&block.records()[0]).to_json(&Redactor::default()).to_string();
        assert!(!json.contains("HIDDEN"), "{json}");
        assert!(json.contains("tty=0") && json.contains("-p***"), "{json}");
    }

    #[test]
    fn strings_are_bounded() {
        assert_eq!(bounded(&"x".repeat(MAX_TEXT)).len(), MAX_TEXT);
        for character in ["x", "é", "中", "\u{1F600}"] {
            let text = bounded(&character.repeat(MAX_TEXT + 1));
            assert!(text.len() <= MAX_TEXT && text.ends_with('…'), "{}", text.len());
            assert!(text.len() > MAX_TEXT - 8);
        }
    }
}
