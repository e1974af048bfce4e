//! Reads pushed streams every few seconds, on a thread of its own.
//!
//! A picture that nobody needs decoded is decoded here only as often as the settings say. A stream that is read takes no
//! part in how its viewers are served: the latest frame is taken, whichever it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use pixels::jpeg::{self, Decoder};
use pixels::{I420, Matrix, Range};
use tracing::debug;

use super::{Coded, Memory, Reader, Shown};
use crate::base::clock::{Clock, Monotonic};
use crate::base::error::Result;
use crate::base::queue::Counter;
use crate::base::tasks::Tasks;
use crate::streams::{Feed, Frame, Registry, StreamName};

/// The reading of pushed streams. Cheap to clone.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    registry: Registry,
    reader: Reader,
    clock: Clock,
    settings: Mutex<Settings>,
    /// Streams that want another pack than the settings say.
    wishes: Mutex<BTreeMap<StreamName, String>>,
    /// Frames of each stream that a pack accepted.
    matches: Mutex<BTreeMap<StreamName, u64>>,
    undecodable: Counter,
}

/// What may be changed while it runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Between two pictures of a stream that are read; `None`: pushed streams are not read.
    pub interval: Option<Duration>,
    /// Of a stream that has none of its own.
    pub pack: String,
}

/// What is remembered of one stream.
struct Watched {
    memory: Memory,
    due: Monotonic,
    /// The last frame that was read.
    sequence: Option<u64>,
}

impl Watch {
    const STACK: usize = 2 << 20;
    /// The longest sleep: new streams are found after it.
    const LOOK: Duration = Duration::from_millis(250);

    /// Starts the thread.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(
        registry: Registry,
        reader: Reader,
        settings: Settings,
        clock: Clock,
        tasks: &Tasks,
    ) -> Result<Self> {
        let watch = Self(Arc::new(Inner {
            registry,
            reader,
            clock,
            settings: Mutex::new(settings),
            wishes: Mutex::default(),
            matches: Mutex::default(),
            undecodable: Counter::default(),
        }));
        let (running, stop) = (watch.clone(), tasks.stopping());
        tasks.thread("read-push", Self::STACK, move || {
            let mut watched = BTreeMap::new();
            let mut work = Work::default();
            while !stop.is_cancelled() {
                running.round(&mut watched, &mut work);
                std::thread::sleep(Self::LOOK);
            }
        })?;
        Ok(watch)
    }

    pub fn apply(&self, settings: Settings) {
        *lock(&self.0.settings) = settings;
    }

    /// Which pack a pushed stream is read with from now on.
    pub fn set_pack(&self, stream: &StreamName, pack: String) {
        lock(&self.0.wishes).insert(stream.clone(), pack);
    }

    /// `None`: the one of the settings.
    pub fn pack(&self, stream: &StreamName) -> Option<String> {
        lock(&self.0.wishes).get(stream).cloned()
    }

    /// Frames of a stream that a pack accepted.
    pub fn matches(&self, stream: &StreamName) -> u64 {
        lock(&self.0.matches).get(stream).copied().unwrap_or(0)
    }

    /// Frames that could not be decoded.
    pub fn undecodable(&self) -> u64 {
        self.0.undecodable.get()
    }

    /// Reads every stream that is due.
    fn round(&self, watched: &mut BTreeMap<StreamName, Watched>, work: &mut Work) {
        let Settings { interval, pack: usual } = lock(&self.0.settings).clone();
        let Some(interval) = interval else {
            watched.clear();
            return;
        };
        let streams = self.0.registry.all();
        let there = |name: &StreamName| self.0.registry.get(name.as_str()).is_some();
        watched.retain(|name, _| there(name));
        lock(&self.0.wishes).retain(|name, _| there(name));
        lock(&self.0.matches).retain(|name, _| there(name));
        for stream in streams.iter().filter(|stream| stream.feed != Feed::Pull) {
            let now = self.0.clock.now();
            let new = || Watched { memory: Memory::default(), due: now, sequence: None };
            let this = watched.entry(stream.name.clone()).or_insert_with(new);
            if now < this.due {
                continue;
            }
            let Some(frame) = stream.latest().filter(|frame| this.sequence != Some(frame.sequence)) else {
                continue;
            };
            this.sequence = Some(frame.sequence);
            // From now, not from when it was due: who is late does not hurry.
            this.due = now + interval;
            let pack = self.pack(&stream.name);
            let pack = pack.as_deref().unwrap_or(&usual);
            if self.0.reader.wants(pack) {
                self.look(&stream.name, pack, &this.memory, &frame, work);
            }
        }
    }

    fn look(&self, stream: &StreamName, pack: &str, memory: &Memory, frame: &Frame, work: &mut Work) {
        if let Err(e) = work.decode(frame) {
            self.0.undecodable.add(1);
            debug!(%stream, error = %e, "a frame can't be decoded to be read");
            return;
        }
        let Some(read) = self.0.reader.read(memory, pack, &work.planes) else { return };
        if read.matched() {
            *lock(&self.0.matches).entry(stream.clone()).or_default() += 1;
        }
        let media_time_error = Duration::ZERO;
        let coded = Coded::Jpeg(frame.jpeg.clone());
        let shown = Shown { media_time: frame.media_time, media_time_error, frame: None, coded };
        self.0.reader.done(read, stream, shown);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code that can panic runs under this lock")
}

/// The thread's decoder.
struct Work {
    decoder: Option<Decoder>,
    planes: I420,
}

impl Default for Work {
    fn default() -> Self {
        Self { decoder: None, planes: I420::new(2, 2, Range::Full, Matrix::Bt601) }
    }
}

impl Work {
    fn decode(&mut self, frame: &Frame) -> std::result::Result<(), jpeg::Error> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(Decoder::new()?),
        };
        decoder.decode(&frame.jpeg, &frame.header, &mut self.planes)
    }
}
