//! Streams played in full: every picture and the sound, while somebody shows them.
//!
//! Owns the threads that read and decode, one pair a stream, and what is known of them. `compose` has a [`Lease`] of each stream
//! that layers show, and takes its pictures; `outputs` takes its sound. What can't be read is tried again for as long as there
//! is a lease. Nobody waits for a player.

mod player;
mod reader;
mod timeline;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use media::tape::Decoded;
use tokio::runtime::Handle;

use crate::base::clock::{Clock, Monotonic};
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::streams::Registry;

pub use player::{Player, State, View};

/// What players need.
#[derive(Clone)]
pub struct Parts {
    pub registry: Registry,
    pub clock: Clock,
    pub tasks: Tasks,
    pub runtime: Handle,
}

/// All players. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Players(Arc<Inner>);

struct Inner {
    parts: Parts,
    running: Mutex<BTreeMap<String, Weak<Player>>>,
    totals: Totals,
}

/// Of all players since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Pictures decoded.
    pub decoded: Counter,
    /// Pictures, or parts of them, that were left out because decoding could not keep up.
    pub dropped: Counter,
    /// Pictures that were ready after their time.
    pub late: Counter,
    /// Parts that could not be decoded.
    pub damaged: Counter,
    /// Times a source was opened again.
    pub reconnects: Counter,
}

/// A decoded picture and when it is to be shown.
#[derive(Clone, Debug)]
pub struct Timed {
    pub picture: Arc<Decoded>,
    pub due: Monotonic,
}

/// Samples, and when the first is to be heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub due: Monotonic,
    pub samples: Vec<[f32; 2]>,
}

/// A stream is played as long as there is one.
pub struct Lease {
    pub player: Arc<Player>,
    players: Players,
}

impl Players {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, running: Mutex::default(), totals: Totals::default() }))
    }

    /// Plays a stream; `None` for one that there is no more of than its frames, or when there can be no thread.
    pub fn play(&self, name: &str) -> Option<Lease> {
        let Inner { parts, totals, .. } = &*self.0;
        parts.registry.supplies().get(name)?;
        let player = Player::start(name, parts.clone(), totals.clone())?;
        self.running().insert(name.to_owned(), Arc::downgrade(&player));
        Some(Lease { player, players: self.clone() })
    }

    /// Those that play now, by name.
    pub fn all(&self) -> Vec<Arc<Player>> {
        self.running().values().filter_map(Weak::upgrade).collect()
    }

    /// The newest picture of a stream that is played.
    pub fn newest(&self, name: &str) -> Option<Arc<Decoded>> {
        self.running().get(name).and_then(Weak::upgrade)?.newest()
    }

    pub fn totals(&self) -> &Totals {
        &self.0.totals
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Weak<Player>>> {
        self.0.running.lock().expect("no code that can panic runs under this lock")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.player.stop();
        let this = Arc::as_ptr(&self.player);
        self.players.running().retain(|_, player| !std::ptr::eq(player.as_ptr(), this));
    }
}
