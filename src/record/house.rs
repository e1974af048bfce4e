//! What recordings share, and who is recorded.
//!
//! The one lock in here is held to look at lists, never while anything is coded, written or deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use arc_swap::ArcSwap;
use tracing::warn;

use super::Settings;
use super::disk::Disk;
use super::keeper::{self, Report, Rounds, Rules};
use super::overload::Turns;
use super::status::{Progress, Recording, Totals};
use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::base::tasks::Tasks;
use crate::streams::{Stream, StreamName};

/// x264 takes about 100 KB of it; untouched pages cost nothing.
pub(super) const STACK_BYTES: usize = 1 << 20;

/// What recordings share.
pub(super) struct House {
    pub(super) settings: ArcSwap<Settings>,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) disk: Disk,
    pub(super) totals: Totals,
    pub(super) turns: Turns,
    pub(super) rounds: Rounds,
    pub(super) known: Mutex<Known>,
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) streams: HashMap<StreamName, Slot>,
    /// Recordings whose thread has not ended.
    pub(super) running: Vec<Arc<Recording>>,
}

/// A stream that may be recorded.
pub(super) struct Slot {
    pub(super) stream: Weak<Stream>,
    /// What was said about this stream; otherwise the setting holds.
    pub(super) chosen: Option<bool>,
}

impl House {
    pub(super) fn new(settings: Settings, clock: Clock, tasks: Tasks) -> Self {
        Self {
            settings: ArcSwap::from_pointee(settings),
            clock,
            tasks,
            disk: Disk::default(),
            totals: Totals::default(),
            turns: Turns::default(),
            rounds: Rounds::default(),
            known: Mutex::default(),
        }
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no code that can panic runs under this lock")
    }

    /// The files being written.
    pub(super) fn writing(&self) -> Vec<Progress> {
        self.known().running.iter().filter_map(|recording| recording.view().file.clone()).collect()
    }

    pub(super) fn retain(&self, rules: Rules) -> Result<Report> {
        let settings = self.settings.load_full();
        let now = self.clock.wall();
        keeper::retain(&settings.folder, &settings.policy(rules), now, &self.disk, &self.writing())
    }

    /// Makes room, on a thread of its own, unless that was tried a moment ago.
    pub(super) fn make_room(self: &Arc<Self>) {
        if !self.rounds.due(self.clock.now()) {
            return;
        }
        let over = Over(Arc::clone(self));
        let work = move || {
            if let Err(e) = over.0.retain(Rules::Room) {
                warn!(error = %e, "can't make room for recordings");
            }
        };
        if let Err(e) = self.tasks.thread("rec-keeper", STACK_BYTES, work) {
            warn!(error = %e, "can't make room for recordings");
        }
    }
}

/// A run of retention; when dropped, also by a panic, it is over.
struct Over(Arc<House>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.rounds.over();
    }
}

/// A recording whose thread runs; when dropped, also by a panic, it has ended.
pub(super) struct AtWork(pub(super) Arc<House>, pub(super) Arc<Recording>);

impl Drop for AtWork {
    fn drop(&mut self) {
        let Self(house, recording) = self;
        house.known().running.retain(|other| !Arc::ptr_eq(other, recording));
        house.totals.dropped.add(recording.dropped.get());
        recording.finish();
    }
}
