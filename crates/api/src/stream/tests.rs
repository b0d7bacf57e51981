//! The hub and its clients on paused time; last, any order of steps loses nothing uncounted.

use std::future::poll_fn;
use std::time::Duration;

use hanabi_detect::{Alert, Kind};
use hanabi_event::{Category, Priority};
use serde_json::{Value, json};

use super::*;

const WEB: StreamContainer<'_> =
    StreamContainer { id: "aaaaaaaaaaaa", name: "web", identity: "h:web" };
const DB: StreamContainer<'_> =
    StreamContainer { id: "bbbbbbbbbbbb", name: "db", identity: "h:db" };

fn limits() -> StreamLimits {
    StreamLimits { events_per_container: 3, events_per_tick: 5, ..StreamLimits::default() }
}

fn start(limits: StreamLimits) -> StreamHub {
    let hub = StreamHub::new("boot", limits);
    tokio::spawn({
        let hub = hub.clone();
        async move { hub.run().await }
    });
    hub
}

fn alert(priority: Priority, kind: Kind) -> Arc<Alert> {
    let mut alert = crate::testing::alert("a1", "web", 1_763_800_000_000_000_000);
    alert.priority = priority;
    alert.kind = kind;
    Arc::new(alert)
}

fn event(hub: &StreamHub, container: StreamContainer<'_>, priority: Priority, n: u64) {
    hub.publish_event(container, Category::File, priority, n * 1_000_000_000, || json!({ "n": n }));
}

/// The next message: its id, or `""`, and its envelope.
async fn next(client: &mut Subscription) -> (String, Value) {
    loop {
        let frame = poll_fn(|context| client.poll_next(context)).await.expect("the stream goes on");
        let text = std::str::from_utf8(&frame).unwrap();
        assert!(text.ends_with("\n\n"), "{text:?}");
        if text == "retry: 1000\n\n" {
            continue;
        }
        let mut id = String::new();
        let mut data = Value::Null;
        for line in text.trim_end().lines() {
            if let Some(rest) = line.strip_prefix("id: ") {
                id = rest.to_owned();
            } else if let Some(rest) = line.strip_prefix("data: ") {
                data = serde_json::from_str(rest).unwrap();
            } else {
                panic!("unexpected line {line:?}");
            }
        }
        return (id, data);
    }
}

/// The next message that is no plain heartbeat.
async fn next_news(client: &mut Subscription) -> (String, Value) {
    loop {
        let (id, message) = next(client).await;
        if message["type"] != "heartbeat" || message["payload"] != json!({}) {
            return (id, message);
        }
    }
}

fn all(hub: &StreamHub, resume: Option<&str>) -> Subscription {
    hub.subscribe(StreamScope::All, StreamFilter::default(), resume).unwrap()
}

#[tokio::test(start_paused = true)]
async fn alerts_come_at_once_and_before_events() {
    let hub = start(limits());
    let mut client = all(&hub, None);
    let (_, hello) = next(&mut client).await;
    assert_eq!(hello["type"], "heartbeat");
    tokio::time::sleep(Duration::from_millis(10)).await;

    event(&hub, WEB, Priority::Debug, 1);
    hub.publish_alert(alert(Priority::Critical, Kind::NewProcess), WEB);
    let began = tokio::time::Instant::now();
    let (_, first) = next(&mut client).await;
    assert!(began.elapsed() < Duration::from_millis(5), "an alert does not wait for the tick");
    assert_eq!(first["type"], "alert");
    assert_eq!(first["container"], WEB.id);
    assert_eq!(first["payload"]["id"], "a1");
    assert_eq!(first["ts"], "2025-11-22T08:26:40.000000000Z");
    let (_, second) = next(&mut client).await;
    assert_eq!(second["type"], "event");
    assert_eq!(second["payload"], json!({ "events": [{ "n": 1 }], "skipped": 0 }));
}

#[tokio::test(start_paused = true)]
async fn a_tick_is_one_message_a_container_and_bounded() {
    let hub = start(limits());
    let mut client = all(&hub, None);
    next(&mut client).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    for n in 0..10 {
        event(&hub, DB, Priority::Debug, n);
        event(&hub, WEB, Priority::Debug, 100 + n);
    }
    let (_, web) = next(&mut client).await;
    let (_, db) = next(&mut client).await;
    assert_eq!((&web["container"], &db["container"]), (&json!(WEB.id), &json!(DB.id)));
    assert_eq!(db["payload"], json!({ "events": [{"n":0},{"n":1},{"n":2}], "skipped": 7 }));
    // The tick's room for all containers is used up.
    assert_eq!(web["payload"], json!({ "events": [{"n":100},{"n":101}], "skipped": 8 }));
    assert_eq!(hub.counters().events_skipped.load(Ordering::Relaxed), 15);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_messages_every_thirty_seconds() {
    let hub = start(limits());
    let mut client = all(&hub, None);
    next(&mut client).await;
    let began = tokio::time::Instant::now();
    for round in 1..=3 {
        let (id, beat) = next(&mut client).await;
        assert_eq!(beat["type"], "heartbeat");
        assert_eq!(beat["container"], Value::Null);
        assert!(id.starts_with("boot-"));
        assert_eq!(began.elapsed().as_secs(), 30 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn resume_gives_what_was_missed_once_and_in_order() {
    let hub = start(limits());
    let mut client = all(&hub, None);
    let (id, _) = next(&mut client).await;
    for n in 0..3 {
        event(&hub, WEB, Priority::Debug, n);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (first_id, first) = next_news(&mut client).await;
    assert_eq!(first["payload"]["events"][0]["n"], 0);
    drop(client);
    event(&hub, WEB, Priority::Debug, 3);
    tokio::time::sleep(Duration::from_millis(500)).await;

    let mut again = all(&hub, Some(&first_id));
    for n in 1..=3 {
        assert_eq!(next_news(&mut again).await.1["payload"]["events"][0]["n"], n);
    }
    let mut from_the_start = all(&hub, Some(&id));
    assert_eq!(next_news(&mut from_the_start).await.1["payload"]["events"][0]["n"], 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_is_a_gap() {
    let small = StreamLimits { ring_messages: 2, ..limits() };
    let hub = start(small);
    let mut client = all(&hub, None);
    let (old, _) = next(&mut client).await;
    for n in 0..4 {
        event(&hub, WEB, Priority::Debug, n);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for id in [old.as_str(), "another-1", "boot-999", "boot-", "nonsense", ""] {
        let mut client = all(&hub, Some(id));
        let (_, gap) = next(&mut client).await;
        assert_eq!(gap["type"], "heartbeat", "{id}");
        assert_eq!(gap["payload"], json!({ "gap": true }), "{id}");
        assert_eq!(gap["container"], Value::Null);
    }
    // What is still there follows the gap.
    let mut client = all(&hub, Some(&old));
    next(&mut client).await;
    assert_eq!(next(&mut client).await.1["payload"]["events"][0]["n"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_told_how_much_of_its_own_it_missed() {
    let small = StreamLimits { ring_messages: 4, ..limits() };
    let hub = start(small);
    let scope = StreamScope::Container(Arc::from(WEB.id));
    let mut slow = hub.subscribe(scope, StreamFilter::default(), None).unwrap();
    next(&mut slow).await;
    for n in 0..10 {
        event(&hub, WEB, Priority::Debug, n);
        event(&hub, DB, Priority::Debug, n);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let (id, told) = next(&mut slow).await;
    assert_eq!(told["payload"], json!({ "lagged": 8 }));
    assert_eq!((id.as_str(), &told["container"]), ("", &Value::Null));
    assert_eq!(next(&mut slow).await.1["payload"]["events"][0]["n"], 8);
    assert_eq!(next(&mut slow).await.1["payload"]["events"][0]["n"], 9);
    assert_eq!(hub.counters().lagged.load(Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_client_is_not_lagged_by_what_it_did_not_want() {
    let small = StreamLimits { ring_messages: 2, ..limits() };
    let hub = start(small);
    let scope = StreamScope::Identity(Arc::from(WEB.identity));
    let mut quiet = hub.subscribe(scope, StreamFilter::default(), None).unwrap();
    next(&mut quiet).await;
    for n in 0..10 {
        event(&hub, DB, Priority::Debug, n);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    event(&hub, WEB, Priority::Debug, 7);
    assert_eq!(next(&mut quiet).await.1["payload"]["events"][0]["n"], 7);
}

#[tokio::test(start_paused = true)]
async fn filters_leave_out_events_and_count_only_their_own_skipped() {
    let hub = start(limits());
    let filter = StreamFilter { priority: Some(Priority::Warning), ..StreamFilter::default() };
    let mut loud = hub.subscribe(StreamScope::All, filter, None).unwrap();
    let filter = StreamFilter {
        types: TypeSet { events: false, alerts: true },
        categories: vec![Category::Network],
        ..StreamFilter::default()
    };
    let mut network = hub.subscribe(StreamScope::All, filter, None).unwrap();
    next(&mut loud).await;
    next(&mut network).await;
    tokio::time::sleep(Duration::from_millis(10)).await;
    for (n, priority) in
        [Priority::Debug, Priority::Error, Priority::Debug, Priority::Alert].into_iter().enumerate()
    {
        event(&hub, WEB, priority, n as u64);
    }
    event(&hub, DB, Priority::Debug, 9);
    let (_, got) = next(&mut loud).await;
    assert_eq!(got["container"], WEB.id);
    assert_eq!(got["payload"], json!({ "events": [{ "n": 1 }], "skipped": 1 }));

    hub.publish_alert(alert(Priority::Warning, Kind::NewFile), WEB);
    hub.publish_alert(alert(Priority::Notice, Kind::NewPeer), WEB);
    hub.publish_alert(alert(Priority::Notice, Kind::Danger), DB);
    assert_eq!(next_news(&mut network).await.1["payload"]["kind"], "new_peer");
    assert_eq!(next_news(&mut network).await.1["payload"]["kind"], "danger");
    assert_eq!(next_news(&mut loud).await.1["payload"]["kind"], "new_file");
}

#[tokio::test(start_paused = true)]
async fn nobody_listening_costs_nothing_and_is_a_gap_later() {
    let hub = start(StreamLimits { linger: Duration::from_secs(10), ..limits() });
    assert!(hub.events().is_none());
    let mut client = all(&hub, None);
    let (id, _) = next(&mut client).await;
    assert!(hub.is_listening());
    drop(client);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(hub.is_listening(), "a client that comes back soon misses nothing");
    // The stream takes its clock from the system for this; make it look past the linger.
    hub.shared.ring.lock().leave_long_ago();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!hub.is_listening());
    let mut again = all(&hub, Some(&id));
    assert_eq!(next(&mut again).await.1["payload"], json!({ "gap": true }));
}

#[tokio::test(start_paused = true)]
async fn clients_are_limited_and_close_ends_them() {
    let hub = start(StreamLimits { clients: 1, ..limits() });
    let mut client = all(&hub, None);
    let refused = hub.subscribe(StreamScope::All, StreamFilter::default(), None);
    assert!(matches!(refused, Err(StreamError::TooManyClients { limit: 1 })));
    assert_eq!(hub.counters().clients_refused.load(Ordering::Relaxed), 1);
    next(&mut client).await;
    hub.close();
    assert!(poll_fn(|context| client.poll_next(context)).await.is_none());
    drop(client);
    assert_eq!(hub.counters().clients.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_inbox_drops_alerts_and_says_gap() {
    let hub = start(StreamLimits { alerts_waiting: 2, ..limits() });
    let mut client = all(&hub, None);
    next(&mut client).await;
    for _ in 0..5 {
        hub.publish_alert(alert(Priority::Error, Kind::NewFile), WEB);
    }
    let kinds = [next(&mut client).await.1, next(&mut client).await.1, next(&mut client).await.1];
    assert!(kinds.iter().any(|message| message["payload"] == json!({ "gap": true })));
    assert_eq!(kinds.iter().filter(|message| message["type"] == "alert").count(), 2);
    assert_eq!(hub.counters().alerts_dropped.load(Ordering::Relaxed), 3);
}

/// A waker that does nothing: the property looks at the ring itself.
fn poll(client: &mut Subscription) -> Option<String> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match client.poll_next(&mut context) {
        std::task::Poll::Ready(Some(frame)) => Some(String::from_utf8(frame.to_vec()).unwrap()),
        _ => None,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(bool),
    Read(usize, usize),
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    use proptest::prelude::*;
    let step = prop_oneof![
        any::<bool>().prop_map(Step::Publish),
        (0..3_usize, 1..4_usize).prop_map(|(client, n)| Step::Read(client, n)),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest::proptest! {
    /// Whatever is published and whoever reads when: every client sees each message that it wants
    /// once and in order, or is told that it missed it.
    #[test]
    fn every_message_is_seen_or_counted(steps in steps(), room in 1..8_usize) {
        let hub = StreamHub::new("boot", StreamLimits { ring_messages: room, ..limits() });
        let scopes = [
            StreamScope::All,
            StreamScope::Container(Arc::from(WEB.id)),
            StreamScope::Identity(Arc::from(DB.identity)),
        ];
        let mut clients = scopes.map(|scope| {
            (hub.subscribe(scope, StreamFilter::default(), None).unwrap(), 0_u64, 0_u64)
        });
        let mut published = [0_u64; 3];
        let read = |(client, accounted, last): &mut (Subscription, u64, u64)| {
            let Some(frame) = poll(client) else { return false };
            let data = frame.lines().find_map(|line| line.strip_prefix("data: "));
            let Some(data) = data else { return true };
            let message: Value = serde_json::from_str(data).unwrap();
            *accounted += match message["type"].as_str() {
                Some("alert") => 1,
                _ => message["payload"]["lagged"].as_u64().unwrap_or(0),
            };
            if let Some(id) = frame.lines().find_map(|line| line.strip_prefix("id: boot-")) {
                let seq: u64 = id.parse().unwrap();
                assert!(seq > *last || (seq == *last && message["type"] == "heartbeat"));
                *last = seq;
            }
            true
        };
        for step in steps {
            match step {
                Step::Publish(web) => {
                    let container = if web { WEB } else { DB };
                    hub.publish_alert(alert(Priority::Error, Kind::NewFile), container);
                    batcher::send_alerts(&hub.shared);
                    published[0] += 1;
                    published[if web { 1 } else { 2 }] += 1;
                }
                Step::Read(client, n) => {
                    for _ in 0..n {
                        read(&mut clients[client]);
                    }
                }
            }
        }
        for (client, published) in clients.iter_mut().zip(published) {
            while read(client) {}
            proptest::prop_assert_eq!(client.1, published);
        }
    }
}
