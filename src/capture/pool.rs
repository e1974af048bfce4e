//! The threads that decode: as many as there are cores, each picture with a decoder of its own.
//!
//! The one seam behind which what strangers send is decoded: coded bytes in, a JPEG or a verdict out. Nothing of one
//! picture is left when the next comes. A panic while decoding costs that picture only.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use media::decode;
use media::keyframe::Keyframe;
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::base::clock::{Clock, Monotonic};
use crate::base::error::{Error, Kind, Result};
use crate::base::histogram::{Histogram, Snapshot};
use crate::base::queue::{self, Bound, Counter, Full, Receiver, Sender, Sent};
use crate::base::tasks::Tasks;
use crate::reading::{Memory, Read, Reader};

/// Hands pictures to the threads. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    /// The important first, then in the order they came. Whoever receives from the queue takes the first out of here.
    waiting: Mutex<BTreeMap<(u8, u64), Job>>,
    jobs: Sender<()>,
    numbers: AtomicU64,
    clock: Clock,
    /// When memory was given back last.
    released: Mutex<Monotonic>,
    times: Histogram,
    dropped: Counter,
    panics: Counter,
}

struct Job {
    keyframe: Keyframe,
    want: Want,
    /// What is to be read of it, by the pack of its stream.
    reading: Option<ToRead>,
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

/// How a picture is read while it is decoded anyway.
#[derive(Clone)]
pub(super) struct ToRead {
    pub(super) reader: Reader,
    pub(super) memory: Memory,
    pub(super) pack: String,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) jpeg: Option<Bytes>,
    pub(super) read: Option<Read>,
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
    /// Between two times that freed memory goes back to the kernel.
    const RELEASE: Duration = Duration::from_secs(30);

    /// # Errors
    /// When a thread can't be started.
    pub(super) fn start(tasks: &Tasks, clock: Clock, threads: usize) -> Result<Self> {
        decode::keep_memory();
        let (pool, inbox) = Self::new(clock);
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..threads.max(1) {
            let (pool, inbox, stop) = (pool.clone(), Arc::clone(&inbox), tasks.stopping());
            tasks.thread(&format!("decode-{number}"), Self::STACK, move || pool.work(inbox, &stop))?;
        }
        Ok(pool)
    }

    /// Without threads, and what they take work from.
    fn new(clock: Clock) -> (Self, Receiver<()>) {
        let dropped = Counter::default();
        let (jobs, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, dropped.clone());
        let times = Histogram::new(&[0.001, 0.002, 0.004, 0.006, 0.008, 0.012, 0.016, 0.025, 0.05, 0.1, 0.5]);
        let (waiting, numbers, panics) = (Mutex::default(), AtomicU64::new(0), Counter::default());
        let released = Mutex::new(clock.now());
        (Self(Arc::new(Inner { waiting, jobs, numbers, clock, released, times, dropped, panics })), inbox)
    }

    /// Pictures of lower `priority` numbers come first: where more is captured than can be decoded, the important does not
    /// wait behind the rest.
    ///
    /// # Errors
    /// `Unavailable` when too many wait; `Invalid` when it can't be decoded.
    pub(super) async fn look(&self, keyframe: Keyframe, want: Want, priority: u8) -> Result<Seen> {
        self.look_and_read(keyframe, want, None, priority).await
    }

    /// As [`Pool::look`], and reads what the picture says.
    ///
    /// # Errors
    /// As [`Pool::look`]. A picture of which nothing can be read is no error.
    pub(super) async fn look_and_read(
        &self,
        keyframe: Keyframe,
        want: Want,
        reading: Option<ToRead>,
        priority: u8,
    ) -> Result<Seen> {
        let (answer, seen) = oneshot::channel();
        let weight = keyframe.data.len();
        let place = (priority, self.0.numbers.fetch_add(1, Ordering::Relaxed));
        let sent = {
            // Held until it is sent, so that nobody takes out what may be refused.
            let mut waiting = self.0.waiting();
            let sent = self.0.jobs.send((), weight);
            if matches!(sent, Sent::Queued | Sent::Displaced(_)) {
                waiting.insert(place, Job { keyframe, want, reading, answer });
            }
            sent
        };
        match sent {
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

    fn work(&self, inbox: Arc<Mutex<Receiver<()>>>, stop: &CancellationToken) {
        self.work_on(&inbox, stop);
        // Whoever comes from now on is refused; whoever waits is told.
        drop(inbox);
        if stop.is_cancelled() {
            self.0.waiting().clear();
        }
    }

    fn work_on(&self, inbox: &Mutex<Receiver<()>>, stop: &CancellationToken) {
        let mut planes = I420::new(2, 2, Range::Limited, Matrix::Bt709);
        while !stop.is_cancelled() {
            self.release_if_due();
            // Whoever waits holds the inbox; it is given on as soon as a job is taken out.
            let received =
                inbox.lock().expect("receiving does not panic").receive(Duration::from_millis(200));
            match received {
                queue::Received::Item(()) => {}
                queue::Received::Empty => continue,
                queue::Received::Closed => return,
            }
            let Some((_, job)) = self.0.waiting().pop_first() else { continue };
            let Job { keyframe, want, reading, answer } = job;
            if answer.is_closed() {
                continue;
            }
            let began = self.0.clock.now();
            let seen = catch_unwind(AssertUnwindSafe(|| {
                let mut seen = see(&keyframe, want, &mut planes)?;
                self.0.times.add(self.0.clock.now().since(began));
                seen.read = reading.and_then(|to| to.reader.read(&to.memory, &to.pack, &planes));
                Ok(seen)
            }));
            let seen = seen.unwrap_or_else(|_| {
                self.0.panics.add(1);
                planes = I420::new(2, 2, Range::Limited, Matrix::Bt709);
                Err(Error::new(Kind::Internal, "decoding the picture failed badly"))
            });
            // Whoever asked may have given up meanwhile.
            let _ = answer.send(seen);
        }
    }

    /// Now and then the first thread that comes by gives back what the whole process has freed: a picture that waits a few
    /// milliseconds for it is not late, and nobody else waits for these threads.
    fn release_if_due(&self) {
        let now = self.0.clock.now();
        {
            let mut released = self.0.released.lock().expect("no code that can panic runs under this lock");
            if now.since(*released) < Self::RELEASE {
                return;
            }
            *released = now;
        }
        decode::release_memory();
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(u8, u64), Job>> {
        self.waiting.lock().expect("no code that can panic runs under this lock")
    }
}

fn see(keyframe: &Keyframe, want: Want, planes: &mut I420) -> Result<Seen> {
    let decoded = match want {
        Want::Verdict => decode::decode_unsmoothed(keyframe, planes),
        Want::Jpeg { .. } => decode::decode(keyframe, planes),
    };
    decoded.map_err(|e| Error::invalid("frame", "the picture can't be decoded").caused_by(e))?;
    let Want::Jpeg { width } = want else { return Ok(Seen { jpeg: None, read: None }) };
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
    Ok(Seen { jpeg: Some(jpeg), read: None })
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use media::keyframe::Codec;

    use super::*;

    #[tokio::test]
    async fn the_important_are_decoded_first_and_everybody_is_answered() {
        let (pool, inbox) = Pool::new(Clock::real());
        let data = Bytes::from_static(b"no picture");
        let noise = Keyframe { codec: Codec::H264, data, config: None, width: 16, height: 16, pts: 0 };
        let mut looks =
            [5, 1, 10, 5, 0].map(|priority| Box::pin(pool.look(noise.clone(), Want::Verdict, priority)));
        for look in &mut looks {
            assert!(poll_fn(|cx| Poll::Ready(look.as_mut().poll(cx).is_pending())).await);
        }
        let order: Vec<_> = pool.0.waiting().keys().copied().collect();
        assert_eq!(order, [(0, 4), (1, 1), (5, 0), (5, 3), (10, 2)]);

        let (tasks, worker) = (Tasks::default(), pool.clone());
        let (inbox, stop) = (Arc::new(Mutex::new(inbox)), tasks.stopping());
        tasks.thread("decode", Pool::STACK, move || worker.work(inbox, &stop)).unwrap();
        for look in looks {
            assert_eq!(look.await.unwrap_err().kind(), Kind::Invalid);
        }
        assert!(tasks.stop(Duration::from_secs(20)).await);
        assert_eq!(pool.look(noise, Want::Verdict, 0).await.unwrap_err().kind(), Kind::Unavailable);
        assert!(pool.0.waiting().is_empty());
    }
}
