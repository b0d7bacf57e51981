//! The life of an alert in its ledger: recurrences, people, suppressions, windows, and their undoing.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails the test")]

use std::sync::Arc;

use hanabi_detect::{
    Alert, AlertContainer, AlertPath, AlertSource, AlertState, Kind, Maintenance, Rulings, Summary,
    Suppression, SuppressionScope,
    ledger::{Finding, Ledger, MAX_ALERTS, Place},
    triage::{Act, Actor, Refusal, Undone},
};
use hanabi_event::{EventTime, Priority, SECOND};
use proptest::prelude::*;
use serde_json::Value;

const HOUR: EventTime = 3_600 * SECOND;
const START: EventTime = 1_000 * HOUR;

fn finding(subject: &str, score: f64) -> Finding {
    Finding {
        kind: Kind::NewFile,
        source: AlertSource::Hanabi,
        rule: "hbt.new_file".to_owned(),
        subject: subject.to_owned(),
        score,
        priority: None,
        parts: Vec::new(),
        path: AlertPath::default(),
        expected: Vec::new(),
        nearest: None,
        mitre: Vec::new(),
        summary: Summary::default(),
    }
}

/// A ledger and its one alert.
struct Case {
    ledger: Ledger,
    container: AlertContainer,
}

impl Case {
    fn new() -> Self {
        let container = AlertContainer {
            id: "aaaaaaaaaaaa".to_owned(),
            name: "web".to_owned(),
            ..AlertContainer::default()
        };
        Self { ledger: Ledger::default(), container }
    }

    fn raise_as(&mut self, subject: &str, time: EventTime, score: f64) -> String {
        let place = Place {
            time,
            phase: "detecting",
            container: &self.container,
            namespace: "",
            lineage: Vec::new(),
            sample: Value::Null,
        };
        self.ledger.raise("vm:web", finding(subject, score), &place).0
    }

    fn raise(&mut self, time: EventTime) -> String {
        self.raise_as("file", time, 0.4)
    }

    fn act(&mut self, fingerprint: &str, act: &Act, now: EventTime) {
        self.ledger.act(fingerprint, act, &by("ann", now)).unwrap();
    }

    fn alert(&self, fingerprint: &str) -> &Alert {
        self.ledger.get(fingerprint).unwrap()
    }

    fn rule(&mut self, suppressions: &[Suppression], windows: &[Maintenance]) {
        let rulings = Rulings::new(suppressions.to_vec(), windows.to_vec(), 24 * HOUR);
        self.ledger.set_rulings(Arc::new(rulings));
    }
}

fn by(who: &str, now: EventTime) -> Actor {
    Actor { by: who.to_owned(), at: now, now }
}

fn text() -> String {
    String::new()
}

fn suppression(scope: SuppressionScope, value: &str, expires: Option<EventTime>) -> Suppression {
    Suppression {
        id: format!("s-{value}"),
        scope,
        value: value.to_owned(),
        created: 1,
        by: "ann".to_owned(),
        expires,
        note: String::new(),
    }
}

fn actions(alert: &Alert) -> Vec<String> {
    alert.history.iter().map(|a| format!("{} {}", a.by, a.action)).collect()
}

#[test]
fn a_recurrence_after_resolution_reopens_for_a_day_and_is_another_alert_later() {
    for (later, same) in [(HOUR, true), (24 * HOUR, true), (24 * HOUR + 1, false)] {
        let mut case = Case::new();
        let fingerprint = case.raise(START);
        let id = case.alert(&fingerprint).id.clone();
        case.act(&fingerprint, &Act::Resolve { text: text() }, START + SECOND);
        case.ledger.take_changed();
        assert!(!case.ledger.has_news());
        assert_eq!(case.raise(START + SECOND + later), fingerprint);
        assert!(case.ledger.has_news());
        let alert = case.alert(&fingerprint);
        assert_eq!((alert.state, alert.id == id), (AlertState::Open, same), "after {later}");
        let departed: Vec<_> = case.ledger.departed().map(|a| (a.id.clone(), a.state)).collect();
        if same {
            assert_eq!((alert.count, alert.notifications), (2, 2));
            assert_eq!(actions(alert), ["ann resolve", "hanabi reopen"]);
            assert!(departed.is_empty());
        } else {
            assert_eq!(
                (alert.count, alert.notifications, alert.first_seen),
                (1, 1, alert.last_seen)
            );
            assert_eq!(departed, [(id, AlertState::Resolved)], "the old one goes to the store");
            let changed = case.ledger.take_changed().0;
            let opened: Vec<_> = changed.iter().map(|c| (c.opened, c.shown)).collect();
            assert_eq!(opened, [(false, 0), (true, 1)]);
        }
    }
}

#[test]
fn an_acknowledged_alert_asks_again_when_it_gets_worse() {
    let mut case = Case::new();
    let fingerprint = case.raise(START);
    case.raise(START + 30 * SECOND);
    case.act(&fingerprint, &Act::Acknowledge { text: text() }, START + 40 * SECOND);
    let told = |case: &Case| case.alert(&fingerprint).notifications;
    let before = told(&case);
    // Two a minute was acknowledged, so nineteen in a minute are no news and twenty are.
    for step in 0..19 {
        case.raise(START + HOUR + step * SECOND);
    }
    assert_eq!((told(&case), case.alert(&fingerprint).state), (before, AlertState::Acknowledged));
    case.raise(START + HOUR + 20 * SECOND);
    assert_eq!(told(&case), before + 1);
    case.raise(START + HOUR + 21 * SECOND);
    assert_eq!(told(&case), before + 1, "once for a tenfold rate");
    case.raise_as("file", START + 2 * HOUR, 0.9);
    assert_eq!(told(&case), before + 2, "a higher priority");
    case.raise_as("file", START + 3 * HOUR, 0.9);
    assert_eq!(told(&case), before + 2);
}

#[test]
fn every_state_takes_what_makes_sense_in_it() {
    use AlertState::{Acknowledged, Open, Promoted, Resolved, Suppressed};
    let acts = [
        Act::Acknowledge { text: text() },
        Act::Resolve { text: text() },
        Act::Reopen { text: text() },
        Act::Note { text: text() },
        Act::Assign { to: "bob".to_owned() },
    ];
    let table = [
        (Open, [Some(Acknowledged), Some(Resolved), None]),
        (Acknowledged, [None, Some(Resolved), Some(Open)]),
        (Suppressed, [None, Some(Resolved), Some(Open)]),
        (Resolved, [None, None, Some(Open)]),
        (Promoted, [None, None, None]),
    ];
    for (state, next) in table {
        for (index, act) in acts.iter().enumerate() {
            let mut case = Case::new();
            let fingerprint = case.raise(START);
            let mut alert = case.alert(&fingerprint).clone();
            alert.state = state;
            let expected = next.get(index).copied().unwrap_or(Some(state));
            match act.apply(&mut alert, &by("ann", START)) {
                Ok(()) => assert_eq!(Some(alert.state), expected, "{state:?} {act:?}"),
                Err(Refusal::State { state: of, .. }) => {
                    assert_eq!((of, expected), (state, None), "{act:?}");
                    assert!(alert.history.is_empty());
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

#[test]
fn what_is_suppressed_is_counted_apart_and_open_again_after_the_end() {
    for (scope, value) in [
        (SuppressionScope::Rule, "hbt.new_file"),
        (SuppressionScope::Container, "web"),
        (SuppressionScope::Container, "aaaaaaaaaaaa"),
        (SuppressionScope::Identity, "vm:web"),
    ] {
        let mut case = Case::new();
        let known = case.raise(START);
        let made = suppression(scope, value, Some(START + HOUR));
        case.rule(std::slice::from_ref(&made), &[]);
        assert_eq!(case.ledger.suppress(&made, &by("ann", START)), 1);
        let new = case.raise_as("other", START + SECOND, 0.9);
        case.raise(START + 2 * SECOND);
        assert_eq!(case.alert(&known).state, AlertState::Suppressed, "{value}");
        assert_eq!(case.alert(&new).state, AlertState::Suppressed, "born so");
        assert_eq!(case.alert(&new).notifications, 0);
        let counts: u64 = case.ledger.take_changed().0.iter().map(|c| c.suppressed).sum();
        assert_eq!(counts, 2);
        case.raise(START + HOUR);
        assert_eq!(case.alert(&known).state, AlertState::Open);
        assert_eq!(case.alert(&known).notifications, 2);
        assert_eq!(case.alert(&new).state, AlertState::Suppressed, "nothing new of it");
        let changed = case.ledger.take_changed().0;
        assert_eq!((changed[0].shown, changed[0].suppressed), (1, 0));
    }
    let mut case = Case::new();
    case.rule(&[suppression(SuppressionScope::Rule, "another rule", None)], &[]);
    let fingerprint = case.raise(START);
    assert_eq!(case.alert(&fingerprint).state, AlertState::Open);
}

#[test]
fn the_end_of_one_suppression_leaves_what_another_covers() {
    let mut case = Case::new();
    let fingerprint = case.raise(START);
    case.act(&fingerprint, &Act::Acknowledge { text: text() }, START);
    let one = suppression(SuppressionScope::Fingerprint, &fingerprint, None);
    let other = suppression(SuppressionScope::Rule, "hbt.new_file", None);
    case.rule(&[one.clone(), other.clone()], &[]);
    case.ledger.suppress(&one, &by("ann", START));
    assert_eq!(case.ledger.suppress(&other, &by("ann", START)), 0, "it is quiet already");
    case.rule(std::slice::from_ref(&other), &[]);
    assert_eq!(case.ledger.lift(&one.id, &by("ann", START)), 1);
    assert_eq!(case.alert(&fingerprint).state, AlertState::Suppressed);
    case.rule(&[], &[]);
    assert_eq!(case.ledger.lift(&other.id, &by("ann", START)), 1);
    assert_eq!(case.alert(&fingerprint).state, AlertState::Acknowledged);
}

#[test]
fn a_maintenance_window_holds_notifications_and_nothing_else() {
    let mut case = Case::new();
    let window = Maintenance {
        id: "m".to_owned(),
        container: "we*".to_owned(),
        start: START,
        end: START + HOUR,
        created: 1,
        by: "ann".to_owned(),
        note: String::new(),
    };
    case.rule(&[], std::slice::from_ref(&window));
    let fingerprint = case.raise(START);
    case.raise(START + SECOND);
    let alert = case.alert(&fingerprint);
    assert_eq!((alert.count, alert.notifications, alert.held), (2, 0, true));
    assert!(case.ledger.has_news(), "the record is shown at once");
    assert_eq!(case.ledger.held, 1);
    case.raise(START + HOUR);
    let alert = case.alert(&fingerprint);
    assert_eq!((alert.notifications, alert.held), (1, false), "told after the window");
    let before = case.raise_as("before", START - SECOND, 0.4);
    assert_eq!(case.alert(&before).notifications, 1);
}

#[test]
fn a_full_ledger_lets_those_go_that_matter_least() {
    let mut case = Case::new();
    let mut all = Vec::new();
    for number in 0..MAX_ALERTS as u64 {
        let score = if number < 300 { 0.4 } else { 0.9 };
        all.push(case.raise_as(&format!("file {number}"), START + number * SECOND, score));
    }
    for fingerprint in &all[1_000..1_100] {
        case.act(fingerprint, &Act::Resolve { text: text() }, START);
    }
    case.ledger.take_changed();
    let new = |case: &mut Case, name: String| case.raise_as(&name, START + HOUR, 0.9);
    new(&mut case, "new".to_owned());
    let gone: Vec<_> = case.ledger.departed().map(|a| a.fingerprint.clone()).collect();
    assert_eq!(gone, all[1_000..1_100], "what is dealt with goes first");
    for number in 0..400 {
        new(&mut case, format!("more {number}"));
    }
    let low = case.ledger.departed().filter(|a| a.priority < Priority::Warning).count();
    assert_eq!(low, 300, "then the oldest of low priority");
    assert_eq!(case.ledger.overflowed, 1, "when all of the others matter, they share one");
    assert_eq!(case.ledger.left, 400);
    assert!(case.ledger.alerts().count() <= MAX_ALERTS + 1);
    assert_eq!(case.ledger.take_changed().0.len(), 801, "nothing is lost on the way");
}

fn any_act() -> impl Strategy<Value = Option<Act>> {
    prop_oneof![
        Just(Some(Act::Acknowledge { text: text() })),
        Just(Some(Act::Resolve { text: text() })),
        Just(Some(Act::Reopen { text: text() })),
        Just(Some(Act::Note { text: text() })),
        "[a-c]{0,1}".prop_map(|to| Some(Act::Assign { to })),
        Just(None),
    ]
}

proptest! {
    /// `None` suppresses, so that suppressions and plain actions come in any order.
    #[test]
    fn undoing_everything_is_as_if_nothing_had_been_done(
        acts in proptest::collection::vec(any_act(), 0..12),
    ) {
        let mut case = Case::new();
        let fingerprint = case.raise(START);
        let mut rulings: Vec<Suppression> = Vec::new();
        let mut stages = vec![(AlertState::Open, String::new())];
        for (number, act) in acts.iter().enumerate() {
            let done = if let Some(act) = act {
                case.ledger.act(&fingerprint, act, &by("ann", START)).is_ok()
            } else {
                let value = format!("{number}");
                let scope = SuppressionScope::Fingerprint;
                let made = Suppression {
                    value: fingerprint.clone(),
                    ..suppression(scope, &value, None)
                };
                rulings.push(made.clone());
                case.rule(&rulings, &[]);
                let quietened = case.ledger.suppress(&made, &by("ann", START)) > 0;
                if !quietened {
                    rulings.pop();
                    case.rule(&rulings, &[]);
                }
                quietened
            };
            if done {
                let alert = case.alert(&fingerprint);
                stages.push((alert.state, alert.assignee.clone()));
            }
        }
        while stages.len() > 1 {
            stages.pop();
            match case.ledger.undo(&fingerprint, &by("ann", START)).unwrap() {
                Undone::Suppression(id) => {
                    rulings.retain(|one| one.id != id);
                    case.rule(&rulings, &[]);
                    prop_assert_eq!(case.ledger.lift(&id, &by("ann", START)), 1);
                }
                undone => prop_assert_eq!(undone, Undone::Alert),
            }
            let alert = case.alert(&fingerprint);
            let expected = stages.last().unwrap();
            prop_assert_eq!(&(alert.state, alert.assignee.clone()), expected);
        }
        let nothing = case.ledger.undo(&fingerprint, &by("ann", START));
        prop_assert_eq!(nothing, Err(Refusal::NothingToUndo));
        prop_assert!(rulings.is_empty());
        prop_assert_eq!(case.alert(&fingerprint).count, 1);
    }
}
