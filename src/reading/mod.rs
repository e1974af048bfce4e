//! Packs at work: which packs there are, what they read of which stream, and where that goes.
//!
//! `library` finds and reloads packs, `Reader` reads pictures with them (called where a picture is decoded anyway: by the
//! threads of `capture`, by `watch` for what is pushed), and every result goes on as a [`Record`]. What a pack's rules make
//! of it is `events`' affair. Nothing here waits for a disk or a socket while a picture is read.

mod built_in;
mod crops;
mod folder;
mod library;
mod trial;
mod watch;

use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packs::session::Outcome;
use packs::{Pack, Session, Tools};
use pixels::I420;

use crate::base::clock::{Clock, MediaTime};
use crate::base::error::Result;
use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::{self, Bound, Counter, Full, Receiver, Sender};
use crate::streams::StreamName;

pub use built_in::{built_in, built_in_ids};
pub use crops::{Crop, Crops};
pub use folder::Folder;
pub use library::{AUTO, Entry, Library, NONE, Origin, Settings};
pub use watch::{Settings as WatchSettings, Watch};

thread_local! {
    /// Handles that are dear to make, for whichever thread reads.
    static TOOLS: RefCell<Tools> = RefCell::new(Tools::default());
}

/// What one stream's readings build on. Belongs to that stream, is locked while one of its pictures is read.
pub type Memory = Arc<Mutex<Session>>;

/// The coded picture that was read.
#[derive(Clone, Debug)]
pub enum Coded {
    Keyframe(media::keyframe::Keyframe),
    Jpeg(bytes::Bytes),
}

impl Coded {
    pub fn bytes(&self) -> usize {
        match self {
            Self::Keyframe(keyframe) => keyframe.data.len(),
            Self::Jpeg(jpeg) => jpeg.len(),
        }
    }
}

/// One picture that a pack looked at.
#[derive(Clone, Debug)]
pub struct Record {
    pub stream: StreamName,
    pub media_time: MediaTime,
    pub media_time_error: Duration,
    /// The name of the picture among those kept of the stream, if it is kept.
    pub frame: Option<String>,
    pub coded: Coded,
    /// The pack whose gate accepted it last, also when it does not this time: its rules hear of that.
    pub pack: Arc<Pack>,
    /// `None`: the gate refused, or too little could be read.
    pub reading: Option<Arc<packs::Reading>>,
    /// What was in the boxes that were read; none without a reading.
    pub crops: Crops,
}

/// What came of one picture, before it is known where it is kept.
#[derive(Debug)]
pub struct Read {
    pack: Arc<Pack>,
    outcome: Outcome,
    crops: Crops,
}

impl Read {
    /// Whether the pack's screen was there.
    pub fn matched(&self) -> bool {
        self.outcome.reading.is_some()
    }
}

/// Reads pictures. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    library: Library,
    clock: Clock,
    records: Sender<Record>,
    dropped: Counter,
    refused: Counter,
    accepted: Counter,
    panics: Counter,
    unchanged: Counter,
    times: Histogram,
}

/// The reader's figures at one moment.
#[derive(Debug)]
pub struct Figures {
    /// Per picture: gates and readers together.
    pub times: Snapshot,
    /// Pictures that a pack read.
    pub accepted: u64,
    /// Pictures no pack's gate accepted, or too little was read of.
    pub refused: u64,
    /// Regions that were not read again because nothing changed in them.
    pub unchanged: u64,
    pub queued: usize,
    /// Records there was no room for.
    pub dropped: u64,
    pub panics: u64,
}

impl Reader {
    /// Records that may wait to be worked on.
    const WAITING: Bound = Bound { items: 4096, weight: 128 << 20 };

    /// The reader, and where its records come out.
    pub fn new(library: Library, clock: Clock) -> (Self, Receiver<Record>) {
        let dropped = Counter::default();
        let (records, inbox) = queue::bounded(Self::WAITING, Full::DropOldest, dropped.clone());
        let inner = Inner {
            library,
            clock,
            records,
            dropped,
            refused: Counter::default(),
            accepted: Counter::default(),
            panics: Counter::default(),
            unchanged: Counter::default(),
            times: Histogram::new(&[0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1]),
        };
        (Self(Arc::new(inner)), inbox)
    }

    pub fn library(&self) -> &Library {
        &self.0.library
    }

    /// Whether pictures of a stream that wants `pack` are to be decoded for reading.
    pub fn wants(&self, pack: &str) -> bool {
        self.0.library.any(pack)
    }

    /// Reads one picture of the stream that `memory` belongs to; `None` when no pack is meant for it, or none has accepted
    /// any of its pictures yet.
    pub fn read(&self, memory: &Memory, pack: &str, picture: &I420) -> Option<Read> {
        let packs = self.0.library.choose(pack);
        if packs.is_empty() {
            return None;
        }
        let began = self.0.clock.now();
        let clock = || self.0.clock.now().since(began);
        // A panic costs this picture and what was remembered of the stream.
        let mut session = memory.lock().unwrap_or_else(|poisoned| {
            memory.clear_poison();
            self.0.panics.add(1);
            let mut session = poisoned.into_inner();
            *session = Session::default();
            session
        });
        let outcome = TOOLS.with_borrow_mut(|tools| session.read(&packs, picture, tools, &clock));
        self.0.times.add(clock());
        self.0.unchanged.add(outcome.unchanged as u64);
        match outcome.reading {
            Some(_) => self.0.accepted.add(1),
            None => self.0.refused.add(1),
        }
        let pack = session.pack().cloned()?;
        drop(session);
        let crops = match &outcome.reading {
            Some(_) => Crops::cut(picture, &outcome.boxes),
            None => Crops::default(),
        };
        Some(Read { pack, outcome, crops })
    }

    /// Reads a picture that belongs to no stream, and draws on it what was seen if that is wanted. Blocks for as long as that takes.
    ///
    /// # Errors
    /// `WrongType` when it is no JPEG or PNG; `Invalid` when it is damaged or a side is longer than `most_side`.
    pub fn try_on(
        &self,
        with: &[Arc<Pack>],
        bytes: &[u8],
        most_side: u32,
        annotate: bool,
    ) -> Result<(Outcome, Option<Vec<u8>>)> {
        let picture = trial::picture(bytes, most_side)?;
        let began = self.0.clock.now();
        let clock = || self.0.clock.now().since(began);
        let outcome = TOOLS.with_borrow_mut(|tools| Session::default().read(with, &picture, tools, &clock));
        let png = annotate.then(|| packs::annotate::png(&picture, &outcome));
        Ok((outcome, png))
    }

    /// Hands on what was read, now that it is known when and where the picture is.
    pub fn done(&self, read: Read, stream: &StreamName, picture: Shown) {
        let Read { pack, outcome: Outcome { reading, .. }, crops } = read;
        let weight = picture.coded.bytes() + crops.bytes();
        let Shown { media_time, media_time_error, frame, coded } = picture;
        let record = Record {
            stream: stream.clone(),
            media_time,
            media_time_error,
            frame,
            coded,
            pack,
            reading: reading.map(Arc::new),
            crops,
        };
        // What has no room is counted; at the program's end nobody listens.
        let _ = self.0.records.send(record, weight + 1024);
    }

    pub fn figures(&self) -> Figures {
        Figures {
            times: self.0.times.read(),
            accepted: self.0.accepted.get(),
            refused: self.0.refused.get(),
            unchanged: self.0.unchanged.get(),
            queued: self.0.records.depth().0,
            dropped: self.0.dropped.get(),
            panics: self.0.panics.get(),
        }
    }
}

/// When and where the picture is that was read.
#[derive(Clone, Debug)]
pub struct Shown {
    pub media_time: MediaTime,
    pub media_time_error: Duration,
    pub frame: Option<String>,
    pub coded: Coded,
}
