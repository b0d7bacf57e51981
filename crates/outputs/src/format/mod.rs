//! What a message is written as.

mod cef;
mod ecs;
mod falco;
mod ocsf;

use hanabi_detect::AlertState;

use crate::{Format, OutputSettings, notice::Notice};

/// A message as it goes out, without a newline at its end and with none inside.
pub(crate) fn write(settings: &OutputSettings, notice: &Notice) -> String {
    let link = settings.link_to(notice);
    let text = settings.text.fill(notice, &link);
    match settings.format {
        Format::Falco => falco::falco(notice, &text, &link).to_string(),
        Format::Json => json(notice, &text, &link).to_string(),
        Format::Ecs => ecs::ecs(notice, &text, &link).to_string(),
        Format::Ocsf => ocsf::ocsf(notice, &text, &link).to_string(),
        Format::Cef => cef::cef(notice, &text, &link),
    }
}

/// What a request says of its body.
pub(crate) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Falco | Format::Json | Format::Ecs | Format::Ocsf => "application/json",
        Format::Cef => "text/plain; charset=utf-8",
    }
}

fn json(notice: &Notice, text: &str, link: &str) -> serde_json::Value {
    // A notice has nothing that JSON cannot hold.
    let mut json = serde_json::to_value(notice).unwrap_or_default();
    json["text"] = text.into();
    json["link"] = link.into();
    json
}

/// The word of a state, as in the API.
pub(crate) fn state_word(state: AlertState) -> &'static str {
    match state {
        AlertState::Open => "open",
        AlertState::Acknowledged => "acknowledged",
        AlertState::Suppressed => "suppressed",
        AlertState::Promoted => "promoted",
        AlertState::Resolved => "resolved",
    }
}

/// A name and its tag: a colon before a slash belongs to a registry's port.
fn split_image(image: &str) -> (&str, &str) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        Some(_) | None => (image, ""),
    }
}

/// Takes out what is empty, so that receivers do not index nothing.
fn without_empty(mut value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    fn is_empty(value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) => false,
        }
    }
    match &mut value {
        Value::Object(fields) => {
            for field in fields.values_mut() {
                *field = without_empty(field.take());
            }
            fields.retain(|_, field| !is_empty(field));
        }
        Value::Array(items) => {
            for item in items.iter_mut() {
                *item = without_empty(item.take());
            }
            items.retain(|item| !is_empty(item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{notice::Cause, testing};

    fn settings(format: Format) -> OutputSettings {
        OutputSettings { format, link: "https://hanabi.example".into(), ..testing::settings() }
    }

    fn written(format: Format, cause: Cause) -> String {
        write(&settings(format), &Notice::of(&testing::alert("a"), cause))
    }

    fn parsed(format: Format, cause: Cause) -> Value {
        serde_json::from_str(&written(format, cause)).unwrap()
    }

    #[test]
    fn falcos_fields_are_those_that_falcosidekick_reads() {
        let message = parsed(Format::Falco, Cause::Raised);
        // Names and types of `types.FalcoPayload` in Falcosidekick 2.28 to 2.31.
        for field in ["uuid", "output", "priority", "rule", "time", "source", "hostname"] {
            assert!(message[field].is_string(), "{field}: {message}");
        }
        assert_eq!(message["priority"], "Warning");
        assert_eq!(message["time"], "2026-11-22T08:55:32.237776419Z");
        assert_eq!(message["output"], "Warning sh was started in web");
        assert_eq!(message["tags"], serde_json::json!(["hanabi", "T1059"]));
        let fields = message["output_fields"].as_object().unwrap();
        assert_eq!(fields["container.name"], "web");
        assert_eq!(fields["proc.cmdline"], "sh -c 'id'");
        assert_eq!(fields["container.image.repository"], "shop/web");
        assert_eq!(fields["k8s.ns.name"], "shop");
        // Falcosidekick's outputs print fields; what is nested would be left out by some.
        assert!(fields.values().all(|value| value.is_string() || value.is_number()));
    }

    #[test]
    fn ecs_has_the_fields_of_an_alert() {
        let message = parsed(Format::Ecs, Cause::Raised);
        assert_eq!(message["event"]["kind"], "alert");
        assert_eq!(message["process"]["parent"]["name"], "nginx");
        assert_eq!(message["threat"]["technique"]["id"], serde_json::json!(["T1059"]));
        assert_eq!(message["container"]["image"]["tag"], serde_json::json!(["1.23"]));
        assert_eq!(parsed(Format::Ecs, Cause::Ended)["event"]["type"][0], "end");
    }

    #[test]
    fn ocsf_is_a_detection_finding() {
        let message = parsed(Format::Ocsf, Cause::Raised);
        assert_eq!(message["class_uid"], 2004);
        assert_eq!(message["type_uid"], 200_401);
        assert_eq!(message["severity_id"], 3);
        assert_eq!(message["time"], 1_795_337_732_237_u64);
        let mut alert = testing::alert("a");
        alert.state = hanabi_detect::AlertState::Resolved;
        let ended = write(&settings(Format::Ocsf), &Notice::of(&alert, Cause::Ended));
        let ended: Value = serde_json::from_str(&ended).unwrap();
        assert_eq!((&ended["activity_id"], &ended["status_id"]), (&3.into(), &4.into()));
    }

    #[test]
    fn cef_is_one_line_whatever_is_in_it() {
        let mut alert = testing::alert("a");
        alert.rule = "a|b\\c".into();
        alert.lineage[1].command_line = "x=1 act=blocked\nCEF:0|".into();
        let line = write(&settings(Format::Cef), &Notice::of(&alert, Cause::Raised));
        assert!(line.starts_with("CEF:0|Hanabi|Hanabi|"), "{line}");
        assert!(line.contains(r"|a\|b\\c|sh was started in web|6|"), "{line}");
        assert!(line.contains("x\\=1 act\\=blocked\u{fffd}CEF:0|"), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn json_has_everything_and_a_link() {
        let message = parsed(Format::Json, Cause::Raised);
        let alert = testing::alert("a");
        assert_eq!(message["link"], format!("https://hanabi.example/alerts/{}", alert.id));
        assert_eq!(message["event"], "raised");
        assert_eq!(message["expected"], serde_json::json!(["nginx"]));
    }
}
