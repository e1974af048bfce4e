//! Runs captures when the schedule says so: the one loop, and what one capture is.
//!
//! No lock is held while anything is fetched, decoded or written. However a capture ends, also by a panic, the schedule
//! hears of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::frames::{Kept, Shot};
use super::pool::{ToRead, Want};
use super::pull::{Kit, Pull, Turn};
use super::schedule::{self, Key, Next};
use super::tally::Outcome;
use super::{Captures, Inner};
use crate::base::error::Result;
use crate::reading::{Coded, Read, Shown};
use crate::sources::{Captured, Cause, Failure, FailureKind, Puller};
use crate::streams::{Change, Picture};

impl Captures {
    /// Captures until `stopping`.
    pub(super) async fn run(self, stopping: CancellationToken) {
        loop {
            // Before the look, so that what changes after it wakes us.
            let woken = self.0.wake.notified();
            let wait = match self.next() {
                Next::Capture { key, late, .. } => {
                    self.begin(key, late, &stopping);
                    continue;
                }
                Next::At(at) => at.since(self.0.clock.now()),
                Next::Full | Next::Idle => Duration::from_secs(3600),
            };
            tokio::select! {
                () = sleep(wait) => {}
                () = woken => {}
                () = stopping.cancelled() => return,
            }
        }
    }

    fn next(&self) -> Next {
        self.0.lock().schedule.next(self.0.clock.now())
    }

    fn begin(&self, key: Key, late: Duration, stopping: &CancellationToken) {
        let inner = Arc::clone(&self.0);
        let slot = Slot { inner: Arc::clone(&inner), key, outcome: schedule::Outcome::Failed };
        let Some(pull) = inner.lock().by_key.get(&key).cloned() else { return };
        inner.tally.began(late);
        let stopping = stopping.clone();
        self.0.tasks.spawn("capture", async move {
            tokio::select! {
                () = capture(&inner, &pull, slot) => {}
                () = stopping.cancelled() => {}
            }
        });
    }

    /// Puts the newest picture of a pull stream before its viewers, if they have not been shown it.
    pub(super) async fn show(&self, pull: &Pull) -> Result<()> {
        show(&self.0, pull).await
    }
}

/// A capture under way. Dropping it tells the schedule, however it came to that.
struct Slot {
    inner: Arc<Inner>,
    key: Key,
    outcome: schedule::Outcome,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.inner.lock().schedule.done(self.key, self.inner.clock.now(), self.outcome);
        self.inner.wake.notify_one();
    }
}

async fn capture(inner: &Arc<Inner>, pull: &Pull, mut slot: Slot) {
    let deadline = inner.settings().timeout;
    let captured = match timeout(deadline, attempt(inner, pull, deadline)).await {
        Ok(captured) => captured,
        Err(_) => {
            let reason = format!("no picture within {} s (capture.timeout)", deadline.as_secs_f64());
            Err(Failure { kind: FailureKind::Error(Cause::Timeout), reason })
        }
    };
    let outcome = captured.as_ref().map_or_else(|failure| Outcome::of(failure.kind), |_| Outcome::Captured);
    slot.outcome = match outcome {
        Outcome::Captured | Outcome::Unchanged => schedule::Outcome::Captured,
        Outcome::Offline => schedule::Outcome::Offline,
        Outcome::Ad => schedule::Outcome::Ad,
        Outcome::Failed(_) => schedule::Outcome::Failed,
    };
    let (captured, read) =
        captured.map_or_else(|failure| (Err(failure), None), |(captured, read)| (Ok(captured), read));
    let kept = record(inner, pull, slot.key, captured, read, outcome);
    drop(slot);
    if kept && pull.stream.viewers() > 0 {
        // Viewers will see the next one.
        if let Err(e) = show(inner, pull).await {
            debug!(stream = %pull.stream.name, error = %e, "a captured picture can't be shown");
        }
    }
}

/// Writes down what came of a capture; whether there is a new picture.
fn record(
    inner: &Inner,
    pull: &Pull,
    key: Key,
    captured: Result<Captured, Failure>,
    read: Option<Read>,
    outcome: Outcome,
) -> bool {
    let mut this = pull.lock();
    // Removed or begun anew meanwhile: nothing is kept of it.
    if this.gone || this.key != key {
        return false;
    }
    inner.tally.count(outcome);
    let turn = this.count(outcome, captured.as_ref().err(), inner.clock.wall());
    let kept = match captured {
        Ok(captured) => {
            inner.tally.fetched_bytes.add(captured.fetched_bytes);
            inner.tally.keyframe_bytes.add(captured.keyframe_bytes);
            this.figures.last_success = Some(inner.clock.now());
            this.figures.size = Some((captured.keyframe.width, captured.keyframe.height));
            let Captured { keyframe, media_time, media_time_error, .. } = captured;
            let coded = Coded::Keyframe(keyframe.clone());
            let shot = Shot { keyframe, media_time, media_time_error };
            let kept = inner.frames.keep(&pull.stream.name, &mut this.ring, shot);
            if let Some(read) = read {
                this.figures.matches += u64::from(read.matched());
                let shown = Shown { media_time, media_time_error, frame: Some(kept.file()), coded };
                inner.reader.done(read, &pull.stream.name, shown);
            }
            true
        }
        Err(failure) => {
            if outcome != Outcome::Unchanged {
                debug!(stream = %pull.stream.name, reason = failure.reason, "no capture");
            }
            false
        }
    };
    let reason = this.figures.last_error.clone();
    drop(this);
    let name = pull.stream.name.clone();
    match turn {
        Some(Turn::Online) => inner.registry.announce(Change::Online(name)),
        Some(Turn::Offline) => {
            let reason = reason.unwrap_or_default().into();
            inner.registry.announce(Change::Offline { name, reason });
        }
        None => {}
    }
    kept
}

/// One capture, without its deadline.
async fn attempt(
    inner: &Inner,
    pull: &Pull,
    deadline: Duration,
) -> Result<(Captured, Option<Read>), Failure> {
    let settings = inner.settings();
    let began = inner.clock.now();
    let (definition, generation) = {
        let this = pull.lock();
        (Arc::clone(&this.definition), this.generation)
    };
    let quality = definition.quality.unwrap_or(settings.quality);
    let mut held = pull.puller.lock().await;
    if held.as_ref().is_some_and(|kit| kit.generation != generation) {
        *held = None;
    }
    let kit = held.get_or_insert_with(|| {
        let (target, shared) = (definition.target.clone(), Arc::clone(&inner.sources));
        Kit { puller: Puller::new(target, definition.trust, shared, quality), generation }
    });
    kit.puller.set_quality(quality);
    let captured = kit.puller.capture(deadline).await;
    let playlist_age = kit.puller.playlist_age();
    drop(held);
    if let Some(age) = playlist_age {
        inner.tally.playlist_age.add(age);
    }
    inner.tally.fetch.add(inner.clock.now().since(began));
    let captured = captured?;
    let pack = definition.pack.as_deref().unwrap_or(&settings.pack);
    let reads = inner.reader.wants(pack);
    if !settings.decode && !reads {
        return Ok((captured, None));
    }
    let to_read = reads.then(|| ToRead {
        reader: inner.reader.clone(),
        memory: Arc::clone(&pull.memory),
        pack: pack.to_owned(),
    });
    let (keyframe, priority) = (captured.keyframe.clone(), definition.priority);
    let seen = inner.pool.look_and_read(keyframe, Want::Verdict, to_read, priority).await;
    let seen =
        seen.map_err(|e| Failure { kind: FailureKind::Error(Cause::Keyframe), reason: e.to_string() })?;
    Ok((captured, seen.read))
}

async fn show(inner: &Inner, pull: &Pull) -> Result<()> {
    let newest = {
        let this = pull.lock();
        let shown = |kept: &Arc<Kept>| this.shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, kept));
        this.ring.newest().filter(|kept| !shown(kept))
    };
    let Some(newest) = newest else { return Ok(()) };
    let jpeg = inner.jpeg(&newest, None).await?;
    let header = pixels::jpeg::inspect(&jpeg, u16::MAX)
        .map_err(|e| crate::base::error::Error::internal("the JPEG we made is not one", e))?;
    let mut this = pull.lock();
    if this.shown.as_ref().is_some_and(|shown| shown.media_time >= newest.media_time) {
        return Ok(());
    }
    let picture = Picture { jpeg, header, source_time: None, media_time: Some(newest.media_time) };
    // A stream that has ended shows nothing more.
    let _ = pull.stream.publish(picture, None);
    this.shown = Some(newest);
    Ok(())
}
