//! Promotions: behaviour that a person has put into a profile.
//!
//! A [`Lesson`] is a behaviour in the tree's own words, kept beside the alert that it caused. To
//! promote it is to put it into the tree, and to remember that in the profile's list: a tree that
//! is learned anew gets all of the list again, and what a promotion has added can be taken out.

use std::{cmp::Reverse, collections::BTreeSet};

use hanabi_event::{Category, EventTime};
use serde::{Deserialize, Serialize};

use crate::{
    access::Access,
    behaviour::Steps,
    evidence::branch_of,
    key::{OperationName, ProgramKey, program_name},
    learning::LearnRules,
    limits::Limits,
    node::{NONE, NodeId, NodeKind, Origin},
    profile::{Hit, Profile},
    shape::Shape,
    structural::is_guarded_directory,
    tree::{REST, Tree},
};

/// Promotions of a profile: one a day for years.
pub const MAX_PROMOTIONS: usize = 1_000;
/// Lessons of all promotions of a profile, at some 200 bytes each.
pub const MAX_PROMOTED_LESSONS: usize = 10_000;
/// A lesson's texts in bytes: more than any path or command line that is worth keeping.
const MAX_LESSON_BYTES: usize = 2_048;

/// One behaviour of one program, as it would be learned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lesson {
    name: String,
    executable: String,
    user: String,
    lexical: bool,
    category: Category,
    call: String,
    access: u16,
    paths: Vec<Vec<(NodeKind, String)>>,
}

/// A promotion and what it has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// Its id.
    pub id: String,
    /// When it was made (wall clock of the service), ns.
    pub at: EventTime,
    /// Who made it.
    pub by: String,
    /// What was put in.
    pub lessons: Vec<Lesson>,
    /// Dangerous behaviour that it accepts, by the detector's own keys.
    #[serde(default)]
    pub accepted: Vec<String>,
    /// What was not in the tree before, in order.
    added: Vec<Added>,
}

/// A node that a promotion has put in, or the ways of access that it has added to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Added {
    /// From the root's child down.
    path: Vec<(NodeKind, String)>,
    /// The node itself is new.
    whole: bool,
    /// New ways of access.
    access: u16,
}

/// Why something cannot be promoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromoteError {
    /// The tree has no room.
    #[error("the profile is full: raise profile.max_nodes, or learn it anew")]
    TreeFull,
    /// The list has no room.
    #[error(
        "the profile has {MAX_PROMOTIONS} promotions or {MAX_PROMOTED_LESSONS} promoted behaviours already: undo some"
    )]
    ListFull,
}

impl Lesson {
    /// A behaviour; `None` when its texts are too long to be kept, or look like patterns.
    pub fn new(key: &ProgramKey<'_>, hit: &Hit<'_>, paths: &[Steps]) -> Option<Self> {
        let own = |steps: &Steps| steps.iter().map(|(k, n)| (k, n.to_owned())).collect();
        let lesson = Self {
            name: key.name.to_owned(),
            executable: key.executable.to_owned(),
            user: key.user.to_owned(),
            lexical: key.lexical,
            category: hit.category,
            call: hit.call.to_owned(),
            access: hit.access.bits(),
            paths: paths.iter().filter(|steps| !steps.is_empty()).map(own).collect(),
        };
        // What an attacker has named like a pattern must not stand for others.
        let patterns = lesson.paths.iter().flatten().any(|(kind, name)| can_be_wide(*kind, name));
        (lesson.bytes() <= MAX_LESSON_BYTES && !patterns).then_some(lesson)
    }

    /// The length of its texts.
    fn bytes(&self) -> usize {
        let steps = self.paths.iter().flatten().map(|(_, name)| name.len()).sum::<usize>();
        self.name.len() + self.executable.len() + self.call.len() + steps
    }

    /// The program.
    pub fn program(&self) -> ProgramKey<'_> {
        let (name, executable) = (self.name.as_str(), self.executable.as_str());
        ProgramKey { name, executable, user: &self.user, lexical: self.lexical }
    }

    /// The branch and the call.
    pub fn call(&self) -> (Category, &str) {
        (self.category, &self.call)
    }

    /// How files were used.
    pub fn access(&self) -> Access {
        Access::from_bits_truncate(self.access)
    }

    /// The paths below the program.
    pub fn paths(&self) -> Vec<Steps> {
        let steps = |path: &Vec<(NodeKind, String)>| {
            let mut steps = Steps::new(self.lexical);
            for (kind, name) in path {
                steps.push(*kind, name);
            }
            steps
        };
        self.paths.iter().map(steps).collect()
    }

    /// The same with the last part of its paths widened to its like: other files of the ending in
    /// the directory, other addresses of the port. What means something of its own stays: files
    /// of `/etc` and the kernel, keys, ports, arguments.
    #[must_use]
    pub fn generalised(&self) -> Self {
        let mut wide = self.clone();
        for path in &mut wide.paths {
            let above = path.split_last().map_or(&[][..], |(_, above)| above);
            let directory = above.iter().fold(String::new(), |text, (_, name)| text + "/" + name);
            let guarded = is_guarded_directory(&directory) || is_private(above);
            if let Some((kind, name)) = path.last_mut() {
                let ending = Shape::Ending.pattern(*kind, name).map(|(pattern, _)| pattern);
                match kind {
                    NodeKind::File if !guarded => *name = ending.unwrap_or_else(|| "*".to_owned()),
                    NodeKind::Unix => *name = ending.unwrap_or_else(|| name.clone()),
                    NodeKind::Peer => "*".clone_into(name),
                    _ => {}
                }
            }
        }
        wide
    }

    /// One line for each path: the program, the call, and to what.
    pub fn words(&self) -> Vec<String> {
        let who = format!("{} ({}, user {})", self.name, self.executable, self.user);
        let how = self.access().words().join(", ");
        if self.paths.is_empty() {
            return vec![format!("{who}: {}", self.call)];
        }
        let line = |path: &Vec<(NodeKind, String)>| {
            let names: Vec<&str> = path.iter().map(|(_, name)| name.as_str()).collect();
            match path.first().map(|(kind, _)| kind) {
                Some(NodeKind::Directory | NodeKind::File) => {
                    let full = format!("/{}", names.join("/")).replace("//", "/");
                    format!("{who}: {} {full} ({how})", self.call)
                }
                Some(NodeKind::Parent) => format!("{who}: started by {}", names.join(" ")),
                Some(NodeKind::Argument) => format!("{who}: argument {}", names.join(" ")),
                _ => format!("{who}: {} {}", self.call, names.join(" ")),
            }
        };
        self.paths.iter().map(line).collect()
    }
}

/// True when promotions that were read are such as can have been made.
pub(crate) fn are_sound(promotions: &[Promotion]) -> bool {
    let lessons: usize = promotions.iter().map(|p| p.lessons.len()).sum();
    let below =
        |kind: &NodeKind| !matches!(kind, NodeKind::Root | NodeKind::Program | NodeKind::Operation);
    let of_behaviour = |lesson: &Lesson| {
        let path = |path: &Vec<(NodeKind, String)>| path.iter().all(|(kind, _)| below(kind));
        // What a name was widened to can be a little longer than the name.
        lesson.bytes() <= 2 * MAX_LESSON_BYTES && lesson.paths.iter().all(path)
    };
    promotions.len() <= MAX_PROMOTIONS
        && lessons <= MAX_PROMOTED_LESSONS
        && promotions.iter().flat_map(|p| &p.lessons).all(of_behaviour)
}

/// The promotions of two profiles, each once, whichever profile comes first.
pub(crate) fn joined(one: &[Promotion], other: &[Promotion]) -> Vec<Promotion> {
    let mut all: Vec<Promotion> = one.iter().chain(other).cloned().collect();
    all.sort_by(|a, b| (a.at, &a.id, &a.added).cmp(&(b.at, &b.id, &b.added)));
    all.dedup_by(|a, b| a.id == b.id);
    all.truncate(MAX_PROMOTIONS);
    all
}

/// The kernel's own files, keys and secrets: each means something of its own, at any depth.
fn is_private(directories: &[(NodeKind, String)]) -> bool {
    let first = directories.first().map_or("", |(_, name)| name.as_str());
    matches!(first, "proc" | "sys" | "dev" | "run")
        || directories.iter().any(|(_, name)| matches!(name.as_str(), ".ssh" | "secrets"))
}

/// True for a name that stands for others where a person has put it in.
pub(crate) fn can_be_wide(kind: NodeKind, name: &str) -> bool {
    matches!(kind, NodeKind::File | NodeKind::Directory | NodeKind::Unix | NodeKind::Peer)
        && (name.contains('*') || name.contains(REST))
}

impl Tree {
    /// A person has put this node in; its name may stand for others.
    pub(crate) fn set_promoted(&mut self, id: NodeId) {
        if can_be_wide(self.node(id).kind, self.name(id)) {
            self.stand_for_others(id, Origin::Promoted);
        } else {
            self.node_mut(id).origin = Origin::Promoted;
        }
    }
}

impl Profile {
    /// What people have put in, oldest first.
    pub fn promotions(&self) -> &[Promotion] {
        &self.promotions
    }

    /// Puts lessons in; answers how many nodes and ways of access are new.
    pub fn promote(
        &mut self,
        mut promotion: Promotion,
        limits: &Limits,
        now: EventTime,
    ) -> Result<usize, PromoteError> {
        let lessons: usize = self.promotions.iter().map(|p| p.lessons.len()).sum();
        if self.promotions.len() >= MAX_PROMOTIONS
            || lessons + promotion.lessons.len() > MAX_PROMOTED_LESSONS
        {
            return Err(PromoteError::ListFull);
        }
        let steps = promotion.lessons.iter().map(Lesson::nodes).sum::<usize>();
        self.make_room(limits, None);
        // The last twentieth is what a full tree counts its rest in.
        if self.tree.len() + steps + limits.max_nodes / 20 >= limits.max_nodes {
            return Err(PromoteError::TreeFull);
        }
        promotion.added.clear();
        self.put_in(&mut promotion, limits, now);
        let new = promotion.added.len();
        self.promotions.push(promotion);
        Ok(new)
    }

    /// Takes out what a promotion has put in and no other holds; answers the promotion.
    pub fn demote(&mut self, id: &str, limits: &Limits) -> Option<Promotion> {
        let at = self.promotions.iter().position(|promotion| promotion.id == id)?;
        let gone = self.promotions.remove(at);
        let mut added = gone.added.clone();
        // Children go before their parents, and ways of access before the node.
        added.sort_by_key(|a| (Reverse(a.path.len()), a.whole));
        for added in &added {
            self.take_out(added);
        }
        self.forget();
        self.put_in_again(limits);
        Some(gone)
    }

    /// Forgets what was learned and begins anew at `now`; what people have put in stays.
    pub fn begin_anew(&mut self, now: EventTime, rules: &LearnRules, limits: &Limits) {
        let fresh = Self::new(&self.identity, now, rules.warmup);
        let old = std::mem::replace(self, fresh);
        self.revisions = old.revisions;
        self.promotions = old.promotions;
        for promotion in &mut self.promotions {
            promotion.added.clear();
        }
        self.put_in_again(limits);
    }

    /// Takes what people have decided from another state of this profile: its promotions, and no
    /// others, are in this tree afterwards.
    pub fn decide_as(&mut self, other: &Self, limits: &Limits) {
        let here: Vec<String> = self.promotions.iter().map(|one| one.id.clone()).collect();
        let there = |id: &str| other.promotions.iter().any(|one| one.id == id);
        for id in here.iter().filter(|id| !there(id)) {
            self.demote(id, limits);
        }
        for promotion in &other.promotions {
            if !self.promotions.iter().any(|one| one.id == promotion.id) {
                let mut promotion = promotion.clone();
                promotion.added.clear();
                self.promotions.push(promotion);
            }
        }
        self.promotions.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        self.put_in_again(limits);
    }

    /// Puts in what the promotions hold and the tree lacks.
    fn put_in_again(&mut self, limits: &Limits) {
        let mut all = std::mem::take(&mut self.promotions);
        for promotion in &mut all {
            self.put_in(promotion, limits, self.last_seen);
        }
        self.promotions = all;
    }

    fn put_in(&mut self, promotion: &mut Promotion, limits: &Limits, now: EventTime) {
        let lessons = std::mem::take(&mut promotion.lessons);
        for lesson in &lessons {
            self.put_in_lesson(lesson, &mut promotion.added, limits, now);
        }
        promotion.lessons = lessons;
        let mut seen = BTreeSet::new();
        promotion.added.retain(|a| seen.insert((a.path.clone(), a.whole, a.access)));
    }

    fn put_in_lesson(
        &mut self,
        lesson: &Lesson,
        added: &mut Vec<Added>,
        limits: &Limits,
        now: EventTime,
    ) {
        let (program, new) = self.learn_program(&lesson.program(), now, limits);
        if new {
            self.tree.node_mut(program).origin = Origin::Promoted;
            added.push(self.added(program, true, 0));
        }
        let operation = OperationName::new(lesson.category, &lesson.call);
        let operation = self.put_in_node(program, NodeKind::Operation, operation.as_str(), added);
        let call = self.tree.node(operation).name;
        for path in &lesson.paths {
            let mut at = program;
            let before = added.len();
            for (kind, name) in path {
                at = self.put_in_node(at, *kind, name, added);
            }
            let fresh = lesson.access().difference(self.tree.node(at).access);
            if !fresh.is_empty() {
                self.tree.node_mut(at).access |= fresh;
                added.push(self.added(at, false, fresh.bits()));
            }
            if added.len() > before {
                // Without a call of its own the node would be in no branch of a snapshot.
                let first = self.tree.node(at).first_call;
                self.tree.node_mut(at).first_call = self.tree.calls.add(first, call, 0);
            }
        }
    }

    fn put_in_node(
        &mut self,
        parent: NodeId,
        kind: NodeKind,
        name: &str,
        added: &mut Vec<Added>,
    ) -> NodeId {
        let mut kinds = std::iter::once(kind).chain(kind.other());
        if let Some(known) = kinds.find_map(|k| self.tree.child_or_pattern(parent, k, name, false))
        {
            return known;
        }
        let id = self.tree.names.intern(name);
        let node = self.tree.insert(parent, kind, id);
        self.tree.set_promoted(node);
        added.push(self.added(node, true, 0));
        node
    }

    fn added(&self, node: NodeId, whole: bool, access: u16) -> Added {
        let step = |id: &NodeId| (self.tree.node(*id).kind, self.tree.name(*id).to_owned());
        Added { path: self.tree.path(node).iter().map(step).collect(), whole, access }
    }

    fn take_out(&mut self, added: &Added) {
        let mut at = Tree::ROOT;
        for (kind, name) in &added.path {
            // Merging may have moved it into a node that others share, where it stays.
            let Some(next) = self.tree.child(at, *kind, name) else { return };
            at = next;
        }
        if !added.whole {
            self.tree.node_mut(at).access.remove(Access::from_bits_truncate(added.access));
            self.forget_unused_calls(at);
            return;
        }
        let children: Vec<NodeId> = self.tree.children(at).collect();
        // Calls are counted at every known program, so they alone do not make it the profile's own.
        if children.iter().any(|child| self.tree.node(*child).kind != NodeKind::Operation) {
            self.hand_on(added, at);
            return;
        }
        for child in children {
            self.remove_node(child);
        }
        self.remove_node(at);
        if self.info.contains_key(&at) {
            self.reindex_programs(|id| (id != at).then_some(id));
        }
    }

    /// A node that stays because of what is below it belongs to another promotion that needs it, or
    /// has been learned.
    fn hand_on(&mut self, added: &Added, node: NodeId) {
        let other = self.promotions.iter_mut().find(|p| p.lessons.iter().any(|l| l.uses(added)));
        match other {
            Some(other) => other.added.push(added.clone()),
            None => self.tree.node_mut(node).origin = Origin::Learned,
        }
    }

    fn forget_unused_calls(&mut self, node: NodeId) {
        let first = self.tree.node(node).first_call;
        let used: Vec<_> = self.tree.calls.list(first).filter(|(_, count)| *count > 0).collect();
        self.tree.calls.release(first);
        self.tree.node_mut(node).first_call =
            used.into_iter().fold(NONE, |at, (call, count)| self.tree.calls.add(at, call, count));
    }

    fn remove_node(&mut self, id: NodeId) {
        if self.tree.node(id).slots > 0 {
            let branch = branch_of(&self.tree, self.tree.node(id));
            let paths = &mut self.tree.incidences[branch].paths;
            *paths = paths.saturating_sub(1);
        }
        self.crowded.retain(|crowded| *crowded != id);
        self.tree.remove(id);
    }
}

impl Promotion {
    /// Not in any profile yet.
    pub fn new(id: String, at: EventTime, by: String, lessons: Vec<Lesson>) -> Self {
        Self { id, at, by, lessons, accepted: Vec::new(), added: Vec::new() }
    }
}

impl Lesson {
    /// True when it needs a node that was added.
    fn uses(&self, added: &Added) -> bool {
        let Some(((_, program), rest)) = added.path.split_first() else { return false };
        let mut name = String::new();
        program_name(&self.program(), &mut name);
        let below = |path: &Vec<(NodeKind, String)>| {
            rest.len() <= path.len() && rest.iter().zip(path).all(|(a, b)| a.1 == b.1)
        };
        *program == name && (rest.is_empty() || self.paths.iter().any(below))
    }

    /// Nodes that it needs at most.
    fn nodes(&self) -> usize {
        2 + self.paths.iter().map(Vec::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use hanabi_event::{Category, SECOND};

    use super::{Lesson, PromoteError, Promotion};
    use crate::{
        Found, Hit, LearnRules, Limits, NodeKind, Profile, ProgramKey, access::Access,
        behaviour::Steps,
    };

    const NGINX: ProgramKey<'static> =
        ProgramKey { name: "nginx", executable: "/usr/sbin/nginx", user: "33", lexical: true };

    fn hit(access: Access) -> Hit<'static> {
        let category = Category::File;
        Hit { category, call: "openat", access, time: 5 * SECOND, count: 1 }
    }

    fn steps(path: &str) -> Steps {
        let mut steps = Steps::new(true);
        steps.file(path);
        steps
    }

    fn lesson(path: &str, access: Access) -> Lesson {
        Lesson::new(&NGINX, &hit(access), &[steps(path)]).unwrap()
    }

    fn promotion(id: &str, lessons: &[Lesson]) -> Promotion {
        Promotion::new(id.to_owned(), 1, "ann".to_owned(), lessons.to_vec())
    }

    /// A profile whose nginx reads one page.
    fn profile() -> Profile {
        let limits = Limits::default();
        let mut profile = Profile::new("web", SECOND, 0);
        let (program, _) = profile.learn_program(&NGINX, SECOND, &limits);
        let (leaf, _) = profile.learn(program, &steps("/srv/www/a.html"), &limits, SECOND);
        profile.count(program, Some(leaf), hit(Access::READ));
        profile
    }

    fn access(profile: &mut Profile, path: &str) -> Option<Access> {
        let program = profile.program(&NGINX)?;
        match profile.find(program, &steps(path)) {
            Found::Known(leaf) => Some(profile.tree.node(leaf).access),
            Found::Missing { .. } => None,
        }
    }

    #[test]
    fn what_means_something_of_its_own_is_not_widened() {
        for (path, wide) in [
            ("/srv/www/b.html", "/srv/www/*.html"),
            ("/srv/www/README", "/srv/www/*"),
            ("/etc/passwd", "/etc/passwd"),
            ("/usr/bin/nc", "/usr/bin/nc"),
            ("/x", "/x"),
            ("/proc/self/environ", "/proc/self/environ"),
            ("/home/ann/.ssh/id_rsa", "/home/ann/.ssh/id_rsa"),
            ("/var/run/secrets/token", "/var/run/secrets/token"),
        ] {
            let words = lesson(path, Access::READ).generalised().words();
            let expected = format!("nginx (/usr/sbin/nginx, user 33): openat {wide} (read)");
            assert_eq!(words, [expected]);
        }
        let mut peer = Steps::new(true);
        for (kind, name) in [
            (NodeKind::Direction, "out"),
            (NodeKind::Class, "<ip:private>"),
            (NodeKind::Port, "5432"),
            (NodeKind::Peer, "10.0.0.7"),
        ] {
            peer.push(kind, name);
        }
        let peer = Lesson::new(&NGINX, &hit(Access::empty()), &[peer]).unwrap();
        assert!(peer.generalised().words()[0].ends_with("out <ip:private> 5432 *"));
        let long = "x".repeat(5_000);
        let key = ProgramKey { name: &long, ..NGINX };
        assert_eq!(Lesson::new(&key, &hit(Access::READ), &[]), None);
    }

    #[test]
    fn what_two_promotions_hold_stays_until_both_are_undone() {
        let limits = Limits::default();
        let mut profile = profile();
        let before = profile.snapshot();
        let shared = lesson("/srv/www/new/x.txt", Access::WRITE);
        let altered = lesson("/srv/www/a.html", Access::WRITE);
        let one = promotion("one", &[shared.clone(), altered]);
        assert!(profile.promote(one, &limits, 9).unwrap() >= 4);
        assert_eq!(profile.promote(promotion("two", &[shared]), &limits, 9), Ok(0));
        assert_eq!(access(&mut profile, "/srv/www/new/x.txt"), Some(Access::WRITE));
        assert_eq!(access(&mut profile, "/srv/www/a.html"), Some(Access::READ | Access::WRITE));
        assert!(profile.demote("one", &limits).is_some());
        assert_eq!(access(&mut profile, "/srv/www/new/x.txt"), Some(Access::WRITE));
        assert_eq!(access(&mut profile, "/srv/www/a.html"), Some(Access::READ));
        assert!(profile.demote("two", &limits).is_some());
        assert_eq!(access(&mut profile, "/srv/www/new/x.txt"), None);
        assert!(profile.demote("two", &limits).is_none());
        assert_eq!(profile.snapshot(), before);
    }

    #[test]
    fn a_tree_learned_anew_has_what_people_put_in() {
        let (limits, rules) = (Limits::default(), LearnRules::default());
        let mut profile = profile();
        let all = [lesson("/opt/x", Access::READ)];
        profile.promote(promotion("one", &all), &limits, 9).unwrap();
        profile.begin_anew(100 * SECOND, &rules, &limits);
        assert_eq!(access(&mut profile, "/srv/www/a.html"), None);
        assert_eq!(access(&mut profile, "/opt/x"), Some(Access::READ));
        let text = serde_json::to_string(&profile.snapshot()).unwrap();
        assert!(text.contains("\"origin\":\"promoted\""), "{text}");
        let stored = serde_json::to_string(&profile).unwrap();
        let mut back: Profile = serde_json::from_str(&stored).unwrap();
        assert!(back.demote("one", &limits).is_some());
        assert_eq!(access(&mut back, "/opt/x"), None);
        assert_eq!(back.programs().count(), 0, "nobody has seen it since");
    }

    #[test]
    fn a_full_profile_refuses() {
        let limits = Limits { max_nodes: 10, ..Limits::default() };
        let all = [lesson("/a/b/c/d/e/f/g", Access::READ)];
        let refused = profile().promote(promotion("one", &all), &limits, 9);
        assert_eq!(refused, Err(PromoteError::TreeFull));
    }
}
