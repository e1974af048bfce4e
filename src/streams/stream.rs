//! One stream: frames come in from any publisher, the newest goes to every viewer, each goes to every tap.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use pixels::jpeg::Header;
use serde::Serialize;
use tokio::sync::watch;

use super::frame::Frame;
use super::name::StreamName;
use super::publishers::{Publisher, Publishers};
use super::rate::Rate;
use super::registry::Shared;
use super::viewer::{Lookout, Viewer};
use crate::base::clock::{Anchor, MediaTime, Monotonic, Wall};
use crate::base::queue::{self, Bound, Counter, Full, Receiver};

/// Made and ended by the registry. The lock inside is this stream's own and held for microseconds.
#[derive(Debug)]
pub struct Stream {
    pub name: StreamName,
    pub feed: Feed,
    pub created_at: Wall,
    created: Monotonic,
    shared: Arc<Shared>,
    latest: watch::Sender<Latest>,
    inner: Mutex<Inner>,
    pub(super) viewers: AtomicUsize,
    /// Frames handed to viewers.
    pub delivered: Counter,
    /// Frames a slow viewer never saw, because newer ones had come.
    pub skipped: Counter,
    /// Bytes of JPEG taken in.
    pub received_bytes: Counter,
}

/// Who puts frames into a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// Anyone who sends them; it is made by the first frame, and ends by itself.
    Push,
    /// We, who fetch them; it is there until it is removed. Only what a viewer looks at is put in.
    Pull,
    /// We, who compose them. There is one, and it is always there.
    Program,
}

/// What viewers look at.
#[derive(Clone, Debug)]
pub(super) enum Latest {
    Nothing,
    Frame(Arc<Frame>),
    Ended,
}

#[derive(Debug)]
struct Inner {
    ring: VecDeque<Arc<Frame>>,
    ring_bytes: usize,
    anchor: Anchor,
    last: Option<Arc<Frame>>,
    active: Monotonic,
    total: u64,
    rate: Rate,
    publishers: Publishers,
    taps: Vec<queue::Sender<Arc<Frame>>>,
    ended: bool,
}

/// The stream was removed; a push under its name starts a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// A JPEG that has been looked at and found whole.
#[derive(Clone, Debug)]
pub struct Picture {
    pub jpeg: Bytes,
    pub header: Header,
    pub source_time: Option<MediaTime>,
    /// Where it is known better than by the time of arrival.
    pub media_time: Option<MediaTime>,
}

/// What a stream is doing, as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing has come yet.
    Pending,
    Online,
    /// Nothing has come for [`Stream::IDLE_AFTER`].
    Idle,
}

/// A stream's figures at one moment.
#[derive(Clone, Debug)]
pub struct Stats {
    pub state: State,
    pub uptime: Duration,
    pub inactive: Duration,
    pub last: Option<Arc<Frame>>,
    pub total_frames: u64,
    pub viewers: usize,
    pub publishers: usize,
    pub buffered: usize,
    pub buffered_bytes: usize,
    /// Frames a second over the last five whole seconds.
    pub fps: f64,
}

impl Stream {
    /// Bytes of frames kept per stream, whatever their number.
    const RING_BYTES: usize = 8 << 20;
    pub const IDLE_AFTER: Duration = Duration::from_secs(5);

    pub(super) fn new(name: StreamName, feed: Feed, shared: Arc<Shared>) -> Arc<Self> {
        let (now, wall) = (shared.clock.now(), shared.clock.wall());
        Arc::new(Self {
            name,
            feed,
            created_at: wall,
            created: now,
            shared,
            latest: watch::Sender::new(Latest::Nothing),
            inner: Mutex::new(Inner {
                ring: VecDeque::new(),
                ring_bytes: 0,
                anchor: Anchor::new(now, wall),
                last: None,
                active: now,
                total: 0,
                rate: Rate::new(now),
                publishers: Publishers::default(),
                taps: Vec::new(),
                ended: false,
            }),
            viewers: AtomicUsize::new(0),
            delivered: Counter::default(),
            skipped: Counter::default(),
            received_bytes: Counter::default(),
        })
    }

    /// Takes one picture in: it becomes the latest, goes into the ring and to every tap.
    ///
    /// Never blocks: a tap that is full follows its own policy.
    pub fn publish(&self, picture: Picture, from: Option<Publisher>) -> Result<Arc<Frame>, Ended> {
        let (now, wall) = (self.shared.clock.now(), self.shared.clock.wall());
        let mut inner = self.lock();
        if inner.ended {
            return Err(Ended);
        }
        let anchored = inner.anchor.media_time(now, wall);
        inner.total += 1;
        let Picture { jpeg, header, source_time, media_time } = picture;
        let media_time = media_time.unwrap_or(anchored);
        let frame = Frame::new(jpeg, header, now, media_time, source_time, inner.total);
        inner.active = now;
        inner.rate.count(now);
        inner.last = Some(Arc::clone(&frame));
        if let Some(from) = from {
            inner.publishers.heard(from, now);
        }
        inner.taps.retain(|tap| tap.send(Arc::clone(&frame), frame.jpeg.len()) != queue::Sent::Closed);
        let most = match self.feed {
            Feed::Push | Feed::Program => self.shared.settings.load().max_buffer_frames.max(1),
            // Captures are kept elsewhere, as they were coded.
            Feed::Pull => 1,
        };
        inner.keep(Arc::clone(&frame), most, &self.shared);
        self.latest.send_replace(Latest::Frame(Arc::clone(&frame)));
        drop(inner);
        self.received_bytes.add(frame.jpeg.len() as u64);
        Ok(frame)
    }

    /// Watches; `max_fps` must be a positive number.
    pub fn view(self: &Arc<Self>, max_fps: Option<f64>) -> Viewer {
        Viewer::new(Arc::clone(self), self.latest.subscribe(), max_fps)
    }

    /// Looks out for new frames on behalf of several viewers.
    pub fn lookout(&self) -> Lookout {
        Lookout::new(self.latest.subscribe())
    }

    /// Every frame from now on, for one who must not miss any. `None` when the stream has ended.
    ///
    /// The receiver gets `Closed` once the stream has ended and all before it was taken.
    pub fn tap(&self, bound: Bound, full: Full, dropped: Counter) -> Option<Receiver<Arc<Frame>>> {
        let mut inner = self.lock();
        if inner.ended {
            return None;
        }
        let (sender, receiver) = queue::bounded_within(bound, full, dropped, Arc::clone(&self.shared.taps));
        inner.taps.push(sender);
        Some(receiver)
    }

    /// Whether it takes nothing any more.
    pub fn ended(&self) -> bool {
        self.lock().ended
    }

    pub fn latest(&self) -> Option<Arc<Frame>> {
        self.lock().last.clone()
    }

    pub fn viewers(&self) -> usize {
        self.viewers.load(Ordering::Relaxed)
    }

    /// Whether somebody takes every frame: a viewer, a recorder.
    pub fn is_taken(&self) -> bool {
        self.viewers() > 0 || !self.lock().taps.is_empty()
    }

    pub fn stats(&self) -> Stats {
        let now = self.shared.clock.now();
        let inner = self.lock();
        let inactive = now.since(inner.active);
        Stats {
            state: match inner.last {
                None => State::Pending,
                Some(_) if inactive < Self::IDLE_AFTER => State::Online,
                Some(_) => State::Idle,
            },
            uptime: now.since(self.created),
            inactive,
            last: inner.last.clone(),
            total_frames: inner.total,
            viewers: self.viewers(),
            publishers: inner.publishers.count(now),
            buffered: inner.ring.len(),
            buffered_bytes: inner.ring_bytes,
            fps: inner.rate.per_second(now),
        }
    }

    /// Ends the stream: viewers are closed, taps drained by their owners, frames freed.
    pub(super) fn end(&self) {
        self.end_locked(self.lock());
    }

    /// Ends the stream unless a frame came within the last `timeout`; whether it did.
    pub(super) fn end_if_silent(&self, timeout: Duration) -> bool {
        let inner = self.lock();
        let silent = self.shared.clock.now().since(inner.active) >= timeout;
        if silent {
            self.end_locked(inner);
        }
        silent
    }

    fn end_locked(&self, mut inner: MutexGuard<'_, Inner>) {
        inner.ended = true;
        inner.taps.clear();
        inner.ring.clear();
        self.shared.ring_bytes.fetch_sub(std::mem::take(&mut inner.ring_bytes), Ordering::Relaxed);
        self.latest.send_replace(Latest::Ended);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no code that can panic runs under this lock")
    }
}

impl Inner {
    /// Puts a frame into the ring and lets old ones go: by number, by this stream's bytes, by all streams' bytes.
    /// The newest always stays.
    fn keep(&mut self, frame: Arc<Frame>, most: usize, shared: &Shared) {
        let mut all = shared.ring_bytes.fetch_add(frame.jpeg.len(), Ordering::Relaxed) + frame.jpeg.len();
        self.ring_bytes += frame.jpeg.len();
        self.ring.push_back(frame);
        while self.ring.len() > 1
            && (self.ring.len() > most
                || self.ring_bytes > Stream::RING_BYTES
                || all > Shared::ALL_RINGS_BYTES)
        {
            let old = self.ring.pop_front().expect("there are at least two").jpeg.len();
            self.ring_bytes -= old;
            all = shared.ring_bytes.fetch_sub(old, Ordering::Relaxed) - old;
        }
    }
}
