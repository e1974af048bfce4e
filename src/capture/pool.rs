//! The threads that decode: as many as there are cores, each picture with a decoder of its own.
//!
//! The one seam behind which what strangers send is decoded: coded bytes in, a JPEG or a verdict out. Nothing of one
//! picture is left when the next comes. A panic while decoding costs that picture only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use media::decode;
use media::keyframe::Keyframe;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::error::{Error, Kind, Result};
use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::{self, Bound, Counter, Full, Receiver, Sender, Sent};
use crate::base::tasks::Tasks;

/// Hands pictures to the threads. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    jobs: Sender<Job>,
    clock: Clock,
    times: Histogram,
    dropped: Counter,
    panics: Counter,
}

struct Job {
    keyframe: Keyframe,
    want: Want,
    answer: oneshot::Sender<Result<Seen>>,
}

/// What is to become of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// Only whether it can be decoded.
    Verdict,
    /// A JPEG, of that width if one is given.
    Jpeg { width: Option<u32> },
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) jpeg: Option<Bytes>,
}

/// The pool's figures at one moment.
#[derive(Debug)]
pub struct Figures {
    pub times: Snapshot,
    /// Pictures that wait.
    pub queued: usize,
    /// Pictures there was no room for.
    pub dropped: u64,
    pub panics: u64,
}

impl Pool {
    /// Pictures that may wait. Captures under way are bounded; this is for those who look at pictures besides.
    const WAITING: Bound = Bound { items: 1024, weight: 256 << 20 };
    const STACK: usize = 2 << 20;
    const QUALITY: u8 = 85;

    /// # Errors
    /// When a thread can't be started.
    pub(super) fn start(tasks: &Tasks, clock: Clock, threads: usize) -> Result<Self> {
        decode::keep_memory();
        let dropped = Counter::default();
        let (jobs, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, dropped.clone());
        let times = Histogram::new(&[0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.025, 0.05, 0.1, 0.5]);
        let pool = Self(Arc::new(Inner { jobs, clock, times, dropped, panics: Counter::default() }));
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..threads.max(1) {
            let (inbox, stop) = (Arc::clone(&inbox), tasks.stopping());
            let pool = pool.clone();
            tasks.thread(&format!("decode-{number}"), Self::STACK, move || pool.work(&inbox, &stop))?;
        }
        Ok(pool)
    }

    /// # Errors
    /// `Unavailable` when too many wait; `Invalid` when it can't be decoded.
    pub(super) async fn look(&self, keyframe: Keyframe, want: Want) -> Result<Seen> {
        let (answer, seen) = oneshot::channel();
        let weight = keyframe.data.len();
        match self.0.jobs.send(Job { keyframe, want, answer }, weight) {
            Sent::Queued | Sent::Displaced(_) => {}
            Sent::Refused => {
                return Err(Error::new(Kind::Unavailable, "too many pictures wait to be decoded"));
            }
            Sent::Closed => return Err(Error::new(Kind::Unavailable, "the server is shutting down")),
        }
        seen.await.unwrap_or_else(|_| Err(Error::new(Kind::Unavailable, "the server is shutting down")))
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            times: self.0.times.read(),
            queued: self.0.jobs.depth().0,
            dropped: self.0.dropped.get(),
            panics: self.0.panics.get(),
        }
    }

    fn work(&self, inbox: &Mutex<Receiver<Job>>, stop: &CancellationToken) {
        let mut planes = I420::new(2, 2, Range::Limited, Matrix::Bt709);
        while !stop.is_cancelled() {
            // Whoever waits holds the inbox; it is given on as soon as a job is taken out.
            let received =
                inbox.lock().expect("receiving does not panic").receive(Duration::from_millis(200));
            let job = match received {
                queue::Received::Item(job) => job,
                queue::Received::Empty => continue,
                queue::Received::Closed => return,
            };
            let Job { keyframe, want, answer } = job;
            if answer.is_closed() {
                continue;
            }
            let began = self.0.clock.now();
            let seen = catch_unwind(AssertUnwindSafe(|| see(&keyframe, want, &mut planes)));
            self.0.times.add(self.0.clock.now().since(began));
            let seen = seen.unwrap_or_else(|_| {
                self.0.panics.add(1);
                planes = I420::new(2, 2, Range::Limited, Matrix::Bt709);
                Err(Error::new(Kind::Internal, "decoding the picture failed badly"))
            });
            // Whoever asked may have given up meanwhile.
            let _ = answer.send(seen);
        }
    }
}

fn see(keyframe: &Keyframe, want: Want, planes: &mut I420) -> Result<Seen> {
    let decoded = match want {
        Want::Verdict => decode::decode_unsmoothed(keyframe, planes),
        Want::Jpeg { .. } => decode::decode(keyframe, planes),
    };
    decoded.map_err(|e| Error::invalid("frame", "the picture can't be decoded").caused_by(e))?;
    let Want::Jpeg { width } = want else { return Ok(Seen { jpeg: None }) };
    let encode = |picture: &I420| -> Result<Bytes> {
        let mut encoder =
            Encoder::new(Pool::QUALITY).map_err(|e| Error::internal("a JPEG can't be made", e))?;
        let jpeg = encoder.encode(picture).map_err(|e| Error::internal("a JPEG can't be made", e))?;
        Ok(Bytes::from(jpeg))
    };
    let jpeg = match width.filter(|width| *width != planes.width) {
        None => encode(planes)?,
        Some(width) => {
            let height = u64::from(planes.height) * u64::from(width) / u64::from(planes.width.max(1));
            let height = u32::try_from(height.clamp(1, 8192)).expect("clamped");
            encode(&pixels::scale::scale(planes, width, height))?
        }
    };
    Ok(Seen { jpeg: Some(jpeg) })
}
