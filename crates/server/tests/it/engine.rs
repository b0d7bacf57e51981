//! A Docker engine of a test's own, with an image that prints what it is given.

use std::{
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::metrics::installed;

/// Starting an engine takes two seconds, and much longer on a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(2);

/// Prints every file of `/in` once, in the order of their names, and takes it away.
const PRINTER: &str = "while true; do for f in /in/*.part; do \
                       [ -f \"$f\" ] && cat \"$f\" && rm \"$f\"; done; sleep 0.05; done";

pub(crate) struct Engine {
    dir: tempfile::TempDir,
    daemon: Option<Child>,
    parts: u32,
}

impl Engine {
    /// None where no engine can run, which is said.
    pub(crate) fn start() -> Option<Self> {
        let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
        let needed = ["dockerd", "docker", "busybox"];
        if !root || !needed.iter().all(|name| installed(name).is_some()) {
            eprintln!("SKIPPED: a Docker engine needs root, docker.io and busybox-static");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("hanabi-engine-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        let mut engine = Self { dir, daemon: None, parts: 0 };
        engine.resume();
        engine.import();
        Some(engine)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path().join("docker.sock").display())
    }

    /// Starts the daemon.
    pub(crate) fn resume(&mut self) {
        let dir = self.path();
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(dir.join("dockerd.log"))
            .unwrap();
        let daemon = Command::new("dockerd")
            .arg("--data-root")
            .arg(dir.join("data"))
            .arg("--exec-root")
            .arg(dir.join("exec"))
            .arg("--pidfile")
            .arg(dir.join("dockerd.pid"))
            .args(["--storage-driver", "vfs", "--bridge", "none", "--iptables=false"])
            .args(["--ip6tables=false", "--host", &self.host()])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
        let start = Instant::now();
        while !self.docker(&["version"]).status.success() {
            let ended = self.daemon.as_mut().unwrap().try_wait().unwrap();
            let said = || std::fs::read_to_string(self.path().join("dockerd.log")).unwrap();
            assert!(ended.is_none(), "the engine has ended:\n{}", said());
            assert!(start.elapsed() < PATIENCE, "the engine does not answer:\n{}", said());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Ends the daemon, and with it its containers.
    pub(crate) fn stop(&mut self) {
        let Some(mut daemon) = self.daemon.take() else { return };
        drop(Command::new("kill").arg(daemon.id().to_string()).status());
        let start = Instant::now();
        while daemon.try_wait().unwrap().is_none() && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(daemon.kill());
        drop(daemon.wait());
    }

    fn import(&self) {
        let root = self.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(installed("busybox").unwrap(), root.join("bin/busybox")).unwrap();
        for name in ["sh", "cat", "rm", "sleep"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        let tar = self.path().join("root.tar");
        let packed =
            Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&tar).arg(".").status();
        assert!(packed.unwrap().success());
        self.run(&["import", tar.to_str().unwrap(), "printer"]);
    }

    /// A command of Docker, whatever comes of it.
    pub(crate) fn docker(&self, arguments: &[&str]) -> std::process::Output {
        Command::new("docker").args(["--host", &self.host()]).args(arguments).output().unwrap()
    }

    /// A command of Docker that has to succeed.
    pub(crate) fn run(&self, arguments: &[&str]) {
        let output = self.docker(arguments);
        assert!(output.status.success(), "docker {arguments:?}: {output:?}");
    }

    /// A container that prints what [`Engine::print`] is given.
    pub(crate) fn printer(&self, name: &str, options: &[&str]) {
        let mount = format!("{}:/in", self.path().join("in").display());
        let mut arguments = vec!["run", "--detach", "--name", name, "--network", "none"];
        arguments.extend(["--stop-timeout", "0", "--volume", &mount]);
        arguments.extend(options);
        arguments.extend(["printer", "sh", "-c", PRINTER]);
        self.run(&arguments);
    }

    /// Has the container print this, and waits until it has.
    pub(crate) fn print(&mut self, text: &[u8]) {
        self.parts += 1;
        let inside = self.path().join("in");
        let part = inside.join(format!("{:04}.part", self.parts));
        std::fs::write(inside.join("new"), text).unwrap();
        std::fs::rename(inside.join("new"), &part).unwrap();
        let start = Instant::now();
        while part.exists() {
            assert!(start.elapsed() < PATIENCE, "the container does not print");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}
