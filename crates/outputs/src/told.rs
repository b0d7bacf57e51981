//! What has been told of which alert, so that nothing is told twice: not by an update, and not by
//! the engine reading its input again after a kill.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::Path,
};

use hanabi_detect::{Alert, AlertState};
use serde::{Deserialize, Serialize};

use crate::notice::{Cause, Notice};

/// Alerts that are remembered. A profile holds some hundreds at most, and an entry costs about a
/// hundred bytes; past it those go that have ended, or else were told longest ago, and would be told
/// again if they changed.
const REMEMBERED: usize = 50_000;
/// Of these, how many go at a time: to look for them costs a walk over all.
const FORGOTTEN_TOGETHER: usize = REMEMBERED / 20;
const VERSION: u32 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// [`Alert::notifications`] when it was last told.
    notifications: u64,
    ended: bool,
    /// When it was last told, in messages.
    stamp: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(crate) struct Told {
    alerts: BTreeMap<String, Entry>,
    stamp: u64,
    forgotten: u64,
}

/// As it lies on disk.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// The messages of the spool up to this one are in it.
    through: u64,
    alerts: BTreeMap<String, Entry>,
}

impl Told {
    /// What is to be told of an alert as it is now; nothing if it has been, or is nobody's business.
    pub(crate) fn judge(&self, alert: &Alert) -> Option<Cause> {
        let asks = asks(alert.state);
        match self.alerts.get(&alert.id) {
            None => (asks && alert.notifications > 0).then_some(Cause::Raised),
            Some(entry) if asks => {
                // A person may take an end back, which nobody was notified of by itself.
                let news = alert.notifications > entry.notifications || entry.ended;
                news.then_some(Cause::Raised)
            }
            Some(entry) => (!entry.ended).then_some(Cause::Ended),
        }
    }

    /// Remembers a message.
    pub(crate) fn note(&mut self, notice: &Notice) {
        self.stamp += 1;
        let entry = Entry {
            notifications: notice.notifications,
            ended: notice.event == Cause::Ended,
            stamp: self.stamp,
        };
        self.alerts.insert(notice.id.clone(), entry);
        if self.alerts.len() > REMEMBERED {
            self.forget();
        }
    }

    /// True for an alert that was told and has not ended since.
    pub(crate) fn is_going_on(&self, id: &str) -> bool {
        self.alerts.get(id).is_some_and(|entry| !entry.ended)
    }

    /// Alerts that were forgotten because there were too many.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn forget(&mut self) {
        let mut order: Vec<(bool, u64, String)> =
            self.alerts.iter().map(|(id, entry)| (!entry.ended, entry.stamp, id.clone())).collect();
        order.sort_unstable();
        for (_, _, id) in order.into_iter().take(FORGOTTEN_TOGETHER) {
            self.alerts.remove(&id);
            self.forgotten += 1;
        }
    }

    /// Reads what was written, and up to which message; `None` where there is nothing.
    pub(crate) fn load(path: &Path) -> io::Result<Option<(Self, u64)>> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text?,
        };
        let stored: Stored = serde_json::from_slice(&text)?;
        if stored.version != VERSION {
            let why = format!("version {} is not known", stored.version);
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let stamp = stored.alerts.values().map(|entry| entry.stamp).max().unwrap_or(0);
        Ok(Some((Self { alerts: stored.alerts, stamp, forgotten: 0 }, stored.through)))
    }

    /// Writes all of it or nothing.
    pub(crate) fn save(&self, path: &Path, through: u64) -> io::Result<()> {
        let stored = Stored { version: VERSION, through, alerts: self.alerts.clone() };
        let new = path.with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(&stored)?)?;
        file.sync_all()?;
        fs::rename(new, path)
    }
}

/// True for a state in which an alert asks for somebody.
pub(crate) fn asks(state: AlertState) -> bool {
    match state {
        AlertState::Open | AlertState::Acknowledged => true,
        AlertState::Suppressed | AlertState::Promoted | AlertState::Resolved => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn tell(told: &mut Told, alert: &Alert) -> Option<Cause> {
        let cause = told.judge(alert)?;
        told.note(&Notice::of(alert, cause));
        Some(cause)
    }

    #[test]
    fn an_alerts_life_is_told_once_a_turn() {
        let (mut told, mut alert) = (Told::default(), testing::alert("a"));
        for (state, notifications, count, expected) in [
            // Recorded in a window of maintenance, or suppressed from the start.
            (AlertState::Open, 0, 1, None),
            (AlertState::Open, 1, 2, Some(Cause::Raised)),
            (AlertState::Open, 1, 900, None),
            (AlertState::Acknowledged, 1, 901, None),
            (AlertState::Acknowledged, 2, 9_000, Some(Cause::Raised)),
            (AlertState::Resolved, 2, 9_000, Some(Cause::Ended)),
            (AlertState::Resolved, 2, 9_000, None),
            (AlertState::Open, 3, 9_001, Some(Cause::Raised)),
            (AlertState::Suppressed, 3, 9_001, Some(Cause::Ended)),
            // Taken back by a person.
            (AlertState::Open, 3, 9_001, Some(Cause::Raised)),
            (AlertState::Promoted, 3, 9_001, Some(Cause::Ended)),
        ] {
            (alert.state, alert.notifications, alert.count) = (state, notifications, count);
            assert_eq!(tell(&mut told, &alert), expected, "{state:?} {notifications} {count}");
        }
    }

    #[test]
    fn what_nobody_was_told_of_does_not_end() {
        let mut alert = testing::alert("a");
        alert.state = AlertState::Resolved;
        assert_eq!(Told::default().judge(&alert), None);
    }

    #[test]
    fn it_comes_back_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("told");
        assert!(Told::load(&path).unwrap().is_none());
        let (mut told, alert) = (Told::default(), testing::alert("a"));
        tell(&mut told, &alert);
        told.save(&path, 7).unwrap();
        let (again, through) = Told::load(&path).unwrap().unwrap();
        assert_eq!((again.judge(&alert), through), (None, 7));
        assert!(again.is_going_on(&alert.id));
        fs::write(&path, "{}").unwrap();
        assert!(Told::load(&path).is_err());
    }

    #[test]
    fn what_has_ended_is_forgotten_first() {
        let mut told = Told::default();
        let mut notice = Notice::of(&testing::alert("a"), Cause::Raised);
        for number in 0..=REMEMBERED {
            notice.id = number.to_string();
            notice.event = if number % 2 == 0 { Cause::Raised } else { Cause::Ended };
            told.note(&notice);
        }
        assert_eq!(told.forgotten(), FORGOTTEN_TOGETHER as u64);
        assert!(told.is_going_on("0"));
        assert!(!told.alerts.contains_key("1"));
    }
}
