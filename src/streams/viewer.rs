//! One that watches: always the latest frame, never a queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frame::Frame;
use super::stream::{Latest, Stream};

/// Counts as one viewer of its stream until dropped. Costs no wake-up while nothing new arrives.
#[derive(Debug)]
pub struct Viewer {
    stream: Arc<Stream>,
    latest: watch::Receiver<Latest>,
    seen: u64,
    cap: Option<Cap>,
}

/// At most one frame each `period`, on a raster that doesn't drift.
#[derive(Debug)]
struct Cap {
    period: Duration,
    due: Option<Instant>,
}

impl Viewer {
    /// `max_fps`: deliver no more than that; `None` delivers every frame the viewer is fast enough for.
    pub(super) fn new(stream: Arc<Stream>, latest: watch::Receiver<Latest>, max_fps: Option<f64>) -> Self {
        stream.viewers.fetch_add(1, Ordering::Relaxed);
        let cap = max_fps.map(|fps| Cap { period: Duration::from_secs_f64(1.0 / fps), due: None });
        Self { stream, latest, seen: 0, cap }
    }

    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// The newest frame not yet seen, as soon as there is one; `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Arc<Frame>> {
        if let Some(due) = self.cap.as_ref().and_then(|cap| cap.due) {
            tokio::select! {
                () = sleep_until(due) => {}
                // Whoever waits for its turn must not outlive the stream.
                _ = self.latest.wait_for(|latest| matches!(latest, Latest::Ended)) => return None,
            }
        }
        loop {
            let fresh = match &*self.latest.borrow_and_update() {
                Latest::Ended => return None,
                Latest::Frame(frame) if frame.sequence > self.seen => Some(Arc::clone(frame)),
                Latest::Frame(_) | Latest::Nothing => None,
            };
            if let Some(frame) = fresh {
                self.took(&frame);
                return Some(frame);
            }
            self.latest.changed().await.ok()?;
        }
    }

    /// Number of the last frame it took; 0 if it has taken none.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Counts a frame that is being shown to it. Only for frames got by a [`Lookout`].
    pub fn took(&mut self, frame: &Frame) {
        if self.seen > 0 && self.cap.is_none() {
            self.stream.skipped.add(frame.sequence - self.seen - 1);
        }
        self.seen = frame.sequence;
        self.stream.delivered.add(1);
        if let Some(cap) = &mut self.cap {
            let now = Instant::now();
            let on_raster = cap.due.map(|due| due + cap.period).filter(|next| *next > now);
            cap.due = Some(on_raster.unwrap_or(now + cap.period));
        }
    }
}

/// Looks out for new frames on behalf of viewers; is none itself.
#[derive(Debug)]
pub struct Lookout {
    latest: watch::Receiver<Latest>,
    seen: u64,
}

impl Lookout {
    pub(super) fn new(latest: watch::Receiver<Latest>) -> Self {
        Self { latest, seen: 0 }
    }

    /// The newest frame not yet seen, as soon as there is one; `None` when the stream has ended. May be dropped and called
    /// again without losing a frame.
    pub async fn next(&mut self) -> Option<Arc<Frame>> {
        let seen = self.seen;
        let fresh = |latest: &Latest| match latest {
            Latest::Ended => true,
            Latest::Frame(frame) => frame.sequence > seen,
            Latest::Nothing => false,
        };
        let latest = self.latest.wait_for(fresh).await.ok()?.clone();
        let Latest::Frame(frame) = latest else { return None };
        self.seen = frame.sequence;
        Some(frame)
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.stream.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}
