//! A path that stops fitting: the nearest sibling, and what the difference is worth.

use hanabi_profile::{
    Found, NodeId, NodeKind, Profile, ProgramInfo, Tree,
    access::Access,
    arguments,
    behaviour::{Flow, Object, Steps},
    peer::{self, AddressClass},
};

use crate::{
    Expected, Kind, Nearest, accounts, files,
    judge::{
        self, Case, covered_by, known_anywhere, learned_names, path_text, program_name, raw_object,
        round,
    },
    ledger::Finding,
    score::{self, Score},
    settings::Settings,
    text,
};

/// A path of a case that a program does not have.
pub(crate) struct Miss<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) program: NodeId,
    pub(crate) case: &'a Case<'a>,
    pub(crate) settings: &'a Settings,
    pub(crate) steps: &'a Steps,
    pub(crate) parent: NodeId,
    pub(crate) step: usize,
}

impl Miss<'_> {
    /// The sibling by which it is accepted, or the finding.
    pub(crate) fn judge(&self) -> Result<Option<NodeId>, Box<Finding>> {
        let Some((kind, token)) = self.steps.iter().nth(self.step) else { return Ok(None) };
        let mut siblings: Vec<(&str, NodeId)> = self
            .profile
            .tree
            .children(self.parent)
            .filter(|id| same_level(self.profile.tree.node(*id).kind(), kind))
            .map(|id| (self.profile.tree.name(id), id))
            .collect();
        siblings.sort_by_key(|(name, id)| {
            (std::cmp::Reverse(self.profile.tree.node(*id).count), *name)
        });
        let names: Vec<&str> = siblings.iter().map(|(name, _)| *name).collect();
        let nearest = self.case.matcher.nearest(kind, token, &names);
        let threshold = self.case.matcher.threshold(kind);
        if let Some(found) = &nearest
            && found.similarity >= threshold
            && self.accepts(kind, siblings.get(found.index).map(|s| s.1))
        {
            return Ok(siblings.get(found.index).map(|s| s.1));
        }
        let Some((deviation, subject, score)) = self.kind_and_score(kind, token) else {
            return Ok(None);
        };
        let mut finding = self.case.finding(deviation, &subject, score, &raw_object(self.case));
        finding.path.learned = learned_names(self.profile, self.parent);
        finding.path.token = text::bounded(token, 200);
        finding.expected = siblings
            .iter()
            .take(5)
            .map(|(name, id)| Expected {
                token: text::bounded(name, 120),
                count: self.profile.tree.node(*id).count,
            })
            .collect();
        finding.nearest = nearest.and_then(|found| {
            let name = siblings.get(found.index)?.0;
            Some(Nearest {
                token: text::bounded(name, 120),
                similarity: round(found.similarity),
                threshold,
            })
        });
        Err(Box::new(finding))
    }

    /// A near name is not enough where the sibling was never used in this way.
    fn accepts(&self, kind: NodeKind, sibling: Option<NodeId>) -> bool {
        if !matches!(kind, NodeKind::File | NodeKind::Directory) {
            return true;
        }
        let altering = self.case.behaviour.access & Access::ALTERING;
        sibling.is_some_and(|id| {
            let known = self.profile.tree.node(id).access;
            altering.is_empty() || known.intersects(Access::ALTERING)
        })
    }

    fn kind_and_score(&self, kind: NodeKind, token: &str) -> Option<(Kind, String, Score)> {
        let name = program_name(self.profile, self.program);
        match kind {
            NodeKind::Parent => {
                Some((Kind::NewParent, format!("{name} {token}"), Score::base("new_parent", 0.25)))
            }
            NodeKind::Argument => {
                let script = token.starts_with("script:");
                let interpreter = arguments::is_interpreter(self.case.event.process.name);
                let score = Score::base("new_argument", 0.22)
                    .when(script, "inline_script", 0.08)
                    .when(!interpreter, "plain_program", -0.02);
                Some((Kind::NewArgument, format!("{name} {token}"), score))
            }
            NodeKind::File | NodeKind::Directory => self.file(kind, &name),
            NodeKind::Direction | NodeKind::Class | NodeKind::Port | NodeKind::Peer => {
                self.peer(kind, &name)
            }
            NodeKind::Unix => Some((
                Kind::NewPeer,
                format!("{name} unix {token}"),
                Score::base("new_socket", 0.25),
            )),
            NodeKind::Socket => Some((
                Kind::NewOperation,
                format!("{name} socket {token}"),
                Score::base("new_socket_family", 0.35),
            )),
            NodeKind::Root | NodeKind::Program | NodeKind::Operation => None,
        }
    }

    fn file(&self, kind: NodeKind, name: &str) -> Option<(Kind, String, Score)> {
        let access = self.case.behaviour.access;
        let altering = access.intersects(Access::ALTERING);
        let full = path_text(self.steps);
        let looked = !altering && !access.intersects(Access::READ | Access::EXECUTE);
        if looked || self.settings.danger.background.covers(&full, altering) {
            return None;
        }
        let info = self.profile.info(self.program)?;
        let stable =
            score::is_stable_service(self.profile, self.program, info, self.case.event.time);
        let total = self.steps.len().max(1);
        let shared = self.step as f64 / total as f64;
        let last = self.steps.iter().last().map_or("", |(_, n)| n);
        let temporary = files::is_temporary(&full) && last.contains('<');
        let accounts_list = judge::is_account_list(&full);
        // A master reads accounts when it starts; that is no reason for its workers, while they serve.
        let late = accounts_list && self.case.age >= accounts::START;
        let other_user = !late && self.known_as_other_user(info, access);
        let beside = (kind == NodeKind::File && self.alters_here()) || self.in_own_area();
        let facts = score::FileFacts {
            shared,
            temporary,
            stable,
            accounts: accounts_list,
            other_user,
            beside,
            text: files::is_text(&full),
            late: files::is_system_configuration(&full)
                && self.case.age >= accounts::START
                && !self.case.reloads,
        };
        let score = score::file(access, &facts);
        let kind = if kind == NodeKind::File && self.step + 1 == total {
            Kind::NewFile
        } else {
            Kind::NewDirectory
        };
        // Files of one new directory are one subject; a new file is its own.
        let place =
            if kind == Kind::NewFile { full } else { prefix_text(self.steps, self.step + 1) };
        let how = if altering { "alter" } else { "read" };
        Some((kind, format!("{name} {how} {place}"), score))
    }

    fn peer(&self, kind: NodeKind, name: &str) -> Option<(Kind, String, Score)> {
        let Object::Peer { flow, service, peer: address } = &self.case.behaviour.object else {
            return None;
        };
        let class = AddressClass::of(*address);
        let info = self.profile.info(self.program)?;
        let stable =
            score::is_stable_service(self.profile, self.program, info, self.case.event.time);
        if *flow == Flow::Listen && self.accepts_on(service.port) {
            return None;
        }
        let elsewhere = self.known_elsewhere();
        let score = score::peer(*flow, class, service.port, elsewhere, stable)
            // The service and the kind of network are known: one of many servers of one name.
            .when(kind == NodeKind::Peer, "known_port", -0.25);
        let port = kind == NodeKind::Port || *flow == Flow::Listen;
        let deviation = if port { Kind::NewPort } else { Kind::NewPeer };
        let end = match flow {
            Flow::Out => format!("{}:{}", service.address, service.port),
            Flow::In => {
                format!("{} {}", class.token(), peer::port_token(service.port))
            }
            Flow::Listen => peer::port_token(service.port),
        };
        Some((deviation, format!("{name} {} {end}", flow.word()), score))
    }

    /// The program, or it as another user, has accepted connections on this port: a start was not
    /// seen while learning.
    fn accepts_on(&self, port: u16) -> bool {
        let tree = &self.profile.tree;
        let Some(own) = self.profile.info(self.program) else { return false };
        let port = peer::port_token(port);
        self.profile.programs().filter(|(_, info)| info.executable == own.executable).any(
            |(id, _)| {
                tree.child(id, NodeKind::Direction, Flow::In.word()).is_some_and(|flow| {
                    tree.children(flow)
                        .any(|class| tree.child(class, NodeKind::Port, &port).is_some())
                })
            },
        )
    }

    /// The program alters other files of this very directory.
    fn alters_here(&self) -> bool {
        let tree = &self.profile.tree;
        tree.children(self.parent).any(|c| {
            tree.node(c).kind() == NodeKind::File
                && tree.node(c).access.intersects(Access::ALTERING)
        })
    }

    /// A directory on the way is the program's own: it alters files in several directories of it.
    fn in_own_area(&self) -> bool {
        let tree = &self.profile.tree;
        let mut at = self.parent;
        loop {
            let altered = tree.children(at).filter(|c| self.is_altered_directory(*c)).count();
            // Everything is below the root, so more has to speak for it.
            let enough = if at == self.program { 4 } else { 2 };
            if altered >= enough {
                return true;
            }
            if at == self.program || at == Tree::ROOT {
                return false;
            }
            at = tree.node(at).parent();
        }
    }

    fn is_altered_directory(&self, directory: NodeId) -> bool {
        let tree = &self.profile.tree;
        let altered = |id: NodeId| tree.node(id).access.intersects(Access::ALTERING);
        tree.node(directory).kind() == NodeKind::Directory
            && tree.children(directory).any(|c| altered(c) || tree.children(c).any(altered))
    }

    /// The same program has this path and access as another user: a server's master, its workers.
    fn known_as_other_user(&self, own: &ProgramInfo, access: Access) -> bool {
        self.profile.programs().any(|(other, info)| {
            other != self.program
                && info.name == own.name
                && info.executable == own.executable
                && matches!(self.profile.find(other, self.steps), Found::Known(leaf)
                    if covered_by(self.profile.tree.node(leaf).access).contains(access))
        })
    }

    /// Another program of the profile has this very path.
    fn known_elsewhere(&self) -> bool {
        known_anywhere(self.profile, self.steps)
    }
}

fn prefix_text(steps: &Steps, count: usize) -> String {
    steps.iter().take(count).fold(String::new(), |mut text, (_, name)| {
        text.push('/');
        text.push_str(name);
        text
    })
}

fn same_level(a: NodeKind, b: NodeKind) -> bool {
    let place = |k| matches!(k, NodeKind::File | NodeKind::Directory);
    a == b || (place(a) && place(b))
}
