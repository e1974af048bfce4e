//! What recordings say about themselves: one [`Recording`] per thread, the totals of all, and snapshots of
//! both.
//!
//! Written by the recording threads (a state twice a second, counters as they go), read by `api`.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::watch;

use super::Codec;
use crate::base::queue::Counter;
use crate::streams::{Stream, StreamName};

/// What is being done about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Off,
    /// Every frame goes into a file, coded as configured.
    Recording,
    /// Every frame goes into a file, but as the JPEG it came as, because the encoder was too slow or failed.
    FallbackMjpeg,
    /// Nothing can be written just now; tried again every few seconds.
    Waiting,
}

impl State {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Recording => "recording",
            Self::FallbackMjpeg => "fallback_mjpeg",
            Self::Waiting => "waiting",
        }
    }
}

/// One stream's recording, as clients see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether it is meant to be recorded.
    pub enabled: bool,
    pub state: State,
    /// Name of the file being written, without its folder.
    pub file: Option<String>,
    /// Why the state is not what was asked for, in words.
    pub reason: Option<String>,
    /// Frames in the file being written.
    pub frames: u64,
    /// Frames of this stream that are in no file: the disk was away, the queue was full, or they could not be
    /// decoded.
    pub frames_not_recorded: u64,
    /// Frames that wait to be recorded, and their bytes.
    pub queued_frames: usize,
    pub queued_bytes: usize,
}

/// Figures of all recordings since the start.
#[derive(Clone, Debug, Default)]
pub struct Meters {
    /// Recordings that run.
    pub active: usize,
    /// How many of them can't write just now.
    pub waiting: usize,
    /// Frames and bytes written, and files begun.
    pub frames: u64,
    pub bytes: u64,
    pub files: u64,
    /// Frames that are in no file, for any reason.
    pub lost: u64,
    /// Those of them that found their recording's queue full. 0, unless the disk hangs.
    pub dropped: u64,
    /// Those of them that could not be decoded.
    pub undecodable: u64,
    /// Times an encoder was too slow or failed.
    pub fallbacks: u64,
    pub panics: u64,
    pub encode: Encode,
    /// Frames that wait to be recorded, by stream.
    pub queues: Vec<(StreamName, usize)>,
}

/// How long coding one frame took: decoding the JPEG, converting and encoding it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encode {
    /// Frames at or below each of [`Encode::BOUNDS`], not cumulative; the last is those above all.
    pub buckets: [u64; Encode::BOUNDS.len() + 1],
    pub sum_seconds: f64,
}

impl Encode {
    /// Seconds.
    pub const BOUNDS: [f64; 9] = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.033, 0.066, 0.133];
}

#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) frames: Counter,
    pub(super) bytes: Counter,
    pub(super) files: Counter,
    pub(super) dropped: Counter,
    pub(super) lost: Counter,
    pub(super) undecodable: Counter,
    pub(super) fallbacks: Counter,
    pub(super) panics: Counter,
    buckets: [AtomicU64; Encode::BOUNDS.len() + 1],
    coding_micros: AtomicU64,
}

impl Totals {
    pub(super) fn coded(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket =
            Encode::BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(Encode::BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.coding_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn meters(&self, running: &[Arc<Recording>]) -> Meters {
        let dropped_now: u64 = running.iter().map(|recording| recording.dropped.get()).sum();
        Meters {
            active: running.len(),
            waiting: running.iter().filter(|recording| recording.view().state == State::Waiting).count(),
            frames: self.frames.get(),
            bytes: self.bytes.get(),
            files: self.files.get(),
            lost: self.lost.get(),
            dropped: self.dropped.get() + dropped_now,
            undecodable: self.undecodable.get(),
            fallbacks: self.fallbacks.get(),
            panics: self.panics.get(),
            encode: Encode {
                buckets: std::array::from_fn(|i| self.buckets[i].load(Ordering::Relaxed)),
                sum_seconds: Duration::from_micros(self.coding_micros.load(Ordering::Relaxed)).as_secs_f64(),
            },
            queues: running.iter().map(|recording| (recording.name.clone(), recording.queued().0)).collect(),
        }
    }
}

/// What one recording thread shares with the rest of the program.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) name: StreamName,
    stream: Weak<Stream>,
    /// Frames its queue refused. Moves into the totals when the thread ends.
    pub(super) dropped: Counter,
    view: Mutex<View>,
    queued: (AtomicUsize, AtomicUsize),
    stopping: AtomicBool,
    last_wanted: AtomicU64,
    done: watch::Sender<bool>,
}

/// What the thread does just now.
#[derive(Clone, Debug, Default)]
pub(super) struct View {
    pub(super) state: State,
    pub(super) reason: Option<String>,
    pub(super) file: Option<Progress>,
    pub(super) lost: u64,
}

/// The file being written.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    pub(super) name: super::name::FileName,
    pub(super) codec: Codec,
    pub(super) frames: u64,
    pub(super) duration: Duration,
}

impl Recording {
    pub(super) fn new(stream: &Arc<Stream>) -> Self {
        Self {
            name: stream.name.clone(),
            stream: Arc::downgrade(stream),
            dropped: Counter::default(),
            view: Mutex::new(View { state: State::Recording, ..View::default() }),
            queued: Default::default(),
            stopping: AtomicBool::new(false),
            last_wanted: AtomicU64::new(u64::MAX),
            done: watch::Sender::new(false),
        }
    }

    /// The stream, while anyone holds it.
    pub(super) fn stream(&self) -> Option<Arc<Stream>> {
        self.stream.upgrade()
    }

    pub(super) fn is_of(&self, stream: &Arc<Stream>) -> bool {
        Weak::ptr_eq(&self.stream, &Arc::downgrade(stream))
    }

    /// Held for a copy only.
    pub(super) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().expect("no code that can panic runs under this lock")
    }

    pub(super) fn set_queued(&self, (frames, bytes): (usize, usize)) {
        self.queued.0.store(frames, Ordering::Relaxed);
        self.queued.1.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn queued(&self) -> (usize, usize) {
        (self.queued.0.load(Ordering::Relaxed), self.queued.1.load(Ordering::Relaxed))
    }

    /// Records up to the frame with this sequence number, and no more.
    pub(super) fn stop_after(&self, sequence: u64) {
        self.last_wanted.store(sequence, Ordering::Relaxed);
        self.stopping.store(true, Ordering::Release);
    }

    /// Sequence number of the last frame wanted, once recording has been switched off.
    pub(super) fn last_wanted(&self) -> Option<u64> {
        self.stopping.load(Ordering::Acquire).then(|| self.last_wanted.load(Ordering::Relaxed))
    }

    pub(super) fn status(&self, enabled: bool) -> Status {
        let (queued_frames, queued_bytes) = self.queued();
        let view = self.view().clone();
        Status {
            enabled,
            state: view.state,
            frames: view.file.as_ref().map_or(0, |file| file.frames),
            file: view.file.map(|file| file.name.mp4()),
            reason: view.reason,
            frames_not_recorded: view.lost,
            queued_frames,
            queued_bytes,
        }
    }

    /// The thread has closed its file.
    pub(super) fn finish(&self) {
        let mut view = self.view();
        *view = View { lost: view.lost, ..View::default() };
        drop(view);
        self.done.send_replace(true);
    }

    /// Resolves once the thread has closed its file.
    pub(super) async fn finished(&self) {
        // An error would mean that the sender is gone, but it is ours.
        let _ = self.done.subscribe().wait_for(|done| *done).await;
    }
}
