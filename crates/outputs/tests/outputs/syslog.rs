//! Syslog as rsyslog takes it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use hanabi_outputs::{Format, SyslogAddress, Target};
use serde_json::Value;

use crate::kit::{Daemon, free_port, installed, offer, settings, start, status, wait};

/// What rsyslog took, as it understood it: one JSON object a line.
fn rsyslog(program: &str, dir: &Path, input: &str) -> Daemon {
    let config = dir.join("rsyslog.conf");
    let text = format!(
        "module(load=\"imudp\")\nmodule(load=\"imtcp\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         {input}\n\
         template(name=\"parts\" type=\"list\" option.jsonf=\"on\") {{\n\
         property(outname=\"app\" name=\"app-name\" format=\"jsonf\")\n\
         property(outname=\"host\" name=\"hostname\" format=\"jsonf\")\n\
         property(outname=\"kind\" name=\"msgid\" format=\"jsonf\")\n\
         property(outname=\"severity\" name=\"syslogseverity-text\" format=\"jsonf\")\n\
         property(outname=\"facility\" name=\"syslogfacility-text\" format=\"jsonf\")\n\
         property(outname=\"version\" name=\"protocol-version\" format=\"jsonf\")\n\
         property(outname=\"msg\" name=\"msg\" format=\"jsonf\")\n}}\n\
         action(type=\"omfile\" file=\"{}\" template=\"parts\")\n",
        dir.join("taken").display()
    );
    fs::write(&config, text).unwrap();
    let child = Command::new(program)
        .args(["-n", "-f", config.to_str().unwrap(), "-i"])
        .arg(dir.join("pid"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.join("stderr")).unwrap())
        .spawn()
        .unwrap();
    Daemon(child)
}

fn taken(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("taken")).unwrap_or_default();
    // The last line may be half written.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn check(dir: &Path, count: usize) {
    let all = wait("messages", || Some(taken(dir)).filter(|all| all.len() >= count));
    assert_eq!(all.len(), count);
    for (number, one) in all.iter().enumerate() {
        for (name, value) in [
            ("app", "hanabi"),
            ("host", "node-1"),
            ("kind", "new_process"),
            ("severity", "warning"),
            ("facility", "auth"),
            ("version", "1"),
        ] {
            assert_eq!(one[name], value, "{one}");
        }
        let message: Value = serde_json::from_str(one["msg"].as_str().unwrap().trim()).unwrap();
        assert_eq!(message["output"], format!("alert {number}"), "in order");
    }
}

#[test]
fn rsyslog_takes_streams_through_its_own_restart() {
    let Some(program) = installed("rsyslogd") else { return };
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let input = format!("input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")");
    let address = SyslogAddress::Tcp(format!("127.0.0.1:{port}"));
    let outputs =
        start(&dir.path().join("spool"), settings(Target::Syslog(address), Format::Falco));
    // Before it is there at all.
    offer(&outputs, 0..50);
    let daemon = rsyslog(&program, dir.path(), &input);
    check(dir.path(), 50);
    drop(daemon);
    wait("its end", || std::net::TcpStream::connect(("127.0.0.1", port)).is_err().then_some(()));
    offer(&outputs, 50..60);
    let _daemon = rsyslog(&program, dir.path(), &input);
    check(dir.path(), 60);
    wait("rest", || (status(&outputs).waiting == 0).then_some(()));
}

#[test]
fn rsyslog_takes_datagrams_and_its_socket() {
    let Some(program) = installed("rsyslogd") else { return };
    for udp in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (port, socket) = (free_port(), dir.path().join("log"));
        let (address, input) = if udp {
            (
                SyslogAddress::Udp(format!("127.0.0.1:{port}")),
                format!("input(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")"),
            )
        } else {
            (
                SyslogAddress::Unix(socket.clone()),
                format!(
                    "input(type=\"imuxsock\" socket=\"{}\" useSpecialParser=\"off\" \
                     parseHostname=\"on\" useSysTimeStamp=\"off\" ratelimit.interval=\"0\")",
                    socket.display()
                ),
            )
        };
        let _daemon = rsyslog(&program, dir.path(), &input);
        // Nobody says whether a datagram has arrived, so it is waited for the daemon.
        wait("the daemon", || {
            if udp {
                let ports = fs::read_to_string("/proc/net/udp").unwrap();
                ports.contains(&format!(":{port:04X} ")).then_some(())
            } else {
                socket.exists().then_some(())
            }
        });
        let outputs =
            start(&dir.path().join("spool"), settings(Target::Syslog(address), Format::Falco));
        offer(&outputs, 0..20);
        check(dir.path(), 20);
    }
}
