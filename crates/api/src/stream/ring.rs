//! The newest messages, and every client's position among them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use super::envelope::{self, Message};
use super::filter::{Bits, StreamFilter, StreamScope};
use super::subscription::StreamError;
use super::{StreamCounters, StreamLimits};

/// Bytes that a client takes at a time: enough for one write, and little to hold while it is stuck.
const TAKE_BYTES: usize = 32 << 10;

/// The first thing a client gets: how soon to come back after a break.
const RETRY: Bytes = Bytes::from_static(b"retry: 1000\n\n");

#[derive(Debug)]
struct Client {
    scope: StreamScope,
    filter: StreamFilter,
    bits: Bits,
    /// The newest message that it has taken or passed.
    cursor: u64,
    /// Messages that it wanted and that left the ring before it took them.
    lagged: u64,
    gap: bool,
    heartbeat: bool,
    greeted: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct Ring {
    boot: String,
    limits: StreamLimits,
    messages: VecDeque<Message>,
    bytes: usize,
    /// The newest number given.
    seq: u64,
    /// Nothing after this number is missing: older positions are a gap.
    whole_since: u64,
    clients: HashMap<u64, Client>,
    next_client: u64,
    by_container: HashMap<Arc<str>, HashSet<u64>>,
    by_identity: HashMap<Arc<str>, HashSet<u64>>,
    everywhere: HashSet<u64>,
    /// Since when there is no client; `None` while there is one, and before the first.
    alone_since: Option<Instant>,
    /// Events were not kept because nobody listened.
    deaf: bool,
    closed: bool,
}

/// What a client's next look at the ring gives.
#[derive(Debug)]
pub(super) enum Taken {
    Frames(Vec<Bytes>),
    Nothing,
    End,
}

impl Ring {
    pub(super) fn new(boot: &str, limits: StreamLimits) -> Self {
        Self {
            boot: boot.to_owned(),
            limits,
            messages: VecDeque::new(),
            bytes: 0,
            seq: 0,
            whole_since: 0,
            clients: HashMap::new(),
            next_client: 0,
            by_container: HashMap::new(),
            by_identity: HashMap::new(),
            everywhere: HashSet::new(),
            alone_since: None,
            deaf: true,
            closed: false,
        }
    }

    pub(super) fn clients(&self) -> usize {
        self.clients.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn boot(&self) -> &str {
        &self.boot
    }

    /// The next message's number.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Adds a message and wakes the clients that want it.
    pub(super) fn push(&mut self, message: Message, counters: &StreamCounters) {
        self.bytes += message.cost();
        for id in interested(&self.by_container, &self.by_identity, &self.everywhere, &message) {
            if let Some(client) = self.clients.get_mut(id)
                && message.concerns(&client.scope, &client.filter, client.bits)
            {
                wake(client);
            }
        }
        self.messages.push_back(message);
        while self.bytes > self.limits.ring_bytes || self.messages.len() > self.limits.ring_messages
        {
            self.evict(counters);
        }
    }

    fn evict(&mut self, counters: &StreamCounters) {
        let Some(message) = self.messages.pop_front() else { return };
        self.bytes -= message.cost();
        self.whole_since = self.whole_since.max(message.seq);
        for id in interested(&self.by_container, &self.by_identity, &self.everywhere, &message) {
            if let Some(client) = self.clients.get_mut(id)
                && client.cursor < message.seq
                && message.concerns(&client.scope, &client.filter, client.bits)
            {
                client.lagged += 1;
                counters.lagged.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }

    /// Every client gets a heartbeat after what it has not taken yet.
    pub(super) fn heartbeat(&mut self) {
        for client in self.clients.values_mut() {
            client.heartbeat = true;
            wake(client);
        }
    }

    /// Every client is told that something is missing that has no number.
    pub(super) fn gap(&mut self) {
        self.whole_since = self.next_seq();
        for client in self.clients.values_mut() {
            client.gap = true;
            wake(client);
        }
    }

    /// True when nobody has listened for the time of [`StreamLimits::linger`].
    pub(super) fn is_deserted(&mut self, now: Instant) -> bool {
        let alone = self.clients.is_empty()
            && self.alone_since.is_none_or(|since| now - since >= self.limits.linger);
        self.deaf |= alone;
        alone
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.clients.values_mut().for_each(wake);
    }

    pub(super) fn subscribe(
        &mut self,
        scope: StreamScope,
        filter: StreamFilter,
        resume: Option<&str>,
    ) -> Result<u64, StreamError> {
        if self.clients.len() >= self.limits.clients {
            return Err(StreamError::TooManyClients { limit: self.limits.clients });
        }
        if std::mem::take(&mut self.deaf) {
            self.whole_since = self.next_seq();
        }
        let (cursor, gap) = match resume {
            None => (self.seq, false),
            Some(id) => match self.position(id) {
                Some(seq) => (seq, seq < self.whole_since),
                None => (self.seq, true),
            },
        };
        let id = self.next_client;
        self.next_client += 1;
        self.list(&scope).insert(id);
        let bits = filter.bits();
        let client = Client {
            scope,
            filter,
            bits,
            cursor,
            lagged: 0,
            gap,
            heartbeat: true,
            greeted: false,
            waker: None,
        };
        self.clients.insert(id, client);
        self.alone_since = None;
        Ok(id)
    }

    /// The number in an id of this boot.
    fn position(&self, id: &str) -> Option<u64> {
        let (boot, seq) = id.rsplit_once('-')?;
        let seq = seq.parse().ok()?;
        (boot == self.boot && seq <= self.seq).then_some(seq)
    }

    pub(super) fn unsubscribe(&mut self, id: u64, now: Instant) {
        let Some(client) = self.clients.remove(&id) else { return };
        let list = self.list(&client.scope);
        list.remove(&id);
        if list.is_empty() {
            match &client.scope {
                StreamScope::All => {}
                StreamScope::Container(key) => drop(self.by_container.remove(key)),
                StreamScope::Identity(key) => drop(self.by_identity.remove(key)),
            }
        }
        if self.clients.is_empty() {
            self.alone_since = Some(now);
        }
    }

    fn list(&mut self, scope: &StreamScope) -> &mut HashSet<u64> {
        match scope {
            StreamScope::All => &mut self.everywhere,
            StreamScope::Container(id) => self.by_container.entry(id.clone()).or_default(),
            StreamScope::Identity(id) => self.by_identity.entry(id.clone()).or_default(),
        }
    }

    /// What a client gets next, or its place in the waiting line.
    pub(super) fn take(
        &mut self,
        id: u64,
        context: &Context<'_>,
        counters: &StreamCounters,
    ) -> Taken {
        let Some(client) = self.clients.get_mut(&id).filter(|_| !self.closed) else {
            return Taken::End;
        };
        let mut frames = Vec::new();
        if !std::mem::replace(&mut client.greeted, true) {
            frames.push(RETRY);
        }
        if std::mem::take(&mut client.gap) {
            counters.gaps.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            frames.push(envelope::heartbeat(None, &json!({ "gap": true })));
        }
        let lagged = std::mem::take(&mut client.lagged);
        if lagged > 0 {
            frames.push(envelope::heartbeat(None, &json!({ "lagged": lagged })));
        }
        let mut bytes = 0;
        let first = self.messages.partition_point(|message| message.seq <= client.cursor);
        for message in self.messages.range(first..) {
            if bytes >= TAKE_BYTES {
                return Taken::Frames(frames);
            }
            client.cursor = message.seq;
            if message.concerns(&client.scope, &client.filter, client.bits) {
                let frame = message.frame(&client.filter, client.bits);
                bytes += frame.len();
                frames.push(frame);
            }
        }
        client.cursor = self.seq;
        if std::mem::take(&mut client.heartbeat) {
            frames.push(envelope::heartbeat(Some((&self.boot, self.seq)), &json!({})));
        }
        if frames.is_empty() {
            client.waker = Some(context.waker().clone());
            return Taken::Nothing;
        }
        Taken::Frames(frames)
    }
}

#[cfg(test)]
impl Ring {
    /// Makes the last client's leaving look long ago.
    pub(super) fn leave_long_ago(&mut self) {
        self.alone_since = None;
    }
}

fn wake(client: &mut Client) {
    if let Some(waker) = client.waker.take() {
        waker.wake();
    }
}

/// The clients whose scope a message is in.
fn interested<'a>(
    by_container: &'a HashMap<Arc<str>, HashSet<u64>>,
    by_identity: &'a HashMap<Arc<str>, HashSet<u64>>,
    everywhere: &'a HashSet<u64>,
    message: &Message,
) -> impl Iterator<Item = &'a u64> + use<'a> {
    let of_container = by_container.get(&message.owner.id).into_iter().flatten();
    let of_identity = by_identity.get(&message.owner.identity).into_iter().flatten();
    of_container.chain(of_identity).chain(everywhere)
}
