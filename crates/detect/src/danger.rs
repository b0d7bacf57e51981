//! The danger list: what is never learned silently, from a file that users can replace.

use hanabi_event::{Event, Priority};
use hanabi_profile::{
    access::Access,
    behaviour::{Behaviour, Flow, Object},
    path,
    peer::AddressClass,
};
use serde::Deserialize;

/// The list that comes with the product.
pub const BUILTIN: &str = include_str!("danger.toml");

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DangerError {
    /// Not TOML, or not of the list's form.
    #[error("the danger list is not valid: {0}")]
    Form(#[from] toml::de::Error),
    /// A rule has a value outside its range.
    #[error("rule `{rule}` of the danger list: {what}")]
    Rule {
        /// The rule's id.
        rule: String,
        /// What is wrong and what would be right.
        what: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    #[serde(default)]
    classes: Classes,
    #[serde(default)]
    background: Background,
    #[serde(default)]
    rule: Vec<RawRule>,
}

/// Paths whose first use by a known program says nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Background {
    /// Globs for reading.
    pub read: Vec<String>,
    /// Globs for writing.
    pub write: Vec<String>,
}

impl Background {
    /// True when this access to this path says nothing.
    pub fn covers(&self, path: &str, altering: bool) -> bool {
        let globs = if altering { &self.write } else { &self.read };
        globs.iter().any(|g| glob(g, path))
    }
}

/// Programs by what they are good for; used in scoring new processes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// Tools by which an intruder looks around.
    pub discovery: Vec<String>,
    /// Tools that move data.
    pub transfer: Vec<String>,
    /// Tools that destroy data.
    pub destruction: Vec<String>,
    /// Tools that change rights.
    pub permission: Vec<String>,
    /// Tools that pack data.
    pub archive: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    title: String,
    title_zh: String,
    #[serde(default)]
    mitre: Vec<String>,
    score: f64,
    #[serde(default)]
    calls: Vec<String>,
    #[serde(default)]
    access: Vec<String>,
    #[serde(default)]
    path: Vec<String>,
    #[serde(default)]
    unless_path: Vec<String>,
    #[serde(default)]
    name: Vec<String>,
    #[serde(default)]
    unless_name: Vec<String>,
    #[serde(default)]
    parent: Vec<String>,
    #[serde(default)]
    exe: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    unless_args: Vec<String>,
    #[serde(default)]
    exe_flags: Vec<String>,
    #[serde(default)]
    mode: Vec<String>,
    #[serde(default)]
    port: Vec<u16>,
    #[serde(default)]
    class: Vec<String>,
    #[serde(default)]
    flow: Vec<String>,
    #[serde(default)]
    socket: Vec<String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// One checked rule.
#[derive(Debug)]
pub struct DangerRule {
    /// Stable id, part of fingerprints.
    pub id: String,
    /// What it is, in English.
    pub title: String,
    /// What it is, in Chinese.
    pub title_zh: String,
    /// ATT&CK techniques.
    pub mitre: Vec<String>,
    /// 0..1.
    pub score: f64,
    raw: RawRule,
    access: Access,
}

/// The checked list.
#[derive(Debug, Default)]
pub struct DangerList {
    rules: Vec<DangerRule>,
    /// Programs by class.
    pub classes: Classes,
    /// Paths that say nothing.
    pub background: Background,
    watched: std::collections::BTreeSet<String>,
}

/// What the engine knows of an event beyond its fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// A shell was started by a service that never did so.
    pub service_shell: bool,
    /// The terminal of the process, where known.
    pub terminal: bool,
}

impl DangerList {
    /// Reads and checks a list.
    pub fn parse(text: &str) -> Result<Self, DangerError> {
        let raw: RawList = toml::from_str(text)?;
        let rules = raw.rule.into_iter().map(check).collect::<Result<_, _>>()?;
        let rules: Vec<DangerRule> = rules;
        let common = ["connect", "socket", "dup", "dup2", "dup3"];
        let watched = rules
            .iter()
            .flat_map(|r| r.raw.calls.iter().cloned())
            .filter(|c| !common.contains(&c.as_str()))
            .collect();
        Ok(Self { rules, classes: raw.classes, background: raw.background, watched })
    }

    /// The list that comes with the product.
    pub fn builtin() -> Self {
        Self::parse(BUILTIN).unwrap_or_default()
    }

    /// The classes and background of the built-in list without its rules, for measurement.
    pub fn background_only() -> Self {
        let Self { classes, background, .. } = Self::builtin();
        Self { classes, background, ..Self::default() }
    }

    /// True for calls that rules name and that are rare enough to be looked at each time.
    pub fn watches(&self, call: &str) -> bool {
        self.watched.contains(call)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True for a list without rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that an event meets, one for each id. Linear in the list; called for events that
    /// do not fit their tree, or that learning has not seen, only.
    pub fn matches(
        &self,
        event: &Event<'_>,
        behaviour: &Behaviour<'_>,
        context: Context,
    ) -> Vec<&DangerRule> {
        let facts = Facts::of(event, behaviour, context);
        let mut found: Vec<&DangerRule> = Vec::new();
        for rule in &self.rules {
            if facts.meet(rule) && !found.iter().any(|f| f.id == rule.id) {
                found.push(rule);
            }
        }
        found
    }
}

const FLAGS: [&str; 4] = ["terminal", "climbs", "socket_stdio", "service_shell"];

fn check(raw: RawRule) -> Result<DangerRule, DangerError> {
    let fail = |what: String| DangerError::Rule { rule: raw.id.clone(), what };
    if !(0.0..=1.0).contains(&raw.score) {
        return Err(fail(format!("score {} is not between 0 and 1", raw.score)));
    }
    let mut access = Access::empty();
    for word in &raw.access {
        access |=
            Access::from_word(word).ok_or_else(|| fail(format!("`{word}` is not an access")))?;
    }
    if let Some(flag) = raw.flags.iter().find(|f| !FLAGS.contains(&f.as_str())) {
        return Err(fail(format!("`{flag}` is not one of {}", FLAGS.join(", "))));
    }
    let conditions = [
        &raw.calls,
        &raw.access,
        &raw.path,
        &raw.name,
        &raw.parent,
        &raw.exe,
        &raw.args,
        &raw.class,
        &raw.flags,
    ];
    if conditions.iter().all(|c| c.is_empty()) && raw.port.is_empty() {
        return Err(fail("it has no condition, so everything would meet it".to_owned()));
    }
    Ok(DangerRule {
        id: raw.id.clone(),
        title: raw.title.clone(),
        title_zh: raw.title_zh.clone(),
        mitre: raw.mitre.clone(),
        score: raw.score,
        raw,
        access,
    })
}

struct Facts<'a> {
    event: &'a Event<'a>,
    access: Access,
    paths: Vec<String>,
    port: Option<u16>,
    class: Option<AddressClass>,
    flow: Option<Flow>,
    socket: Option<&'a str>,
    climbs: bool,
    context: Context,
}

impl<'a> Facts<'a> {
    fn of(event: &'a Event<'a>, behaviour: &'a Behaviour<'a>, context: Context) -> Self {
        let mut facts = Self {
            event,
            access: behaviour.access,
            paths: Vec::new(),
            port: None,
            class: None,
            flow: None,
            socket: None,
            climbs: false,
            context,
        };
        match &behaviour.object {
            Object::File(path) | Object::Unix(path) => facts.paths.push(path::generalised(path)),
            Object::Pair(old, new) => {
                facts.paths.push(path::generalised(old));
                facts.paths.push(path::generalised(new));
            }
            Object::Peer { flow, service, peer } => {
                facts.port = Some(service.port);
                facts.class = Some(AddressClass::of(*peer));
                facts.flow = Some(*flow);
            }
            Object::Socket(family) => facts.socket = Some(family),
            Object::None | Object::Start => {}
        }
        let given = event.args.get("name").or_else(|| event.args.get("path"));
        facts.climbs = given
            .is_some_and(|name| path::climbs_out(name.split_once("(/").map_or(name, |(n, _)| n)));
        if behaviour.access.contains(Access::REFUSED)
            && matches!(event.call, "open" | "openat" | "openat2")
        {
            facts.access |= Access::READ;
        }
        facts
    }

    fn meet(&self, rule: &DangerRule) -> bool {
        let raw = &rule.raw;
        let event = self.event;
        let any = |list: &[String], value: &str| list.is_empty() || list.iter().any(|v| v == value);
        any(&raw.calls, event.call)
            && any(&raw.name, event.process.name)
            && !raw.unless_name.iter().any(|n| n == event.process.name)
            && any(&raw.parent, event.process.parent)
            && (rule.access.is_empty() || self.access.intersects(rule.access))
            && self.meet_path(raw)
            && (raw.exe.is_empty() || raw.exe.iter().any(|g| glob(g, event.process.executable)))
            && (raw.port.is_empty() || self.port.is_some_and(|p| raw.port.contains(&p)))
            && (raw.class.is_empty()
                || self
                    .class
                    .is_some_and(|c| raw.class.iter().any(|w| c.token() == format!("<ip:{w}>"))))
            && (raw.flow.is_empty()
                || self.flow.is_some_and(|f| raw.flow.iter().any(|w| w == f.word())))
            && (raw.socket.is_empty()
                || self.socket.is_some_and(|s| raw.socket.iter().any(|w| w == s)))
            && self.meet_text(raw)
    }

    fn meet_path(&self, raw: &RawRule) -> bool {
        let covers = |globs: &[String], path: &str| globs.iter().any(|g| glob(g, path));
        raw.path.is_empty()
            || self.paths.iter().any(|p| covers(&raw.path, p) && !covers(&raw.unless_path, p))
    }

    fn meet_text(&self, raw: &RawRule) -> bool {
        let event = self.event;
        let contains = |list: &[String], text: &str| {
            list.is_empty() || list.iter().any(|w| text.contains(w.as_str()))
        };
        let flags = || event.args.get("flags").unwrap_or_default();
        let arguments = event.process.arguments;
        contains(&raw.args, arguments)
            && !raw.unless_args.iter().any(|w| arguments.contains(w.as_str()))
            && (raw.exe_flags.is_empty() || contains(&raw.exe_flags, flags()))
            && (raw.mode.is_empty()
                || contains(&raw.mode, event.args.get("mode").unwrap_or_default()))
            && raw.flags.iter().all(|flag| self.has_flag(flag))
    }

    fn has_flag(&self, flag: &str) -> bool {
        match flag {
            "terminal" => self.context.terminal,
            "climbs" => self.climbs,
            "service_shell" => self.context.service_shell,
            "socket_stdio" => socket_stdio(self.event),
            _ => false,
        }
    }
}

/// A duplicate of an internet socket onto descriptor 0, 1 or 2, from a call's end.
fn socket_stdio(event: &Event<'_>) -> bool {
    let new = event.args.get("newfd").or_else(|| event.args.get("res")).unwrap_or_default();
    let number = new.split('(').next().and_then(|n| n.parse::<i64>().ok());
    let socket = matches!(event.fd.kind, hanabi_event::FdKind::Ipv4 | hanabi_event::FdKind::Ipv6)
        || new.contains("(<4")
        || new.contains("(<6");
    number.is_some_and(|n| (0..=2).contains(&n)) && socket
}

/// Matches `*` (within a segment) and `**` (anything). Linear in the text for each step of the
/// pattern, whatever an attacker calls a file: the ends are compared first, then all the ways to
/// match what lies between are followed at once.
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let Some(first) = pattern.iter().position(|b| *b == b'*') else { return pattern == text };
    let last = pattern.iter().rposition(|b| *b == b'*').unwrap_or(first);
    let (before, after) = (&pattern[..first], &pattern[last + 1..]);
    if text.len() < before.len() + after.len()
        || !text.starts_with(before)
        || !text.ends_with(after)
    {
        return false;
    }
    between(&pattern[first..=last], &text[before.len()..text.len() - after.len()])
}

/// One step of the middle of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Byte(u8),
    /// Anything but a slash.
    Segment,
    /// Anything.
    Any,
}

/// The middle of a pattern, from its first star to its last.
fn between(pattern: &[u8], text: &[u8]) -> bool {
    let mut steps = Vec::with_capacity(pattern.len());
    for byte in pattern {
        match (byte, steps.last()) {
            (b'*', Some(Step::Segment)) => *steps.last_mut().unwrap_or(&mut Step::Any) = Step::Any,
            (b'*', _) => steps.push(Step::Segment),
            (byte, _) => steps.push(Step::Byte(*byte)),
        }
    }
    // `active[i]` says that what has been read matches the steps before `i`.
    let mut active = vec![false; steps.len() + 1];
    active[0] = true;
    skip_stars(&steps, &mut active);
    for byte in text {
        let mut next = vec![false; steps.len() + 1];
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| active[*at]) {
            match step {
                Step::Byte(literal) if literal == byte => next[at + 1] = true,
                Step::Any => next[at] = true,
                Step::Segment if *byte != b'/' => next[at] = true,
                Step::Byte(_) | Step::Segment => {}
            }
        }
        skip_stars(&steps, &mut next);
        active = next;
    }
    active[steps.len()]
}

/// A star may stand for nothing.
fn skip_stars(steps: &[Step], active: &mut [bool]) {
    for (at, step) in steps.iter().enumerate() {
        if active[at] && !matches!(step, Step::Byte(_)) {
            active[at + 1] = true;
        }
    }
}

/// The priority of a score: 0.85 Critical, 0.7 Error, 0.5 Warning, 0.3 Notice, else Informational.
pub fn priority_of(score: f64) -> Priority {
    match score {
        s if s >= 0.85 => Priority::Critical,
        s if s >= 0.7 => Priority::Error,
        s if s >= 0.5 => Priority::Warning,
        s if s >= 0.3 => Priority::Notice,
        _ => Priority::Informational,
    }
}

#[cfg(test)]
mod tests {
    use super::{DangerList, glob};

    #[test]
    fn the_builtin_list_is_valid() {
        let list = DangerList::parse(super::BUILTIN).unwrap();
        assert!(list.len() > 40);
    }

    #[test]
    fn mistakes_are_named() {
        let error =
            DangerList::parse("[[rule]]\nid='x'\ntitle='t'\ntitle_zh='t'\nscore=2.0\nname=['a']")
                .unwrap_err();
        assert_eq!(
            error.to_string(),
            "rule `x` of the danger list: score 2 is not between 0 and 1"
        );
        let error =
            DangerList::parse("[[rule]]\nid='x'\ntitle='t'\ntitle_zh='t'\nscore=0.2").unwrap_err();
        assert!(error.to_string().contains("no condition"), "{error}");
    }

    #[test]
    fn a_crafted_name_costs_no_more_than_another() {
        let name = format!("/{}", "README".repeat(600));
        assert!(!glob("**/*README*README*README*README*DECRYPT*", &name));
    }

    #[test]
    fn globs_match() {
        for (pattern, text, expected) in [
            ("/etc/shadow", "/etc/shadow", true),
            ("/home/*/.ssh/id_*", "/home/a/.ssh/id_rsa", true),
            ("/home/*/.ssh/id_*", "/home/a/b/.ssh/id_rsa", false),
            ("**/.aws/credentials", "/root/.aws/credentials", true),
            ("/tmp/**", "/tmp/a/b", true),
            ("/tmp/**", "/var/tmp/a", false),
            ("**/*.php", "/srv/www/x.php", true),
            ("/etc/cron*/**", "/etc/cron.d/x", true),
            ("**/*README*DECRYPT*", "/srv/a/MY_README_TO_DECRYPT.txt", true),
            ("**/*README*DECRYPT*", "/srv/README/DECRYPT", false),
            ("/var/lib/*/.ssh/**", "/var/lib/a/.ssh/x", true),
            ("/a*", "/a", true),
            ("/ab*ba", "/aba", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
