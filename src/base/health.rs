//! Whether something that the program needs is there: a state with a reason, which ends by itself.

use std::sync::{Mutex, MutexGuard};

use tracing::{info, warn};

use super::clock::{Clock, Wall};

/// Whether it can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Ok,
    Away { since: Wall, reason: String },
}

/// Keeps the state of one thing, and logs when it changes.
#[derive(Debug)]
pub struct Presence {
    clock: Clock,
    /// `store`, `bus`.
    what: &'static str,
    /// `sqlite`, `redis`.
    kind: &'static str,
    health: Mutex<Health>,
}

impl Presence {
    pub fn new(clock: Clock, what: &'static str, kind: &'static str) -> Self {
        Self { clock, what, kind, health: Mutex::new(Health::Ok) }
    }

    pub fn health(&self) -> Health {
        self.lock().clone()
    }

    /// It answers.
    pub fn here(&self) {
        let before = std::mem::replace(&mut *self.lock(), Health::Ok);
        if let Health::Away { since, .. } = before {
            info!(kind = self.kind, %since, "the {} is back", self.what);
        }
    }

    /// It does not answer; an absence that lasts keeps its beginning.
    pub fn away(&self, reason: String) {
        let mut health = self.lock();
        let since = match &*health {
            Health::Ok => {
                warn!(kind = self.kind, reason, "the {} is away", self.what);
                self.clock.wall()
            }
            Health::Away { since, .. } => *since,
        };
        *health = Health::Away { since, reason };
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().expect("no code that can panic runs under this lock")
    }
}
