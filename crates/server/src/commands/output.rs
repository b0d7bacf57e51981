//! `hanabi output`: where a running service sends its alerts.

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::{
    client::Client,
    failure::Hint as _,
    text::{escaped, plain, pretty, print},
};
use crate::cli::output::{OutputArgs, OutputCommand};

/// Does what was typed.
pub(crate) fn output(args: &OutputArgs) -> Result<()> {
    let client = Client::new(&args.service)?;
    match &args.command {
        OutputCommand::List => {
            let answer = client.get("/api/outputs", &[])?;
            print(&if args.service.json { pretty(&answer)? } else { list(&answer) })
        }
        OutputCommand::Test { name } => {
            let path = format!("/api/outputs/{}/test", escaped(name));
            let answer = client.post(&path, &json!({}))?;
            if args.service.json {
                print(&pretty(&answer)?)?;
            }
            if answer["delivered"] == true {
                eprintln!("hanabi: the receiver of output {} has taken a test", plain(name));
                return Ok(());
            }
            let why = plain(answer["detail"].as_str().unwrap_or("it gave no reason"));
            Err(anyhow!("output {}: {why}", plain(name)))
                .hint("alerts wait on disk until the receiver takes them")
        }
    }
}

/// One line for each output.
fn list(answer: &Value) -> String {
    let text = |value: &Value| plain(value.as_str().unwrap_or("-"));
    let row = |one: &Value| {
        let detail = text(&one["detail"]);
        let detail = if detail.is_empty() { detail } else { format!("  {detail}") };
        format!(
            "{:<16} {:<12} {:<8} {} delivered, {} waiting, {} lost  {}{detail}\n",
            text(&one["name"]),
            text(&one["kind"]),
            text(&one["state"]),
            one["delivered"],
            one["waiting"],
            one["dropped"].as_u64().unwrap_or(0) + one["refused"].as_u64().unwrap_or(0),
            text(&one["to"]),
        )
    };
    answer["outputs"].as_array().into_iter().flatten().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_line_for_each_and_shows_what_is_wrong() {
        let one = json!({
            "name": "siem", "kind": "webhook", "to": "http://h/…", "state": "failing",
            "detail": "status 500: \u{1b}[2J", "delivered": 7, "waiting": 3, "dropped": 1,
            "refused": 2,
        });
        let text = list(&json!({ "outputs": [one] }));
        assert_eq!(
            text,
            "siem             webhook      failing  7 delivered, 3 waiting, 3 lost  http://h/…  \
             status 500: \u{fffd}[2J\n"
        );
    }
}
