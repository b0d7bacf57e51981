//! Syslog as in RFC 5424, over UDP (RFC 5426), TCP with octet counting (RFC 6587, 3.4.1), or a
//! socket of this machine.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::net::UnixDatagram,
    time::Duration,
};

use hanabi_event::{EventTime, Priority};

use super::Sent;
use crate::{OutputSettings, SyslogAddress, Template, format, notice::Notice};

/// `auth`: alerts go where logins do, which daemons keep apart and private.
const FACILITY: u8 = 4;
/// What daemons take whole by default (rsyslog 8 KiB, syslog-ng 64 KiB), and a bit of room.
const MESSAGE: usize = 8_000;
/// The longest host name in a header, RFC 5424, 6.2.4.
const HOST: usize = 255;
/// The longest id of a kind of message, 6.2.7.
const MSGID: usize = 32;
const CONNECT: Duration = Duration::from_secs(5);
const WRITE: Duration = Duration::from_secs(10);

/// A way to a syslog daemon.
pub(crate) struct Syslog {
    address: SyslogAddress,
    open: Option<Open>,
}

enum Open {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Unix(UnixDatagram),
}

impl Syslog {
    pub(super) fn new(address: SyslogAddress) -> Self {
        Self { address, open: None }
    }

    pub(super) fn deliver(&mut self, settings: &OutputSettings, notices: &[Notice]) -> Sent {
        let messages: Vec<String> = notices.iter().map(|one| message(settings, one)).collect();
        match self.send(&messages) {
            Ok(()) => Sent::Taken,
            Err(error) => {
                // A stream that broke within a message is of no use any more.
                self.open = None;
                Sent::Later(format!("{}: {error}", self.address), None)
            }
        }
    }

    fn send(&mut self, messages: &[String]) -> io::Result<()> {
        if self.open.as_mut().is_some_and(Open::was_closed) {
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::to(&self.address)?),
        };
        match open {
            Open::Udp(socket) => {
                messages.iter().try_for_each(|m| all(socket.send(m.as_bytes()), m))
            }
            Open::Unix(socket) => {
                messages.iter().try_for_each(|m| all(socket.send(m.as_bytes()), m))
            }
            Open::Tcp(stream) => {
                let mut framed = String::new();
                for message in messages {
                    // Writing to a string cannot fail.
                    _ = write!(framed, "{} {message}", message.len());
                }
                stream.write_all(framed.as_bytes())?;
                stream.flush()
            }
        }
    }
}

fn all(sent: io::Result<usize>, message: &str) -> io::Result<()> {
    if sent? == message.len() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::WriteZero, "a datagram was cut"))
}

impl Open {
    fn to(address: &SyslogAddress) -> io::Result<Self> {
        match address {
            SyslogAddress::Udp(name) => {
                let to = first_address(name)?;
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                // Then a daemon that is not there is told by the next datagram.
                socket.connect(to)?;
                socket.set_write_timeout(Some(WRITE))?;
                Ok(Self::Udp(socket))
            }
            SyslogAddress::Tcp(name) => {
                let stream = TcpStream::connect_timeout(&first_address(name)?, CONNECT)?;
                stream.set_write_timeout(Some(WRITE))?;
                stream.set_nodelay(true)?;
                Ok(Self::Tcp(stream))
            }
            SyslogAddress::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(WRITE))?;
                Ok(Self::Unix(socket))
            }
        }
    }

    /// True when the daemon has closed a stream: what is written then is lost without an error.
    fn was_closed(&mut self) -> bool {
        let Self::Tcp(stream) = self else { return false };
        if stream.set_nonblocking(true).is_err() {
            return true;
        }
        let read = stream.read(&mut [0; 64]);
        let again = stream.set_nonblocking(false).is_err();
        match read {
            Ok(0) => true,
            Ok(_) => again,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock || again,
        }
    }
}

fn first_address(name: &str) -> io::Result<std::net::SocketAddr> {
    let mut all = name.to_socket_addrs()?;
    all.next().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the name has no address"))
}

/// A message with its header. Where the alert's texts make it too long, they are cut shorter.
fn message(settings: &OutputSettings, notice: &Notice) -> String {
    let header = header(notice);
    let text = ascii(&format::write(settings, notice));
    if header.len() + text.len() <= MESSAGE {
        return header + &text;
    }
    let short = notice.shortened();
    let text = ascii(&format::write(settings, &short));
    if header.len() + text.len() <= MESSAGE {
        return header + &text;
    }
    // The template repeats what the fields have.
    let plain = OutputSettings { text: Template::default(), ..settings.clone() };
    header + &ascii(&format::write(&plain, &short))
}

/// `<PRI>1 TIME HOST hanabi PID KIND -` and a space.
fn header(notice: &Notice) -> String {
    let priority = FACILITY * 8 + severity(notice.priority);
    format!(
        "<{priority}>1 {} {} hanabi {} {} - ",
        time(notice.last_seen),
        word(&notice.host, HOST),
        std::process::id(),
        word(&notice.kind, MSGID)
    )
}

/// Syslog's severities are Falco's priorities the other way round.
fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Emergency => 0,
        Priority::Alert => 1,
        Priority::Critical => 2,
        Priority::Error => 3,
        Priority::Warning => 4,
        Priority::Notice => 5,
        Priority::Informational => 6,
        Priority::Debug => 7,
    }
}

/// RFC 3339 with six digits at most behind the second.
fn time(time: EventTime) -> String {
    let text = hanabi_event::time::format_time(time / 1_000 * 1_000);
    let Some((seconds, fraction)) = text.split_once('.') else { return text };
    let digits: String = fraction.chars().take_while(char::is_ascii_digit).take(6).collect();
    format!("{seconds}.{digits}Z")
}

/// Printable ASCII without spaces, or `-` for nothing.
fn word(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let word: String = text.chars().take(most).map(shown).collect();
    if word.is_empty() { "-".to_owned() } else { word }
}

/// Other characters as JSON escapes: UTF-8 would need a byte order mark before it (6.4), over which
/// readers of JSON stumble. In CEF, which knows no such escapes, they stand for themselves.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            _ = write!(out, "\\u{unit:04x}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::{Format, notice::Cause, testing};

    /// Takes a message apart as strictly as RFC 5424, section 6 has it.
    fn parse(message: &str) -> Result<(u8, Vec<String>, String), String> {
        let rest = message.strip_prefix('<').ok_or("no <")?;
        let (priority, rest) = rest.split_once('>').ok_or("no >")?;
        let number: u8 = priority.parse().map_err(|_| "no number")?;
        if number > 191 || number.to_string() != priority {
            return Err(format!("priority {priority}"));
        }
        let rest = rest.strip_prefix("1 ").ok_or("no version")?;
        let parts: Vec<&str> = rest.splitn(7, ' ').collect();
        let [time, host, app, process, kind, data, text] = parts[..] else {
            return Err(format!("{} parts", parts.len()));
        };
        let (stamp, fraction) =
            time.strip_suffix('Z').ok_or("no zone")?.split_once('.').unwrap_or((time, "0"));
        if stamp.len() < 19 || fraction.is_empty() || fraction.len() > 6 {
            return Err(format!("time {time}"));
        }
        for (part, most) in [(host, 255), (app, 48), (process, 128), (kind, 32)] {
            let printable = part.bytes().all(|b| (33..=126).contains(&b));
            if part.is_empty() || part.len() > most || !printable {
                return Err(format!("part {part:?}"));
            }
        }
        if data != "-" {
            return Err(format!("structured data {data:?}"));
        }
        if !text.is_ascii() || text.contains('\n') {
            return Err(format!("text {text:?}"));
        }
        let all = [time, host, app, process, kind].map(str::to_owned).to_vec();
        Ok((number, all, text.to_owned()))
    }

    #[test]
    fn a_message_has_every_part() {
        let notice = Notice::of(&testing::alert("a"), Cause::Raised);
        let (priority, parts, text) = parse(&message(&testing::settings(), &notice)).unwrap();
        assert_eq!(priority, 4 * 8 + 4);
        assert_eq!(parts[..3], ["2026-11-22T08:55:32.237776Z", "node-1", "hanabi"]);
        assert_eq!(parts[4], "new_process");
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["rule"], "hbt.new_process");
    }

    proptest! {
        /// Whatever an alert says, a daemon gets one message that it can read and need not cut.
        #[test]
        fn a_message_is_valid_and_short_enough(
            text in "\\PC{0,700}|[\\x00-\\x1f\"\\\\花]{0,700}",
            format in prop::sample::select(&Format::ALL[..4]),
        ) {
            let mut alert = testing::alert("a");
            for field in [
                &mut alert.rule, &mut alert.host, &mut alert.identity, &mut alert.summary.en,
                &mut alert.summary.zh, &mut alert.path.raw, &mut alert.path.token,
                &mut alert.container.name, &mut alert.container.image,
                &mut alert.k8s.namespace, &mut alert.container.pod, &mut alert.container.id,
            ] {
                field.clone_from(&text);
            }
            alert.lineage[1].command_line.clone_from(&text);
            alert.lineage[1].executable.clone_from(&text);
            let settings = OutputSettings { format, ..testing::settings() };
            let message = message(&settings, &Notice::of(&alert, Cause::Raised));
            prop_assert!(message.len() <= 8_192, "{} bytes", message.len());
            let (_, _, text) = parse(&message).unwrap();
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn a_stream_that_the_daemon_closed_is_opened_anew() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = SyslogAddress::Tcp(listener.local_addr().unwrap().to_string());
        let mut syslog = Syslog::new(address);
        let notice = [Notice::of(&testing::alert("a"), Cause::Raised)];
        for _ in 0..2 {
            assert_eq!(syslog.deliver(&testing::settings(), &notice), Sent::Taken);
            let (mut stream, _) = listener.accept().unwrap();
            let mut text = [0; 4096];
            let length = stream.read(&mut text).unwrap();
            let text = std::str::from_utf8(&text[..length]).unwrap();
            let (count, message) = text.split_once(' ').unwrap();
            assert_eq!(count.parse::<usize>().unwrap(), message.len());
            parse(message).unwrap();
        }
    }
}
