//! The stand-in's HTTP server: connections in, answers from memory out.
//!
//! Called by [`crate::world::serve`]. HTTP/1.1 with kept connections. No lock is held while anything is
//! awaited, and no request encodes: films are made by the library, for all who wait.

mod body;
mod control;
mod hold;
mod media;
mod reply;
mod token;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::world::World;
use body::{Body, Broken};
use reply::Reply;

/// A request's head must be whole in this time.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Serves `world` until dropped; connections end with it.
pub(crate) async fn serve(listener: TcpListener, world: World) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connection(stream, peer, world.clone()));
                }
                // Out of descriptors, or a peer that left early: the first ends by itself when others close.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, _peer: SocketAddr, world: World) {
    let broken: Broken = Arc::new(AtomicBool::new(false));
    // Without it the last packet of each answer would wait for the peer's word.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let socket = Socket { stream, broken: Arc::clone(&broken), world: world.clone() };
    let counters = world.all_counters();
    counters.open.fetch_add(1, Ordering::Relaxed);
    counters.connections.fetch_add(1, Ordering::Relaxed);
    let service = service_fn(|request| answer(request, &world, &broken));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(socket), service);
    // A peer that goes away is none of our business.
    let _ = served.await;
}

async fn answer(
    request: Request<Incoming>,
    world: &World,
    broken: &Broken,
) -> Result<Response<Body>, Infallible> {
    let head = request.method() == Method::HEAD;
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let read = matches!(*request.method(), Method::GET | Method::HEAD);
    let reply = match parts[..] {
        ["gql"] if *request.method() == Method::POST => token::gql(request, world).await,
        ["gql"] => Reply::text(405, "the token endpoint takes POST"),
        ["sim", ref rest @ ..] => control::answer(request, rest, world).await,
        ["api", "channel", "hls", file] if read => token::master(&request, file, world, false),
        ["api", "v2", "channel", "hls", file] if read => token::master(&request, file, world, true),
        ["v1", "playlist", login, file] if read => media::twitch_playlist(&request, login, file, world),
        ["v1", "segment", login, rendition, file] if read => {
            media::segment(&request, login, rendition, file, true, world).await
        }
        ["v1", "key", _] if read => Reply::text(403, "no key for you"),
        ["hls", login, ref rest @ ..] if read => media::plain(&request, login, rest, world).await,
        _ => Reply::text(404, "there is nothing here; GET /sim/channels lists the channels"),
    };
    Ok(reply.into_response(world, broken, head))
}

/// A connection that can end with RST, and is counted.
struct Socket {
    stream: TcpStream,
    broken: Broken,
    world: World,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.world.all_counters().open.fetch_sub(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) {
            // Without it the peer would see a plain end: the fault would be another one, and no harm done.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.broken.load(Ordering::Relaxed) {
            // An orderly end would come before the RST and hide it.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
