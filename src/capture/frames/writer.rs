//! The thread that writes kept pictures to disk and takes old ones away.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracing::warn;

use super::{Kept, MAX_AGE, Shot, Work, file};
use crate::base::clock::{Clock, MediaTime, Monotonic};
use crate::base::error::Result;
use crate::base::queue::{Counter, Received, Receiver};
use crate::base::rate_log::RateLog;
use crate::base::tasks::Tasks;

/// How much there is, and what keeps it from being more.
#[derive(Debug)]
pub(in crate::capture) struct Room {
    max_bytes: u64,
    used: AtomicU64,
    pub(in crate::capture) written: Counter,
    /// Pictures that were not written: the disk failed, or was too slow.
    pub(in crate::capture) skipped: Counter,
    trouble: Mutex<Option<String>>,
}

impl Room {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            used: AtomicU64::new(0),
            written: Counter::default(),
            skipped: Counter::default(),
            trouble: Mutex::new(None),
        }
    }

    /// Bytes on disk.
    pub(in crate::capture) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Why pictures are not written just now.
    pub(in crate::capture) fn trouble(&self) -> Option<String> {
        self.trouble.lock().expect("no code that can panic runs under this lock").clone()
    }

    fn say(&self, trouble: Option<String>) {
        *self.trouble.lock().expect("no code that can panic runs under this lock") = trouble;
    }
}

pub(super) fn start(tasks: &Tasks, clock: Clock, inbox: Receiver<Work>, room: Arc<Room>) -> Result<()> {
    let mut writer =
        Writer { room, written: VecDeque::new(), gone: 0, newest: None, log: RateLog::default() };
    let stop = tasks.stopping();
    tasks.thread("frames", 256 << 10, move || {
        loop {
            match inbox.receive(Duration::from_millis(200)) {
                Received::Item(work) => writer.work(work, clock.now()),
                Received::Empty if stop.is_cancelled() => return,
                Received::Empty => {}
                Received::Closed => return,
            }
        }
    })
}

struct Writer {
    room: Arc<Room>,
    /// What is on disk, in the order it came there.
    written: VecDeque<Arc<Kept>>,
    /// Of those, how many are there no longer.
    gone: usize,
    newest: Option<MediaTime>,
    log: RateLog,
}

impl Writer {
    fn work(&mut self, work: Work, now: Monotonic) {
        match work {
            Work::Write(kept) => {
                self.write(kept, now);
                self.make_room();
            }
            Work::Found(kept) => {
                self.written.extend(kept);
                self.make_room();
            }
            Work::Delete(kept) => {
                self.delete(&kept);
                self.gone += 1;
                // Half of the list are shells: time to shed them.
                if self.gone > 1024 && self.gone > self.written.len() / 2 {
                    self.written.retain(|kept| kept.lock().on_disk);
                    self.gone = 0;
                }
            }
        }
    }

    fn write(&mut self, kept: Arc<Kept>, now: Monotonic) {
        let Some(keyframe) = kept.in_memory() else { return };
        let media_time_error = kept.media_time_error.unwrap_or_default();
        let shot = Shot { keyframe, media_time: kept.media_time, media_time_error };
        match file::write(&kept.path, &shot) {
            Ok(()) => {
                self.room.say(None);
                self.room.written.add(1);
                self.room.add(kept.bytes);
                self.newest = self.newest.max(Some(kept.media_time));
                let mut place = kept.lock();
                place.on_disk = true;
                if !place.newest {
                    place.coded = None;
                }
                let gone = place.gone;
                drop(place);
                if gone {
                    self.delete(&kept);
                } else {
                    self.written.push_back(kept);
                }
            }
            Err(e) => {
                self.room.skipped.add(1);
                self.room.say(Some(format!("captured pictures can't be written: {e}")));
                if let Some(left_out) = self.log.may_log(now) {
                    warn!(stream = %kept.stream, error = %e, left_out, "a captured picture can't be written");
                }
                // What is left of it would only be found at the next start.
                let _ = std::fs::remove_file(&kept.path);
                let mut place = kept.lock();
                place.refused = true;
                if !place.newest {
                    place.coded = None;
                }
            }
        }
    }

    /// The oldest go while there is too much, or they are too old.
    fn make_room(&mut self) {
        while let Some(oldest) = self.written.front() {
            let gone = !oldest.lock().on_disk;
            let age = self.newest.map_or(Duration::ZERO, |newest| {
                Duration::try_from(newest.0.duration_since(oldest.media_time.0)).unwrap_or(Duration::ZERO)
            });
            if !gone && age <= MAX_AGE && self.room.used() <= self.room.max_bytes {
                return;
            }
            let oldest = self.written.pop_front().expect("there is one");
            if gone {
                self.gone = self.gone.saturating_sub(1);
            } else {
                self.delete(&oldest);
            }
        }
    }

    fn delete(&self, kept: &Kept) {
        let mut place = kept.lock();
        if !std::mem::take(&mut place.on_disk) {
            return;
        }
        drop(place);
        self.room.used.fetch_sub(kept.bytes as u64, Ordering::Relaxed);
        if let Err(e) = std::fs::remove_file(&kept.path)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            warn!(stream = %kept.stream, error = %e, "a captured picture can't be deleted");
        }
        remove_if_empty(kept.path.parent());
    }
}

fn remove_if_empty(folder: Option<&Path>) {
    // It usually is not empty, and that is no failure.
    let _ = folder.map(std::fs::remove_dir);
}
