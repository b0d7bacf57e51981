//! Synthetic Falco lines and a one-threaded run of the whole engine over them.
//!
//! [`Scene`] writes lines as Falco 0.40 prints them (enter and exit, all output fields, the shapes of
//! real recordings); [`Run`] puts them through decoding, routing and the shards in blocks of a given
//! size and hands out what came of it.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test binary uses a part of the kit"
)]

pub mod outline;
pub mod run;
pub mod shop;

use hanabi_event::{EventTime, MILLISECOND, SECOND, time::format_time};
use serde_json::{Map, Value, json};

pub use run::{Outcome, Run};

/// Second 0 of every scene.
pub const EPOCH: EventTime = 1_795_337_700 * SECOND;

/// A container as Falco's fields name it.
#[derive(Clone, Debug)]
pub struct Box {
    pub host: String,
    pub id: String,
    pub name: Option<String>,
    pub repository: Option<String>,
    pub tag: Option<String>,
}

impl Box {
    pub fn new(name: &str, id: &str, image: &str) -> Self {
        let (repository, tag) = image.split_once(':').unwrap_or((image, "latest"));
        Self {
            host: "vm".to_owned(),
            id: id.to_owned(),
            name: Some(name.to_owned()),
            repository: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
        }
    }

    /// The same before the runtime has answered: an id and nothing else.
    pub fn unnamed(&self) -> Self {
        Self { name: None, repository: None, tag: None, ..self.clone() }
    }

    pub fn with_id(&self, id: &str) -> Self {
        Self { id: id.to_owned(), ..self.clone() }
    }

    pub fn on(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }
}

/// A process as Falco's fields name it.
#[derive(Clone, Debug)]
pub struct Proc {
    pub name: String,
    pub exe: String,
    pub args: String,
    pub pid: i64,
    pub ppid: i64,
    pub parent: String,
    pub uid: u32,
    pub tty: i64,
    pub exe_flags: String,
}

impl Proc {
    /// A root process started by the container runtime: a first process, or a `docker exec`.
    pub fn new(exe: &str, pid: i64) -> Self {
        Self {
            name: exe.rsplit('/').next().unwrap_or(exe).chars().take(15).collect(),
            exe: exe.to_owned(),
            args: String::new(),
            pid,
            ppid: 23_519,
            parent: "containerd-shim".to_owned(),
            uid: 0,
            tty: 0,
            exe_flags: "9(EXE_WRITABLE|EXE_LOWER_LAYER)".to_owned(),
        }
    }

    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    pub fn args(mut self, args: &str) -> Self {
        args.clone_into(&mut self.args);
        self
    }

    pub fn child_of(mut self, parent: &Proc) -> Self {
        self.ppid = parent.pid;
        self.parent.clone_from(&parent.name);
        self.uid = parent.uid;
        self
    }

    /// Started by `docker exec`.
    pub fn exec(mut self) -> Self {
        "runc".clone_into(&mut self.parent);
        self.ppid = 23_000 + self.pid;
        self
    }

    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    pub fn tty(mut self, tty: i64) -> Self {
        self.tty = tty;
        self
    }

    pub fn exe_flags(mut self, flags: &str) -> Self {
        flags.clone_into(&mut self.exe_flags);
        self
    }

    pub fn pid(mut self, pid: i64) -> Self {
        self.pid = pid;
        self
    }

    fn command_line(&self) -> String {
        if self.args.is_empty() {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.args)
        }
    }
}

/// The descriptor of a line.
#[derive(Clone, Debug, Default)]
pub enum FdIs {
    /// `fd.num` is null.
    #[default]
    None,
    /// `fd.num` -1 with a type letter: declared by the call, not there.
    Absent(&'static str),
    /// A path.
    File(i64, String),
    /// A socket: number, letter, name.
    Socket(i64, &'static str, String),
}

/// Lines in order, with a clock that moves a little with each.
#[derive(Clone, Debug)]
pub struct Scene {
    pub lines: Vec<(EventTime, String)>,
    now: EventTime,
    number: u64,
    /// Falco 0.42 and later print no enter lines.
    enters: bool,
    port: u16,
}

impl Default for Scene {
    fn default() -> Self {
        Self { lines: Vec::new(), now: EPOCH, number: 1_000, enters: true, port: 40_000 }
    }
}

impl Scene {
    /// A scene by Falco 0.42 or later: no enter lines.
    pub fn exits() -> Self {
        Self { enters: false, ..Self::default() }
    }

    /// Moves the clock to this second of the scene.
    pub fn at(&mut self, second: f64) -> &mut Self {
        self.now = EPOCH + (second * 1e9) as u64;
        self
    }

    pub fn now(&self) -> EventTime {
        self.now
    }

    /// The text of all lines.
    pub fn texts(&self) -> Vec<String> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Appends another scene's lines.
    pub fn then(mut self, other: &Scene) -> Self {
        self.lines.extend(other.lines.iter().cloned());
        self
    }

    pub fn raw(&mut self, line: &str) -> &mut Self {
        self.lines.push((self.now, line.to_owned()));
        self
    }

    fn tick(&mut self) -> EventTime {
        self.now += 20_000;
        self.number += 1;
        self.now
    }

    /// One catch-all line.
    pub fn line(&mut self, c: &Box, p: &Proc, rule: &str, call: &str, args: &str, fd: &FdIs) {
        let time = self.tick();
        let mut fields = base_fields(c, p, time, call);
        fields.insert("container.image.repository".into(), json!(c.repository));
        fields.insert("container.image.tag".into(), json!(c.tag));
        fields.insert("evt.args".into(), args.into());
        fields.insert("evt.num".into(), self.number.into());
        fields.insert("proc.args".into(), p.args.clone().into());
        fields.insert("proc.pid".into(), p.pid.into());
        fields.insert("proc.ppid".into(), p.ppid.into());
        fields.insert("k8s.ns.name".into(), Value::Null);
        fields.insert("k8s.pod.name".into(), Value::Null);
        fd_fields(&mut fields, fd);
        let text = envelope(c, time, "Debug", rule, &json!([rule]), &fields);
        self.lines.push((time, text));
    }

    /// A line of a stock rule about the event of the line before: fewer fields, no number, no pid.
    pub fn rule(&mut self, c: &Box, p: &Proc, rule: &str, priority: &str, tags: &Value) {
        let (time, last) = self.lines.last().cloned().expect("a line to report");
        let last: Value = serde_json::from_str(&last).expect("json");
        let call = last["output_fields"]["evt.type"].as_str().expect("evt.type").to_owned();
        self.rule_alone(c, p, time, &call, rule, priority, tags);
    }

    /// A line of a stock rule about an event of its own.
    #[allow(clippy::too_many_arguments, reason = "the fields of one line")]
    pub fn rule_alone(
        &mut self,
        c: &Box,
        p: &Proc,
        time: EventTime,
        call: &str,
        rule: &str,
        priority: &str,
        tags: &Value,
    ) {
        let mut fields = base_fields(c, p, time, call);
        fields.insert("proc.tty".into(), p.tty.into());
        fields.insert("user.loginuid".into(), (-1).into());
        fields.insert("fd.name".into(), Value::Null);
        let text = envelope(c, time, priority, rule, tags, &fields);
        self.lines.push((time, text));
    }

    fn enter(&mut self, c: &Box, p: &Proc, rule: &str, call: &str, args: &str, fd: &FdIs) {
        if self.enters {
            self.line(c, p, rule, call, args, fd);
        }
    }

    pub fn execve(&mut self, c: &Box, p: &Proc) -> &mut Self {
        let before = Proc { name: p.parent.clone(), ..p.clone() };
        let before = if p.parent == "runc" || p.parent == "containerd-shim" {
            Proc { name: "runc:[2:INIT]".into(), exe: "/usr/sbin/runc".into(), ..before }
        } else {
            before
        };
        self.enter(c, &before, "process", "execve", &format!("filename={}", p.exe), &FdIs::None);
        let cgroup = format!("/docker/{}f318d18d176edc26bccbcb297f67da980fe3ed1664ed756", c.id);
        let args = format!(
            "res=0 exe={name} args={args}. tid={pid}({name}) pid={pid}({name}) ptid={ppid}({parent}) \
             cwd=<NA> fdlimit=20000 pgft_maj=0 pgft_min=51 vm_size=496 vm_rss=0 vm_swap=0 \
             comm={name} cgroups=cpuset={cgroup}.cpu={cgroup}. env=HOSTNAME={id}.PWD=/.HOME=/root. \
             tty={tty} vpgid=1(<NA>) loginuid=-1(<NONE>) flags={flags} cap_inheritable=0 \
             cap_permitted=A80425FB cap_effective=A80425FB exe_ino=10371559 uid={uid}(<NA>) \
             trusted_exepath={exe} pgid={pid}({name}) gid=0(<NA>)",
            name = p.name,
            args = p.args.replace(' ', "."),
            pid = p.pid,
            ppid = p.ppid,
            parent = p.parent,
            id = c.id,
            tty = p.tty,
            flags = p.exe_flags,
            uid = p.uid,
            exe = p.exe,
        );
        self.line(c, p, "process", "execve", &args, &FdIs::None);
        self
    }

    pub fn exit(&mut self, c: &Box, p: &Proc) -> &mut Self {
        let args = "status=0 ret=0 sig=0 core=0 reaper_tid=0";
        self.line(c, p, "process", "procexit", args, &FdIs::None);
        self
    }

    /// A call of the process branch without an object.
    pub fn process_call(&mut self, c: &Box, p: &Proc, call: &str, args: &str) -> &mut Self {
        self.enter(c, p, "process", call, "", &FdIs::None);
        self.line(c, p, "process", call, args, &FdIs::None);
        self
    }

    /// `flags` as Falco prints them: `O_RDONLY|O_CLOEXEC`.
    pub fn openat(&mut self, c: &Box, p: &Proc, path: &str, flags: &str) -> &mut Self {
        self.openat_named(c, p, path, path, flags)
    }

    /// An open whose argument is not yet the resolved path.
    pub fn openat_named(
        &mut self,
        c: &Box,
        p: &Proc,
        name: &str,
        path: &str,
        flags: &str,
    ) -> &mut Self {
        let enter = format!("dirfd=-100(AT_FDCWD) name=<NA> flags=1({flags}) mode=0");
        self.enter(c, p, "file", "openat", &enter, &FdIs::Absent("f"));
        let exit = format!(
            "fd=6(<f>{path}) dirfd=-100(AT_FDCWD) name={name} flags=1({flags}) mode=0 dev=16 ino=3833"
        );
        self.line(c, p, "file", "openat", &exit, &FdIs::File(6, path.to_owned()));
        self
    }

    pub fn openat_fails(&mut self, c: &Box, p: &Proc, path: &str, error: &str) -> &mut Self {
        let exit = format!(
            "fd={error} dirfd=-100(AT_FDCWD) name={path} flags=1(O_RDONLY) mode=0 dev=0 ino=0"
        );
        self.line(c, p, "file", "openat", &exit, &FdIs::File(-1, path.to_owned()));
        self
    }

    pub fn close(&mut self, c: &Box, p: &Proc, fd: &FdIs) -> &mut Self {
        let rule = if matches!(fd, FdIs::Socket(..)) { "net" } else { "file" };
        self.enter(c, p, rule, "close", "fd=6(<f>)", fd);
        self.line(c, p, rule, "close", "res=0", fd);
        self
    }

    /// A file call whose path stands in its arguments only: `unlink`, `mkdir` …
    pub fn file_call(&mut self, c: &Box, p: &Proc, call: &str, args: &str) -> &mut Self {
        self.enter(c, p, "file", call, "", &FdIs::None);
        self.line(c, p, "file", call, args, &FdIs::None);
        self
    }

    pub fn unlink(&mut self, c: &Box, p: &Proc, path: &str) -> &mut Self {
        self.file_call(c, p, "unlink", &format!("res=0 path={path}"))
    }

    pub fn rename(&mut self, c: &Box, p: &Proc, old: &str, new: &str) -> &mut Self {
        self.file_call(c, p, "rename", &format!("res=0 oldpath={old} newpath={new}"))
    }

    pub fn chmod(&mut self, c: &Box, p: &Proc, path: &str, mode: &str) -> &mut Self {
        let args = format!("res=0 dirfd=-100(AT_FDCWD) filename={path} mode={mode}");
        self.file_call(c, p, "fchmodat", &args)
    }

    /// A connect that succeeds; the client's port counts up.
    pub fn connect(&mut self, c: &Box, p: &Proc, from: &str, to: &str) -> &mut Self {
        self.port = if self.port >= 60_000 { 40_000 } else { self.port + 1 };
        let tuple = format!("{from}:{}->{to}", self.port);
        self.enter(
            c,
            p,
            "net",
            "connect",
            &format!("fd=5(<4>) addr={to}"),
            &FdIs::Socket(5, "4", String::new()),
        );
        let exit = format!("res=0 tuple={tuple} fd=5(<4t>{tuple})");
        self.line(c, p, "net", "connect", &exit, &FdIs::Socket(5, "4", tuple));
        self
    }

    /// A connect that nobody answers: only its beginning is printed.
    pub fn connect_begun(&mut self, c: &Box, p: &Proc, to: &str) -> &mut Self {
        let socket = FdIs::Socket(3, "4", String::new());
        self.enter(c, p, "net", "connect", &format!("fd=3(<4>) addr={to}"), &socket);
        self
    }

    /// A connect that is refused: the target stands in the enter line only.
    pub fn connect_refused(&mut self, c: &Box, p: &Proc, to: &str) -> &mut Self {
        self.enter(
            c,
            p,
            "net",
            "connect",
            &format!("fd=3(<4>) addr={to}"),
            &FdIs::Socket(3, "4", String::new()),
        );
        let exit = "res=-111(ECONNREFUSED) tuple=NULL fd=3(<4>)";
        self.line(c, p, "net", "connect", exit, &FdIs::Socket(3, "4", "NULL".to_owned()));
        self
    }

    /// A client arrives.
    pub fn accept(&mut self, c: &Box, p: &Proc, from: &str, to: &str) -> &mut Self {
        self.port = if self.port >= 60_000 { 40_000 } else { self.port + 1 };
        let tuple = format!("{from}:{}->{to}", self.port);
        self.enter(c, p, "net", "accept4", "flags=0", &FdIs::Absent("4"));
        let exit = format!("fd=10(<4t>{tuple}) tuple={tuple} queuepct=0 queuelen=0 queuemax=511");
        self.line(c, p, "net", "accept4", &exit, &FdIs::Socket(10, "4", tuple.clone()));
        let socket = FdIs::Socket(10, "4", tuple);
        self.line(c, p, "net", "recvfrom", "res=75 data=GET / HTTP/1.1..", &socket);
        self.close(c, p, &socket)
    }

    pub fn listen(&mut self, c: &Box, p: &Proc, address: &str) -> &mut Self {
        let fd = FdIs::Socket(5, "4", address.to_owned());
        self.enter(c, p, "net", "bind", "fd=5(<4>)", &FdIs::Socket(5, "4", String::new()));
        let bind = format!("res=0 addr={address} fd=5(<4t>{address})");
        self.line(c, p, "net", "bind", &bind, &fd);
        let listen = format!("res=0 fd=5(<4t>{address}) backlog=511");
        self.line(c, p, "net", "listen", &listen, &fd);
        self
    }

    /// A name query of so many bytes to the container's resolver.
    pub fn query(&mut self, c: &Box, p: &Proc, size: u32) -> &mut Self {
        self.connect(c, p, "127.0.0.1", "127.0.0.11:53");
        let tuple = format!("127.0.0.1:{}->127.0.0.11:53", self.port);
        let fd = FdIs::Socket(5, "4", tuple.clone());
        let enter = format!("fd=5(<4u>{tuple}) size={size} tuple={tuple}");
        self.enter(c, p, "net", "sendto", &enter, &fd);
        self.line(c, p, "net", "sendto", &format!("res={size} data=....x...."), &fd);
        self
    }

    /// A datagram on a socket that was not connected.
    pub fn send(&mut self, c: &Box, p: &Proc, from: &str, to: &str) -> &mut Self {
        let fd = FdIs::Socket(8, "4", format!("{from}:45000->{to}"));
        self.enter(
            c,
            p,
            "net",
            "sendto",
            &format!("fd=8(<4u>) size=48 tuple={from}:45000->{to}"),
            &fd,
        );
        self.line(c, p, "net", "sendto", "res=48 data=................", &fd);
        self
    }

    /// `dup2` of an internet socket onto a descriptor.
    pub fn dup2_socket(&mut self, c: &Box, p: &Proc, tuple: &str, onto: i64) -> &mut Self {
        let enter = FdIs::Socket(3, "4", tuple.to_owned());
        self.enter(c, p, "net", "dup2", &format!("fd=3(<4t>{tuple})"), &enter);
        let exit =
            format!("res={onto}(<4t>{tuple}) oldfd=3(<4t>{tuple}) newfd={onto}(<4t>{tuple})");
        self.line(c, p, "net", "dup2", &exit, &FdIs::Socket(onto, "4", tuple.to_owned()));
        self
    }

    /// Falco says that it lost events.
    pub fn loss(&mut self) -> &mut Self {
        let time = self.tick();
        let line = json!({
            "hostname": "vm",
            "output": "Falco internal: syscall event drop. 3 system calls dropped in last second.",
            "output_fields": {"ebpf_enabled": "1", "n_drops": "3", "n_evts": "21784"},
            "priority": "Debug", "rule": "Falco internal: syscall event drop",
            "source": "internal", "tags": [], "time": format_time(time),
        });
        self.lines.push((time, line.to_string()));
        self
    }

    /// The runtime's meta event with the image as it was asked for.
    pub fn container_meta(&mut self, c: &Box, image: &str) -> &mut Self {
        let p = Proc { name: format!("container:{}", c.id), pid: -1, ..Proc::new("", -1) };
        let args =
            format!("json={{\"container\":{{\"id\":\"{}\",\"image\":\"{image}\"}}}}\n", c.id);
        self.line(c, &p, "process", "container", &args, &FdIs::None);
        self
    }
}

fn base_fields(c: &Box, p: &Proc, time: EventTime, call: &str) -> Map<String, Value> {
    let user = if p.uid == 0 { "root" } else { "<NA>" };
    let Value::Object(fields) = json!({
        "container.id": c.id, "container.name": c.name,
        "evt.time.iso8601": time, "evt.type": call,
        "proc.cmdline": p.command_line(), "proc.exepath": p.exe, "proc.name": p.name,
        "proc.pname": p.parent,
        "user.name": user, "user.uid": p.uid,
    }) else {
        unreachable!("an object")
    };
    fields
}

fn fd_fields(fields: &mut Map<String, Value>, fd: &FdIs) {
    let (number, kind, letter, name) = match fd {
        FdIs::None => (Value::Null, Value::Null, Value::Null, Value::Null),
        FdIs::Absent(letter) => ((-1).into(), Value::Null, json!(letter), Value::Null),
        FdIs::File(number, path) => {
            let kind = if *number < 0 { Value::Null } else { json!("file") };
            (json!(number), kind, json!("f"), json!(path))
        }
        FdIs::Socket(number, letter, name) => {
            (json!(number), json!("ipv4"), json!(letter), json!(name))
        }
    };
    let (directory, file) = match fd {
        FdIs::File(_, path) => path.rsplit_once('/').unwrap_or(("", path)),
        _ => ("", ""),
    };
    let absent = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    fields.insert("fd.directory".into(), absent(directory));
    fields.insert("fd.filename".into(), absent(file));
    fields.insert("fd.name".into(), name);
    fields.insert("fd.num".into(), number);
    fields.insert("fd.type".into(), kind);
    fields.insert("fd.typechar".into(), letter);
}

fn envelope(
    c: &Box,
    time: EventTime,
    priority: &str,
    rule: &str,
    tags: &Value,
    fields: &Map<String, Value>,
) -> String {
    json!({
        "hostname": c.host, "output": format!("{} {priority} {rule}", format_time(time)),
        "output_fields": fields, "priority": priority, "rule": rule, "source": "syscall",
        "tags": tags, "time": format_time(time),
    })
    .to_string()
}

/// Milliseconds of event time.
pub fn ms(count: u64) -> EventTime {
    count * MILLISECOND
}
