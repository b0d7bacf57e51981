//! What the gateway carries: reads with a full store, thousands of streams, and how late an alert is.
//!
//! `scripts/load.sh` runs it against the release binary on loopback. Nothing here fails by a time:
//! the bars stand beside the figures, and a machine that does other work beside it shows so in the
//! share of the processor that it got.

use std::{
    collections::HashMap,
    error::Error,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

type Failure = Box<dyn Error + Send + Sync>;

const CONTAINERS: usize = 2_000;
/// Alerts of each container in the store, by as many rules.
const RULES: usize = 10;
/// Clients that see one container each, and clients that see everything.
const SINGLE: usize = 2_000;
const WHOLE: usize = 50;
/// Clients that never read.
const STUCK: usize = 5;
const EVENTS_A_SECOND: usize = 1_000;
const STREAMING: Duration = Duration::from_secs(30);
const READING: &str = "8s";
/// A service that never gets there is ended.
const PATIENCE: Duration = Duration::from_mins(5);

fn main() -> Result<(), Failure> {
    if !std::env::args().any(|argument| argument == "load") {
        writeln!(std::io::stdout(), "load: left out; scripts/load.sh runs it")?;
        return Ok(());
    }
    let data = std::env::temp_dir().join(format!("hanabi-load-{}", std::process::id()));
    let measured = measure(&data);
    std::fs::remove_dir_all(&data)?;
    measured
}

fn measure(data: &Path) -> Result<(), Failure> {
    let service = Service::start(data)?;
    let mut out = std::io::stdout();
    let lines = fill(&service)?;
    writeln!(out, "store: {CONTAINERS} containers, {} alerts, {lines} lines", service.alerts()?)?;
    reads(&service, &mut out)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(streams(&service, &mut out))
}

struct Service {
    child: Child,
    address: SocketAddr,
}

impl Service {
    fn start(data: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hanabi"))
            .args(["run", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(["--set", "learn.warmup=1s", "--set", "learn.min_time=1s"])
            .args(["--set", "alerts.rule_min_priority=Notice"])
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().ok_or("no standard error")?;
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, rest)) = line.split_once("running at http://") {
                    drop(said.send(rest.trim().to_owned()));
                }
            }
        });
        let address = heard.recv_timeout(Duration::from_secs(20))?.parse()?;
        Ok(Self { child, address })
    }

    /// A request on a connection of its own; the answer's status and body.
    fn ask(&self, head: &str, body: &str) -> Result<(u16, String), Failure> {
        let mut stream = TcpStream::connect(self.address)?;
        let length = body.len();
        write!(
            stream,
            "{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.get(9..12).ok_or("no status")?.parse()?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }

    fn send(&self, lines: &str) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            match self.ask("POST /ingest/falco", lines)?.0 {
                202 => return Ok(()),
                429 if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
                status => return Err(format!("lines were answered {status}").into()),
            }
        }
    }

    fn metric(&self, name: &str) -> Result<f64, Failure> {
        let (_, page) = self.ask("GET /metrics", "")?;
        let line = page.lines().find(|line| line.starts_with(name)).ok_or("no such metric")?;
        Ok(line.rsplit(' ').next().unwrap_or_default().parse()?)
    }

    fn alerts(&self) -> Result<u64, Failure> {
        let (_, page) = self.ask("GET /api/overview?window=24h", "")?;
        let open = page.split_once("\"open\":").ok_or("no alerts in the overview")?.1;
        Ok(open.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse()?)
    }

    /// Resident memory in MiB.
    fn memory(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS")).ok_or("no VmRSS")?;
        let kib: f64 = line.split_whitespace().nth(1).ok_or("no size")?.parse()?;
        Ok(kib / 1_024.0)
    }

    /// Processor time used so far, seconds.
    fn processor(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok(ticks / 100.0)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_nanos() as u64)
}

/// One line of a container: of the catch-all rule, or of one that is an alert.
fn line(out: &mut String, container: usize, time: u64, rule: Option<&str>, file: usize) {
    let (priority, rule) = rule.map_or(("Debug", "Hanabi catch-all"), |rule| ("Warning", rule));
    _ = writeln!(
        out,
        "{{\"hostname\":\"load\",\"priority\":\"{priority}\",\"rule\":\"{rule}\",\"source\":\"syscall\",\
         \"output_fields\":{{\"container.id\":\"{container:012x}\",\"container.name\":\"c{container}\",\
         \"container.image.repository\":\"load/app\",\"container.image.tag\":\"1\",\
         \"evt.type\":\"openat\",\"evt.dir\":\"<\",\"evt.num\":{time},\"evt.time\":{time},\
         \"evt.args\":\"fd=3(<f>/srv/{file}) dirfd=-100(AT_FDCWD) name=/srv/{file} flags=1(O_RDONLY)\",\
         \"fd.name\":\"/srv/{file}\",\"fd.num\":3,\"proc.name\":\"app\",\"proc.pid\":7,\
         \"proc.exepath\":\"/srv/app\",\"proc.cmdline\":\"app --serve\",\"user.uid\":1000}}}}"
    );
}

/// Gives every container behaviour and alerts, and waits until all of it is stored.
fn fill(service: &Service) -> Result<usize, Failure> {
    let mut sent = 0;
    let start = now() - 600 * 1_000_000_000;
    for round in 0..RULES + 5 {
        for chunk in 0..CONTAINERS / 250 {
            let mut lines = String::new();
            for container in chunk * 250..(chunk + 1) * 250 {
                let time = start + (round * 10_000 + container) as u64 * 1_000_000;
                for file in 0..4 {
                    line(&mut lines, container, time + file as u64 * 1_000, None, file);
                }
                if round >= 5 {
                    let rule = format!("Load rule {round}");
                    line(&mut lines, container, time + 10_000, Some(&rule), round);
                    sent += 1;
                }
                sent += 4;
            }
            service.send(&lines)?;
        }
    }
    let began = Instant::now();
    while service.metric("hanabi_ingest_lines_pending")? > 0.0 && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(200));
    }
    // A checkpoint is written every five seconds.
    std::thread::sleep(Duration::from_secs(7));
    Ok(sent)
}

/// `wrk` on each read; its latencies are of all requests at this load.
fn reads(service: &Service, out: &mut impl std::io::Write) -> Result<(), Failure> {
    if Command::new("wrk").arg("--version").output().is_err() {
        writeln!(out, "reads: left out, since wrk is missing")?;
        return Ok(());
    }
    let (_, list) = service.ask("GET /api/alerts?limit=1", "")?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let id = list["alerts"][0]["id"].as_str().ok_or("no alert in the store")?;
    writeln!(out, "{:<44} {:>9} {:>9} {:>9} {:>7}", "read", "per s", "p50", "p95", "bar p95")?;
    for (path, bar) in [
        ("/healthz".to_owned(), "-"),
        ("/api/overview".to_owned(), "2 ms"),
        ("/api/hbt/load:c1?depth=3".to_owned(), "2 ms"),
        ("/api/containers/c1".to_owned(), "20 ms"),
        ("/api/containers?limit=100".to_owned(), "20 ms"),
        ("/api/containers/c1/logs?limit=100".to_owned(), "20 ms"),
        ("/api/containers/c1/alerts".to_owned(), "20 ms"),
        (format!("/api/alerts/{id}"), "20 ms"),
        ("/api/alerts?limit=100".to_owned(), "20 ms"),
        ("/api/alerts?limit=100&priority=Warning&q=rule".to_owned(), "20 ms"),
        ("/api/incidents?limit=100".to_owned(), "20 ms"),
    ] {
        let before = (service.processor()?, Instant::now());
        let output = Command::new("wrk")
            .args(["-t1", "-c16", "-d", READING, "-s", "scripts/load.lua"])
            .arg(format!("http://{}{path}", service.address))
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(f64::NAN, |rest| rest.trim().parse().unwrap_or(f64::NAN))
        };
        let share = (service.processor()? - before.0) / before.1.elapsed().as_secs_f64();
        writeln!(
            out,
            "{:<44} {:>9.0} {:>6.2} ms {:>6.2} ms {bar:>7}   {share:.2} cores, {} errors",
            path.split(id).next().unwrap_or_default(),
            figure("rate"),
            figure("p50"),
            figure("p95"),
            figure("errors"),
        )?;
    }
    Ok(())
}

/// What the clients count together.
#[derive(Default)]
struct Heard {
    bytes: AtomicU64,
    messages: AtomicU64,
    lagged: AtomicU64,
    open: AtomicU64,
    ended: AtomicBool,
    /// When each alert came to a client, by its rule.
    alerts: Mutex<HashMap<String, Vec<Instant>>>,
}

async fn streams(service: &Service, out: &mut impl std::io::Write) -> Result<(), Failure> {
    let heard = Arc::new(Heard::default());
    let before = service.memory()?;
    for n in 0..SINGLE {
        let path = format!("/api/stream/c{n}");
        tokio::spawn(client(service.address, path, Arc::clone(&heard), false));
        if n % 200 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    for _ in 0..WHOLE {
        tokio::spawn(client(service.address, "/api/stream".into(), Arc::clone(&heard), true));
    }
    let mut stuck = Vec::new();
    for _ in 0..STUCK {
        let mut stream = tokio::net::TcpStream::connect(service.address).await?;
        stream.write_all(b"GET /api/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        stuck.push(stream);
    }
    let all = (SINGLE + WHOLE) as u64;
    let began = Instant::now();
    while heard.open.load(Ordering::Relaxed) < all && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let opened = service.memory()?;
    let (used, began) = (service.processor()?, Instant::now());
    let mut sent: HashMap<String, Instant> = HashMap::new();
    let (mut memory, mut n) = (Vec::new(), 0);
    while began.elapsed() < STREAMING {
        let mut lines = String::new();
        for _ in 0..EVENTS_A_SECOND / 20 {
            line(&mut lines, n % CONTAINERS, now(), None, n % 4);
            n += 1;
        }
        // Two alerts a second, each of a rule of its own.
        if n % (EVENTS_A_SECOND / 2) == 0 {
            let rule = format!("Latency {n}");
            line(&mut lines, n % CONTAINERS, now(), Some(&rule), 0);
            sent.insert(rule, Instant::now());
        }
        service.send(&lines)?;
        if n % (EVENTS_A_SECOND * 3) == 0 {
            memory.push(service.memory()?);
        }
        let due = began + Duration::from_secs_f64(n as f64 / EVENTS_A_SECOND as f64);
        tokio::time::sleep_until(due.into()).await;
    }
    let share = (service.processor()? - used) / began.elapsed().as_secs_f64();
    tokio::time::sleep(Duration::from_secs(2)).await;
    heard.ended.store(true, Ordering::Relaxed);
    report(out, &heard, &sent, (before, opened, &memory), (n, began.elapsed(), share))?;
    writeln!(
        out,
        "  lagged, as the service counts   {}",
        service.metric("hanabi_sse_lagged_total")?
    )?;
    drop(stuck);
    Ok(())
}

fn report(
    out: &mut impl std::io::Write,
    heard: &Heard,
    sent: &HashMap<String, Instant>,
    (before, opened, memory): (f64, f64, &[f64]),
    (events, took, share): (usize, Duration, f64),
) -> Result<(), Failure> {
    let came = heard.alerts.lock().map_err(|_| "a client failed")?;
    let mut late: Vec<f64> = sent
        .iter()
        .flat_map(|(rule, at)| came.get(rule).into_iter().flatten().map(move |come| *come - *at))
        .map(|late| late.as_secs_f64() * 1e3)
        .collect();
    late.sort_by(f64::total_cmp);
    let at = |part: f64| late.get((late.len() as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    let rate = events as f64 / took.as_secs_f64();
    writeln!(
        out,
        "streams: {SINGLE} clients on one container each, {WHOLE} on everything, {STUCK} stuck"
    )?;
    writeln!(out, "  events                          {rate:.0} a second, {share:.2} cores")?;
    writeln!(out, "  clients open                    {}", heard.open.load(Ordering::Relaxed))?;
    writeln!(
        out,
        "  messages, bytes                 {}, {} MiB; clients told of a lag {}",
        heard.messages.load(Ordering::Relaxed),
        heard.bytes.load(Ordering::Relaxed) >> 20,
        heard.lagged.load(Ordering::Relaxed),
    )?;
    writeln!(
        out,
        "  memory MiB                      {before:.0} before, {opened:.0} opened, then {memory:.0?}"
    )?;
    writeln!(
        out,
        "  alert, from sent to client      p50 {:.1} ms, p99 {:.1} ms, worst {:.1} ms (bar: p99 100 ms)",
        at(0.5),
        at(0.99),
        late.last().copied().unwrap_or(f64::NAN),
    )?;
    writeln!(out, "  alerts that came                {} of {}", late.len(), sent.len() * WHOLE)?;
    Ok(())
}

/// Reads a stream to the end of the measurement; one that sees everything looks for alerts.
async fn client(address: SocketAddr, path: String, heard: Arc<Heard>, looks: bool) {
    let Ok(mut stream) = tokio::net::TcpStream::connect(address).await else { return };
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    if stream.write_all(request.as_bytes()).await.is_err() {
        return;
    }
    let mut buffer = vec![0; if looks { 64 << 10 } else { 4 << 10 }];
    let mut opened = false;
    while !heard.ended.load(Ordering::Relaxed) {
        let Ok(read) = stream.read(&mut buffer).await else { break };
        if read == 0 {
            break;
        }
        if !std::mem::replace(&mut opened, true) {
            heard.open.fetch_add(1, Ordering::Relaxed);
        }
        heard.bytes.fetch_add(read as u64, Ordering::Relaxed);
        let text = &buffer[..read];
        let messages = memchr::memmem::find_iter(text, b"data: ").count();
        heard.messages.fetch_add(messages as u64, Ordering::Relaxed);
        let lagged = memchr::memmem::find_iter(text, b"\"lagged\"").count();
        heard.lagged.fetch_add(lagged as u64, Ordering::Relaxed);
        if looks {
            note_alerts(text, &heard);
        }
    }
}

fn note_alerts(text: &[u8], heard: &Heard) {
    let came = Instant::now();
    for at in memchr::memmem::find_iter(text, b"\"rule\":\"Latency ") {
        let name = &text[at + 8..];
        let Some(end) = memchr::memchr(b'"', name) else { continue };
        let rule = String::from_utf8_lossy(&name[..end]).into_owned();
        if let Ok(mut alerts) = heard.alerts.lock() {
            alerts.entry(rule).or_default().push(came);
        }
    }
}
