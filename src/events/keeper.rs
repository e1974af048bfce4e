//! The thread that takes every record: keeps it, steps the rules, writes events down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use packs::rules::{self, State};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::file::{File, Remembered};
use super::pictures::{Picture, Pictures, Room};
use super::shape::{Event, Reading};
use super::{Events, Limits};
use crate::base::clock::{Clock, MediaTime, Monotonic};
use crate::base::error::{Error, Result};
use crate::base::queue::{Received, Receiver};
use crate::base::tasks::Tasks;
use crate::bus::{Bus, Message, Topic};
use crate::reading::Record;
use crate::streams::{Registry, StreamName};

/// What the thread works with.
pub(super) struct Around {
    pub(super) clock: Clock,
    pub(super) registry: Registry,
    pub(super) tasks: Tasks,
    pub(super) records: Receiver<Record>,
    pub(super) bus: Arc<dyn Bus>,
}

struct Keeper {
    events: Events,
    file: File,
    limits: Limits,
    clock: Clock,
    registry: Registry,
    streams: BTreeMap<StreamName, Known>,
    /// For the pictures of all streams.
    room: Room,
    tidied: Monotonic,
    remembered: Monotonic,
    bus: Arc<dyn Bus>,
    /// Events that the disk has not taken yet, the oldest first.
    unwritten: Vec<(Event, u64)>,
    runtime: Handle,
    /// Some events are not on the bus yet.
    behind: bool,
}

/// What is remembered of one stream.
struct Known {
    pack: String,
    state: State,
    /// The state changed since it was written down.
    changed: bool,
    pictures: Pictures,
    /// When a record of it came last.
    seen: Monotonic,
}

impl Known {
    fn new(pack: String, now: Monotonic) -> Self {
        Self { pack, state: State::default(), changed: false, pictures: Pictures::default(), seen: now }
    }
}

const STACK: usize = 2 << 20;
/// How often what rules remember is written down: a crash forgets no more than this of what stood on a screen before an event.
const REMEMBER: Duration = Duration::from_secs(1);
/// How often what is too old goes.
const TIDY: Duration = Duration::from_secs(30);
/// What is remembered of a stream that is gone stays for so long: it may come back, as after a restart.
const AWAY: Duration = Duration::from_hours(1);
/// Events that may wait for the disk; of more the oldest is lost, and counted.
const UNWRITTEN: usize = 1000;

/// Starts the thread.
pub(super) fn start(events: &Events, file: File, limits: Limits, around: Around) -> Result<()> {
    let Around { clock, registry, tasks, records, bus } = around;
    let mut streams = BTreeMap::new();
    for (stream, pack, state) in file.memory()? {
        // What an older version wrote, or nobody can read, is begun anew.
        let known = StreamName::parse(&stream).ok().zip(serde_json::from_str(&state).ok());
        if let Some((stream, state)) = known {
            streams.insert(stream, Known { state, ..Known::new(pack, clock.now()) });
        }
    }
    let tidied = clock.now();
    let events = events.clone();
    let runtime = Handle::current();
    let mut keeper = Keeper {
        events,
        file,
        limits,
        clock,
        registry,
        streams,
        room: Room::default(),
        tidied,
        remembered: tidied,
        bus,
        unwritten: Vec::new(),
        runtime,
        behind: true,
    };
    let stop = tasks.stopping();
    tasks.thread("events", STACK, move || keeper.run(&records, &stop))
}

impl Keeper {
    fn run(&mut self, records: &Receiver<Record>, stop: &CancellationToken) {
        let file = &self.file;
        // What can't be asked about stays.
        self.events.0.evidence.sweep(|id| file.has(id).unwrap_or(true));
        self.tell();
        loop {
            match records.receive(Duration::from_millis(200)) {
                Received::Item(record) => self.take(&record),
                Received::Empty if stop.is_cancelled() => break,
                Received::Empty => {}
                Received::Closed => break,
            }
            let now = self.clock.now();
            if now.since(self.remembered) >= REMEMBER {
                self.remembered = now;
                self.remember();
            }
            if now.since(self.tidied) >= TIDY {
                self.tidied = now;
                self.tidy();
            }
        }
        self.remember();
    }

    fn take(&mut self, record: &Record) {
        if let Some(reading) = Reading::new(record) {
            self.keep(&reading, record);
            // Nobody may be listening.
            let _ = self.events.0.fresh.send(Arc::new(reading));
        }
        let picture = Picture::of(record);
        let now = self.clock.now();
        let new = || Known::new(record.pack.id.to_string(), now);
        let known = self.streams.entry(record.stream.clone()).or_insert_with(new);
        known.seen = now;
        if known.pack != *record.pack.id {
            known.pictures.clear(&mut self.room);
            *known = new();
        }
        let found = record.pack.rules.step(&mut known.state, record.reading.as_ref(), picture.at);
        known.changed |= record.reading.is_some();
        let pending = known.state.pending();
        let mut pictures = std::mem::take(&mut known.pictures);
        for found in &found {
            // The one that shows it first; what there was no room for, or a restart has lost, is not there any more.
            self.find(found, record, pictures.at(found.at).unwrap_or(&picture));
        }
        if !found.is_empty() {
            self.write();
        }
        pictures.keep(picture, &pending, &mut self.room);
        if let Some(known) = self.streams.get_mut(&record.stream) {
            known.pictures = pictures;
        }
        self.events.0.counters.pictures_dropped.add(std::mem::take(&mut self.room.dropped));
        self.events.0.counters.pictures_bytes.store(self.room.taken(), Ordering::Relaxed);
    }

    /// Keeps the picture of an event; it waits to be written down.
    fn find(&mut self, found: &rules::Event, record: &Record, picture: &Picture) {
        let counters = &self.events.0.counters;
        let mut event = Event::new(found, record);
        event.seen_on(picture, found, &record.pack);
        let bytes = match self.events.0.evidence.keep(&mut event, picture) {
            Ok(bytes) => bytes,
            Err(e) => {
                counters.without_evidence.add(1);
                warn!(stream = %record.stream, event = event.id, error = %e, "the picture of an event can't be kept");
                event.unseen();
                0
            }
        };
        if self.unwritten.len() == UNWRITTEN {
            counters.failed.add(1);
            self.unwritten.remove(0);
        }
        self.unwritten.push((event, bytes));
    }

    /// Writes down what waits for it, with what the rules of those streams remember; then tells of it. What the disk does not take
    /// waits on.
    fn write(&mut self) {
        let streams: BTreeSet<&str> = self.unwritten.iter().map(|(event, _)| &*event.stream).collect();
        let memory = self.memory(|stream, _| streams.contains(stream.as_str()));
        if let Err(e) = self.file.add(&self.unwritten, &memory) {
            self.events.0.counters.delayed.add(1);
            warn!(events = self.unwritten.len(), error = %e, "events can't be written down yet");
            return;
        }
        for (event, _) in std::mem::take(&mut self.unwritten) {
            self.behind = true;
            self.events.0.counters.events.add(1);
            info!(stream = event.stream, kind = event.kind, at = event.media_time, "event");
            // Nobody may be listening.
            let _ = self.events.0.news.send(Arc::new(event));
        }
        self.tell();
    }

    /// What the rules of some streams remember, as it is written down.
    fn memory(&self, wanted: impl Fn(&StreamName, &Known) -> bool) -> Vec<Remembered> {
        let mut memory = Vec::new();
        for (stream, known) in self.streams.iter().filter(|(stream, known)| wanted(stream, known)) {
            match serde_json::to_string(&known.state) {
                Ok(state) => memory.push((stream.clone(), known.pack.clone(), state)),
                Err(e) => warn!(%stream, error = %e, "what rules remember can't be written"),
            }
        }
        memory
    }

    /// Keeps a reading and puts it on the bus; one that it has no room for is counted there.
    fn keep(&self, reading: &Reading, record: &Record) {
        let (topic, key, at) = (Topic::Readings, reading.stream.clone(), record.media_time);
        let offered = serde_json::to_string(reading)
            .map_err(|e| Error::internal("a reading can't be written", e))
            .and_then(|payload| {
                self.events.0.readings.keep(&record.stream, reading.at, &payload);
                self.bus.offer(Message { topic, key, at, payload })
            });
        if let Err(e) = offered {
            debug!(stream = %record.stream, error = %e, "a reading is not on the bus");
        }
    }

    /// Puts on the bus what is not there yet. What it does not take is told again later.
    fn tell(&mut self) {
        const AT_ONCE: usize = 100;
        while self.behind {
            let told = self.file.untold(AT_ONCE).and_then(|events| {
                let messages: Vec<Message> = events.iter().filter_map(message).collect();
                if !messages.is_empty() {
                    self.runtime.block_on(self.bus.append(messages))?;
                }
                self.file.told(&events)?;
                Ok(events.len())
            });
            match told {
                Ok(count) => self.behind = count == AT_ONCE,
                Err(e) => {
                    self.events.0.counters.untold.add(1);
                    warn!(error = %e, "events are not on the bus yet");
                    return;
                }
            }
        }
    }

    fn tidy(&mut self) {
        self.tell();
        let now = self.clock.now();
        let away = |(name, known): &(&StreamName, &Known)| {
            self.registry.get(name.as_str()).is_none() && now.since(known.seen) > AWAY
        };
        let gone: Vec<_> = self.streams.iter().filter(away).map(|(name, _)| name.clone()).collect();
        for stream in gone {
            if let Some(mut known) = self.streams.remove(&stream) {
                known.pictures.clear(&mut self.room);
            }
            if let Err(e) = self.file.forget(&stream) {
                warn!(%stream, error = %e, "what rules remember of a stream that is gone stays");
            }
        }
        self.events.0.readings.retain(|name| self.registry.get(name.as_str()).is_some());
        let Limits { max_age, max_events, max_evidence_bytes } = self.limits;
        let age = i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX);
        let oldest = self.clock.wall().0.as_millisecond().saturating_sub(age);
        match self.file.trim(oldest, max_events, max_evidence_bytes) {
            Ok(gone) => {
                self.events.0.counters.removed.add(gone.len() as u64);
                for id in gone {
                    if let Err(e) = self.events.0.evidence.remove(&id) {
                        warn!(event = id, error = %e, "the evidence of an event that is gone can't be deleted");
                    }
                }
            }
            Err(e) => warn!(error = %e, "old events can't be taken out"),
        }
    }

    /// Writes down what the rules remember, so that a restart loses no event that was half seen; never before the events they
    /// have found.
    fn remember(&mut self) {
        if !self.unwritten.is_empty() {
            self.write();
        }
        if !self.unwritten.is_empty() {
            return;
        }
        let memory = self.memory(|_, known| known.changed);
        if memory.is_empty() {
            return;
        }
        match self.file.add(&[], &memory) {
            Ok(()) => self.streams.values_mut().for_each(|known| known.changed = false),
            Err(e) => warn!(error = %e, "what rules remember can't be written down"),
        }
    }
}

fn message(event: &Event) -> Option<Message> {
    let at = jiff::Timestamp::from_millisecond(event.at_ms).map(MediaTime).ok()?;
    let payload = serde_json::to_string(event).ok()?;
    Some(Message { topic: Topic::Events, key: event.stream.clone(), at, payload })
}
