//! `hanabi profile`: the behaviour trees of a running service.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    client::Client,
    text::{escaped, plain, pretty, print},
};
use crate::cli::profile::{ProfileArgs, ProfileCommand, ProfileTarget};

/// Does what was typed.
pub(crate) fn profile(args: &ProfileArgs) -> Result<()> {
    let client = Client::new(&args.service)?;
    let json = args.service.json;
    let text = match &args.command {
        ProfileCommand::List => list(&client, json)?,
        ProfileCommand::Show { id, branch, node, query, depth } => {
            let depth = depth.map(|depth| depth.to_string());
            let given = [
                ("branch", branch.as_deref()),
                ("node", node.as_deref()),
                ("q", query.as_deref()),
                ("depth", depth.as_deref()),
            ];
            let given: Vec<(&str, &str)> =
                given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
            let tree = client.get(&format!("/api/hbt/{}", escaped(id)), &given)?;
            if json { pretty(&tree)? } else { outline(&tree) }
        }
        ProfileCommand::Split { target, node } => {
            let answer = send(&client, "split", target, &json!({ "node": node }))?;
            if json { pretty(&answer)? } else { split(&answer) }
        }
        ProfileCommand::Rollback { target, to, revision } => {
            let given = match revision {
                Some(revision) => json!({ "revision": revision }),
                None => json!({ "to": to }),
            };
            let answer = send(&client, "rollback", target, &given)?;
            if json { pretty(&answer)? } else { rolled_back(&answer) }
        }
        ProfileCommand::Relearn { target } => operated(&client, "relearn", target, json)?,
        ProfileCommand::Freeze { target } => operated(&client, "freeze", target, json)?,
        ProfileCommand::Unfreeze { target } => operated(&client, "unfreeze", target, json)?,
    };
    print(&text)
}

fn send(client: &Client, word: &str, target: &ProfileTarget, body: &Value) -> Result<Value> {
    let query = if target.dry_run { "?dry_run=true" } else { "" };
    client.post(&format!("/api/hbt/{}/{word}{query}", escaped(&target.id)), body)
}

fn operated(client: &Client, word: &str, target: &ProfileTarget, json: bool) -> Result<String> {
    let answer = send(client, word, target, &json!({}))?;
    if json {
        return pretty(&answer);
    }
    let field = |name: &str| plain(answer[name].as_str().unwrap_or_default());
    let would = if target.dry_run { "; nothing was changed" } else { "" };
    Ok(format!("{} is {}{would}\n", field("identity"), field("phase")))
}

fn list(client: &Client, json: bool) -> Result<String> {
    let (mut text, mut cursor) = (String::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "1000")];
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let answer = client.get("/api/containers", &query)?;
        for row in answer["containers"].as_array().context("the answer has no containers")? {
            let line = if json { format!("{row}\n") } else { line(row) };
            text.push_str(&line);
        }
        cursor = answer["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return Ok(text);
        }
    }
}

/// One container in a line.
fn line(row: &Value) -> String {
    let field = |value: &Value| plain(value.as_str().unwrap_or_default());
    format!(
        "{:<12}  {:<11} {:>5.0} %  {:<24} {}\n",
        field(&row["id"]),
        field(&row["phase"]),
        row["learning"]["progress"].as_f64().unwrap_or(0.0),
        field(&row["name"]),
        field(&row["identity"]),
    )
}

/// A tree with one node a line: its key, how often it was seen, and what it stands for.
fn outline(root: &Value) -> String {
    let mut text = format!("{} ({})\n", plain(name(root)), events(root));
    below(root, 1, &mut text);
    text
}

fn below(node: &Value, depth: usize, text: &mut String) {
    for (key, child) in node["children"].as_object().into_iter().flatten() {
        let merged = child["metadata"]["support"].as_u64();
        let merged = merged.map(|names| format!(", of {names} names")).unwrap_or_default();
        let line = format!("{}{} ({}{merged})\n", "  ".repeat(depth), plain(key), events(child));
        text.push_str(&line);
        below(child, depth + 1, text);
    }
    if let Some(left_out) = node["metadata"]["children_left_out"].as_u64() {
        let line = format!("{}… {left_out} more\n", "  ".repeat(depth));
        text.push_str(&line);
    }
}

fn name(node: &Value) -> &str {
    node["name"].as_str().unwrap_or_default()
}

fn events(node: &Value) -> u64 {
    node["events_count"].as_u64().unwrap_or(0)
}

fn rolled_back(answer: &Value) -> String {
    let field = |name: &str| plain(answer[name].as_str().unwrap_or_default());
    let would = if answer["dry_run"] == true { "would be" } else { "is" };
    let mut text = format!(
        "{} {would} as it was at {} ({}, {}): {} nodes instead of {}\n",
        field("identity"),
        field("to"),
        field("reason"),
        field("phase"),
        answer["nodes_after"],
        answer["nodes_before"],
    );
    for (sign, list) in [("-", "given_up"), ("+", "brought_back")] {
        for node in answer[list].as_array().into_iter().flatten() {
            let pointer = plain(node["pointer"].as_str().unwrap_or_default());
            let nodes = node["nodes"].to_string();
            text.extend(["  ", sign, " ", &pointer, " (", &nodes, " nodes)\n"]);
        }
    }
    if let Some(undo) = answer["undo"].as_str() {
        text.extend(["forward again: --to ", &plain(undo), "\n"]);
    }
    text
}

fn split(answer: &Value) -> String {
    let members = answer["members"].as_array().map_or(&[][..], Vec::as_slice);
    let would = if answer["dry_run"] == true { "would be" } else { "are" };
    let mut text = format!("{} members {would} nodes again:\n", members.len());
    for member in members {
        text.extend(["  ", &plain(member.as_str().unwrap_or_default()), "\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{line, outline, rolled_back, split};

    #[test]
    fn a_tree_is_an_outline() {
        let tree = json!({ "name": "nginx", "events_count": 7, "children": {
            "file_name:*.ht\nml": { "events_count": 5, "metadata": { "support": 30 } },
            "user:33": { "events_count": 2, "metadata": { "children_left_out": 4 } },
        } });
        assert_eq!(
            outline(&tree),
            "nginx (7)\n  file_name:*.ht\u{fffd}ml (5, of 30 names)\n  user:33 (2)\n    … 4 more\n"
        );
    }

    #[test]
    fn a_rollback_tells_what_it_comes_to() {
        let answer = json!({ "dry_run": false, "identity": "h:web", "to": "T", "reason": "daily",
            "phase": "detecting", "nodes_before": 9, "nodes_after": 7, "undo": "U",
            "given_up": [{ "pointer": "/file_branch/\u{1b}[31m", "nodes": 2 }], "brought_back": [] });
        assert_eq!(
            rolled_back(&answer),
            "h:web is as it was at T (daily, detecting): 7 nodes instead of 9\n  \
             - /file_branch/\u{fffd}[31m (2 nodes)\nforward again: --to U\n"
        );
    }

    #[test]
    fn containers_and_members_are_lines() {
        let row = json!({ "id": "a1", "phase": "learning", "name": "web",
            "identity": "h:web", "learning": { "progress": 41.7 } });
        assert!(line(&row).starts_with("a1            learning       42 %  web"), "{}", line(&row));
        let answer = json!({ "dry_run": true, "members": ["a.html", "b.html"] });
        assert_eq!(split(&answer), "2 members would be nodes again:\n  a.html\n  b.html\n");
    }
}
