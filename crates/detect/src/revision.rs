//! A new image under judgement: what the change explains is taken in and listed as one difference.
//!
//! Explained are, of programs that are known and run as before: the same name with another version
//! in it, a library or other part of the program that is read, and a new flag. Everything else is
//! judged as always, and so are programs, peers, the danger list and bursts.

use hanabi_profile::{
    Addition, Found, NodeId, NodeKind, Profile, access::Access, arguments, behaviour::Steps,
};

use crate::{
    AlertPath, AlertSource, Evidence, Instance, Kind, ScorePart, Settings, Summary, Watch, files,
    judge::{self, Case},
    ledger::Finding,
    text,
    watch::container_name,
};

/// A difference is worth knowing and nothing to get up for: Notice.
const SCORE: f64 = 0.3;

impl Watch {
    /// Takes a deviation of a new image's container in when the change explains it.
    pub(crate) fn explained(
        &mut self,
        instance: &Instance,
        case: &Case<'_>,
        program: NodeId,
        finding: &Finding,
        settings: &Settings,
    ) -> bool {
        let image = instance.shown.image.as_str();
        if !self.profile.relearns(image, case.event.time) {
            return false;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        judge::paths(case, &mut buffer);
        let explained = !buffer.is_empty()
            && buffer.iter().all(|steps| is_explained(&self.profile, program, case, steps));
        if explained {
            judge::learn(&mut self.profile, program, case, settings, &mut buffer);
        }
        self.buffer = buffer;
        if explained {
            self.add_to_difference(instance, case, finding);
        }
        explained
    }

    fn add_to_difference(&mut self, instance: &Instance, case: &Case<'_>, finding: &Finding) {
        let image = instance.shown.image.as_str();
        let process = text::bounded(case.event.process.name, 40);
        let token = judge::object_token(case);
        let addition = Addition {
            kind: finding.kind.as_str().to_owned(),
            process: process.clone(),
            token: text::bounded(&token, 160),
            count: 1,
            first_seen: case.event.time,
        };
        self.profile.note_addition(image, addition);
        let fingerprint = self.raise(instance, case.event, self.difference(instance, image));
        let piece = Evidence {
            kind: finding.kind.as_str().to_owned(),
            process,
            token: text::bounded(&token, 160),
            score: SCORE,
            count: 1,
        };
        self.ledger.add_evidence(&fingerprint, piece);
    }

    fn difference(&self, instance: &Instance, image: &str) -> Finding {
        let container = container_name(instance, &self.profile.identity);
        let shown = text::shown(image, 160);
        Finding {
            kind: Kind::Revision,
            source: AlertSource::Hanabi,
            rule: format!("hbt.{}", Kind::Revision.as_str()),
            subject: image.to_owned(),
            score: SCORE,
            priority: None,
            parts: vec![ScorePart { name: "revision".to_owned(), value: SCORE }],
            path: AlertPath { learned: Vec::new(), token: shown.clone(), raw: shown.clone() },
            expected: Vec::new(),
            nearest: None,
            mitre: Vec::new(),
            summary: Summary {
                en: format!("{container} runs a new image, {shown}, and does what it explains"),
                zh: format!("容器 {container} 运行新镜像 {shown}，出现可由该变更解释的新行为"),
            },
        }
    }
}

/// Every part of this path that the program does not have is one that a new image explains.
fn is_explained(profile: &Profile, program: NodeId, case: &Case<'_>, steps: &Steps) -> bool {
    let Found::Missing { parent, step } = profile.find(program, steps) else {
        // A known path used in a new way is not what a new version is.
        return match profile.find(program, steps) {
            Found::Known(leaf) => {
                judge::covered_by(profile.tree.node(leaf).access).contains(case.behaviour.access)
            }
            Found::Missing { .. } => false,
        };
    };
    let Some((kind, token)) = steps.iter().nth(step) else { return false };
    match kind {
        NodeKind::Argument => {
            token.starts_with('-') && !arguments::is_interpreter(case.event.process.name)
                || is_other_version(profile, parent, token)
        }
        NodeKind::File | NodeKind::Directory => {
            let path = judge::path_text(steps);
            let altering = case.behaviour.access.intersects(Access::ALTERING);
            is_other_version(profile, parent, token) || (!altering && files::is_part(&path))
        }
        _ => false,
    }
}

/// A sibling has this name with another version.
fn is_other_version(profile: &Profile, parent: NodeId, token: &str) -> bool {
    let bare = versionless(token);
    bare != token
        && profile.tree.children(parent).any(|id| versionless(profile.tree.name(id)) == bare)
}

/// A name with `#` for each run of digits, dots between digits and typed parts.
fn versionless(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(character) = rest.chars().next() {
        let typed = (character == '<').then(|| rest.find('>')).flatten();
        let length = match typed {
            Some(end) => end + 1,
            None => rest
                .char_indices()
                .find(|(at, c)| {
                    !(c.is_ascii_digit() || (*at > 0 && *c == '.' && digit_after(rest, *at)))
                })
                .map_or(rest.len(), |(at, _)| at),
        };
        if length == 0 {
            out.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        } else {
            if !out.ends_with('#') {
                out.push('#');
            }
            rest = rest.get(length..).unwrap_or_default();
        }
    }
    out
}

fn digit_after(text: &str, dot: usize) -> bool {
    text.as_bytes().get(dot + 1).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::versionless;

    #[test]
    fn versions_are_left_out_of_names() {
        for (name, expected) in [
            ("python3.11", "python#"),
            ("python3.12", "python#"),
            ("libfoo-<version>.so", "libfoo-#.so"),
            ("libfoo-2.0.so", "libfoo-#.so"),
            ("app-<num>.<num>.jar", "app-#.#.jar"),
            ("conf.d", "conf.d"),
            ("7z", "#z"),
            ("", ""),
        ] {
            assert_eq!(versionless(name), expected, "{name}");
        }
    }
}
