//! The JSON of Falco's own outputs: uuid, hostname, output, priority, rule, source, tags, time and
//! flat fields, as `json_output` prints them and Falcosidekick's webhook reads them.

use hanabi_detect::AlertSource;
use hanabi_event::time::format_time;
use serde_json::{Map, Value, json};

use super::split_image;
use crate::notice::Notice;

pub(super) fn falco(notice: &Notice, text: &str, link: &str) -> Value {
    // Falco's own events come from system calls; rules of receivers can tell ours by the source.
    let source = match notice.source {
        AlertSource::Hanabi => "hanabi",
        AlertSource::Falco => "syscall",
    };
    let tags: Vec<&str> =
        std::iter::once("hanabi").chain(notice.mitre.iter().map(String::as_str)).collect();
    json!({
        "uuid": notice.uuid(),
        "hostname": notice.host,
        "output": text,
        "priority": notice.priority.as_str(),
        "rule": notice.rule,
        "source": source,
        "tags": tags,
        "time": format_time(notice.last_seen),
        "output_fields": fields(notice, link),
    })
}

fn fields(notice: &Notice, link: &str) -> Map<String, Value> {
    let (repository, tag) = split_image(&notice.image);
    let texts = [
        ("container.id", notice.container_id.as_str()),
        ("container.name", &notice.container_name),
        ("container.image.repository", repository),
        ("container.image.tag", tag),
        ("k8s.ns.name", &notice.namespace),
        ("k8s.pod.name", &notice.pod),
        ("proc.name", &notice.process),
        ("proc.exepath", &notice.executable),
        ("proc.cmdline", &notice.command_line),
        ("proc.pname", &notice.parent),
        ("hanabi.id", &notice.id),
        ("hanabi.fingerprint", &notice.fingerprint),
        ("hanabi.identity", &notice.identity),
        ("hanabi.kind", &notice.kind),
        ("hanabi.token", &notice.token),
        ("hanabi.value", &notice.value),
        ("hanabi.incident", &notice.incident),
        ("hanabi.link", link),
    ];
    let mut fields = Map::new();
    for (name, value) in texts {
        if !value.is_empty() {
            fields.insert(name.to_owned(), value.into());
        }
    }
    if !notice.expected.is_empty() {
        fields.insert("hanabi.expected".to_owned(), notice.expected.join(", ").into());
    }
    fields.insert("hanabi.score".to_owned(), notice.score.into());
    fields.insert("hanabi.count".to_owned(), notice.count.into());
    fields.insert("hanabi.first_seen".to_owned(), format_time(notice.first_seen).into());
    fields
}
