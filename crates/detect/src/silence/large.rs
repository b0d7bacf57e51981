//! Hosts and sources, by one clock of all of them.

use hanabi_event::{EventTime, SECOND};
use serde::{Deserialize, Serialize};

use super::{LOOK_EVERY, Rhythm, STEP};

/// Sources watched for silence; one process reads from a handful.
pub const MAX_SOURCES: usize = 256;
/// Silence of a host or a source is not told before this: sensors restart, networks come back.
const MIN_SILENCE: EventTime = 300 * SECOND;

/// One host or source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct One {
    rhythm: Rhythm,
    /// Its last event, in event time.
    at: EventTime,
    /// A host's source, a source's host, at that event.
    with: u16,
    /// The host whose profile has the alert of its silence.
    filed: Option<u16>,
}

/// See the module's text. The clock goes on with the latest time of any host: while one that is far
/// ahead stands still, so does the clock, and nobody is silent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Large {
    heard: EventTime,
    watermark: EventTime,
    look: EventTime,
    hosts: Vec<One>,
    sources: Vec<One>,
    names: Vec<String>,
    #[serde(skip)]
    back: Vec<Back>,
}

/// A host, by its number, or a source, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whom {
    Host,
    Source(String),
}

/// Who is silent, and the host whose profile is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    pub(crate) whom: Whom,
    pub(crate) host: u16,
    pub(crate) since: EventTime,
    pub(crate) longest: EventTime,
}

/// Who is heard again, and the host whose profile was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) whom: Whom,
    pub(crate) host: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LargeDue {
    pub(crate) silent: Vec<Quiet>,
    pub(crate) back: Vec<Back>,
}

impl Large {
    pub(super) fn source(&mut self, name: &str) -> u16 {
        let known = self.names.iter().position(|one| one == name);
        if known.is_none() && self.names.len() < MAX_SOURCES {
            self.names.push(name.to_owned());
        }
        known.map_or(self.names.len() as u16 - 1, |index| index as u16)
    }

    pub(super) fn hear(&mut self, host: u16, source: u16, watermark: EventTime) {
        if watermark > self.watermark {
            if self.watermark != 0 {
                self.heard += (watermark - self.watermark).min(STEP);
            }
            self.watermark = watermark;
        }
        let heard = self.heard;
        if let Some(filed) = place(&mut self.hosts, host).hear(heard, watermark, source) {
            self.back.push(Back { whom: Whom::Host, host: filed });
        }
        if let Some(filed) = place(&mut self.sources, source).hear(heard, watermark, host) {
            self.back.push(Back { whom: Whom::Source(self.name(source)), host: filed });
        }
    }

    pub(super) fn pass(&mut self, passed: EventTime) {
        self.heard += passed;
    }

    fn name(&self, source: u16) -> String {
        self.names.get(usize::from(source)).cloned().unwrap_or_default()
    }

    pub(super) fn due(&mut self) -> Option<LargeDue> {
        if self.heard < self.look && self.back.is_empty() {
            return None;
        }
        let mut due = LargeDue { silent: Vec::new(), back: std::mem::take(&mut self.back) };
        if self.heard >= self.look {
            self.look = self.heard + LOOK_EVERY;
            for index in 0..self.sources.len() {
                if self.is_silent(|large| &mut large.sources[index]) {
                    self.source_silent(index, &mut due.silent);
                }
            }
            for index in 0..self.hosts.len() {
                if self.is_silent(|large| &mut large.hosts[index]) {
                    self.host_silent(index, &mut due.silent);
                }
            }
        }
        Some(due)
    }

    /// True once for who is silent now; sees to it that others are looked at in time.
    fn is_silent(&mut self, one: impl Fn(&mut Self) -> &mut One) -> bool {
        let heard = self.heard;
        let rhythm = &mut one(self).rhythm;
        let Some(limit) = rhythm.limit(MIN_SILENCE).filter(|_| !rhythm.told) else { return false };
        let end = rhythm.last + limit;
        rhythm.told = heard > end;
        let told = rhythm.told;
        if !told {
            self.look = self.look.min(end + 1);
        }
        told
    }

    /// The silence of a source is that of all its hosts, and is told once: as that of the host where
    /// there is but one.
    fn source_silent(&mut self, source: usize, silent: &mut Vec<Quiet>) {
        let of_it = |one: &One| one.rhythm.seconds > 0 && usize::from(one.with) == source;
        let hosts: Vec<usize> =
            (0..self.hosts.len()).filter(|host| of_it(&self.hosts[*host])).collect();
        if let [host] = hosts.as_slice() {
            if !self.hosts[*host].rhythm.told {
                self.host_silent(*host, silent);
            }
            return;
        }
        for host in hosts {
            self.hosts[host].rhythm.told = true;
        }
        let whom = Whom::Source(self.name(source as u16));
        let one = &mut self.sources[source];
        one.filed = Some(one.with);
        let (since, longest) = (one.at, one.rhythm.longest);
        silent.push(Quiet { whom, host: one.with, since, longest });
    }

    fn host_silent(&mut self, host: usize, silent: &mut Vec<Quiet>) {
        let one = &mut self.hosts[host];
        one.rhythm.told = true;
        one.filed = Some(host as u16);
        let (since, longest) = (one.at, one.rhythm.longest);
        silent.push(Quiet { whom: Whom::Host, host: host as u16, since, longest });
    }
}

impl One {
    /// It is heard; the host at which its silence was told, if it was.
    fn hear(&mut self, heard: EventTime, watermark: EventTime, with: u16) -> Option<u16> {
        (self.at, self.with) = (watermark, with);
        self.rhythm.hear(heard);
        self.filed.take()
    }
}

fn place(all: &mut Vec<One>, index: u16) -> &mut One {
    let index = usize::from(index);
    if all.len() <= index {
        all.resize_with(index + 1, One::default);
    }
    &mut all[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of each second in which these (host, source) are heard.
    fn seconds(large: &mut Large, from: u64, to: u64, heard: &[(u16, u16)]) -> Vec<(u64, String)> {
        let mut told = Vec::new();
        for second in from..to {
            for (host, source) in heard {
                large.hear(*host, *source, second * SECOND);
            }
            if heard.is_empty() {
                large.pass(SECOND);
            }
            let Some(due) = large.due() else { continue };
            for quiet in due.silent {
                told.push((second, format!("{:?} of {} silent", quiet.whom, quiet.host)));
            }
            for back in due.back {
                told.push((second, format!("{:?} of {} back", back.whom, back.host)));
            }
        }
        told
    }

    fn named(names: &[&str]) -> Large {
        let mut large = Large::default();
        for (index, name) in names.iter().enumerate() {
            assert_eq!(usize::from(large.source(name)), index);
        }
        large
    }

    #[test]
    fn a_host_is_silent_once_and_comes_back() {
        let mut large = named(&["http"]);
        assert_eq!(seconds(&mut large, 1_000, 2_000, &[(0, 0)]), []);
        let told = seconds(&mut large, 2_000, 5_000, &[]);
        assert_eq!(told, [(2_300, "Host of 0 silent".to_owned())], "that of its only source, too");
        let told = seconds(&mut large, 6_000, 6_010, &[(0, 0)]);
        assert_eq!(told, [(6_000, "Host of 0 back".to_owned())]);
        assert_eq!(seconds(&mut large, 6_010, 7_000, &[]), [], "it was silent for longer before");
    }

    #[test]
    fn one_of_two_hosts_and_one_of_two_sources_are_silent_while_the_others_go_on() {
        let mut large = named(&["http", "file:/x"]);
        assert_eq!(seconds(&mut large, 1_000, 2_000, &[(0, 0), (1, 0), (1, 1)]), []);
        let told = seconds(&mut large, 2_000, 3_000, &[(0, 0), (1, 0)]);
        assert_eq!(told, [(2_300, "Source(\"file:/x\") of 1 silent".to_owned())]);
        let told = seconds(&mut large, 3_000, 4_000, &[(0, 0)]);
        assert_eq!(told, [(3_300, "Host of 1 silent".to_owned())]);
        let told = seconds(&mut large, 4_000, 4_010, &[(1, 1), (0, 0)]);
        let expected = ["Host of 1 back", "Source(\"file:/x\") of 1 back"];
        assert_eq!(told, expected.map(|text| (4_000, text.to_owned())));
    }

    #[test]
    fn a_source_of_several_hosts_is_one_silence() {
        let mut large = named(&["http", "stdin"]);
        let heard = [(0, 0), (1, 0), (2, 1)];
        assert_eq!(seconds(&mut large, 1_000, 2_000, &heard), []);
        let told = seconds(&mut large, 2_000, 3_000, &[(2, 1)]);
        assert_eq!(told, [(2_300, "Source(\"http\") of 1 silent".to_owned())]);
    }

    #[test]
    fn gaps_between_lines_are_nobodys_silence() {
        let mut large = named(&["http"]);
        assert_eq!(seconds(&mut large, 1_000, 2_000, &[(0, 0), (1, 0)]), []);
        assert_eq!(seconds(&mut large, 90_000, 90_200, &[(0, 0)]), []);
    }

    #[test]
    fn sources_past_the_limit_share_the_last_number() {
        let mut large = Large::default();
        for number in 0..MAX_SOURCES + 5 {
            large.source(&number.to_string());
        }
        assert_eq!(usize::from(large.source("one more")), MAX_SOURCES - 1);
        assert_eq!(large.source("0"), 0);
    }
}
