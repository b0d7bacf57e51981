//! Connections: accepted up to a limit, read with a timeout, ended in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};
use tower::ServiceExt as _;

use crate::app::App;
use crate::auth::Certificate;
use crate::middleware::Peer;

/// What hyper may hold of one connection, each way; also the bound of a request head. A thousand
/// clients that do not read hold 64 MiB.
const CONNECTION_BUFFER: usize = 64 << 10;
/// How long open requests may take when the service ends.
const DRAIN: Duration = Duration::from_secs(5);
/// What a connection past the limit is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 5\r\nconnection: close\r\n\r\n";

/// Which routes are answered at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// All.
    All,
    /// All but those for machines.
    People,
    /// What machines send and scrape, and whether the service is well.
    Machines,
}

impl Door {
    /// True when a path is answered there.
    pub(crate) fn has(self, path: &str) -> bool {
        let machines = path.starts_with("/ingest/") || matches!(path, "/metrics" | "/api/v1/write");
        let health = matches!(path, "/healthz" | "/livez" | "/readyz");
        match self {
            Self::All => true,
            Self::People => !machines,
            Self::Machines => machines || health,
        }
    }
}

/// Answers requests on a listener until `shutdown` resolves; then ends streams, gives open requests
/// a few seconds, and returns.
pub async fn serve(listener: TcpListener, app: App, shutdown: impl Future<Output = ()>) {
    serve_at(vec![(listener, Door::All)], app, shutdown).await;
}

/// The same on several listeners, which share the bound of connections.
pub async fn serve_at(
    listeners: Vec<(TcpListener, Door)>,
    app: App,
    shutdown: impl Future<Output = ()>,
) {
    let hub = app.hub().clone();
    let batcher = tokio::spawn({
        let hub = hub.clone();
        async move { hub.run().await }
    });
    let refusals = tokio::spawn({
        let state = app.state().clone();
        async move { state.parts.security.refusals.run(&state.parts.store).await }
    });
    let (stop, stopped) = watch::channel(());
    let connections = Arc::new(Semaphore::new(app.limits().connections));
    let mut accepting = JoinSet::new();
    for (listener, door) in listeners {
        let (app, connections) = (app.clone(), connections.clone());
        accepting.spawn(listen(listener, door, app, connections, stopped.clone()));
    }
    shutdown.await;
    hub.close();
    drop(stop);
    while accepting.join_next().await.is_some() {}
    let all = app.limits().connections as u32;
    if tokio::time::timeout(DRAIN, connections.acquire_many(all)).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
    app.state().parts.security.refusals.close();
    if refusals.await.is_err() {
        tracing::error!("what was refused could not be noted down");
    }
    if batcher.await.is_err() {
        tracing::error!("the stream's batcher has failed");
    }
}

/// Accepts connections until the end of the service.
async fn listen(
    listener: TcpListener,
    door: Door,
    app: App,
    connections: Arc<Semaphore>,
    stopped: watch::Receiver<()>,
) {
    let mut ended = stopped.clone();
    let address = listener.local_addr().map_or(app.state().parts.listen, |address| address);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // The sender is only ever dropped, so any answer here means the end of the service.
            _ = ended.changed() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let peer = Peer { address: peer.ip().to_canonical(), door, listen: address.ip() };
                accept(stream, peer, &app, &connections, &stopped);
            }
            Err(error) => {
                // Out of descriptors: the others must finish first, and a tight loop helps nobody.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn accept(
    stream: TcpStream,
    peer: Peer,
    app: &App,
    connections: &Arc<Semaphore>,
    stopped: &watch::Receiver<()>,
) {
    let counters = app.counters();
    let Ok(permit) = connections.clone().try_acquire_owned() else {
        counters.connections_refused.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = stream.try_write(FULL) {
            tracing::debug!(%error, "a refused client had already left");
        }
        return;
    };
    counters.connections.fetch_add(1, Ordering::Relaxed);
    let app = app.clone();
    let stopped = stopped.clone();
    let slot = Slot(Arc::new(Counted { _permit: permit, app: app.clone() }));
    tokio::spawn(async move {
        connection(stream, (peer, slot), &app, stopped).await;
    });
}

/// A connection's place among those that may be open. Whoever takes the connection over (a
/// WebSocket) keeps it.
#[derive(Clone)]
pub(crate) struct Slot(#[expect(dead_code, reason = "it is held, not read")] Arc<Counted>);

struct Counted {
    _permit: OwnedSemaphorePermit,
    app: App,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.app.counters().connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn connection(
    stream: TcpStream,
    (peer, slot): (Peer, Slot),
    app: &App,
    mut stopped: watch::Receiver<()>,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch Nagle's algorithm off");
    }
    let Some(tls) = &app.state().parts.security.tls else {
        return answer(stream, (peer, slot), None, app, stopped).await;
    };
    let shaking = tls.acceptor().accept(stream);
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(app.limits().head_time, shaking) => shaken,
        _ = stopped.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let certificate = tls.certificate(stream.get_ref().1.peer_certificates());
            answer(stream, (peer, slot), certificate, app, stopped).await;
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, peer = %peer.address, "a client does not speak TLS with us");
        }
        Err(_) => tracing::debug!(peer = %peer.address, "a client began TLS and did not go on"),
    }
}

/// Answers the requests of one connection.
async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    (peer, slot): (Peer, Slot),
    certificate: Option<Certificate>,
    app: &App,
    mut stopped: watch::Receiver<()>,
) {
    let router = app.router();
    let service = TowerToHyperService::new(tower::service_fn(
        move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(slot.clone());
            if let Some(certificate) = certificate.clone() {
                request.extensions_mut().insert(certificate);
            }
            let router = router.clone();
            async move {
                Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|e| match e {}))
            }
        },
    ));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.limits().head_time)
        .max_buf_size(CONNECTION_BUFFER)
        .serve_connection(TokioIo::new(StallGuard::new(stream, app.limits().stall_time)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        // The sender is only ever dropped, so any answer here means the end of the service.
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A stream whose writes fail when the other side takes nothing for too long.
struct StallGuard<S> {
    stream: S,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> StallGuard<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, stalled: None }
    }

    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| {
            Box::pin(tokio::time::sleep_until(Instant::now() + self.patience))
        });
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for StallGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for StallGuard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, buffers);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
