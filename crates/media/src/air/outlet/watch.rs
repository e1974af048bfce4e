//! When a blocking call is to end: told to stop, or out of time.
//!
//! Asked by FFmpeg's interrupt callback, ten times a second while it waits. Set by [`super::raw`] around each call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long ending may take.
const FINISH: Duration = Duration::from_secs(2);
/// And when it was told to stop.
const FINISH_AT_ONCE: Duration = Duration::from_millis(150);

/// What the interrupt callback looks at.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    began: Instant,
    /// Milliseconds from `began` on; nothing blocks after that.
    until: AtomicU64,
    /// Whether it is being ended: then the flag only shortens that.
    ending: AtomicBool,
}

impl Watch {
    /// Whatever is asked for ends within `time`.
    pub(super) fn begin(stop: Arc<AtomicBool>, time: Duration) -> Arc<Self> {
        let watch =
            Self { stop, began: now(), until: AtomicU64::new(u64::MAX), ending: AtomicBool::new(false) };
        watch.allow(time);
        Arc::new(watch)
    }

    /// From now on calls may take as long as each wait in them is allowed to.
    pub(super) fn opened(&self) {
        self.until.store(u64::MAX, Ordering::Relaxed);
    }

    /// The last call begins.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.allow(if self.stopped() { FINISH_AT_ONCE } else { FINISH });
    }

    /// Nobody waits any more.
    pub(super) fn abandon(&self) {
        self.ending.store(true, Ordering::Relaxed);
        self.until.store(0, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn allow(&self, time: Duration) {
        let most = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.until.store(self.now().saturating_add(most), Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn late(&self) -> bool {
        self.now() >= self.until.load(Ordering::Relaxed)
    }

    pub(super) fn interrupts(&self) -> bool {
        if self.ending.load(Ordering::Relaxed) {
            let left = self.until.load(Ordering::Relaxed).saturating_sub(self.now());
            if self.stopped() && Duration::from_millis(left) > FINISH_AT_ONCE {
                self.allow(FINISH_AT_ONCE);
            }
            return self.late();
        }
        self.stopped() || self.late()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "deadlines of blocking calls, which nothing but FFmpeg waits for"
)]
fn now() -> Instant {
    Instant::now()
}
