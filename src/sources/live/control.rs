//! How a feed tells its thread to go on, to wait, and to end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::base::clock::{Clock, Monotonic};
use crate::base::tasks::Tasks;
use crate::streams::Stop;

/// Shared by a feed and its thread.
#[derive(Debug)]
pub(super) struct Control {
    /// FFmpeg looks at it while it blocks.
    pub(super) interrupt: Arc<AtomicBool>,
    /// Ends waiting for HTTP; cancelled also when the program ends.
    pub(super) cancel: CancellationToken,
    until: Mutex<Monotonic>,
    told: Condvar,
}

impl Control {
    /// A wait is broken off at least so often to look at the clock.
    const LOOK: Duration = Duration::from_secs(1);

    /// One that ends with `tasks`, whatever becomes of the feed.
    pub(super) fn new(tasks: &Tasks) -> Arc<Self> {
        let control = Arc::new(Self { cancel: tasks.stopping().child_token(), ..Self::apart() });
        let this = Arc::clone(&control);
        tasks.spawn("pull-input's end", async move {
            this.cancel.cancelled().await;
            this.stop();
        });
        control
    }

    /// One that nobody else ends.
    pub(super) fn apart() -> Self {
        Self {
            interrupt: Arc::default(),
            cancel: CancellationToken::new(),
            until: Mutex::default(),
            told: Condvar::new(),
        }
    }

    /// One that ends with `stop`.
    pub(super) fn of(stop: &Stop) -> Self {
        Self { interrupt: Arc::clone(&stop.interrupt), cancel: stop.cancel.clone(), ..Self::apart() }
    }

    /// Someone asked at `now`: worth going on for `idle` more.
    pub(super) fn asked(&self, now: Monotonic, idle: Duration) {
        *self.until.lock().expect("no code that can panic runs under this lock") = now + idle;
    }

    pub(super) fn stop(&self) {
        self.interrupt.store(true, Ordering::Release);
        self.cancel.cancel();
        self.told.notify_all();
    }

    pub(super) fn stopped(&self) -> bool {
        self.interrupt.load(Ordering::Acquire)
    }

    /// Nobody has asked for long.
    pub(super) fn idle(&self, now: Monotonic) -> bool {
        *self.until.lock().expect("no code that can panic runs under this lock") < now
    }

    /// Waits until `due`; whether it came before the end.
    pub(super) fn wait(&self, clock: &Clock, due: Monotonic) -> bool {
        loop {
            let now = clock.now();
            if self.stopped() || self.idle(now) {
                return false;
            }
            if now >= due {
                return true;
            }
            let until = self.until.lock().expect("no code that can panic runs under this lock");
            let wait = due.since(now).min(Self::LOOK);
            drop(self.told.wait_timeout(until, wait).expect("no code that can panic runs under this lock"));
        }
    }
}
