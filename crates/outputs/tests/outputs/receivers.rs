//! A webhook receiver that behaves as it is told.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

/// A status that is none: the request is read and never answered.
pub(crate) const HANG: u16 = 0;

/// See the module's text; what it took is in `taken`, in order.
#[derive(Clone)]
pub(crate) struct Webhook {
    pub(crate) port: u16,
    /// The status of answers, or [`HANG`].
    pub(crate) status: Arc<AtomicU16>,
    pub(crate) taken: Arc<Mutex<Vec<Value>>>,
    /// What requests had of heads, the last one.
    pub(crate) head: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
}

impl Webhook {
    pub(crate) fn listen(port: u16, status: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let webhook = Self {
            port: listener.local_addr().unwrap().port(),
            status: Arc::new(AtomicU16::new(status)),
            taken: Arc::default(),
            head: Arc::default(),
            ended: Arc::default(),
        };
        let here = webhook.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if here.ended.load(Ordering::Relaxed) {
                    return;
                }
                let here = here.clone();
                std::thread::spawn(move || here.serve(stream.unwrap()));
            }
        });
        webhook
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/SECRET", self.port)
    }

    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Stops listening; connections that are open end with their next request.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some((head, body)) = request(&mut reader) {
            if self.ended.load(Ordering::Relaxed) {
                return;
            }
            *self.head.lock().unwrap() = head;
            let status = self.status.load(Ordering::Relaxed);
            if status == HANG {
                while self.status.load(Ordering::Relaxed) == HANG {
                    std::thread::sleep(Duration::from_millis(10));
                }
                // Whoever waited may have gone, and the message was not taken.
                return;
            }
            if status / 100 == 2 {
                self.taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
            }
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}
