//! Readings and events: what packs read lately, what their rules made of it, the evidence, and what people say of it.
//!
//! One thread takes every [`Record`], keeps the last of each stream, steps the rules, and writes what is an event down before
//! anybody hears of it: first the evidence, then the event (`events.db` in the data directory). Called by `api`. Decodes
//! nothing: evidence is kept as it was coded, with the boxes that the rule read as they were when it was read.

mod evidence;
mod file;
mod keeper;
mod pictures;
mod readings;
mod shape;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::broadcast;

use crate::base::clock::{Clock, MediaTime};
use crate::base::error::{Error, Result};
use crate::base::queue::{Counter, Receiver};
use crate::base::tasks::Tasks;
use crate::bus::{Bus, Topic};
use crate::reading::{Coded, Record};
use crate::streams::{Registry, StreamName};

pub use file::{Count, Page};
pub use shape::{Event, Reading};

use evidence::Evidence;
use file::File;
use readings::Readings;

/// Events and readings. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    /// For those who ask; the thread has one of its own.
    file: Mutex<File>,
    evidence: Evidence,
    readings: Readings,
    news: broadcast::Sender<Arc<Event>>,
    fresh: broadcast::Sender<Arc<Reading>>,
    counters: Counters,
}

/// What it is built from.
pub struct Parts {
    pub data_dir: PathBuf,
    pub limits: Limits,
    pub clock: Clock,
    pub tasks: Tasks,
    pub registry: Registry,
    pub records: Receiver<Record>,
    pub bus: Arc<dyn Bus>,
}

/// How much is kept: the oldest go first.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub max_age: Duration,
    pub max_events: u64,
    pub max_evidence_bytes: u64,
}

#[derive(Default)]
struct Counters {
    events: Counter,
    failed: Counter,
    without_evidence: Counter,
    removed: Counter,
    untold: Counter,
    delayed: Counter,
    pictures_dropped: Counter,
    pictures_bytes: AtomicUsize,
}

/// Figures at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Events found since the start.
    pub events: u64,
    /// Events lost because too many waited for the disk.
    pub failed: u64,
    /// Times the disk did not take events, which are written down later.
    pub delayed: u64,
    /// Events whose picture could not be kept.
    pub without_evidence: u64,
    /// Events that were too old or too many.
    pub removed: u64,
    /// Times the bus did not take an event, which is told again later.
    pub untold: u64,
    /// Pictures of what is not confirmed yet that there was no room for.
    pub pictures_dropped: u64,
    /// Bytes of such pictures in memory.
    pub pictures_bytes: usize,
    /// Readings in memory.
    pub readings: usize,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub stream: Option<StreamName>,
    pub kind: Option<String>,
    /// From this moment on.
    pub since: Option<MediaTime>,
    /// Before this moment.
    pub until: Option<MediaTime>,
    /// What a page before said is next.
    pub cursor: Option<String>,
    pub limit: usize,
}

impl Events {
    /// Events that may wait for one who listens; whoever is later misses some and is told so.
    const NEWS: usize = 1024;

    /// Opens the file and starts the thread.
    ///
    /// # Errors
    /// When the file can't be opened.
    pub async fn start(parts: Parts) -> Result<Self> {
        let Parts { data_dir, limits, clock, tasks, registry, records, bus } = parts;
        let folder = data_dir.clone();
        let opened = tokio::task::spawn_blocking(move || {
            std::fs::create_dir_all(&folder)
                .map_err(|e| Error::internal("the data directory can't be made", e))?;
            Ok::<_, Error>((File::open(&folder)?, File::open(&folder)?))
        });
        let (own, asked) = opened.await.map_err(|e| Error::internal("the events can't be opened", e))??;
        let events = Self(Arc::new(Inner {
            file: Mutex::new(asked),
            evidence: Evidence::new(&data_dir),
            readings: Readings::default(),
            news: broadcast::channel(Self::NEWS).0,
            fresh: broadcast::channel(Self::NEWS).0,
            counters: Counters::default(),
        }));
        events.restore(&*bus).await;
        keeper::start(&events, own, limits, keeper::Around { clock, registry, tasks, records, bus })?;
        Ok(events)
    }

    /// Takes up the readings that the bus has kept. Without it there are none until the next.
    async fn restore(&self, bus: &dyn Bus) {
        const MOST: u64 = 20_000;
        const AT_ONCE: usize = 1000;
        let Ok(span) = bus.span(Topic::Readings).await else { return };
        let mut from = span.first.max(span.next.saturating_sub(MOST));
        while from < span.next {
            let Ok(kept) = bus.read(Topic::Readings, from, AT_ONCE, Duration::ZERO).await else { return };
            let Some(last) = kept.last() else { return };
            from = last.offset + 1;
            for message in &kept {
                let reading = StreamName::parse(&message.key).ok().zip(Reading::kept(&message.payload));
                if let Some((stream, reading)) = reading {
                    self.0.readings.keep(&stream, reading.at, &message.payload);
                }
            }
        }
    }

    /// Events as they are found.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.news.subscribe()
    }

    /// Readings as they are made.
    pub fn subscribe_readings(&self) -> broadcast::Receiver<Arc<Reading>> {
        self.0.fresh.subscribe()
    }

    /// The newest reading of each stream.
    pub fn latest_readings(&self) -> Vec<Reading> {
        self.0.readings.latest()
    }

    /// How many events of each kind are kept of each stream.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub async fn counts(&self) -> Result<Vec<Count>> {
        self.ask(|file| file.counts()).await
    }

    /// What was read of a stream, the newest first.
    pub fn readings(&self, stream: &StreamName, since: Option<MediaTime>, limit: usize) -> Vec<Reading> {
        self.0.readings.list(stream, since, limit)
    }

    /// The newest first.
    ///
    /// # Errors
    /// `Invalid` for a cursor that no page gave; `Unavailable` when the disk fails.
    pub async fn list(&self, filter: Filter) -> Result<Page> {
        self.ask(move |file| file.list(&filter)).await
    }

    /// # Errors
    /// `NotFound` when there is none of that id (any more).
    pub async fn get(&self, id: &str) -> Result<Event> {
        let id = id.to_owned();
        self.ask(move |file| file.get(&id)).await
    }

    /// Writes down whether an event is one.
    ///
    /// # Errors
    /// `NotFound` when there is none of that id (any more).
    pub async fn judge(&self, id: &str, correct: Option<bool>) -> Result<Event> {
        let (id, evidence) = (id.to_owned(), self.0.evidence.clone());
        self.ask(move |file| {
            let event = file.judge(&id, correct)?;
            // What a check of the pack reads.
            evidence
                .describe(&event)
                .map_err(|e| Error::internal("the verdict can't be kept with the evidence", e))?;
            Ok(event)
        })
        .await
    }

    /// The picture an event was seen on, as it was coded.
    ///
    /// # Errors
    /// `NotFound` when it is not kept (any more).
    pub async fn evidence(&self, id: &str) -> Result<Coded> {
        let (id, evidence) = (id.to_owned(), self.0.evidence.clone());
        self.ask(move |file| {
            file.get(&id)?;
            evidence.read(&id)
        })
        .await
    }

    /// What was in one of the boxes that an event's rule read: a JPEG.
    ///
    /// # Errors
    /// `NotFound` when the event has no such crop, or is not kept (any more).
    pub async fn crop(&self, id: &str, name: &str) -> Result<Bytes> {
        let (id, name, evidence) = (id.to_owned(), name.to_owned(), self.0.evidence.clone());
        self.ask(move |file| {
            // Only names that the event itself has become names of files.
            let event = file.get(&id)?;
            let known = event.crops.contains_key(&name);
            let name = known.then_some(name).ok_or_else(|| {
                Error::not_found(format!("the event has no such crop; it has: {}", event.crop_names()))
            })?;
            evidence.crop(&id, &name)
        })
        .await
    }

    pub fn figures(&self) -> Figures {
        let Counters {
            events,
            failed,
            without_evidence,
            removed,
            untold,
            delayed,
            pictures_dropped,
            pictures_bytes,
        } = &self.0.counters;
        Figures {
            events: events.get(),
            failed: failed.get(),
            without_evidence: without_evidence.get(),
            removed: removed.get(),
            untold: untold.get(),
            delayed: delayed.get(),
            pictures_dropped: pictures_dropped.get(),
            pictures_bytes: pictures_bytes.load(Ordering::Relaxed),
            readings: self.0.readings.count(),
        }
    }

    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut File) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        let asked = tokio::task::spawn_blocking(move || {
            let mut file = inner.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            ask(&mut file)
        });
        asked.await.map_err(|e| Error::internal("the events can't be asked", e))?
    }
}
