//! Sockets: bound at start or not at all, served until told to stop, at most so many per address.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower::{Service, ServiceExt};
use tracing::{debug, warn};

use super::Api;
use super::error::unasked;
use super::guard;
use super::socket::{self, Socket};
use crate::base::error::{Error, Kind};
use crate::base::rate_log::RateLog;

/// A request's head must be whole in this time.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// A peer that takes no byte, or has vanished, is let go after this.
const STALLED: Duration = Duration::from_secs(60);
/// Open answers get this long to end once the program stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Refused connections that are told why at a time, over each listener; those beyond are closed without a word.
const TOLD_AT_ONCE: usize = 32;
/// How long one that is told may take to hear it and to close, and what is read of it meanwhile.
const TOLD_TIME: Duration = Duration::from_secs(1);
const TOLD_BYTES: u64 = 64 << 10;

/// A bound port and what it serves.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    pub(super) router: Router,
}

/// Connections by address, over all listeners.
#[derive(Clone)]
pub(super) struct Connections(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// Counts as one connection of its address until dropped.
struct Connection {
    all: Connections,
    ip: IpAddr,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    fn admit(&self, ip: IpAddr, most: usize) -> Option<Connection> {
        let mut counts = self.0.lock().expect("no code that can panic runs under this lock");
        let count = counts.entry(ip).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Connection { all: self.clone(), ip })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut counts = self.all.0.lock().expect("no code that can panic runs under this lock");
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

/// Serves until the program stops, then lets open answers end.
pub(super) async fn serve(api: Api, listener: Listener, connections: Connections) {
    let stopping = api.tasks.stopping();
    let (too_many, told) = (RateLog::default(), Arc::new(Semaphore::new(TOLD_AT_ONCE)));
    let most = api.config.limits.connections_per_ip;
    let proxies = &api.config.server.trusted_proxies;
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = stopping.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of descriptors, or a peer that left early: the first ends by itself when others close.
                warn!(error = %e, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let ip = peer.ip().to_canonical();
        let most = if proxies.iter().any(|cidr| cidr.contains(ip)) { usize::MAX } else { most };
        let Some(connection) = connections.admit(ip, most) else {
            api.meters.refused_connections.inc();
            if let Some(more) = too_many.may_log(api.clock.now()) {
                warn!(%ip, more, "too many connections from one address (limits.connections_per_ip)");
            }
            if let Ok(turn) = Arc::clone(&told).try_acquire_owned() {
                api.tasks.spawn("refusal", refuse(stream, most, turn));
            }
            continue;
        };
        if let Err(e) = prepare(&stream) {
            debug!(error = %e, "the connection was gone before it was served");
            continue;
        }
        let (io, socket) = socket::split(stream);
        let service = TowerToHyperService::new(with_peer(listener.router.clone(), peer, socket));
        let http = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let (meters, stopping) = (Arc::clone(&api.meters), stopping.clone());
        api.tasks.spawn("connection", async move {
            meters.connections.inc();
            let mut http = pin!(http);
            let served = tokio::select! {
                served = http.as_mut() => served,
                () = stopping.cancelled() => {
                    http.as_mut().graceful_shutdown();
                    timeout(FAREWELL, http).await.unwrap_or(Ok(()))
                }
            };
            if let Err(e) = served {
                debug!(error = %e, %ip, "connection ended");
            }
            meters.connections.dec();
            drop(connection);
        });
    }
}

/// Says why the connection is refused and closes it. What it asks is read within bounds and thrown away: closing
/// with bytes unread would take the answer back.
async fn refuse(mut stream: TcpStream, most: usize, _turn: OwnedSemaphorePermit) {
    let detail = format!(
        "{most} connections from one address are open, and no more are allowed (limits.connections_per_ip)"
    );
    let refusal = Error::new(Kind::RateLimited, detail).retry_after(Duration::from_secs(1));
    let answer = unasked(&refusal, &guard::new_id());
    let tell = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(TOLD_BYTES), &mut tokio::io::sink()).await
    };
    // It may have gone, or take its time: refused it is either way.
    let _ = timeout(TOLD_TIME, tell).await;
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(STALLED))?;
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(Duration::from_secs(30))
            .with_interval(Duration::from_secs(10))
            .with_retries(3),
    )
}

/// The router, with the peer's address and its socket in every request.
fn with_peer(
    router: Router,
    peer: SocketAddr,
    socket: Socket,
) -> impl Service<
    hyper::Request<hyper::body::Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone
+ Send {
    router.map_request(move |request: hyper::Request<hyper::body::Incoming>| -> Request {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(socket.clone());
        request
    })
}
