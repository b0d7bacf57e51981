//! `hanabi alerts`: triage of a running service's alerts.

use anyhow::{Context as _, Result, anyhow};
use serde_json::{Map, Value, json};

use super::{
    client::Client,
    failure::NotAccepted,
    text::{escaped, plain, pretty, print},
};
use crate::cli::alerts::{AlertsArgs, AlertsCommand, ListArgs, Target};

/// Does what was typed.
pub(crate) fn alerts(args: &AlertsArgs) -> Result<()> {
    let json = args.service.json;
    let client = Client::new(&args.service)?;
    let text = match &args.command {
        AlertsCommand::List(list) => self::list(&client, list, json)?,
        AlertsCommand::Show { id } => {
            pretty(&client.get(&format!("/api/alerts/{}", escaped(id)), &[])?)?
        }
        command => {
            let (word, target, given) = action(command);
            let answer = send(&client, word, target, given)?;
            let text = if json { pretty(&answer)? } else { told(word, target, &answer) };
            print(&text)?;
            return refused(&answer);
        }
    };
    print(&text)
}

fn action(command: &AlertsCommand) -> (&'static str, &Target, Value) {
    match command {
        AlertsCommand::Ack { target, text } => ("ack", target, json!({ "text": text })),
        AlertsCommand::Note { target, text } => ("note", target, json!({ "text": text })),
        AlertsCommand::Assign { target, to } => ("assign", target, json!({ "to": to })),
        AlertsCommand::Resolve { target, text } => ("resolve", target, json!({ "text": text })),
        AlertsCommand::Reopen { target, text } => ("reopen", target, json!({ "text": text })),
        AlertsCommand::Suppress { target, scope, length, text } => {
            let seconds = length.map(|length| length.as_duration().as_secs());
            let given = json!({ "scope": scope.as_str(), "expires_in": seconds, "text": text });
            ("suppress", target, given)
        }
        AlertsCommand::Promote { target, generalised } => {
            let path = if *generalised { "generalised" } else { "literal" };
            ("promote", target, json!({ "path": path }))
        }
        AlertsCommand::Undo { target } => ("undo", target, json!({})),
        AlertsCommand::List(_) | AlertsCommand::Show { .. } => {
            unreachable!("lists and single alerts are no actions")
        }
    }
}

fn send(client: &Client, word: &str, target: &Target, given: Value) -> Result<Value> {
    let mut body: Map<String, Value> = match given {
        Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    };
    let query = if target.dry_run { "?dry_run=true" } else { "" };
    match target.ids.as_slice() {
        [id] => client.post(&format!("/api/alerts/{}/{word}{query}", escaped(id)), &body.into()),
        ids => {
            body.insert("ids".into(), json!(ids));
            body.insert("action".into(), word.into());
            client.post(&format!("/api/alerts/bulk{query}"), &body.into())
        }
    }
}

fn list(client: &Client, args: &ListArgs, as_json: bool) -> Result<String> {
    let limit = args.limit.to_string();
    let given = [
        ("container_id", args.container.as_deref()),
        ("state", args.state.as_deref()),
        ("priority", args.priority.as_deref()),
        ("q", args.query.as_deref()),
        ("limit", Some(limit.as_str())),
    ];
    let query: Vec<(&str, &str)> =
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = client.get("/api/alerts", &query)?;
    let alerts = answer["alerts"].as_array().context("the answer has no alerts")?;
    let line = |alert: &Value| if as_json { format!("{alert}\n") } else { row(alert) };
    let text: String = alerts.iter().map(line).collect();
    if answer["next_cursor"].is_string() {
        eprintln!("hanabi: there are more; narrow the list, or raise --limit");
    }
    Ok(text)
}

/// One alert in a line.
fn row(alert: &Value) -> String {
    let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{}  {:<12} {:<13} {:>6}×  {}  {}\n",
        field(&alert["id"]),
        field(&alert["state"]),
        field(&alert["priority"]),
        alert["count"].as_u64().unwrap_or(0),
        field(&alert["last_seen"]),
        plain(&field(&alert["summary"]["en"])),
    )
}

/// What an action has come to, or would.
fn told(word: &str, target: &Target, answer: &Value) -> String {
    let would = if target.dry_run { "would change" } else { "changed" };
    let alerts = answer["alerts"].as_u64().unwrap_or(0);
    let mut text = match answer["alert"]["state"].as_str() {
        Some(state) if !target.dry_run => {
            format!("{} {state}; {word} {would} {alerts} alerts\n", target.ids[0])
        }
        _ => format!("{word} {would} {alerts} alerts\n"),
    };
    for line in answer["lets_through"].as_array().into_iter().flatten() {
        let line = plain(line.as_str().unwrap_or_default());
        text.extend(["  lets through ", line.as_str(), "\n"]);
    }
    for one in answer["refused"].as_array().into_iter().flatten() {
        let reason = plain(one["reason"].as_str().unwrap_or_default());
        let id = plain(one["id"].as_str().unwrap_or_default());
        text.extend(["  ", id.as_str(), " refused: ", reason.as_str(), "\n"]);
    }
    text
}

/// A part of a bulk action that was refused is its own exit code.
fn refused(answer: &Value) -> Result<()> {
    let count = answer["refused"].as_array().map_or(0, Vec::len);
    if count == 0 {
        return Ok(());
    }
    Err(anyhow!(NotAccepted(format!("{count} alerts were refused"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{row, told};
    use crate::cli::alerts::Target;

    #[test]
    fn what_attackers_wrote_stays_text() {
        let alert = json!({ "id": "a1", "state": "open", "priority": "Warning", "count": 3,
            "last_seen": "2026-01-01T00:00:00Z", "summary": { "en": "x\ny" } });
        assert_eq!(
            row(&alert),
            "a1  open         Warning            3×  2026-01-01T00:00:00Z  x\u{fffd}y\n"
        );
    }

    #[test]
    fn a_preview_says_would() {
        let mut target = Target { ids: vec!["a1".into()], dry_run: true };
        let answer = json!({ "alerts": 2, "lets_through": ["x"], "alert": { "state": "open" } });
        assert_eq!(
            told("promote", &target, &answer),
            "promote would change 2 alerts\n  lets through x\n"
        );
        target.dry_run = false;
        assert_eq!(
            told("promote", &target, &json!({ "alerts": 2, "alert": { "state": "promoted" } })),
            "a1 promoted; promote changed 2 alerts\n"
        );
    }
}
