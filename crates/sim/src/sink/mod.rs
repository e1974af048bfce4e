//! An RTMP server that takes what is published, and misbehaves on command: what a destination on the internet can do to us.
//!
//! Called by tests and benches, which own the socket and read what was received. Keeps times and sizes, and as much of the media
//! itself as it is told; never decodes anything.

mod connection;
mod received;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use received::{Picture, Publication, Sound};

/// How the server behaves to all its connections, from the moment it is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Behaviour {
    /// As a server should.
    #[default]
    Proper,
    /// Nobody is there: the port is closed, and every open connection reset.
    Down,
    /// The key is wrong; who publishes already goes on.
    RefusePublish,
    /// Every connection is reset once it has sent so many bytes.
    ResetAfter(u64),
    /// Connections are taken, and then nothing is read or said.
    HalfOpen,
    /// Publishing is agreed to, and then nothing is read.
    StopReading,
    /// Reads so many bytes a second.
    Slow(u64),
}

/// What a server takes and keeps.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The one key it takes; any where `None`.
    pub key: Option<String>,
    /// Bytes of media kept of each publication, as FLV.
    pub keep: usize,
}

/// A server and what it received. Cheap to clone; clones are the same.
#[derive(Clone, Debug)]
pub struct Sink(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    behaviour: watch::Sender<Behaviour>,
    received: Mutex<Vec<Publication>>,
}

/// Publications kept; later ones are served and forgotten.
const MOST_PUBLICATIONS: usize = 1000;

impl Sink {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let behaviour = watch::Sender::new(Behaviour::default());
        Self(Arc::new(Inner { settings, behaviour, received: Mutex::default() }))
    }

    /// Changes how it behaves.
    pub fn behave(&self, behaviour: Behaviour) {
        self.0.behaviour.send_replace(behaviour);
    }

    /// What was published so far, in the order it began.
    #[must_use]
    pub fn received(&self) -> Vec<Publication> {
        self.publications().clone()
    }

    /// The same, looked at in place.
    pub fn with<T>(&self, look: impl FnOnce(&[Publication]) -> T) -> T {
        look(&self.publications())
    }

    fn publications(&self) -> MutexGuard<'_, Vec<Publication>> {
        self.0.received.lock().expect("no code that can panic runs under this lock but a caller's look")
    }

    /// Where a publication that begins now is kept, if it is.
    fn begin(&self, app: String, key: String) -> Option<usize> {
        let mut all = self.publications();
        (all.len() < MOST_PUBLICATIONS).then(|| {
            all.push(Publication::new(app, key, self.0.settings.keep));
            all.len() - 1
        })
    }
}

/// Serves until dropped; connections end with it.
pub async fn serve(listener: TcpListener, sink: Sink) {
    let Ok(address) = listener.local_addr() else { return };
    let mut behaviour = sink.0.behaviour.subscribe();
    let mut listening = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        if *behaviour.borrow_and_update() == Behaviour::Down {
            listening = None;
            connections.shutdown().await;
        } else if listening.is_none() {
            listening = bind(address).await;
        }
        tokio::select! {
            accepted = accept(listening.as_ref()) => {
                if let Some(socket) = accepted {
                    connections.spawn(connection::run(socket, sink.clone()));
                }
            }
            changed = behaviour.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(socket, _)| socket),
        None => std::future::pending().await,
    }
}

/// The same port again; whoever took it meanwhile may have it for a few seconds.
async fn bind(address: SocketAddr) -> Option<TcpListener> {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(address).await {
            return Some(listener);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}
