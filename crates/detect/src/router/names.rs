//! Containers whose names are late: what waits for one, what is filed under an id, and where both
//! go when the name comes.

use hanabi_event::{Block, Event, EventTime, Record, identity};

use super::{MAX_WAITING, Move, NAME_WAIT, Place, Router, UNNAMED, Waiting, Work, push, quick_key};
use crate::{Item, shard::Waited};

impl Router {
    /// A container that was filed under its id, whose name comes with this record and has a profile.
    pub(super) fn moves(&mut self, block: &Block, record: &Record) -> Option<Move> {
        if self.unnamed.is_empty() || record.container_name.is_empty() {
            return None;
        }
        let host = self.hosts.iter().position(|name| name == block.str(record.host))?;
        let id = block.str(record.container_id);
        // Nearly all records are of containers that have their places.
        if self.quick.get(&quick_key((host as u16, id))).is_some_and(|known| known.1 == id) {
            return None;
        }
        let key = (host as u16, id.to_owned());
        let filed = *self.unnamed.get(&key)?;
        let event = block.event(record);
        let host = self.hosts.get(host).map_or("", String::as_str);
        let identity = identity::identity(&event.container, host, self.include_host);
        let named = *self.identities.get(&identity)?;
        self.unnamed.remove(&key);
        self.identities.remove(&unnamed_identity(&key.1));
        self.free.entry(filed.shard).or_default().push(filed.slot);
        Some(Move {
            from: (usize::from(filed.shard), filed.slot),
            to: (usize::from(named.shard), named.slot),
        })
    }

    /// Files a container under its identity, and what waited for it before it.
    pub(super) fn name(&mut self, key: (u16, &str), event: &Event<'_>, work: &mut Work) -> Place {
        let host = self.hosts.get(key.0 as usize).map_or("", String::as_str);
        let identity = identity::identity(&event.container, host, self.include_host);
        let owned = (key.0, key.1.to_owned());
        let filed = self.unnamed.remove(&owned);
        let place = match (self.identities.get(&identity).copied(), filed) {
            (Some(place), _) => place,
            // Where both are there, [`Router::moves`] has been before this.
            (None, Some(filed)) => {
                self.identities.remove(&unnamed_identity(&owned.1));
                self.identities.insert(identity.clone(), filed);
                push(work, filed, Item::Rename { slot: filed.slot, identity: identity.into() });
                filed
            }
            (None, None) => {
                let since = self.waiting.get(&owned).map_or(event.time, |w| w.since);
                self.open(&identity, since, work)
            }
        };
        self.containers.insert(owned.clone(), place);
        self.release(&owned, place, work);
        place
    }

    fn release(&mut self, key: &(u16, String), place: Place, work: &mut Work) {
        let Some(waiting) = self.waiting.remove(key) else { return };
        self.waiting_lines -= waiting.lines.len();
        let (host, watermark) = (key.0, self.watermark(key.0));
        for line in waiting.lines {
            let waited = Waited { slot: place.slot, line, host, since: waiting.since, watermark };
            push(work, place, Item::Line(Box::new(waited)));
        }
    }

    pub(super) fn wait(&mut self, key: (u16, &str), time: EventTime, line: &str, work: &mut Work) {
        let owned = (key.0, key.1.to_owned());
        let waiting = self.waiting.entry(owned.clone()).or_insert_with(|| {
            self.waiting_order.push_back(owned.clone());
            Waiting { since: time, host: key.0, lines: Vec::new() }
        });
        waiting.lines.push(line.to_owned());
        self.waiting_lines += 1;
        if self.waiting_lines > MAX_WAITING {
            self.file_oldest(work);
        }
    }

    /// Files under their ids the containers whose names have not come in time.
    pub(super) fn expire(&mut self, host: u16, watermark: EventTime, work: &mut Work) {
        loop {
            let due = self.waiting_order.iter().position(|key| match self.waiting.get(key) {
                Some(w) => w.host == host && w.since + NAME_WAIT < watermark,
                None => true,
            });
            let Some(index) = due else { return };
            if let Some(key) = self.waiting_order.remove(index) {
                self.file(&key, work);
            }
        }
    }

    pub(super) fn file_oldest(&mut self, work: &mut Work) {
        while let Some(key) = self.waiting_order.pop_front() {
            if self.waiting.contains_key(&key) {
                self.file(&key, work);
                return;
            }
        }
    }

    fn file(&mut self, key: &(u16, String), work: &mut Work) {
        let Some(since) = self.waiting.get(key).map(|w| w.since) else { return };
        let identity = unnamed_identity(&key.1);
        let place = match self.identities.get(&identity).copied() {
            Some(place) => place,
            None => self.open(&identity, since, work),
        };
        self.unnamed.insert(key.clone(), place);
        self.release(key, place, work);
    }
}

/// Where a container is filed until its name comes.
fn unnamed_identity(id: &str) -> String {
    format!("{UNNAMED}{id}")
}
