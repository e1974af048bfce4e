//! How the pull streams are doing, for those who ask: the API, the pages, metrics.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::definition::Definition;
use super::frames::Kept;
use super::pool::{self, Want};
use super::pull::{Figures, Pull, State};
use super::shelf::Label;
use super::tally::Totals;
use super::{Captures, Inner};
use crate::base::error::{Error, Result};
use crate::streams::StreamName;

/// One pull stream at one moment.
#[derive(Clone, Debug)]
pub struct View {
    pub definition: Arc<Definition>,
    pub figures: Figures,
    /// Until the next capture is due; zero while one is under way or late.
    pub next_in: Option<Duration>,
    /// Between two captures.
    pub interval: Duration,
    /// Captures left out because there was no time for them.
    pub skipped: u64,
    pub newest: Option<Arc<Kept>>,
    pub kept: usize,
    /// Since the last picture, or since the start.
    pub inactive: Duration,
}

/// All of them together.
#[derive(Debug)]
pub struct Meters {
    pub totals: Totals,
    pub decoding: pool::Figures,
    pub streams: usize,
    /// By state, in its word.
    pub by_state: Vec<(&'static str, u64)>,
    pub in_flight: usize,
    pub waiting: usize,
    pub skipped: u64,
    /// Bytes of captured pictures in memory: as they were coded, and JPEGs made of them.
    pub memory_bytes: usize,
    /// On disk.
    pub disk_bytes: u64,
    pub written: u64,
    pub not_written: u64,
    pub disk_queue: usize,
}

impl Captures {
    pub fn get(&self, name: &str) -> Option<View> {
        let (pull, plan) = {
            let state = self.0.lock();
            let pull = Arc::clone(state.by_name.get(name)?);
            let plan = state.schedule.view(pull.lock().key);
            (pull, plan)
        };
        let now = self.0.clock.now();
        let this = pull.lock();
        Some(View {
            definition: Arc::clone(&this.definition),
            figures: this.figures.clone(),
            next_in: plan.as_ref().map(|plan| plan.due.since(now)),
            interval: plan.as_ref().map_or(Duration::ZERO, |plan| plan.interval),
            skipped: plan.as_ref().map_or(0, |plan| plan.skipped),
            newest: this.ring.newest(),
            kept: this.ring.all().len(),
            inactive: this
                .figures
                .last_success
                .map_or_else(|| pull.stream.stats().uptime, |at| now.since(at)),
        })
    }

    /// What a stream is doing; `None` when there is no such pull stream.
    pub fn state(&self, name: &str) -> Option<State> {
        self.pull(name).map(|pull| pull.lock().figures.state)
    }

    /// The names their pictures are asked for by, newest first.
    pub fn files(&self, name: &str) -> Vec<String> {
        let Some(pull) = self.pull(name) else { return Vec::new() };
        let kept = pull.lock().ring.all();
        kept.iter().rev().map(|kept| kept.file()).collect()
    }

    /// A kept picture by its file's name, with its JPEG.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn frame(&self, name: &StreamName, file: &str) -> Result<(Arc<Kept>, Bytes)> {
        let none = || Error::not_found(format!("stream '{name}' keeps no picture '{file}'"));
        let kept = self.pull(name.as_str()).and_then(|pull| pull.lock().ring.get(file)).ok_or_else(none)?;
        let jpeg = self.0.jpeg(&kept, None).await?;
        Ok((kept, jpeg))
    }

    /// The newest picture of a stream as a JPEG; `None` while there is none.
    ///
    /// # Errors
    /// When it can't be decoded.
    pub async fn newest(&self, name: &str, width: Option<u32>) -> Result<Option<(Arc<Kept>, Bytes)>> {
        let Some(kept) = self.pull(name).and_then(|pull| pull.lock().ring.newest()) else { return Ok(None) };
        let jpeg = self.0.jpeg(&kept, width).await?;
        Ok(Some((kept, jpeg)))
    }

    /// Somebody begins to watch: what there is is shown at once, and if it is old a new one is taken soon.
    pub fn watched(&self, name: &str) {
        let Some(pull) = self.pull(name) else { return };
        let captures = self.clone();
        self.0.tasks.spawn("show", async move {
            if let Err(e) = captures.show(&pull).await {
                tracing::debug!(stream = %pull.stream.name, error = %e, "the newest picture can't be shown");
            }
        });
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().by_name.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What all captures came to.
    pub fn totals(&self) -> Totals {
        self.0.tally.read()
    }

    /// Why pictures are not kept just now.
    pub fn trouble(&self) -> Option<String> {
        self.0.frames.room().trouble()
    }

    pub fn meters(&self) -> Meters {
        let (pulls, load) = {
            let state = self.0.lock();
            let pulls: Vec<Arc<Pull>> = state.by_name.values().cloned().collect();
            (pulls, state.schedule.load(self.0.clock.now()))
        };
        let mut by_state: Vec<(&'static str, u64)> =
            ["pending", "online", "offline", "ad", "error"].map(|state| (state, 0)).into();
        let mut memory_bytes = self.0.shelf.bytes();
        for pull in &pulls {
            let this = pull.lock();
            let word = this.figures.state.as_str();
            if let Some((_, count)) = by_state.iter_mut().find(|(state, _)| *state == word) {
                *count += 1;
            }
            memory_bytes += this.ring.in_memory();
        }
        let room = self.0.frames.room();
        let (disk_queue, dropped) = self.0.frames.queue();
        Meters {
            totals: self.0.tally.read(),
            decoding: self.0.pool.figures(),
            streams: pulls.len(),
            by_state,
            in_flight: load.in_flight,
            waiting: load.waiting,
            skipped: load.skipped_total,
            memory_bytes,
            disk_bytes: room.used(),
            written: room.written.get(),
            not_written: room.skipped.get().max(dropped),
            disk_queue,
        }
    }

    fn pull(&self, name: &str) -> Option<Arc<Pull>> {
        self.0.lock().by_name.get(name).cloned()
    }
}

impl Inner {
    /// The JPEG of a kept picture, made now unless it was made lately.
    pub(super) async fn jpeg(&self, kept: &Arc<Kept>, width: Option<u32>) -> Result<Bytes> {
        let label = Label { stream: kept.stream.clone(), media_time: kept.media_time, width };
        if let Some(jpeg) = self.shelf.get(&label) {
            return Ok(jpeg);
        }
        let keyframe = match kept.in_memory() {
            Some(keyframe) => keyframe,
            None => {
                let kept = Arc::clone(kept);
                let read = tokio::task::spawn_blocking(move || kept.read());
                read.await.map_err(|e| Error::internal("a kept picture can't be read", e))??
            }
        };
        // Somebody waits for it.
        let seen = self.pool.look(keyframe, Want::Jpeg { width }, 0).await?;
        let jpeg = seen.jpeg.expect("it was asked for");
        self.shelf.put(label, jpeg.clone(), || kept.is_gone());
        Ok(jpeg)
    }
}
