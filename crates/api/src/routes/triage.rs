//! What people do to alerts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hanabi_detect::SuppressionScope;
use hanabi_detect::triage::Act;
use hanabi_event::SECOND;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{AppParts, AppState};
use crate::auth::Caller;
use crate::body::{self, JsonBody};
use crate::command::{Action, BULK_HEAVY_MAX, BULK_MAX, Command, Expiry, Order};
use crate::engine::EngineError;
use crate::error::ApiError;
use crate::params::Params;

/// The longest time after which a suppression can be told to end: ten years, in seconds.
const EXPIRES_IN_MAX: u64 = 10 * 366 * 86_400;

/// The words of `POST /api/alerts/{id}/…`.
pub(crate) const ACTIONS: [&str; 8] =
    ["ack", "note", "assign", "resolve", "reopen", "suppress", "promote", "undo"];

/// What an action is given; each takes only its own fields.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Given {
    /// A note; for `ack`, `note`, `resolve`, `reopen`, `suppress`.
    text: Option<String>,
    /// For `assign`.
    to: Option<String>,
    /// For `suppress`.
    scope: Option<SuppressionScope>,
    /// For `suppress`: a time, or after so many seconds.
    expires: Option<String>,
    expires_in: Option<u64>,
    /// For `promote`: `literal` or `generalised`.
    path: Option<String>,
}

/// `POST /api/alerts/bulk`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct BulkGiven {
    ids: Vec<String>,
    action: String,
    #[serde(flatten)]
    given: serde_json::Map<String, serde_json::Value>,
}

/// `POST /api/alerts/{id}/{action}`: what has become of the alert, or with `dry_run=true` what
/// would.
pub(crate) async fn act(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    Path(id): Path<String>,
    action: &'static str,
    mut params: Params,
    JsonBody(given): JsonBody<Given>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let action = read(action, given)?;
    if !caller.scope().is_everything() {
        let (caller, id, action) = (caller.clone(), id.clone(), action.clone());
        state.blocking(move |parts| reaches(parts, &caller, &id, &action)).await?;
    }
    order(&state, &caller, Command::Alert { id, action }, dry_run).await
}

/// `POST /api/alerts/bulk`: the same to several alerts, each for itself.
pub(crate) async fn bulk(
    State(state): State<Arc<AppState>>,
    caller: Caller,
    mut params: Params,
    JsonBody(bulk): JsonBody<BulkGiven>,
) -> Result<Response, ApiError> {
    let dry_run = params.flag("dry_run")?;
    params.finish()?;
    let word = ACTIONS.into_iter().find(|word| *word == bulk.action).ok_or_else(|| {
        let bound = format!("it is one of {}", ACTIONS.join(", "));
        ApiError::parameter("action", &bulk.action, bound)
    })?;
    let heavy = matches!(word, "suppress" | "promote" | "undo");
    let most = if heavy { BULK_HEAVY_MAX } else { BULK_MAX };
    if bulk.ids.is_empty() || bulk.ids.len() > most {
        let bound = format!("there are 1 to {most} of them");
        return Err(ApiError::parameter("ids", &bulk.ids.len().to_string(), bound));
    }
    let given: Given = serde_json::from_value(bulk.given.into())
        .map_err(|error| ApiError::BadBody { reason: error.to_string() })?;
    let action = read(word, given)?;
    let (ids, outside) = within(&state, &caller, bulk.ids, &action).await?;
    let mut answer = carried(&state, &caller, Command::Bulk { ids, action }, dry_run).await?;
    if let Some(refused) = answer["refused"].as_array_mut() {
        refused.extend(outside);
    }
    Ok(Json(answer).into_response())
}

/// Asks the engine, whose word is durable when it comes.
pub(super) async fn order(
    state: &AppState,
    caller: &Caller,
    command: Command,
    dry_run: bool,
) -> Result<Response, ApiError> {
    Ok(Json(carried(state, caller, command, dry_run).await?).into_response())
}

async fn carried(
    state: &AppState,
    caller: &Caller,
    command: Command,
    dry_run: bool,
) -> Result<Value, ApiError> {
    let order = Order {
        command,
        dry_run,
        by: caller.who.name.clone(),
        address: caller.asking.address(),
        request: caller.asking.request.clone(),
    };
    let carried = state.parts.engine.order(order).await.map_err(|error| match error {
        EngineError::Busy => ApiError::Busy { what: error.to_string() },
        EngineError::Gone => ApiError::NotReady { reasons: vec![error.to_string()] },
    })?;
    if !dry_run {
        state.views.forget();
    }
    Ok(carried?)
}

/// Refuses what is out of a caller's scope as what is not there, and what reaches out of it.
fn reaches(parts: &AppParts, caller: &Caller, id: &str, action: &Action) -> Result<(), ApiError> {
    let alert = caller.alert(parts, id)?.ok_or_else(|| ApiError::not_found("alert", id))?;
    match action {
        Action::Suppress { scope, .. } => match scope {
            SuppressionScope::Fingerprint | SuppressionScope::Identity => Ok(()),
            SuppressionScope::Container | SuppressionScope::Rule => caller.everything(),
        },
        Action::Undo => {
            // An undo lifts a suppression wherever it holds.
            let open = alert.history.iter().filter(|done| !done.undone);
            let references: Vec<&str> = open.map(|done| done.reference.as_str()).collect();
            let wide = parts.store.suppressions()?.into_iter().any(|one| {
                references.contains(&one.id.as_str())
                    && one.scope != SuppressionScope::Fingerprint
                    && !caller.scope().covers_suppression(&one)
            });
            if wide { caller.everything() } else { Ok(()) }
        }
        Action::Act(_) | Action::Promote { .. } => Ok(()),
    }
}

/// Those alerts of a bulk action that a caller may touch, and the refusal of each other one.
async fn within(
    state: &Arc<AppState>,
    caller: &Caller,
    ids: Vec<String>,
    action: &Action,
) -> Result<(Vec<String>, Vec<Value>), ApiError> {
    if caller.scope().is_everything() {
        return Ok((ids, Vec::new()));
    }
    let (caller, action) = (caller.clone(), action.clone());
    let split = move |parts: &AppParts| {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for id in ids {
            match reaches(parts, &caller, &id, &action) {
                Ok(()) => inside.push(id),
                Err(error @ ApiError::Internal { .. }) => return Err(error),
                Err(error) => outside.push(json!({ "id": id, "reason": error.to_string() })),
            }
        }
        Ok((inside, outside))
    };
    state.blocking(split).await
}

fn read(action: &'static str, given: Given) -> Result<Action, ApiError> {
    let unused = Given {
        text: given.text.clone().filter(|_| matches!(action, "assign" | "promote" | "undo")),
        to: given.to.clone().filter(|_| action != "assign"),
        scope: given.scope.filter(|_| action != "suppress"),
        expires: given.expires.clone().filter(|_| action != "suppress"),
        expires_in: given.expires_in.filter(|_| action != "suppress"),
        path: given.path.clone().filter(|_| action != "promote"),
    };
    if unused != Given::default() {
        return Err(ApiError::BadBody {
            reason: format!("it has fields that `{action}` does not take"),
        });
    }
    let text = body::text("text", given.text)?;
    Ok(match action {
        "ack" => Action::Act(Act::Acknowledge { text }),
        "note" if text.is_empty() => {
            return Err(ApiError::parameter("text", "", "a note is not empty"));
        }
        "note" => Action::Act(Act::Note { text }),
        "assign" => Action::Act(Act::Assign { to: body::word("to", given.to)? }),
        "resolve" => Action::Act(Act::Resolve { text }),
        "reopen" => Action::Act(Act::Reopen { text }),
        "suppress" => Action::Suppress {
            scope: given.scope.unwrap_or(SuppressionScope::Fingerprint),
            expiry: expiry(given.expires, given.expires_in)?,
            note: text,
        },
        "promote" => Action::Promote { wide: width(given.path.as_deref())? },
        _ => Action::Undo,
    })
}

fn width(path: Option<&str>) -> Result<bool, ApiError> {
    match path {
        None | Some("literal") => Ok(false),
        Some("generalised") => Ok(true),
        Some(path) => Err(ApiError::parameter("path", path, "it is literal or generalised")),
    }
}

/// `expires` or `expires_in`.
pub(super) fn expiry(at: Option<String>, seconds: Option<u64>) -> Result<Option<Expiry>, ApiError> {
    match (at, seconds) {
        (None, None) => Ok(None),
        (Some(at), None) => Ok(Some(Expiry::At(body::time("expires", &at)?))),
        (None, Some(seconds)) if (1..=EXPIRES_IN_MAX).contains(&seconds) => {
            Ok(Some(Expiry::In(seconds * SECOND)))
        }
        (None, Some(seconds)) => {
            let bound = format!("it is a number of seconds from 1 to {EXPIRES_IN_MAX}");
            Err(ApiError::parameter("expires_in", &seconds.to_string(), bound))
        }
        (Some(_), Some(seconds)) => {
            let bound = "expires is given already";
            Err(ApiError::parameter("expires_in", &seconds.to_string(), bound))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given(json: serde_json::Value) -> Given {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn actions_take_their_own_fields_only() {
        let note = |text: &str| Action::Act(Act::Note { text: text.into() });
        for (action, body, expected) in [
            ("ack", json!({}), Some(Action::Act(Act::Acknowledge { text: String::new() }))),
            ("note", json!({ "text": " seen \n" }), Some(note("seen"))),
            ("note", json!({}), None),
            ("note", json!({ "text": "\u{1b}[31m" }), None),
            ("note", json!({ "text": "x".repeat(5_000) }), None),
            ("assign", json!({ "to": "ann" }), Some(Action::Act(Act::Assign { to: "ann".into() }))),
            ("assign", json!({ "to": "a\nb" }), None),
            ("ack", json!({ "to": "ann" }), None),
            ("undo", json!({ "text": "why" }), None),
            ("undo", json!({}), Some(Action::Undo)),
            ("promote", json!({}), Some(Action::Promote { wide: false })),
            ("promote", json!({ "path": "generalised" }), Some(Action::Promote { wide: true })),
            ("promote", json!({ "path": "all" }), None),
            ("suppress", json!({ "expires": "never" }), None),
            ("suppress", json!({ "expires_in": 0 }), None),
            ("suppress", json!({ "expires": "2026-01-01T00:00:00Z", "expires_in": 5 }), None),
            (
                "suppress",
                json!({ "scope": "rule", "expires_in": 60, "text": "known" }),
                Some(Action::Suppress {
                    scope: SuppressionScope::Rule,
                    expiry: Some(Expiry::In(60 * SECOND)),
                    note: "known".into(),
                }),
            ),
        ] {
            assert_eq!(read(action, given(body.clone())).ok(), expected, "{action} {body}");
        }
    }
}
