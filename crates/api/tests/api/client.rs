//! A small client that speaks HTTP/1.1 over a plain socket.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// `GET` of a path.
pub(crate) async fn get(addr: SocketAddr, path: &str) -> Answer {
    request(addr, "GET", path, &[], b"").await
}

/// Any request; `Host` is the address unless it is given.
pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        write!(head, "host: {addr}\r\n").unwrap();
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    write!(head, "content-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses a body may close before it has taken all of it.
    stream.write_all(body).await.ok();
    let mut raw = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut raw)).await;
    read.expect("the answer ends").ok();
    parse(&raw)
}

fn parse(raw: &[u8]) -> Answer {
    let end = raw.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: raw[end + 4..].to_vec() };
    if answer.header("transfer-encoding") == "chunked" {
        answer.body = unchunk(&answer.body);
    }
    answer
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = raw.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 4 + size..];
    }
    body
}

/// An open stream of server-sent events.
pub(crate) struct Events {
    stream: TcpStream,
    /// What has come and is not read yet, without the head and the chunks' sizes.
    text: String,
    raw: Vec<u8>,
}

impl Events {
    /// Opens a stream and reads its head.
    pub(crate) async fn open(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let mut events = Self { stream, text: String::new(), raw: Vec::new() };
        let end = loop {
            if let Some(end) = events.raw.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end;
            }
            events.read().await;
        };
        let head = String::from_utf8(events.raw.drain(..end + 4).collect()).unwrap().to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        assert!(!head.contains("content-encoding"), "{head}");
        events
    }

    async fn read(&mut self) {
        let mut buffer = [0; 8_192];
        let read = tokio::time::timeout(Duration::from_secs(10), self.stream.read(&mut buffer));
        let n = read.await.expect("a message in time").unwrap();
        assert!(n > 0, "the stream goes on");
        self.raw.extend_from_slice(&buffer[..n]);
    }

    /// Reads until the server ends the stream.
    pub(crate) async fn ends(&mut self) {
        let mut buffer = [0; 8_192];
        loop {
            let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut buffer));
            if read.await.expect("the stream ends").unwrap_or(0) == 0 {
                return;
            }
            let last_chunk = buffer.windows(5).any(|bytes| bytes == b"0\r\n\r\n");
            if last_chunk {
                return;
            }
        }
    }

    /// The next block up to an empty line.
    async fn block(&mut self) -> String {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                return self.text.drain(..end + 2).collect();
            }
            let whole = self.raw.windows(2).position(|bytes| bytes == b"\r\n").and_then(|end| {
                let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..end]).ok()?, 16);
                let whole = end + 2 + size.ok()? + 2;
                (self.raw.len() >= whole).then_some((end + 2, whole))
            });
            match whole {
                Some((start, whole)) => {
                    let chunk: Vec<u8> = self.raw.drain(..whole).collect();
                    self.text.push_str(std::str::from_utf8(&chunk[start..whole - 2]).unwrap());
                }
                None => self.read().await,
            }
        }
    }

    /// The next message: its id, or `""`, and its envelope.
    pub(crate) async fn next(&mut self) -> (String, Value) {
        loop {
            let block = self.block().await;
            assert!(!block.contains("event:"), "plain onmessage must see all: {block}");
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
            if let Some(data) = field("data: ") {
                let id = field("id: ").unwrap_or("").to_owned();
                return (id, serde_json::from_str(data).unwrap());
            }
            assert_eq!(block, "retry: 1000\n\n");
        }
    }

    /// The next message that is no plain heartbeat.
    pub(crate) async fn news(&mut self) -> (String, Value) {
        loop {
            let (id, message) = self.next().await;
            if message["type"] != "heartbeat" || message["payload"] != serde_json::json!({}) {
                return (id, message);
            }
        }
    }
}
