//! All streams by name.
//!
//! Looking one up takes no lock: the map is replaced as a whole when a stream comes or goes, which is rare.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::broadcast;
use tracing::{debug, info};

use super::frame::Frame;
use super::name::StreamName;
use super::publishers::Publisher;
use super::stream::{Feed, Picture, Stream};
use super::supply::Supplies;
use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::Budget;

/// May be changed while streams run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A push stream without a frame for this long is removed.
    pub timeout: Duration,
    /// Push streams.
    pub max_concurrent: usize,
    /// Frames kept per stream.
    pub max_buffer_frames: usize,
}

/// A stream came or went: a push stream when it is made and removed, a pull stream when its source does.
#[derive(Clone, Debug)]
pub enum Change {
    Online(StreamName),
    Offline { name: StreamName, reason: Cow<'static, str> },
}

/// Called with each new stream before its first frame, so that a consumer that wants every frame gets every frame.
type Attach = Box<dyn Fn(&Arc<Stream>) + Send + Sync>;

type Map = BTreeMap<StreamName, Arc<Stream>>;

/// What streams share. Nothing in here is locked while a frame passes.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) settings: ArcSwap<Settings>,
    /// Bytes of frames in all rings.
    pub(super) ring_bytes: AtomicUsize,
    /// What waits in all taps together.
    pub(super) taps: Arc<Budget>,
}

impl Shared {
    pub(super) const ALL_RINGS_BYTES: usize = 256 << 20;
    /// Frames that wait for disks and encoders, of all streams.
    const ALL_TAPS_BYTES: usize = 256 << 20;
}

/// Cheap to clone; clones are the same registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    map: ArcSwap<Map>,
    /// Held by whoever replaces the map.
    changing: Mutex<Changing>,
    attach: OnceLock<Attach>,
    changes: broadcast::Sender<Change>,
    supplies: Supplies,
}

struct Changing {
    closed: bool,
}

impl Registry {
    /// Changes a slow listener may fall behind by; then it must look at everything again.
    const CHANGES: usize = 256;

    pub fn new(settings: Settings, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            shared: Arc::new(Shared {
                clock,
                settings: ArcSwap::from_pointee(settings),
                ring_bytes: AtomicUsize::new(0),
                taps: Arc::new(Budget::new(Shared::ALL_TAPS_BYTES)),
            }),
            map: ArcSwap::default(),
            changing: Mutex::new(Changing { closed: false }),
            attach: OnceLock::new(),
            changes: broadcast::Sender::new(Self::CHANGES),
            supplies: Supplies::default(),
        }))
    }

    /// Says what is done with each new stream before its first frame. Once, before anything is published.
    pub fn on_new_stream(&self, attach: impl Fn(&Arc<Stream>) + Send + Sync + 'static) {
        let unset = self.0.attach.set(Box::new(attach)).is_ok();
        debug_assert!(unset, "one owner decides what is attached");
    }

    pub fn apply(&self, settings: Settings) {
        self.0.shared.settings.store(Arc::new(settings));
    }

    pub fn settings(&self) -> Settings {
        **self.0.shared.settings.load()
    }

    pub fn get(&self, name: &str) -> Option<Arc<Stream>> {
        self.0.map.load().get(name).cloned()
    }

    /// All streams, by name.
    pub fn all(&self) -> Vec<Arc<Stream>> {
        self.0.map.load().values().cloned().collect()
    }

    pub fn len(&self) -> usize {
        self.0.map.load().len()
    }

    /// Streams that are pushed to us.
    pub fn pushed(&self) -> usize {
        self.0.map.load().values().filter(|stream| stream.feed == Feed::Push).count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of frames kept in all rings.
    pub fn buffered_bytes(&self) -> usize {
        self.0.shared.ring_bytes.load(Ordering::Relaxed)
    }

    /// Bytes of frames that wait in all taps.
    pub fn waiting_bytes(&self) -> usize {
        self.0.shared.taps.used()
    }

    /// Where streams can be had in full.
    pub fn supplies(&self) -> &Supplies {
        &self.0.supplies
    }

    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.0.changes.subscribe()
    }

    /// Puts a picture into the stream of that name, which is made if need be.
    ///
    /// # Errors
    /// `Unavailable` when there are `max_concurrent` push streams already, or the program is ending; `Conflict` when
    /// the name belongs to a pull stream.
    pub fn publish(&self, name: &StreamName, picture: Picture, from: Publisher) -> Result<Arc<Frame>> {
        loop {
            let stream = match self.get(name.as_str()) {
                Some(stream) => stream,
                None => self.create(name)?,
            };
            let whose = match stream.feed {
                Feed::Push => None,
                Feed::Pull => Some("a stream we fetch ourselves"),
                Feed::Program => Some("what we compose ourselves"),
            };
            if let Some(whose) = whose {
                let taken = format!("'{name}' is {whose}; push under another name");
                return Err(Error::new(Kind::Conflict, taken));
            }
            // A stream removed since we looked takes nothing; the next look makes a new one.
            if let Ok(frame) = stream.publish(picture.clone(), Some(from)) {
                return Ok(frame);
            }
        }
    }

    fn create(&self, name: &StreamName) -> Result<Arc<Stream>> {
        if name.is_program() {
            let taken = format!("'{name}' is what we compose ourselves; push under another name");
            return Err(Error::new(Kind::Conflict, taken));
        }
        let changing = self.0.changing.lock().expect("attaching does not panic");
        if changing.closed {
            return Err(Error::new(Kind::Unavailable, "the server is shutting down"));
        }
        let map = self.0.map.load();
        if let Some(stream) = map.get(name) {
            return Ok(Arc::clone(stream));
        }
        let most = self.settings().max_concurrent;
        if self.pushed() >= most {
            let full = format!("there are {most} streams already (streams.max_concurrent)");
            return Err(Error::new(Kind::Unavailable, full).retry_after(Duration::from_secs(10)));
        }
        let stream = Stream::new(name.clone(), Feed::Push, Arc::clone(&self.0.shared));
        if let Some(attach) = self.0.attach.get() {
            attach(&stream);
        }
        let mut next = Map::clone(&map);
        next.insert(name.clone(), Arc::clone(&stream));
        self.0.map.store(Arc::new(next));
        info!(stream = %name, "stream started");
        self.announce(Change::Online(name.clone()));
        Ok(stream)
    }

    /// Makes a pull stream of each name, all at once; of a name that is one already, that one.
    ///
    /// # Errors
    /// For each name by itself: `Conflict` when a push stream has it, `Unavailable` when the program is ending.
    pub fn host(&self, names: &[StreamName]) -> Vec<Result<Arc<Stream>>> {
        self.host_as(names, Feed::Pull)
    }

    /// The stream of what we compose, which nobody can push to, follow or remove.
    ///
    /// # Errors
    /// `Unavailable` when the program is ending.
    pub fn program(&self) -> Result<Arc<Stream>> {
        let name = StreamName::parse(StreamName::PROGRAM)?;
        self.host_as(&[name], Feed::Program)
            .pop()
            .unwrap_or_else(|| Err(Error::new(Kind::Internal, "no stream")))
    }

    fn host_as(&self, names: &[StreamName], feed: Feed) -> Vec<Result<Arc<Stream>>> {
        let changing = self.0.changing.lock().expect("attaching does not panic");
        let mut next = Map::clone(&self.0.map.load());
        let mut host = |name: &StreamName| {
            if changing.closed {
                return Err(Error::new(Kind::Unavailable, "the server is shutting down"));
            }
            if name.is_program() && feed != Feed::Program {
                let taken = format!("'{name}' is what we compose ourselves; choose another name");
                return Err(Error::new(Kind::Conflict, taken));
            }
            let stream = next
                .entry(name.clone())
                .or_insert_with(|| Stream::new(name.clone(), feed, Arc::clone(&self.0.shared)));
            if stream.feed == feed {
                return Ok(Arc::clone(stream));
            }
            let whose = if stream.feed == Feed::Push {
                "a stream that is pushed"
            } else {
                "what we compose ourselves"
            };
            Err(Error::new(Kind::Conflict, format!("'{name}' is {whose}; choose another name")))
        };
        let hosted = names.iter().map(&mut host).collect();
        self.0.map.store(Arc::new(next));
        hosted
    }

    /// Removes the stream and closes its viewers; `None` if there was none.
    pub fn remove(&self, name: &str, reason: &'static str) -> Option<Arc<Stream>> {
        self.remove_when(name, reason, |stream| {
            stream.end();
            true
        })
    }

    /// Removes the stream if `end` ended it.
    fn remove_when(
        &self,
        name: &str,
        reason: &'static str,
        end: impl Fn(&Stream) -> bool,
    ) -> Option<Arc<Stream>> {
        let _changing = self.0.changing.lock().expect("attaching does not panic");
        let map = self.0.map.load();
        let stream = Arc::clone(map.get(name).filter(|stream| end(stream))?);
        let mut next = Map::clone(&map);
        next.remove(name);
        self.0.map.store(Arc::new(next));
        let frames = stream.stats().total_frames;
        match stream.feed {
            Feed::Push => info!(stream = %stream.name, reason, frames, "stream removed"),
            // Thousands may come and go at once.
            Feed::Pull | Feed::Program => debug!(stream = %stream.name, reason, "stream removed"),
        }
        self.announce(Change::Offline { name: stream.name.clone(), reason: reason.into() });
        Some(stream)
    }

    /// Removes what has been silent for the timeout; returns the names.
    pub fn remove_inactive(&self) -> Vec<StreamName> {
        let timeout = self.settings().timeout;
        let end = |stream: &Stream| stream.feed == Feed::Push && stream.end_if_silent(timeout);
        let removed =
            self.all().into_iter().filter_map(|s| self.remove_when(s.name.as_str(), "inactive", end));
        removed.map(|stream| stream.name.clone()).collect()
    }

    /// Ends every stream and takes no new one.
    pub fn close(&self) {
        self.0.changing.lock().expect("attaching does not panic").closed = true;
        for stream in self.all() {
            self.remove(stream.name.as_str(), "shutdown");
        }
    }

    /// Tells all who listen.
    pub fn announce(&self, change: Change) {
        // No listener is no failure.
        let _ = self.0.changes.send(change);
    }
}

#[cfg(test)]
mod tests;
