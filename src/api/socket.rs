//! A connection's socket: hyper's, until an answer that goes on for long is lent out.
//!
//! Whoever has it lent writes the answer's next bytes itself, in whole chunks; hyper goes on reading, so that it notices when
//! the peer leaves, and ends the answer once it is given back. Made by `listener` for each connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// What hyper reads from and writes to.
pub(super) struct Io(Arc<Shared>);

/// The way to the socket for one who answers a request. Cheap to clone.
#[derive(Clone)]
pub(super) struct Socket(Arc<Shared>);

struct Shared {
    tcp: TcpStream,
    writer: AtomicU8,
    then: Mutex<Option<Then>>,
}

type Then = Box<dyn FnOnce() + Send>;

/// Values of [`Shared::writer`].
const HYPER: u8 = 0;
/// Still hyper, until it has written what it has.
const ASKED: u8 = 1;
const LENT: u8 = 2;

pub(super) fn split(tcp: TcpStream) -> (Io, Socket) {
    let shared = Arc::new(Shared { tcp, writer: AtomicU8::new(HYPER), then: Mutex::default() });
    (Io(Arc::clone(&shared)), Socket(shared))
}

impl Socket {
    /// Calls `then` once hyper has written all it has: from then on the socket is lent. To be called from the body of an
    /// answer, which gives hyper nothing to write until [`Self::give_back`].
    pub(super) fn lend(&self, then: impl FnOnce() + Send + 'static) {
        *self.0.then() = Some(Box::new(then));
        self.0.writer.store(ASKED, Ordering::Release);
    }

    /// Hyper may write again. What was written must have ended with a whole chunk.
    pub(super) fn give_back(&self) {
        self.0.writer.store(HYPER, Ordering::Release);
    }

    /// Nobody wants it lent any more.
    pub(super) fn take_back(&self) {
        drop(self.0.then().take());
    }

    /// Writes as `write` does, which must not wait; `WouldBlock` when there is no room.
    pub(super) fn try_write(&self, write: impl FnOnce(&TcpStream) -> io::Result<usize>) -> io::Result<usize> {
        self.0.tcp.try_io(Interest::WRITABLE, || write(&self.0.tcp))
    }

    /// Resolves when there may be room, or the connection is broken.
    pub(super) async fn writable(&self) {
        // What is wrong, writing tells.
        let _ = self.0.tcp.writable().await;
    }
}

impl Shared {
    fn then(&self) -> MutexGuard<'_, Option<Then>> {
        self.then.lock().expect("no code that can panic runs under this lock")
    }

    /// Writes with `write` as soon as the socket takes anything.
    fn poll_write(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        if self.writer.load(Ordering::Acquire) == LENT {
            return Poll::Ready(Err(io::Error::other("the socket is lent")));
        }
        loop {
            ready!(self.tcp.poll_write_ready(context))?;
            match write(&self.tcp) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.tcp.poll_read_ready(context))?;
            match self.0.tcp.try_read_buf(buffer) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(context, |tcp| tcp.try_write(bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write(context, |tcp| tcp.try_write_vectored(parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Hyper flushes when it has written all it has: the moment to lend the socket.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.writer.load(Ordering::Acquire) == ASKED {
            let then = self.0.then().take();
            self.0.writer.store(LENT, Ordering::Release);
            if let Some(then) = then {
                then();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = socket2::SockRef::from(&self.0.tcp).shutdown(std::net::Shutdown::Write);
        Poll::Ready(done)
    }
}
