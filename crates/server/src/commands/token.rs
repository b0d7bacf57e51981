//! `hanabi token create|list|revoke`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use hanabi_api::{NewToken, Scope};
use hanabi_event::time::format_time;
use hanabi_store::{AuditEntry, Store, StoreError, StoreOptions, StoredToken, TOKENS_LIMIT};
use serde_json::{Value, json};

use super::{
    client::Client,
    failure::Hint as _,
    text::{escaped, plain, pretty, print},
};
use crate::{
    cli::token::{TokenArgs, TokenCommand},
    config::{Config, Overrides},
    service::now,
};

/// Who has made a token without a service.
const BY: &str = "command line";

/// Does what was typed.
pub(crate) fn token(args: &TokenArgs) -> Result<()> {
    let answer = match place(args)? {
        Place::Service(client) => of_service(&client, &args.command)?,
        Place::Directory(dir) => of_directory(&dir, &args.command)?,
    };
    print(&if args.service.json { pretty(&answer)? } else { told(&args.command, &answer) })?;
    if matches!(args.command, TokenCommand::Create { .. }) {
        eprintln!("hanabi: this is shown once; what is kept is its hash");
    }
    Ok(())
}

/// Where the tokens are.
enum Place {
    Service(Client),
    Directory(PathBuf),
}

fn place(args: &TokenArgs) -> Result<Place> {
    if let Some(dir) = &args.data_dir {
        return Ok(Place::Directory(dir.clone()));
    }
    let client = Client::new(&args.service)?;
    match client.get("/healthz", &[]) {
        Err(error) if is_unreachable(&error) => {
            let config = Config::load(&Overrides::default(), std::env::vars())?;
            let dir = config.server().data_dir.clone();
            if !dir.is_dir() {
                return Err(error).hint("name the data directory with --data-dir");
            }
            eprintln!("hanabi: no service answers; this is of {}", dir.display());
            Ok(Place::Directory(dir))
        }
        _ => Ok(Place::Service(client)),
    }
}

fn is_unreachable(error: &anyhow::Error) -> bool {
    error.chain().any(<dyn std::error::Error>::is::<ureq::Error>)
}

fn of_service(client: &Client, command: &TokenCommand) -> Result<Value> {
    match command {
        TokenCommand::Create { length, .. } => {
            let new = new(command)?;
            let mut body = json!({ "name": new.name, "role": new.role, "scope": new.scope });
            if let Some(length) = length {
                body["expires_in"] = length.as_duration().as_secs().into();
            }
            client.post("/api/tokens", &body)
        }
        TokenCommand::List => client.get("/api/tokens", &[]),
        TokenCommand::Revoke { id } => client.delete(&format!("/api/tokens/{}", escaped(id))),
    }
}

fn of_directory(dir: &Path, command: &TokenCommand) -> Result<Value> {
    let creates = matches!(command, TokenCommand::Create { .. });
    if !creates && !dir.is_dir() {
        bail!("there is no data directory {}", dir.display());
    }
    let new = creates.then(|| new(command)).transpose()?;
    let store = match Store::open(dir, StoreOptions::default()) {
        Err(error @ StoreError::Locked { .. }) => {
            return Err(error).hint(
                "a service runs on it: name it with --url, and an admin's token with --token",
            );
        }
        opened => opened?,
    };
    let at = now();
    let entry = |action: &str, object: &str| AuditEntry {
        at,
        by: BY.to_owned(),
        action: action.to_owned(),
        object: object.to_owned(),
        outcome: "ok".to_owned(),
        ..AuditEntry::default()
    };
    match (command, new) {
        (TokenCommand::Revoke { id }, _) => {
            if store.remove_token(id, &entry("token.revoke", id))? {
                return Ok(json!({ "id": id, "revoked": true }));
            }
            bail!("there is no token `{}`", plain(id))
        }
        (TokenCommand::Create { .. }, Some(new)) => {
            if store.tokens()?.len() >= TOKENS_LIMIT {
                bail!("there are {TOKENS_LIMIT} tokens already: revoke some");
            }
            let (token, stored) = new.make(BY, at).context("the system has no random numbers")?;
            let detail = json!({ "name": new.name, "role": new.role, "scope": new.scope });
            let entry = AuditEntry { detail, ..entry("token.create", &stored.id) };
            store.put_token(&stored, Some(&entry))?;
            let mut answer = view(&stored, at);
            answer["token"] = token.into();
            Ok(answer)
        }
        (TokenCommand::List | TokenCommand::Create { .. }, _) => {
            let all: Vec<Value> = store.tokens()?.iter().map(|one| view(one, at)).collect();
            Ok(json!({ "tokens": all }))
        }
    }
}

fn new(command: &TokenCommand) -> Result<NewToken> {
    let TokenCommand::Create { name, role, namespace, container, length } = command else {
        bail!("only a new token has a role");
    };
    let new = NewToken {
        name: name.clone(),
        role: (*role).into(),
        scope: Scope { namespaces: namespace.clone(), containers: container.clone() },
        expires: length.map(|length| now().saturating_add(length.as_nanos())),
    };
    match new.problem() {
        None => Ok(new),
        Some(problem) => Err(anyhow!("the token cannot be made: {problem}")),
    }
}

/// A token as the service's own API has it.
fn view(one: &StoredToken, now: u64) -> Value {
    json!({
        "id": one.id, "name": one.name, "role": one.role,
        "scope": { "namespaces": one.namespaces, "containers": one.containers },
        "created": format_time(one.created), "created_by": one.created_by,
        "expires": one.expires.map(format_time), "last_used": one.last_used.map(format_time),
        "active": one.expires.is_none_or(|end| now < end),
    })
}

/// An answer for people; of a new token nothing but itself, so that it can go into a file.
fn told(command: &TokenCommand, answer: &Value) -> String {
    let field = |value: &Value| plain(value.as_str().unwrap_or("-"));
    match command {
        TokenCommand::Create { .. } => format!("{}\n", field(&answer["token"])),
        TokenCommand::Revoke { id } => format!("{} is revoked\n", plain(id)),
        TokenCommand::List => {
            let row = |one: &Value| {
                let ended = if one["active"] == false { " (has expired)" } else { "" };
                format!(
                    "{}  {:<8} {:<20} used {}  expires {}{ended}\n",
                    field(&one["id"]),
                    field(&one["role"]),
                    field(&one["name"]),
                    field(&one["last_used"]),
                    field(&one["expires"]),
                )
            };
            answer["tokens"].as_array().into_iter().flatten().map(row).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::token::RoleWord;

    fn create(name: &str, role: RoleWord, container: &[&str]) -> TokenCommand {
        TokenCommand::Create {
            name: name.into(),
            role,
            namespace: Vec::new(),
            container: container.iter().map(|&one| one.to_owned()).collect(),
            length: None,
        }
    }

    #[test]
    fn tokens_of_a_directory_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let made = of_directory(dir.path(), &create("ci", RoleWord::Ingest, &[])).unwrap();
        let token = made["token"].as_str().unwrap();
        assert!(token.starts_with("hnb_"), "{token}");
        let listed = of_directory(dir.path(), &TokenCommand::List).unwrap();
        assert_eq!(listed["tokens"][0]["name"], "ci");
        assert!(!listed.to_string().contains(token));
        let text = told(&TokenCommand::List, &listed);
        assert!(text.contains("ingest   ci"), "{text}");
        let revoke = TokenCommand::Revoke { id: made["id"].as_str().unwrap().into() };
        assert!(of_directory(dir.path(), &revoke).is_ok());
        assert!(of_directory(dir.path(), &revoke).is_err());
        let listed = of_directory(dir.path(), &TokenCommand::List).unwrap();
        assert_eq!(listed["tokens"], json!([]));
    }

    #[test]
    fn what_cannot_be_made_leaves_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for command in [
            create("a b", RoleWord::Viewer, &[]),
            create("ci", RoleWord::Ingest, &["web"]),
            TokenCommand::List,
        ] {
            assert!(of_directory(&data, &command).is_err(), "{command:?}");
            assert!(!data.exists());
        }
    }
}
