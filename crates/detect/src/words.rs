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
                "{container} ran {process} ({object}), which it has never run, started by {parent}"
            ),
            format!("容器 {container} 首次运行程序 {process}（{object}），父进程为 {parent}"),
        ),
        Kind::NewExecutable => (
            format!("in {container} the name {process} was used by another program: {object}"),
            format!("容器 {container} 中名为 {process} 的进程来自不同的可执行文件 {object}"),
        ),
        Kind::NewUser => (
            format!("in {container} {process} ran as another user than ever: {object}"),
            format!("容器 {container} 中 {process} 首次以用户 {object} 运行"),
        ),
        Kind::NewParent => (
            format!("in {container} {process} was started by {object}, which never started it"),
            format!("容器 {container} 中 {process} 首次由 {object} 启动"),
        ),
        Kind::NewArgument => (
            format!("in {container} {process} was started with arguments unlike its own: {object}"),
            format!("容器 {container} 中 {process} 使用了不同以往的参数：{object}"),
        ),
        Kind::NewOperation => (
            format!("in {container} {process} made a call it never made: {object}"),
            format!("容器 {container} 中 {process} 首次执行调用 {object}"),
        ),
        Kind::NewPeer => (
            format!("in {container} {process} talked to a new peer: {object}"),
            format!("容器 {container} 中 {process} 与新的对端通信：{object}"),
        ),
        Kind::NewPort => (
            format!("in {container} {process} used a new port: {object}"),
            format!("容器 {container} 中 {process} 使用了新的端口：{object}"),
        ),
        Kind::NewDirectory => (
            format!("in {container} {process} used a new directory ({access}): {object}"),
            format!("容器 {container} 中 {process} 访问了新的目录（{access}）：{object}"),
        ),
        Kind::NewFile => (
            format!("in {container} {process} used a new file ({access}): {object}"),
            format!("容器 {container} 中 {process} 访问了新的文件（{access}）：{object}"),
        ),
        Kind::NewAccess => (
            format!("in {container} {process} used a known file in a new way ({access}): {object}"),
            format!("容器 {container} 中 {process} 以新的方式（{access}）访问文件：{object}"),
        ),
        Kind::Danger | Kind::Burst | Kind::Rule => (
            format!("in {container} {process}: {access}: {object}"),
            format!("容器 {container} 中 {process}：{access}：{object}"),
        ),
    };
    Summary { en, zh }
}
