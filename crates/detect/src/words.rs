//! One sentence for a reader, in English and Chinese.

use crate::{Kind, Summary};

/// What a sentence is made of.
pub(crate) struct Words<'a> {
    /// Name of the container or profile.
    pub(crate) container: &'a str,
    /// The program.
    pub(crate) process: &'a str,
    /// Its parent.
    pub(crate) parent: &'a str,
    /// What was new, as the event had it.
    pub(crate) object: &'a str,
    /// What it did, in one word (`read`, `write` …).
    pub(crate) access: &'a str,
}

/// The sentence for a kind.
pub(crate) fn summary(kind: Kind, words: &Words<'_>) -> Summary {
    let Words { container, process, parent, object, access } = words;
    let (en, zh) = match kind {
        Kind::NewProcess => (
            format!(
                "{container} ran {process}, which it never ran before, started by {parent}: {object}"
            ),
            format!("容器 {container} 首次运行程序 {process}，父进程为 {parent}：{object}"),
        ),
        Kind::NewExecutable => (
            format!("{process} in {container} is not the program of that name, but {object}"),
            format!("容器 {container} 中名为 {process} 的进程来自另一个可执行文件：{object}"),
        ),
        Kind::NewUser => (
            format!("{process} in {container} ran as user {object}, as which it never ran before"),
            format!("容器 {container} 中 {process} 首次以用户 {object} 运行"),
        ),
        Kind::NewParent => (
            format!(
                "{process} in {container} was started by {parent}, which never started it before: {object}"
            ),
            format!("容器 {container} 中 {process} 首次由 {parent} 启动：{object}"),
        ),
        Kind::NewArgument => (
            format!(
                "{process} in {container} was started with arguments unlike any before: {object}"
            ),
            format!("容器 {container} 中 {process} 的参数与以往不同：{object}"),
        ),
        Kind::NewOperation => (
            format!("{process} in {container} made a system call it never made before: {object}"),
            format!("容器 {container} 中 {process} 首次执行系统调用 {object}"),
        ),
        Kind::NewPeer => (
            format!(
                "{process} in {container} talked to a peer it never talked to before: {object}"
            ),
            format!("容器 {container} 中 {process} 与从未通信过的对端通信：{object}"),
        ),
        Kind::NewPort => (
            format!("{process} in {container} used a port it never used before: {object}"),
            format!("容器 {container} 中 {process} 使用了从未使用过的端口：{object}"),
        ),
        Kind::NewDirectory => (
            format!(
                "{process} in {container} used a directory it never used before ({access}): {object}"
            ),
            format!("容器 {container} 中 {process} 访问了从未访问过的目录（{access}）：{object}"),
        ),
        Kind::NewFile => (
            format!(
                "{process} in {container} used a file it never used before ({access}): {object}"
            ),
            format!("容器 {container} 中 {process} 访问了从未访问过的文件（{access}）：{object}"),
        ),
        Kind::NewAccess => (
            format!("{process} in {container} used a known file in a new way ({access}): {object}"),
            format!("容器 {container} 中 {process} 以新的方式（{access}）访问文件：{object}"),
        ),
        Kind::Danger | Kind::Burst | Kind::Rule | Kind::Revision | Kind::Silence => (
            format!("{process} in {container}: {access}: {object}"),
            format!("容器 {container} 中 {process}：{access}：{object}"),
        ),
    };
    Summary { en, zh }
}

/// The sentence for many deviations of one kind by one program.
pub(crate) fn storm(kind: Kind, container: &str, process: &str, last: &str) -> Summary {
    let (what, what_zh) = match kind {
        Kind::NewPeer | Kind::NewPort => ("peers or ports", "对端或端口"),
        Kind::NewDirectory | Kind::NewFile | Kind::NewAccess => ("files", "文件"),
        Kind::NewOperation => ("system calls", "系统调用"),
        _ => ("programs or ways to run them", "程序或运行方式"),
    };
    Summary {
        en: format!(
            "{process} in {container} used many {what} within a short time that it never used before, such as {last}"
        ),
        zh: format!(
            "容器 {container} 中 {process} 在短时间内使用了大量从未使用过的{what_zh}，例如 {last}"
        ),
    }
}
