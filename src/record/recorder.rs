//! One stream's recording: takes frames, decides which file they go into, keeps going whatever happens.
//!
//! [`run`] is the whole of a recording thread. [`Recorder`] itself never waits and starts nothing, so tests
//! drive it frame by frame. What can go wrong ends the file, never the recording: the disk (tried again every
//! few seconds), the encoder (the JPEGs are kept as they came for a minute), a picture that can't be decoded
//! (left out and counted), a panic (a new file a few seconds later). Every frame that is in no file is
//! counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::{error, info, warn};

use super::coder::{self, Trouble};
use super::cut::Cutter;
use super::film::{End, Film, Plan, Taken};
use super::overload::{Change, Load, Overload};
use super::sidecar::{Sidecar, Why};
use super::status::{Recording, State, View};
use super::{Codec, House, Recorders, Settings, disk};
use crate::base::clock::Monotonic;
use crate::base::queue::{Received, Receiver};
use crate::streams::Frame;

/// Records what arrives until the stream ends or recording is switched off, then closes the file.
pub(super) fn run(house: &Arc<House>, recording: &Arc<Recording>, frames: &Receiver<Arc<Frame>>) {
    let mut recorder = Recorder::new(Arc::clone(house), Arc::clone(recording));
    loop {
        let received = frames.receive(recorder.patience());
        let queued = frames.depth();
        recording.set_queued(queued);
        let last_wanted = recording.last_wanted();
        match received {
            Received::Item(frame) => {
                let beyond = last_wanted.is_some_and(|last| frame.sequence > last);
                let done = last_wanted.is_some_and(|last| frame.sequence >= last);
                if !beyond {
                    recorder.guarded(1, |recorder| recorder.take(&frame, queued));
                }
                if done {
                    return recorder.close(Why::Disabled);
                }
            }
            Received::Empty if last_wanted.is_some() => return recorder.close(Why::Disabled),
            Received::Empty => recorder.guarded(0, Recorder::idle),
            Received::Closed => {
                let ending = house.tasks.stopping().is_cancelled();
                return recorder.close(if ending { Why::Shutdown } else { Why::Stopped });
            }
        }
    }
}

pub(super) struct Recorder {
    house: Arc<House>,
    recording: Arc<Recording>,
    film: Option<Film>,
    cutter: Cutter,
    overload: Overload,
    /// Nothing is tried before then.
    pause: Option<Monotonic>,
    /// Frames refused by the queue that have been counted as lost.
    dropped: u64,
    /// Frames in no file since the last file ended.
    lost: u64,
    /// Sidecars that could not be completed because the disk was full.
    owed: Vec<(PathBuf, Sidecar)>,
}

impl Recorder {
    const TOO_SLOW: &str = "the encoder can't keep up";
    /// Between two attempts to write.
    const PAUSE: Duration = Duration::from_secs(3);
    /// Longest wait for a frame: within this time a stop is noticed.
    const IDLE: Duration = Duration::from_millis(500);
    /// Sidecars kept until the disk takes them; beyond that `recover` completes them at the next start.
    const OWED: usize = 16;

    pub(super) fn new(house: Arc<House>, recording: Arc<Recording>) -> Self {
        Self {
            house,
            recording,
            film: None,
            cutter: Cutter::default(),
            overload: Overload::new(Recorders::TAP),
            pause: None,
            dropped: 0,
            lost: 0,
            owed: Vec::new(),
        }
    }

    /// How long nothing has to be done if no frame comes.
    pub(super) fn patience(&self) -> Duration {
        let due = self.film.as_ref().and_then(|film| film.due_in(self.house.clock.now()));
        due.unwrap_or(Self::IDLE).min(Self::IDLE)
    }

    /// Takes the next frame; `queued` frames and bytes wait behind it.
    pub(super) fn take(&mut self, frame: &Arc<Frame>, (frames, bytes): (usize, usize)) {
        self.count_dropped();
        let now = self.house.clock.now();
        if self.pause.is_some_and(|until| now < until) {
            return self.lose(1);
        }
        let settings = self.house.settings.load_full();
        self.balance(now, Load { frames, bytes, late: now.since(frame.at) }, frame, &settings);
        if let Some(film) = &self.film {
            let shape = coder::shape(film.codec(), &frame.header);
            if let Some(why) = self.cutter.cut_before(frame.at, frame.media_time, shape) {
                self.end_film(End::Before(frame.at), why);
            }
        }
        // A second time, when the encoder fails: then without it.
        for _ in 0..2 {
            match self.write(frame, &settings) {
                Ok(()) => return,
                Err(Trouble::Encoder(reason))
                    if self.film.as_ref().is_none_or(|f| f.codec() != Codec::Mjpeg) =>
                {
                    warn!(stream = %self.recording.name, reason, "the encoder failed; keeping JPEGs instead");
                    self.fall_back(now, format!("the encoder failed: {reason}"), Why::Failed, frame.at);
                }
                Err(Trouble::Encoder(reason)) => {
                    self.lose(1);
                    return self.stall(Why::Failed, reason);
                }
                Err(Trouble::Disk(e)) => {
                    self.lose(1);
                    return self.disk_failed(&e, &settings);
                }
            }
        }
        self.lose(1);
    }

    /// Nothing has come for a while: what is pending is written.
    pub(super) fn idle(&mut self) {
        let now = self.house.clock.now();
        let Some(film) = &mut self.film else { return };
        match film.flush_if_due(now) {
            Ok(true) => self.flushed(),
            Ok(false) => {}
            Err(e) => {
                let settings = self.house.settings.load_full();
                self.disk_failed(&e, &settings);
            }
        }
    }

    /// Closes the file, if there is one, and gives up.
    pub(super) fn close(mut self, why: Why) {
        self.count_dropped();
        self.guarded(0, |recorder| recorder.end_film(End::Last, why));
        self.guarded(0, Self::pay);
    }

    /// Runs `work` on as many `frames`; a panic in it ends the file at its last whole fragment.
    pub(super) fn guarded(&mut self, frames: u64, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_ok() {
            return;
        }
        self.house.totals.panics.add(1);
        error!(stream = %self.recording.name, "the recorder panicked; going on in a new file");
        self.lose(frames);
        // Its state may be broken: the file is finished from what is on the disk, as after a crash.
        if let Some(film) = self.film.take() {
            self.lose(film.abandon());
        }
        self.stall(Why::Failed, "the recorder failed; see the log".to_owned());
    }

    /// Changes between the encoder and plain JPEGs as the load demands.
    fn balance(&mut self, now: Monotonic, load: Load, frame: &Frame, settings: &Settings) {
        if settings.codec == Codec::Mjpeg && !self.overload.fallen_back() {
            return;
        }
        match self.overload.observe(now, load, &self.house.turns) {
            None => {}
            Some(Change::FallBack) => {
                warn!(stream = %self.recording.name, ?load, "the encoder can't keep up; keeping JPEGs instead");
                self.fall_back(now, Self::TOO_SLOW.to_owned(), Why::Overload, frame.at);
            }
            Some(Change::Return) => {
                info!(stream = %self.recording.name, codec = %settings.codec, "trying the encoder again");
                self.end_film(End::Before(frame.at), Why::Retry);
                let mut view = self.recording.view();
                (view.state, view.reason) = (State::Recording, None);
            }
        }
    }

    fn fall_back(&mut self, now: Monotonic, reason: String, why: Why, before: Monotonic) {
        self.overload.fall_back(now);
        self.house.totals.fallbacks.add(1);
        self.end_film(End::Before(before), why);
        let mut view = self.recording.view();
        (view.state, view.reason) = (State::FallbackMjpeg, Some(reason));
    }

    fn write(&mut self, frame: &Arc<Frame>, settings: &Settings) -> Result<(), Trouble> {
        if self.film.is_none() {
            self.begin(frame, settings)?;
        }
        let started = self.house.clock.now();
        let film = self.film.as_mut().expect("it has just begun");
        let Taken { decoded, flushed } = film.take(frame)?;
        self.house.totals.coded(self.house.clock.now().since(started));
        if !decoded {
            self.house.totals.undecodable.add(1);
            self.lose(1);
        }
        if flushed {
            self.flushed();
        }
        Ok(())
    }

    fn begin(&mut self, frame: &Frame, settings: &Settings) -> Result<(), Trouble> {
        if self.house.disk.free(&settings.folder).map_err(Trouble::Disk)? < settings.min_free_bytes {
            return Err(Trouble::Disk(std::io::ErrorKind::StorageFull.into()));
        }
        self.pay();
        let codec = if self.overload.fallen_back() { Codec::Mjpeg } else { settings.codec };
        let plan = Plan { codec, settings, disk: &self.house.disk, recording: &self.recording };
        let film = Film::begin(&plan, frame)?;
        self.cutter.began(frame.at, frame.media_time, film.shape(), settings.max_file);
        self.house.totals.files.add(1);
        let mut view = self.recording.view();
        if view.state == State::Waiting {
            info!(stream = %self.recording.name, "recording again");
            (view.state, view.reason) = (State::Recording, None);
            if self.overload.fallen_back() {
                (view.state, view.reason) = (State::FallbackMjpeg, Some(Self::TOO_SLOW.to_owned()));
            }
        }
        view.file = Some(film.progress());
        drop(view);
        info!(stream = %self.recording.name, file = film.progress().name.mp4(), codec = %codec, "recording begun");
        self.film = Some(film);
        Ok(())
    }

    /// A fragment has been written: says so, and looks whether there is room for more.
    fn flushed(&mut self) {
        let Some(film) = &mut self.film else { return };
        film.count(&self.house.totals);
        self.recording.view().file = Some(film.progress());
        let settings = self.house.settings.load_full();
        // A disk that can't say what is free may still take fragments; if not, writing says so.
        let free = self.house.disk.free(film.path()).unwrap_or(u64::MAX);
        if free < settings.min_free_bytes {
            self.house.make_room();
        }
        if free < settings.min_free_bytes / 2 {
            self.disk_failed(&std::io::ErrorKind::StorageFull.into(), &settings);
        }
    }

    fn end_film(&mut self, end: End, why: Why) {
        let Some(film) = self.film.take() else { return };
        let lost_before = std::mem::take(&mut self.lost);
        let (file, finished) =
            (film.progress().name.mp4(), film.finish(end, why, lost_before, &self.house.totals));
        self.recording.view().file = None;
        self.house.totals.lost.add(finished.lost);
        self.recording.view().lost += finished.lost;
        match finished.trouble {
            _ if finished.removed => {
                self.lost = lost_before + finished.lost;
                info!(stream = %self.recording.name, file, "recording without a frame removed");
            }
            None => {
                let (frames, duration) = (finished.sidecar.total_frames, finished.sidecar.duration_seconds);
                info!(stream = %self.recording.name, file, frames, duration, ?why, "recording finished");
            }
            Some(e) => {
                warn!(stream = %self.recording.name, file, error = %e, "recording not quite finished");
                self.owed.truncate(Self::OWED - 1);
                self.owed.push((finished.json, finished.sidecar));
            }
        }
    }

    /// Completes sidecars that could not be completed.
    fn pay(&mut self) {
        self.owed.retain(|(path, sidecar)| sidecar.write(path).is_err());
    }

    fn disk_failed(&mut self, e: &std::io::Error, settings: &Settings) {
        let full = matches!(e.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let mut reason = disk::in_words(e).to_owned();
        if full {
            self.house.make_room();
            if let Ok(free) = self.house.disk.free(&settings.folder) {
                reason = disk::full_in_words(free, settings.min_free_bytes);
            }
        }
        self.stall(if full { Why::DiskFull } else { Why::DiskError }, reason);
    }

    /// Ends the file and tries again in a while.
    fn stall(&mut self, why: Why, reason: String) {
        self.end_film(End::Last, why);
        self.pause = Some(self.house.clock.now() + Self::PAUSE);
        let before = std::mem::take(&mut *self.recording.view());
        if before.state != State::Waiting {
            warn!(stream = %self.recording.name, reason, "recording waits");
        }
        *self.recording.view() =
            View { state: State::Waiting, reason: Some(reason), file: None, lost: before.lost };
    }

    fn count_dropped(&mut self) {
        let dropped = self.recording.dropped.get();
        self.lose(dropped - self.dropped);
        self.dropped = dropped;
    }

    fn lose(&mut self, frames: u64) {
        if frames > 0 {
            self.lost += frames;
            self.house.totals.lost.add(frames);
            self.recording.view().lost += frames;
        }
    }
}
