//! Lists of what the store has and of what it does not have yet.
//!
//! The store is up to a second behind. What has changed meanwhile is in [`crate::Live`]'s overlay, and
//! a list must show it once, at its place: a changed alert has usually moved to the front, because
//! lists are ordered by the last occurrence.

use std::collections::HashMap;
use std::sync::Arc;

use hanabi_detect::{Alert, AlertContainer, Incident};
use hanabi_event::EventTime;
use hanabi_store::{AlertQuery, IncidentQuery, Page};

/// What can be listed so.
pub(crate) trait Listed: Clone {
    fn id(&self) -> &str;
    fn last_seen(&self) -> EventTime;
}

impl Listed for Alert {
    fn id(&self) -> &str {
        &self.id
    }

    fn last_seen(&self) -> EventTime {
        self.last_seen
    }
}

impl Listed for Incident {
    fn id(&self) -> &str {
        &self.id
    }

    fn last_seen(&self) -> EventTime {
        self.last_seen
    }
}

/// The cursor after a page that was filled by changes alone: the store's list from its start.
const START: &str = "start";

/// One page, newest first. `stored` reads the store's page with the limit and cursor it is given.
pub(crate) fn page<T: Listed, E>(
    changed: &[Arc<T>],
    matches: impl Fn(&T) -> bool,
    limit: usize,
    cursor: Option<String>,
    stored: impl FnOnce(usize, Option<String>) -> Result<Page<T>, E>,
) -> Result<Page<T>, E> {
    let is_first = cursor.is_none();
    let mut fresh: Vec<Arc<T>> =
        changed.iter().filter(|item| is_first && matches(item)).cloned().collect();
    fresh.sort_by(|a, b| newest_first(&**a, &**b));
    if fresh.len() >= limit {
        let items = fresh.iter().take(limit).map(|item| T::clone(item)).collect();
        return Ok(Page { items, next_cursor: Some(START.to_owned()) });
    }
    let changed: HashMap<&str, &Arc<T>> = changed.iter().map(|item| (item.id(), item)).collect();
    let page = stored(limit - fresh.len(), cursor.filter(|cursor| cursor != START))?;
    let oldest = page.items.last().map(Listed::last_seen).filter(|_| page.next_cursor.is_some());
    fresh.retain(|item| oldest.is_none_or(|oldest| item.last_seen() >= oldest));
    let mut items: Vec<T> = page
        .items
        .into_iter()
        .filter_map(|item| match changed.get(item.id()) {
            None => Some(item),
            // Still at its place: the first page has it already, a later one shows it here.
            Some(now) if now.last_seen() == item.last_seen() && !is_first => {
                matches(now).then(|| T::clone(now))
            }
            Some(_) => None,
        })
        .collect();
    items.extend(fresh.iter().map(|item| T::clone(item)));
    items.sort_by(newest_first);
    Ok(Page { items, next_cursor: page.next_cursor })
}

fn newest_first<T: Listed>(a: &T, b: &T) -> std::cmp::Ordering {
    b.last_seen().cmp(&a.last_seen()).then_with(|| b.id().cmp(a.id()))
}

/// The store's filter, for alerts that it does not have yet.
pub(crate) fn alert_matches(query: &AlertQuery, alert: &Alert) -> bool {
    let needle = query.q.as_deref().map(|text| text.trim().to_lowercase());
    query.container.as_ref().is_none_or(|word| {
        alert.identity == *word
            || is_container(&alert.container, word)
            || alert.containers.iter().any(|container| is_container(container, word))
    }) && query.start.is_none_or(|start| alert.last_seen >= start)
        && query.end.is_none_or(|end| alert.first_seen < end)
        && query.min_priority.is_none_or(|least| alert.priority >= least)
        && (query.states.is_empty() || query.states.contains(&alert.state))
        && query.source.is_none_or(|source| alert.source == source)
        && query.kind.is_none_or(|kind| alert.kind == kind)
        && query.rule.as_ref().is_none_or(|rule| alert.rule == *rule)
        && needle.is_none_or(|needle| {
            [
                &alert.summary.en,
                &alert.summary.zh,
                &alert.rule,
                &alert.path.token,
                &alert.path.raw,
                &alert.identity,
                &alert.container.name,
            ]
            .iter()
            .any(|text| text.to_lowercase().contains(&needle))
        })
}

/// The same for incidents.
pub(crate) fn incident_matches(query: &IncidentQuery, incident: &Incident) -> bool {
    query
        .container
        .as_ref()
        .is_none_or(|word| incident.identity == *word || is_container(&incident.container, word))
        && query.start.is_none_or(|start| incident.last_seen >= start)
        && query.end.is_none_or(|end| incident.first_seen < end)
        && query.min_priority.is_none_or(|least| incident.priority >= least)
}

fn is_container(container: &AlertContainer, word: &str) -> bool {
    container.name == *word
        || container.id == *word
        || (container.id.len() >= 12 && word.starts_with(&container.id))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::testing::alert;

    fn list(
        stored: &[(&str, u64)],
        changed: &[(&str, u64)],
        limit: usize,
        first: bool,
    ) -> Vec<String> {
        let changed: Vec<_> =
            changed.iter().map(|(id, time)| Arc::new(alert(id, "web", *time))).collect();
        let cursor = (!first).then(|| "start".to_owned());
        let page = page(
            &changed,
            |_| true,
            limit,
            cursor,
            |limit, _| {
                let items: Vec<_> =
                    stored.iter().take(limit).map(|(id, time)| alert(id, "web", *time)).collect();
                let next_cursor = (stored.len() > limit).then(|| "more".to_owned());
                Ok::<_, Infallible>(Page { items, next_cursor })
            },
        );
        page.unwrap().items.iter().map(|a| format!("{}@{}", a.id, a.last_seen)).collect()
    }

    #[test]
    fn changes_are_shown_once_and_in_order() {
        let stored = [("c", 30), ("b", 20), ("a", 10)];
        for (changed, limit, first, expected) in [
            (&[][..], 10, true, "c@30 b@20 a@10"),
            (&[("d", 40)][..], 10, true, "d@40 c@30 b@20 a@10"),
            (&[("d", 40)][..], 2, true, "d@40 c@30"),
            (&[("a", 50)][..], 10, true, "a@50 c@30 b@20"),
            (&[("b", 20)][..], 10, true, "c@30 b@20 a@10"),
            (&[("a", 50)][..], 10, false, "c@30 b@20"),
            (&[("b", 20)][..], 10, false, "c@30 b@20 a@10"),
            (&[("a", 10)][..], 2, true, "c@30"),
            (&[("d", 40), ("e", 50)][..], 1, true, "e@50"),
        ] {
            assert_eq!(list(&stored, changed, limit, first).join(" "), expected, "{changed:?}");
        }
    }

    #[test]
    fn filters_are_the_stores() {
        let mut one = alert("a", "web", 100);
        one.summary.en = "A new PROCESS started".into();
        for (query, expected) in [
            (AlertQuery::default(), true),
            (AlertQuery { container: Some("web".into()), ..AlertQuery::default() }, true),
            (AlertQuery { container: Some("h:web".into()), ..AlertQuery::default() }, true),
            (AlertQuery { container: Some("db".into()), ..AlertQuery::default() }, false),
            (AlertQuery { start: Some(100), ..AlertQuery::default() }, true),
            (AlertQuery { start: Some(101), ..AlertQuery::default() }, false),
            (AlertQuery { end: Some(100), ..AlertQuery::default() }, false),
            (AlertQuery { q: Some(" new process".into()), ..AlertQuery::default() }, true),
            (AlertQuery { rule: Some("other".into()), ..AlertQuery::default() }, false),
        ] {
            assert_eq!(alert_matches(&query, &one), expected, "{query:?}");
        }
    }
}
