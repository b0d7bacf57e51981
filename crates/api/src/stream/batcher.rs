//! The one task that numbers and serialises messages.

use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use super::envelope::Message;

pub(super) async fn run(shared: &Shared) {
    let mut tick = interval(shared.limits.tick);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heartbeat = interval(shared.limits.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.tick().await;
    loop {
        tokio::select! {
            () = shared.wake.notified() => send_alerts(shared),
            _ = tick.tick() => {
                send_alerts(shared);
                send_events(shared);
            }
            _ = heartbeat.tick() => shared.ring.lock().heartbeat(),
        }
        if shared.ring.lock().is_closed() {
            return;
        }
    }
}

pub(super) fn send_alerts(shared: &Shared) {
    let (alerts, dropped) = shared.inbox.lock().take_alerts();
    if alerts.is_empty() && !dropped {
        return;
    }
    // Serialising outside the lock would need the number first; an alert takes some 10 µs, and
    // clients that wait for the lock have nothing to do but wait for this alert.
    let mut ring = shared.ring.lock();
    for (alert, owner) in alerts {
        let seq = ring.next_seq();
        let message = Message::alert(ring.boot(), seq, owner, &alert);
        ring.push(message, &shared.counters);
        shared.counters.messages.fetch_add(1, Ordering::Relaxed);
    }
    if dropped {
        ring.gap();
    }
}

fn send_events(shared: &Shared) {
    let events = shared.inbox.lock().take_events();
    let mut ring = shared.ring.lock();
    for pending in events {
        let skipped: u64 = pending.skipped.iter().map(|n| u64::from(*n)).sum();
        shared.counters.events_skipped.fetch_add(skipped, Ordering::Relaxed);
        let seq = ring.next_seq();
        let message = Message::events(ring.boot(), seq, pending);
        ring.push(message, &shared.counters);
        shared.counters.messages.fetch_add(1, Ordering::Relaxed);
    }
    if ring.is_deserted(Instant::now()) {
        shared.listening.store(false, Ordering::Relaxed);
    }
}
