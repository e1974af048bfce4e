//! Keeps what is pushed: one thread per recorded stream turns its frames into fragmented MP4 files with true timestamps.
//!
//! Fed by `streams` through a bounded tap per stream, asked by `api` and `cleanup`, connected by `app`. A recording never
//! touches its stream: whatever happens to the disk or the encoder, pushing and viewing go on. Nothing holds a lock while
//! it codes or writes.
//!
//! ```text
//! tap ─► recorder (thread) ─► cut / overload: when a new file begins, as what
//!                          └─► film: one file ─► coder: JPEG → picture → packet
//!                                             └─► disk: fragments, sidecar
//! keeper ─► retention: what must go          recover: what a crash left
//! ```
//!
//! A fragment is written every 500 ms and never synced: the kernel's page cache outlives the process, so `kill -9` loses
//! less than a second. Syncing would cost a disk flush per stream and half second and save only what a power cut takes.
//!
//! Limitations: the time of a frame is when it arrived, not `X-Timestamp`; recordings have no sound.

mod coder;
mod cut;
mod disk;
mod film;
mod fit;
mod keeper;
mod name;
mod overload;
mod recorder;
mod recover;
mod retention;
mod shelf;
mod sidecar;
mod status;
mod timeline;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::{error, warn};

pub use self::keeper::{Report, Rules};
pub use self::recover::Recovered;
pub use self::shelf::{Entry, Listing};
pub use self::sidecar::Why;
pub use self::status::{Encode, Meters, State, Status};
pub use crate::base::config::{Codec, Preset};

use self::disk::Disk;
use self::keeper::Rounds;
use self::overload::Turns;
use self::retention::Policy;
use self::status::{Progress, Recording, Totals};
use crate::base::clock::Clock;
use crate::base::config;
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{Bound, Full};
use crate::base::tasks::Tasks;
use crate::streams::{Stream, StreamName};

/// May be changed while recordings run; they take it up with their next file.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Whether a stream is recorded when nothing else is said about it.
    pub enabled: bool,
    pub folder: PathBuf,
    pub codec: Codec,
    pub preset: Preset,
    /// x264's constant rate factor, 0–51.
    pub quality: u8,
    /// Only written into the sidecar.
    pub target_fps: u32,
    /// Longest time of one file.
    pub max_file: Duration,
    pub max_total_bytes: Option<u64>,
    /// No file is begun with less free than this, and none goes on with less than half of it.
    pub min_free_bytes: u64,
    pub max_stream_bytes: Option<u64>,
    /// How long a recording is kept.
    pub retention: Option<Duration>,
}

impl From<&config::Recording> for Settings {
    fn from(recording: &config::Recording) -> Self {
        Self {
            enabled: recording.enabled,
            folder: recording.folder.clone(),
            codec: recording.codec,
            preset: recording.preset,
            quality: recording.quality,
            target_fps: recording.fps,
            max_file: recording.max_file,
            max_total_bytes: recording.max_total_bytes,
            min_free_bytes: recording.min_free_bytes,
            max_stream_bytes: recording.max_stream_bytes,
            retention: recording.retention,
        }
    }
}

impl Settings {
    fn policy(&self, rules: Rules) -> Policy {
        Policy {
            retention: self.retention.filter(|_| rules == Rules::All),
            max_stream_bytes: self.max_stream_bytes,
            max_total_bytes: self.max_total_bytes,
            min_free_bytes: self.min_free_bytes,
        }
    }
}

/// All recordings. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Recorders(Arc<House>);

/// What recordings share.
struct House {
    settings: ArcSwap<Settings>,
    clock: Clock,
    tasks: Tasks,
    disk: Disk,
    totals: Totals,
    turns: Turns,
    rounds: Rounds,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    streams: HashMap<StreamName, Slot>,
    /// Recordings whose thread has not ended.
    running: Vec<Arc<Recording>>,
}

/// A stream that may be recorded.
struct Slot {
    stream: Weak<Stream>,
    /// What was said about this stream; otherwise the setting holds.
    chosen: Option<bool>,
}

impl Recorders {
    /// Frames and bytes that may wait for one recording: eight seconds at 30 frames a second.
    const TAP: Bound = Bound { items: 256, weight: 64 << 20 };
    /// x264 takes about 100 KB of it; untouched pages cost nothing.
    const STACK_BYTES: usize = 1 << 20;

    pub fn new(settings: Settings, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(House {
            settings: ArcSwap::from_pointee(settings),
            clock,
            tasks,
            disk: Disk::default(),
            totals: Totals::default(),
            turns: Turns::default(),
            rounds: Rounds::default(),
            known: Mutex::default(),
        }))
    }

    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    /// Running recordings take `settings` up with their next file. A change of `enabled` holds at once for every stream
    /// about which nothing else was said.
    pub fn apply(&self, settings: Settings) {
        let enabled = settings.enabled;
        let before = self.0.settings.swap(Arc::new(settings));
        if before.enabled == enabled {
            return;
        }
        let mut known = self.0.known();
        let streams: Vec<_> = known
            .streams
            .values()
            .filter(|slot| slot.chosen.is_none())
            .filter_map(|slot| slot.stream.upgrade())
            .collect();
        for stream in streams {
            if let Err(e) = self.switch(&mut known, &stream, enabled) {
                warn!(stream = %stream.name, error = %e, "can't switch its recording");
            }
        }
    }

    /// Takes note of a new stream and records it from its first frame on, if recording is enabled.
    pub fn attach(&self, stream: &Arc<Stream>) {
        let mut known = self.0.known();
        known.streams.retain(|_, slot| slot.stream.strong_count() > 0);
        known.streams.insert(stream.name.clone(), Slot { stream: Arc::downgrade(stream), chosen: None });
        if self.0.settings.load().enabled
            && let Err(e) = self.switch(&mut known, stream, true)
        {
            error!(stream = %stream.name, error = %e, "it is not recorded");
        }
    }

    /// Switches the recording of one stream, whatever the settings say. Its viewers notice nothing. Switched off, the
    /// file is closed once what was pushed until now is in it: see [`Self::finished`].
    ///
    /// # Errors
    /// `NotFound` when the stream has ended; `Internal` when no thread can be started.
    pub fn set_enabled(&self, stream: &Arc<Stream>, enabled: bool) -> Result<()> {
        let mut known = self.0.known();
        self.switch(&mut known, stream, enabled)?;
        let slot = Slot { stream: Arc::downgrade(stream), chosen: Some(enabled) };
        known.streams.insert(stream.name.clone(), slot);
        Ok(())
    }

    fn switch(&self, known: &mut Known, stream: &Arc<Stream>, on: bool) -> Result<()> {
        let mut recording = known.running.iter().filter(|r| r.is_of(stream) && r.last_wanted().is_none());
        if !on {
            let last = stream.latest().map_or(0, |frame| frame.sequence);
            recording.for_each(|recording| recording.stop_after(last));
            return Ok(());
        }
        if recording.next().is_some() {
            return Ok(());
        }
        drop(recording);
        let recording = Arc::new(Recording::new(stream));
        let frames = stream
            .tap(Self::TAP, Full::DropNewest, recording.dropped.clone())
            .ok_or_else(|| Error::new(Kind::NotFound, format!("stream '{}' has ended", stream.name)))?;
        let (house, on_thread) = (Arc::clone(&self.0), Arc::clone(&recording));
        known.running.push(recording);
        let started = self.0.tasks.thread(&format!("rec-{}", stream.name), Self::STACK_BYTES, move || {
            let at_work = AtWork(house, on_thread);
            recorder::run(&at_work.0, &at_work.1, &frames);
        });
        if started.is_err() {
            known.running.pop();
        }
        started
    }

    /// What is being done about the stream of that name.
    pub fn status(&self, name: &str) -> Status {
        let known = self.0.known();
        let Some(slot) = known.streams.get(name) else { return Status::default() };
        let enabled = slot.chosen.unwrap_or(self.0.settings.load().enabled);
        let stream = slot.stream.upgrade();
        let of_it = |r: &&Arc<Recording>| {
            r.last_wanted().is_none() && stream.as_ref().is_some_and(|stream| r.is_of(stream))
        };
        match known.running.iter().find(of_it) {
            Some(recording) => recording.status(enabled),
            None => Status { enabled, ..Status::default() },
        }
    }

    /// Resolves when every recording of that name that is to end, because its stream has ended or it was switched off,
    /// has closed its file.
    pub async fn finished(&self, name: &str) {
        let ending = |r: &&Arc<Recording>| {
            r.name.as_str() == name
                && (r.last_wanted().is_some() || r.stream().is_none_or(|stream| ended(&stream)))
        };
        let ending: Vec<_> = self.0.known().running.iter().filter(ending).cloned().collect();
        for recording in ending {
            recording.finished().await;
        }
    }

    /// All recordings, newest first. Blocking: reads the folder and every sidecar.
    ///
    /// # Errors
    /// `Internal` when the folder can't be read.
    pub fn list(&self) -> Result<Listing> {
        let root = &self.settings().folder;
        let entries = shelf::list(root, &self.0.writing())
            .map_err(|e| Error::internal("the recordings folder can't be read", e))?;
        let total_bytes = entries.iter().map(|entry| entry.size_bytes).sum();
        Ok(Listing { entries, total_bytes, free_bytes: self.0.disk.free(root).ok() })
    }

    /// Where that video or sidecar lies.
    ///
    /// # Errors
    /// `NotFound` for every name that isn't a recording of that stream.
    pub fn path(&self, stream: &StreamName, file: &str) -> Result<PathBuf> {
        shelf::path(&self.settings().folder, stream, file)
    }

    /// Removes a recording and its sidecar; bytes freed. Blocking.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while it is being written.
    pub fn delete(&self, stream: &StreamName, file: &str) -> Result<u64> {
        shelf::delete(&self.settings().folder, stream, file, &self.0.writing())
    }

    /// Finishes what a crash left unfinished. Blocking; called once, before anything is recorded.
    pub fn recover(&self) -> Recovered {
        recover::all(&self.settings(), &self.0.disk, &self.0.clock, &self.0.writing())
    }

    /// Deletes what may no longer be kept, oldest first, never a file being written. Blocking.
    ///
    /// # Errors
    /// `Internal` when the folder can't be read.
    pub fn retain(&self, rules: Rules) -> Result<Report> {
        self.0.retain(rules)
    }

    pub fn meters(&self) -> Meters {
        let running = self.0.known().running.clone();
        self.0.totals.meters(&running)
    }

    /// What keeps recordings from being what was asked for, in words; `None` when all is well.
    pub fn trouble(&self) -> Option<String> {
        let running = self.0.known().running.clone();
        let mut reasons = running.iter().filter_map(|r| Some((&r.name, r.view().reason.clone()?)));
        let (name, reason) = reasons.next()?;
        Some(match reasons.count() {
            0 => format!("'{name}': {reason}"),
            others => format!("'{name}': {reason}; and {others} more"),
        })
    }
}

impl House {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no code that can panic runs under this lock")
    }

    /// The files being written.
    fn writing(&self) -> Vec<Progress> {
        self.known().running.iter().filter_map(|recording| recording.view().file.clone()).collect()
    }

    fn retain(&self, rules: Rules) -> Result<Report> {
        let settings = self.settings.load_full();
        let now = self.clock.wall();
        keeper::retain(&settings.folder, &settings.policy(rules), now, &self.disk, &self.writing())
    }

    /// Makes room, on a thread of its own, unless that was tried a moment ago.
    fn make_room(self: &Arc<Self>) {
        if !self.rounds.due(self.clock.now()) {
            return;
        }
        let house = Arc::clone(self);
        let work = move || {
            if let Err(e) = house.retain(Rules::Room) {
                warn!(error = %e, "can't make room for recordings");
            }
            house.rounds.over();
        };
        if let Err(e) = self.tasks.thread("rec-keeper", Recorders::STACK_BYTES, work) {
            warn!(error = %e, "can't make room for recordings");
            self.rounds.over();
        }
    }
}

/// A stream that has ended takes no tap.
fn ended(stream: &Stream) -> bool {
    stream
        .tap(Bound { items: 0, weight: 0 }, Full::DropNewest, crate::base::queue::Counter::default())
        .is_none()
}

/// A recording whose thread runs; when dropped, also by a panic, it has ended.
struct AtWork(Arc<House>, Arc<Recording>);

impl Drop for AtWork {
    fn drop(&mut self) {
        let Self(house, recording) = self;
        house.known().running.retain(|other| !Arc::ptr_eq(other, recording));
        house.totals.dropped.add(recording.dropped.get());
        recording.finish();
    }
}

#[cfg(test)]
mod tests;
