//! Findings about programs that a profile does not know, and about dangerous behaviour.

use hanabi_profile::{
    NodeKind, Profile, ProgramInfo, arguments,
    behaviour::{self, Object},
    path,
};

use crate::{
    AlertPath, AlertSource, Expected, Kind, Nearest, ScorePart, Summary,
    danger::DangerRule,
    judge::{Case, raw_object, round},
    ledger::Finding,
    score::{self, Score},
    settings::Settings,
    text,
};

/// The finding for a program that the profile does not know.
pub(crate) fn unknown_program(profile: &Profile, case: &Case<'_>, settings: &Settings) -> Finding {
    let process = &case.event.process;
    let name = hanabi_profile::token::generalised(process.name);
    let parent = behaviour::parent_token(process.parent, case.behaviour.lexical);
    let mut same_name: Vec<Expected> = Vec::new();
    let mut same_exe = false;
    let mut other_user: Option<Expected> = None;
    // How often a program was seen is in how many seconds it was active.
    let seen = |token: &str, info: &ProgramInfo| Expected {
        token: token.to_owned(),
        count: u64::from(info.slots),
    };
    for (_, info) in profile.programs() {
        if info.name == name && info.executable == process.executable {
            other_user = Some(seen(&info.user, info));
        } else if info.name == name {
            same_name.push(seen(&info.executable, info));
        } else if info.executable == process.executable && !process.executable.is_empty() {
            same_exe = true;
        }
    }
    let exe = path::generalised(process.executable);
    let (kind, score, token) = if other_user.is_some() {
        (
            Kind::NewUser,
            Score::base("new_user", 0.25).when(case.became_root, "became_root", 0.30),
            case.user.to_owned(),
        )
    } else if !same_name.is_empty() && !same_exe {
        (Kind::NewExecutable, Score::base("new_executable", 0.40), exe.clone())
    } else {
        (
            Kind::NewProcess,
            score::new_process(
                process.name,
                by_service(profile, &parent),
                &settings.danger.classes,
            ),
            name.clone(),
        )
    };
    let raw = if kind == Kind::NewUser { case.user } else { process.command_line };
    // What an interpreter is told to do is who it is: a backup and an intruder share a shell.
    let script = if arguments::is_interpreter(process.name) {
        behaviour::start_arguments(case.event, true).join(" ")
    } else {
        String::new()
    };
    let mut finding = case.finding(kind, &format!("{name} {exe} {parent} {script}"), score, raw);
    finding.path.token = token;
    finding.expected = match kind {
        Kind::NewUser => other_user.into_iter().collect(),
        Kind::NewExecutable => same_name.into_iter().take(5).collect(),
        _ => children_of(profile, &parent),
    };
    let names: Vec<&str> = profile.programs().map(|(_, i)| i.name.as_str()).collect();
    finding.nearest = case.matcher.nearest(NodeKind::Program, &name, &names).and_then(|m| {
        Some(Nearest {
            token: (*names.get(m.index)?).to_owned(),
            similarity: round(m.similarity),
            threshold: 1.0,
        })
    });
    finding
}

/// True when a parent of this name serves connections.
pub(crate) fn by_service(profile: &Profile, parent: &str) -> bool {
    profile.programs().any(|(id, info)| {
        info.name == parent
            && info.slots >= 30
            && !arguments::is_shell(parent)
            && score::serves(profile, id)
    })
}

/// What a parent has been seen to start, most often first.
fn children_of(profile: &Profile, parent: &str) -> Vec<Expected> {
    let mut children: Vec<Expected> = profile
        .programs()
        .filter_map(|(id, info)| {
            let node = profile.tree.child(id, NodeKind::Parent, parent)?;
            Some(Expected { token: info.name.clone(), count: profile.tree.node(node).count })
        })
        .collect();
    children.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.token.cmp(&b.token)));
    children.dedup_by(|a, b| a.token == b.token);
    children.truncate(5);
    children
}

/// The finding for a rule of the danger list.
pub(crate) fn danger(case: &Case<'_>, rule: &DangerRule, further: &[&DangerRule]) -> Finding {
    let process = &case.event.process;
    // What was asked for says more than where it led.
    let asked = case.event.args.get("name").filter(|name| path::climbs_out(name));
    let raw = match (&case.behaviour.object, asked) {
        (_, Some(asked)) => asked.to_owned(),
        (Object::Start, None) => format!("{} ({})", process.executable, process.command_line),
        (_, None) => raw_object(case),
    };
    let exe = path::generalised(process.executable);
    let name = hanabi_profile::token::generalised(process.name);
    let words = |title: &str, zh: bool| {
        let (container, object) = (case.container, text::shown(&raw, 160));
        let name = text::bounded(process.name, 40);
        if zh {
            format!("容器 {container} 中 {name}：{title}：{object}")
        } else {
            format!("{name} in {container}: {title}: {object}")
        }
    };
    let mut mitre = rule.mitre.clone();
    mitre.extend(further.iter().flat_map(|r| r.mitre.iter().cloned()));
    mitre.dedup();
    mitre.truncate(8);
    let mut parts = vec![ScorePart { name: format!("danger:{}", rule.id), value: rule.score }];
    parts.extend(
        further.iter().map(|r| ScorePart { name: format!("also:{}", r.id), value: r.score }),
    );
    Finding {
        kind: Kind::Danger,
        source: AlertSource::Hanabi,
        rule: format!("danger.{}", rule.id),
        subject: format!("{name} {exe}"),
        score: rule.score,
        priority: None,
        parts,
        path: AlertPath {
            learned: vec![name],
            token: rule.id.clone(),
            raw: text::shown(&raw, 300),
        },
        expected: Vec::new(),
        nearest: None,
        mitre,
        summary: Summary { en: words(&rule.title, false), zh: words(&rule.title_zh, true) },
    }
}
