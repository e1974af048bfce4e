//! One pull stream: what is wanted of it, how it is doing, what is kept of it.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;

use super::definition::Definition;
use super::frames::{Kept, Ring};
use super::schedule::Key;
use super::tally::Outcome;
use crate::base::clock::{Monotonic, Wall};
use crate::reading::Memory;
use crate::sources::{Failure, Puller};
use crate::streams::Stream;

/// What a pull stream is doing, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing has been tried yet.
    Pending,
    Online,
    Offline,
    Ad,
    Error,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Ad => "ad",
            Self::Error => "error",
        }
    }
}

pub(super) struct Pull {
    /// Where its viewers are.
    pub(super) stream: Arc<Stream>,
    inner: Mutex<Inner>,
    /// What packs remember of its pictures.
    pub(super) memory: Memory,
    /// Held by the capture under way.
    pub(super) puller: tokio::sync::Mutex<Option<Kit>>,
}

/// What fetches, and what it was made for.
pub(super) struct Kit {
    pub(super) puller: Puller,
    pub(super) generation: u64,
}

/// Locked for microseconds.
pub(super) struct Inner {
    pub(super) key: Key,
    pub(super) definition: Arc<Definition>,
    /// Rises when what fetches must be made anew.
    pub(super) generation: u64,
    pub(super) figures: Figures,
    pub(super) ring: Ring,
    /// The newest picture that viewers were shown.
    pub(super) shown: Option<Arc<Kept>>,
    /// It was removed: what a capture under way brings is thrown away.
    pub(super) gone: bool,
}

/// How captures went so far.
#[derive(Clone, Debug)]
pub struct Figures {
    pub state: State,
    pub captures: u64,
    pub successful: u64,
    /// Pictures that a pack accepted.
    pub matches: u64,
    pub errors: u64,
    pub consecutive_errors: u64,
    /// Why the last capture that was no success was none.
    pub last_error: Option<String>,
    pub last_capture: Option<Wall>,
    pub last_success: Option<Monotonic>,
    /// Pixels of the last picture.
    pub size: Option<(u32, u32)>,
}

impl Pull {
    pub(super) fn new(stream: Arc<Stream>, key: Key, definition: Definition, ring: Ring) -> Arc<Self> {
        let figures = Figures {
            state: State::Pending,
            captures: 0,
            successful: 0,
            matches: 0,
            errors: 0,
            consecutive_errors: 0,
            last_error: None,
            last_capture: None,
            last_success: None,
            size: None,
        };
        let definition = Arc::new(definition);
        let inner = Inner { key, definition, generation: 0, figures, ring, shown: None, gone: false };
        let (inner, memory) = (Mutex::new(inner), Memory::default());
        Arc::new(Self { stream, inner, memory, puller: tokio::sync::Mutex::new(None) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code that can panic runs under this lock")
    }
}

impl Inner {
    /// What comes of a capture; whether the stream came or went by it.
    pub(super) fn count(&mut self, outcome: Outcome, failure: Option<&Failure>, now: Wall) -> Option<Turn> {
        let figures = &mut self.figures;
        let before = figures.state;
        figures.captures += 1;
        figures.last_capture = Some(now);
        match outcome {
            Outcome::Captured => {
                figures.state = State::Online;
                figures.successful += 1;
                figures.consecutive_errors = 0;
                figures.last_error = None;
            }
            // What was there is still there.
            Outcome::Unchanged => {}
            Outcome::Offline => figures.state = State::Offline,
            Outcome::Ad => figures.state = State::Ad,
            Outcome::Failed(_) => {
                figures.state = State::Error;
                figures.errors += 1;
                figures.consecutive_errors += 1;
            }
        }
        if let Some(failure) = failure.filter(|_| outcome != Outcome::Unchanged) {
            figures.last_error = Some(failure.reason.clone());
        }
        let live = |state| matches!(state, State::Online | State::Ad);
        match (live(before), live(figures.state)) {
            (false, true) => Some(Turn::Online),
            (true, false) => Some(Turn::Offline),
            _ => None,
        }
    }
}

/// A stream's source came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Online,
    Offline,
}
