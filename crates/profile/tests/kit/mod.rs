//! Profiles fed by hand: a program, a path, a second.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use hanabi_event::{Category, SECOND};
use hanabi_profile::{
    Found, Hit, Limits, NodeId, NodeKind, Profile, ProgramKey,
    access::Access,
    behaviour::{Flow, Steps},
    peer::End,
};

/// A profile, its limits, and the second it is in.
pub struct Feed {
    pub profile: Profile,
    pub limits: Limits,
    pub second: u64,
}

impl Feed {
    pub fn new(limits: Limits) -> Self {
        Self { profile: Profile::new("vm:web", 1_000 * SECOND, 0), limits, second: 1_000 }
    }

    pub fn small(max_nodes: usize) -> Self {
        Self::new(Limits { max_nodes, ..Limits::default() })
    }

    pub fn learned_at(mut self, origin: &str) -> Self {
        self.profile.learned_at(origin);
        self
    }

    /// Moves to a second; windows end.
    pub fn at(&mut self, second: u64) -> &mut Self {
        self.second = second.max(self.second);
        let rules = hanabi_profile::LearnRules {
            min_time: u64::MAX / 4,
            max_time: u64::MAX / 4,
            ..hanabi_profile::LearnRules::default()
        };
        self.profile.end_windows(self.second * SECOND, &rules, &self.limits);
        self
    }

    pub fn program(&mut self, name: &str) -> NodeId {
        let executable = format!("/usr/bin/{name}");
        let key = ProgramKey { name, executable: &executable, user: "0", lexical: true };
        self.profile.learn_program(&key, self.second * SECOND, &self.limits).0
    }

    pub fn knows_program(&mut self, name: &str) -> bool {
        let executable = format!("/usr/bin/{name}");
        let key = ProgramKey { name, executable: &executable, user: "0", lexical: true };
        self.profile.program(&key).is_some()
    }

    pub fn steps(&mut self, program: &str, steps: &Steps, category: Category, access: Access) {
        let id = self.program(program);
        let call = match category {
            Category::Network => "connect",
            Category::File => "openat",
            Category::Process | Category::Unknown => "execve",
        };
        let time = self.second * SECOND;
        let leaf = match self.profile.find(id, steps) {
            Found::Known(leaf) => leaf,
            Found::Missing { .. } => self.profile.learn(id, steps, &self.limits, time).0,
        };
        self.profile.count(id, Some(leaf), Hit { category, call, access, time, count: 1 });
    }

    pub fn file(&mut self, program: &str, path: &str) -> &mut Self {
        self.access(program, path, Access::READ)
    }

    pub fn access(&mut self, program: &str, path: &str, access: Access) -> &mut Self {
        self.steps(program, &file(path), Category::File, access);
        self
    }

    pub fn argument(&mut self, program: &str, argument: &str) -> &mut Self {
        let mut steps = Steps::default();
        steps.single(NodeKind::Argument, argument);
        self.steps(program, &steps, Category::Process, Access::empty());
        self
    }

    pub fn peer(&mut self, program: &str, address: &str) -> &mut Self {
        self.steps(program, &peer(address), Category::Network, Access::empty());
        self
    }

    pub fn merge_now(&mut self) -> &mut Self {
        let next = self.second / 10 * 10 + 11;
        self.at(next)
    }

    pub fn detect(&mut self) -> &mut Self {
        self.profile.detect_now(&self.limits);
        self
    }

    pub fn knows(&self, program: &str, steps: &Steps) -> bool {
        knows(&self.profile, program, steps)
    }

    pub fn knows_file(&self, program: &str, path: &str) -> bool {
        self.knows(program, &file(path))
    }

    /// The node of a path, which must be there to the letter.
    pub fn node(&self, program: &str, path: &str) -> NodeId {
        node(&self.profile, program, path).unwrap_or_else(|| panic!("no {path} in {program}"))
    }

    pub fn snapshot(&self) -> String {
        text(&self.profile)
    }
}

pub fn file(path: &str) -> Steps {
    let mut steps = Steps::default();
    steps.file(path);
    steps
}

pub fn peer(address: &str) -> Steps {
    let end: End = hanabi_profile::peer::end(address).expect("an address and a port");
    let mut steps = Steps::default();
    steps.peer(Flow::Out, end, end.address);
    steps
}

pub fn knows(profile: &Profile, program: &str, steps: &Steps) -> bool {
    profile
        .programs()
        .filter(|(_, info)| info.name == program)
        .any(|(id, _)| matches!(profile.find(id, steps), Found::Known(_)))
}

pub fn node(profile: &Profile, program: &str, path: &str) -> Option<NodeId> {
    let (program, _) = profile.programs().find(|(_, info)| info.name == program)?;
    path.split('/').filter(|s| !s.is_empty()).try_fold(program, |at, name| {
        let child = |kind| profile.tree.child(at, kind, name);
        child(NodeKind::File).or_else(|| child(NodeKind::Directory))
    })
}

pub fn text(profile: &Profile) -> String {
    serde_json::to_string_pretty(&profile.snapshot()).expect("a snapshot is JSON")
}

/// Events counted at the nodes of paths; each event of a [`Feed`] has one path.
pub fn counted(profile: &Profile) -> u64 {
    fn below(profile: &Profile, id: NodeId) -> u64 {
        let node = profile.tree.node(id);
        let own = if node.kind() == NodeKind::Operation { 0 } else { node.count };
        own + profile.tree.children(id).map(|child| below(profile, child)).sum::<u64>()
    }
    below(profile, hanabi_profile::Tree::ROOT)
}

/// Names without digits, so that generalisation has nothing to take hold of.
pub fn word(n: u64) -> String {
    let mut text = String::from("q");
    let mut n = (n as u32).wrapping_mul(2_654_435_761);
    for _ in 0..8 {
        text.push(char::from(b"bcdfghklmnprstvz"[(n % 16) as usize]));
        n /= 16;
    }
    text
}
