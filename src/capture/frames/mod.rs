//! The captured pictures that are kept: the last few of each stream, as they were coded.
//!
//! A stream's newest stays in memory; older ones are files in the data directory, written by a thread of their own. What
//! is too old, too many or too much goes, the oldest first. Nothing here decodes.

mod file;
mod writer;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media::keyframe::Keyframe;

use crate::base::clock::{Clock, MediaTime};
use crate::base::error::{Error, Result};
use crate::base::queue::{self, Bound, Counter, Full, Sender, Sent};
use crate::base::tasks::Tasks;
use crate::streams::StreamName;

pub use file::{read as read_shot, write as write_shot};
pub(super) use writer::Room;

/// Pictures kept of each stream.
pub const KEPT: usize = 10;
/// What is older goes.
pub const MAX_AGE: Duration = Duration::from_hours(1);

/// A keyframe and when it was seen.
#[derive(Clone, Debug)]
pub struct Shot {
    pub keyframe: Keyframe,
    pub media_time: MediaTime,
    pub media_time_error: Duration,
}

/// One kept picture.
#[derive(Debug)]
pub struct Kept {
    pub stream: StreamName,
    pub media_time: MediaTime,
    /// `None`: only its file knows.
    pub media_time_error: Option<Duration>,
    /// Coded bytes.
    pub bytes: usize,
    path: PathBuf,
    place: Mutex<Place>,
}

/// Where it is.
#[derive(Debug)]
struct Place {
    /// In memory: while it is its stream's newest, and until it is on disk.
    coded: Option<Keyframe>,
    on_disk: bool,
    /// The disk did not take it: it is lost when it is the newest no longer.
    refused: bool,
    /// Its stream keeps it no longer.
    gone: bool,
    newest: bool,
}

impl Kept {
    /// The name it is asked for by: its media time, to the millisecond.
    pub fn file(&self) -> String {
        file::shown_name(self.media_time)
    }

    /// The coded picture. Blocks on the disk unless it is in memory.
    ///
    /// # Errors
    /// `NotFound` when it has gone meanwhile; `Internal` when the disk fails.
    pub fn read(&self) -> Result<Keyframe> {
        let place = self.lock();
        if let Some(coded) = &place.coded {
            return Ok(coded.clone());
        }
        if place.gone || !place.on_disk {
            return Err(Error::not_found("the picture is no longer kept"));
        }
        drop(place);
        let shot = file::read(&self.path)?;
        Ok(shot.keyframe)
    }

    /// The coded picture if reading it takes no disk.
    pub fn in_memory(&self) -> Option<Keyframe> {
        self.lock().coded.clone()
    }

    /// Whether its stream keeps it no longer.
    pub(super) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Place> {
        self.place.lock().expect("no code that can panic runs under this lock")
    }
}

/// What is kept of one stream, oldest first. The owner holds the lock.
#[derive(Debug, Default)]
pub(super) struct Ring(VecDeque<Arc<Kept>>);

/// Keeps pictures. Cheap to clone.
#[derive(Clone)]
pub(super) struct Frames {
    root: PathBuf,
    /// To the thread that writes.
    work: Sender<Work>,
    dropped: Counter,
    room: Arc<Room>,
}

/// What the thread does with a picture.
#[derive(Debug)]
enum Work {
    Write(Arc<Kept>),
    /// They were on disk before the start. In one piece: no queue is too short for it.
    Found(Vec<Arc<Kept>>),
    Delete(Arc<Kept>),
}

impl Frames {
    /// Pictures that may wait for the disk.
    const WAITING: Bound = Bound { items: 4096, weight: 64 << 20 };

    /// # Errors
    /// When the thread can't be started.
    pub(super) fn start(root: PathBuf, max_bytes: u64, tasks: &Tasks, clock: Clock) -> Result<Self> {
        let dropped = Counter::default();
        let (work, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, dropped.clone());
        let room = Arc::new(Room::new(max_bytes));
        writer::start(tasks, clock, inbox, Arc::clone(&room))?;
        Ok(Self { root, work, dropped, room })
    }

    /// Keeps one more picture of `stream`; an old one makes room.
    pub(super) fn keep(&self, stream: &StreamName, ring: &mut Ring, shot: Shot) -> Arc<Kept> {
        let Shot { keyframe, media_time, media_time_error } = shot;
        let (bytes, path) = (keyframe.data.len(), file::path(&self.root, stream, media_time));
        // The same moment again, as after a restart of capture, replaces what was kept of it: they share a file.
        if let Some(at) = ring.0.iter().position(|before| before.path == path) {
            let before = ring.0.remove(at).expect("it was found there");
            self.forget(before);
        }
        let kept = Arc::new(Kept {
            stream: stream.clone(),
            media_time,
            media_time_error: Some(media_time_error),
            bytes,
            path,
            place: Mutex::new(Place {
                coded: Some(keyframe),
                on_disk: false,
                refused: false,
                gone: false,
                newest: true,
            }),
        });
        if let Some(before) = ring.0.back() {
            let mut place = before.lock();
            place.newest = false;
            if place.on_disk || place.refused {
                place.coded = None;
            }
        }
        ring.0.push_back(Arc::clone(&kept));
        while ring.0.len() > KEPT {
            let old = ring.0.pop_front().expect("there is more than one");
            self.forget(old);
        }
        if self.work.send(Work::Write(Arc::clone(&kept)), bytes) == Sent::Refused {
            // The disk is behind.
            kept.lock().refused = true;
            self.room.skipped.add(1);
        }
        kept
    }

    /// Deletes what a crash has left of streams other than `streams`, which are all there are. Blocks on the disk.
    pub(super) fn remove_others(&self, streams: &[StreamName]) {
        file::remove_others(&self.root, streams);
    }

    /// What was kept of each of `streams` before the start; asked once of each. Blocks on the disk.
    pub(super) fn found(&self, streams: &[StreamName]) -> Vec<Ring> {
        let mut rings: Vec<Ring> = streams.iter().map(|stream| self.found_of(stream)).collect();
        let all: Vec<Arc<Kept>> = rings.iter().flat_map(|ring| ring.0.iter().cloned()).collect();
        self.room.add(all.iter().map(|kept| kept.bytes).sum());
        self.work.send(Work::Found(all), 0);
        for ring in &mut rings {
            while ring.0.len() > KEPT {
                let old = ring.0.pop_front().expect("there is more than one");
                self.forget(old);
            }
        }
        rings
    }

    fn found_of(&self, stream: &StreamName) -> Ring {
        let kept = |(path, media_time, bytes)| {
            let place = Place { coded: None, on_disk: true, refused: false, gone: false, newest: false };
            let (stream, place) = (stream.clone(), Mutex::new(place));
            Arc::new(Kept { stream, media_time, media_time_error: None, bytes, path, place })
        };
        Ring(file::list(&self.root, stream).into_iter().map(kept).collect())
    }

    /// All that is kept of a stream goes.
    pub(super) fn clear(&self, ring: &mut Ring) {
        for kept in ring.0.drain(..) {
            self.forget(kept);
        }
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Pictures that wait for the disk, and those it was too slow for.
    pub(super) fn queue(&self) -> (usize, u64) {
        (self.work.depth().0, self.dropped.get())
    }

    fn forget(&self, kept: Arc<Kept>) {
        let mut place = kept.lock();
        (place.gone, place.coded) = (true, None);
        let on_disk = place.on_disk;
        drop(place);
        if on_disk {
            // If the queue is full the file goes when its age is up.
            self.work.send(Work::Delete(kept), 0);
        }
    }
}

impl Ring {
    pub(super) fn newest(&self) -> Option<Arc<Kept>> {
        self.0.back().cloned()
    }

    /// Those that can still be read, oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Kept>> {
        let readable = |kept: &&Arc<Kept>| {
            let place = kept.lock();
            !place.gone && (place.coded.is_some() || place.on_disk)
        };
        self.0.iter().filter(readable).cloned().collect()
    }

    pub(super) fn get(&self, file: &str) -> Option<Arc<Kept>> {
        let time = file::time_of(file)?;
        self.all().into_iter().find(|kept| file::shown_name(kept.media_time) == file::shown_name(time))
    }

    /// Bytes held in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.0.iter().filter(|kept| kept.lock().coded.is_some()).map(|kept| kept.bytes).sum()
    }
}

#[cfg(test)]
mod tests;
