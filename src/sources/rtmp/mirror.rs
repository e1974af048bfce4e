//! What an RTMP publisher sends, as it was coded, for whoever shows it in full: as FLV, from a keyframe on.
//!
//! Filled by the connection, which never waits; each reader has a bounded queue. A reader that can't keep up goes on at the next
//! keyframe.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use media::live::Source;
use media::rtmp::{self, Sound, Video};

use crate::base::queue::{self, Bound, Counter, Full, Received, Receiver, Sender, Sent};
use crate::sources::flow;
use crate::streams::{Flow, Pace, Stop, Supply};

/// What is sent by one publisher.
pub(super) struct Mirror {
    state: Mutex<State>,
    /// Parts that readers did not take in time.
    dropped: Counter,
    mark: u64,
}

#[derive(Default)]
struct State {
    pictures: Option<Bytes>,
    sound: Option<Bytes>,
    readers: Vec<Reader>,
}

struct Reader {
    tags: Sender<Bytes>,
    progress: Progress,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has got nothing yet.
    New,
    /// It has lost something, and waits for a keyframe.
    Waiting,
    Going,
}

/// What may wait for a reader: some seconds.
const WAITING: Bound = Bound { items: 1024, weight: 24 << 20 };
/// A wait is broken off at least so often to see whether it is over.
const LOOK: Duration = Duration::from_millis(100);

impl Mirror {
    /// `mark` is another one for each publisher.
    pub(super) fn new(dropped: Counter, mark: u64) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), dropped, mark })
    }

    pub(super) fn video(&self, timestamp: u32, video: &Video) {
        let mut state = self.lock();
        if let Video::Config(config) = video {
            state.pictures = Some(config.clone());
        }
        if state.readers.is_empty() {
            return;
        }
        let key = matches!(video, Video::Unit { keyframe: true, .. });
        let tag = Bytes::from(rtmp::video_tag(timestamp, video));
        let mut readers = std::mem::take(&mut state.readers);
        readers.retain_mut(|reader| reader.begin(key, timestamp, &state) && reader.send(&tag));
        state.readers = readers;
    }

    pub(super) fn sound(&self, timestamp: u32, sound: &Sound) {
        let mut state = self.lock();
        if let Sound::AacConfig(config) = sound {
            state.sound = Some(config.clone());
        }
        if state.readers.is_empty() {
            return;
        }
        let tag = Bytes::from(rtmp::sound_tag(timestamp, sound));
        state.readers.retain_mut(|reader| reader.send(&tag));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code that can panic runs under this lock")
    }
}

impl Reader {
    /// Before a keyframe: what it must know first. Whether it is still there.
    fn begin(&mut self, key: bool, timestamp: u32, state: &State) -> bool {
        let new = self.progress == Progress::New;
        if !key || self.progress == Progress::Going {
            return true;
        }
        self.progress = Progress::Going;
        let head = new.then(|| Bytes::from_static(&rtmp::FLV_HEADER));
        let pictures = state.pictures.clone().map(|config| {
            let config = Video::Config(config);
            Bytes::from(rtmp::video_tag(timestamp, &config))
        });
        let sound = state.sound.clone().map(|config| {
            let config = Sound::AacConfig(config);
            Bytes::from(rtmp::sound_tag(timestamp, &config))
        });
        [head, pictures, sound].into_iter().flatten().all(|tag| self.send(&tag))
    }

    /// Whether it is still there.
    fn send(&mut self, tag: &Bytes) -> bool {
        if self.progress != Progress::Going {
            return !self.is_gone();
        }
        match self.tags.send(tag.clone(), tag.len()) {
            Sent::Queued | Sent::Displaced(_) => true,
            Sent::Refused => {
                self.progress = Progress::Waiting;
                true
            }
            Sent::Closed => false,
        }
    }

    fn is_gone(&self) -> bool {
        self.tags.is_closed()
    }
}

impl Supply for Mirror {
    fn open(&self, stop: Stop) -> BoxFuture<'_, Result<Flow, String>> {
        let (tags, queue) = queue::bounded(WAITING, Full::DropNewest, self.dropped.clone());
        self.lock().readers.push(Reader { tags, progress: Progress::New });
        let reader = Tags { queue, pending: Bytes::new(), stop };
        let source = Source::Reader(Box::new(reader));
        async move { Ok(Flow { sources: vec![source], options: flow::options(), pace: Pace::Live }) }.boxed()
    }

    fn mark(&self) -> u64 {
        self.mark
    }
}

/// A reader's end.
struct Tags {
    queue: Receiver<Bytes>,
    pending: Bytes,
    stop: Stop,
}

impl Read for Tags {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.pending.is_empty() {
            match self.queue.receive(LOOK) {
                Received::Item(tag) => self.pending = tag,
                Received::Empty if self.stop.is_stopped() => {
                    return Err(std::io::Error::other("told to stop"));
                }
                Received::Empty => {}
                Received::Closed => return Ok(0),
            }
        }
        let count = buffer.len().min(self.pending.len());
        self.pending.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
