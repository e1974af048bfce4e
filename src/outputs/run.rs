//! One output at work: its thread, its queue, and how it is brought to an end.
//!
//! Started and looked after by `desk`. An end is asked for first, and forced when it takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::definition::Definition;
use super::destination::{self, Status};
use super::lane::Lane;
use super::queue::Queue;
use crate::base::clock::Monotonic;
use crate::base::error::Result;
use crate::base::tasks::Tasks;

/// A destination's thread.
pub(super) struct Run {
    pub(super) definition: Arc<Definition>,
    pub(super) queue: Arc<Queue>,
    lane: Arc<Lane>,
    abort: Arc<AtomicBool>,
    done: Arc<AtomicBool>,
    ending: Option<Monotonic>,
}

/// What waits has so long to be sent once it is over.
const GRACE: Duration = Duration::from_secs(3);
/// FFmpeg's muxers and TLS.
const STACK: usize = 1 << 20;

/// Sets the flag when the thread ends, also by a panic.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Run {
    /// Starts `work`, whose queue is attached to its lane.
    pub(super) fn start(tasks: &Tasks, work: destination::Work) -> Result<Self> {
        let run = Self {
            definition: Arc::clone(&work.definition),
            queue: Arc::clone(&work.queue),
            lane: Arc::clone(&work.lane),
            abort: Arc::clone(&work.abort),
            done: Arc::default(),
            ending: None,
        };
        let (done, lane, queue) =
            (Done(Arc::clone(&run.done)), Arc::clone(&work.lane), Arc::clone(&work.queue));
        let name = format!("out-{}", work.definition.id);
        let started = tasks.thread(&name, STACK, move || {
            let _done = done;
            work.run();
        });
        if started.is_err() {
            lane.detach(&queue);
        }
        started.map(|()| run)
    }

    /// Whether it does what `definition` says, and still can.
    pub(super) fn is_of(&self, definition: &Definition) -> bool {
        self.ending.is_none()
            && !self.lane.is_over()
            && self.definition.place == definition.place
            && self.definition.recipe == definition.recipe
    }

    /// Nothing more comes; forced when that was a while ago. Called again and again until it is done.
    pub(super) fn end(&mut self, now: Monotonic) {
        let since = *self.ending.get_or_insert_with(|| {
            self.lane.detach(&self.queue);
            self.queue.end();
            now
        });
        if now.since(since) >= GRACE {
            self.abort.store(true, Ordering::Release);
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.lane.detach(&self.queue);
        self.queue.end();
    }
}

/// What is the same however often a destination is started.
pub(super) struct Slot {
    pub(super) definition: arc_swap::ArcSwap<Definition>,
    pub(super) status: Arc<Status>,
    pub(super) run: std::sync::Mutex<Option<Run>>,
    /// Since when the broadcast was on air that was announced.
    pub(super) announced: std::sync::Mutex<Option<String>>,
}
