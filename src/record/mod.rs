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
mod house;
mod keeper;
mod name;
mod overload;
mod recorder;
mod recover;
mod retention;
mod settings;
mod shelf;
mod sidecar;
mod status;
mod timeline;

use std::path::PathBuf;
use std::sync::Arc;

use tracing::{error, warn};

pub use self::keeper::{Report, Rules};
pub use self::recover::Recovered;
pub use self::settings::Settings;
pub use self::shelf::{Entry, Listing};
pub use self::sidecar::Why;
pub use self::status::{Encode, Meters, State, Status};
pub use crate::base::config::{Codec, Preset};

use self::house::{AtWork, House, Known, Slot};
use self::status::Recording;
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{Bound, Full};
use crate::base::tasks::Tasks;
use crate::streams::{Stream, StreamName};

/// All recordings. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Recorders(Arc<House>);

impl Recorders {
    /// Frames and bytes that may wait for one recording: eight seconds at 30 frames a second of ordinary size.
    const TAP: Bound = Bound { items: 256, weight: 16 << 20 };

    pub fn new(settings: Settings, clock: Clock, tasks: Tasks) -> Self {
        Self(Arc::new(House::new(settings, clock, tasks)))
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
        let started = self.0.tasks.thread(&format!("rec-{}", stream.name), house::STACK_BYTES, move || {
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
                && (r.last_wanted().is_some() || r.stream().is_none_or(|stream| stream.ended()))
        };
        let ending: Vec<_> = self.0.known().running.iter().filter(ending).cloned().collect();
        for recording in ending {
            recording.finished().await;
        }
    }

    /// All recordings, newest first. Blocking: reads the folder and every sidecar.
    ///
    /// # Errors
    /// `Unavailable` when the folder can't be read, with what to do about it.
    pub fn list(&self) -> Result<Listing> {
        let root = &self.settings().folder;
        let entries = shelf::list(root, &self.0.writing()).map_err(shelf::unreadable)?;
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
    /// `Unavailable` when the folder can't be read.
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

#[cfg(test)]
mod tests;
