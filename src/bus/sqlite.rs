//! The bus in a file of its own, `bus.db` in the data directory.
//!
//! One thread owns the connection. It takes what waits in its queues and commits it as one transaction: a commit costs one wait
//! for the disk, however many messages it is for. What is appended waits in a queue that refuses when it is full, what is
//! offered in one that drops its oldest.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::file::{File, Trimmed};
use super::message::{Kept, Message, Topic};
use super::{Bus, Figures, Group, Health, Retention, Settings, Span};
use crate::base::clock::{Clock, Monotonic};
use crate::base::error::{Error, Kind, Result};
use crate::base::health::Presence;
use crate::base::histogram::Histogram;
use crate::base::queue::{self, Bound, Counter, Full, Received, Receiver, Sender, Sent};
use crate::base::sqlite::trouble;
use crate::base::tasks::Tasks;

/// Called by `bus::open`.
pub(super) struct Sqlite {
    jobs: Sender<Job>,
    offers: Sender<Message>,
    /// The offset of each topic's next message.
    ends: BTreeMap<Topic, watch::Receiver<u64>>,
    meter: Arc<Meter>,
}

struct Meter {
    clock: Clock,
    presence: Presence,
    appended: Counter,
    dropped: Counter,
    expired: Counter,
    failures: Counter,
    latency: Histogram,
    groups: Mutex<Vec<Group>>,
}

enum Job {
    Append(Append),
    Read { topic: Topic, from: u64, limit: usize, answer: oneshot::Sender<Result<Vec<Kept>>> },
    Span { topic: Topic, answer: oneshot::Sender<Result<Span>> },
    Committed { group: String, topic: Topic, answer: oneshot::Sender<Result<Option<u64>>> },
    Commit { group: String, topic: Topic, next: u64, answer: oneshot::Sender<Result<()>> },
}

struct Append {
    messages: Vec<Message>,
    answer: oneshot::Sender<Result<()>>,
}

impl Sqlite {
    /// What may wait for the thread; more is refused.
    const WAITING: Bound = Bound { items: 4096, weight: 64 << 20 };
    /// What is offered and may wait: a minute of five hundred streams, or as much as that.
    const OFFERED: Bound = Bound { items: 16_384, weight: 64 << 20 };
    const STACK_BYTES: usize = 1 << 20;
    /// Bytes of one append.
    const MOST: usize = 16 << 20;
    const SECONDS: [f64; 10] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5];

    pub(super) async fn open(settings: &Settings, tasks: &Tasks, clock: &Clock) -> Result<Self> {
        let meter = Arc::new(Meter {
            clock: clock.clone(),
            presence: Presence::new(clock.clone(), "bus", "sqlite"),
            appended: Counter::default(),
            dropped: Counter::default(),
            expired: Counter::default(),
            failures: Counter::default(),
            latency: Histogram::new(&Self::SECONDS),
            groups: Mutex::default(),
        });
        let (jobs, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, Counter::default());
        let (offers, offered) = queue::bounded(Self::OFFERED, Full::DropOldest, meter.dropped.clone());
        let (opened, answer) = oneshot::channel();
        let (mut ends, mut told) = (BTreeMap::new(), BTreeMap::new());
        for topic in Topic::ALL {
            let (tell, end) = watch::channel(0);
            told.insert(topic, tell);
            ends.insert(topic, end);
        }
        let (folder, metered, stop) = (settings.data_dir.clone(), Arc::clone(&meter), tasks.stopping());
        let retention = settings.retention.clone();
        tasks.thread("bus", Self::STACK_BYTES, move || match File::open(&folder) {
            Ok(file) => {
                let tidied = metered.clock.now();
                let mut writer = Writer {
                    file,
                    offered,
                    ends: told,
                    retention,
                    missed: BTreeMap::new(),
                    warned: None,
                    meter: metered,
                    failing_since: None,
                    tidied,
                };
                writer.tell();
                if opened.send(Ok(())).is_ok() {
                    writer.run(&inbox, &stop);
                }
            }
            // Nobody may be waiting for it any more.
            Err(e) => drop(opened.send(Err(e))),
        })?;
        answer.await.map_err(|e| Error::internal("the bus's thread has ended", e))??;
        Ok(Self { jobs, offers, ends, meter })
    }

    /// Has the thread do it, and waits for its answer.
    async fn ask<T>(&self, job: Job, weight: usize, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let ended = || Error::new(Kind::Unavailable, "the bus has ended");
        let refused = match self.jobs.send(job, weight) {
            Sent::Queued | Sent::Displaced(_) => return answer.await.map_err(|_| ended())?,
            Sent::Refused => Error::new(Kind::Unavailable, "too much waits for the bus; try again")
                .retry_after(Duration::from_secs(1)),
            Sent::Closed => ended(),
        };
        self.meter.failures.add(1);
        Err(refused)
    }
}

impl Bus for Sqlite {
    fn append(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<()>> {
        async move {
            let begun = self.meter.clock.now();
            messages.iter().try_for_each(Message::check)?;
            let (count, weight) = (messages.len() as u64, messages.iter().map(Message::bytes).sum());
            if weight > Self::MOST {
                let text = format!("messages of {} bytes at once are the most", Self::MOST);
                return Err(Error::new(Kind::TooLarge, text));
            }
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Append(Append { messages, answer }), weight, answered).await?;
            self.meter.appended.add(count);
            self.meter.latency.add(self.meter.clock.now().since(begun));
            Ok(())
        }
        .boxed()
    }

    fn offer(&self, message: Message) -> Result<()> {
        message.check()?;
        let weight = message.bytes();
        match self.offers.send(message, weight) {
            Sent::Queued | Sent::Displaced(_) => {}
            Sent::Refused | Sent::Closed => self.meter.dropped.add(1),
        }
        Ok(())
    }

    fn read(
        &self,
        topic: Topic,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> BoxFuture<'_, Result<Vec<Kept>>> {
        async move {
            let mut end = self.ends.get(&topic).expect("each topic has an end").clone();
            let arrived = end.wait_for(|next| *next > from || limit == 0);
            // What does not come in time is nothing; what can't be waited for, because the bus has ended, is told below.
            if tokio::time::timeout(wait, arrived).await.is_err() && wait > Duration::ZERO {
                return Ok(Vec::new());
            }
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Read { topic, from, limit, answer }, 0, answered).await
        }
        .boxed()
    }

    fn span(&self, topic: Topic) -> BoxFuture<'_, Result<Span>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Span { topic, answer }, 0, answered).await
        }
        .boxed()
    }

    fn committed<'a>(&'a self, group: &'a str, topic: Topic) -> BoxFuture<'a, Result<Option<u64>>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Committed { group: named(group)?, topic, answer }, 0, answered).await
        }
        .boxed()
    }

    fn commit<'a>(&'a self, group: &'a str, topic: Topic, next: u64) -> BoxFuture<'a, Result<()>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Commit { group: named(group)?, topic, next, answer }, 0, answered).await
        }
        .boxed()
    }

    fn health(&self) -> Health {
        self.meter.presence.health()
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn figures(&self) -> Figures {
        let (jobs, offers) = (self.jobs.depth(), self.offers.depth());
        Figures {
            appended: self.meter.appended.get(),
            dropped: self.meter.dropped.get(),
            expired: self.meter.expired.get(),
            failures: self.meter.failures.get(),
            waiting: (jobs.0 + offers.0, jobs.1 + offers.1),
            append_latency: self.meter.latency.read(),
            groups: self.meter.groups().clone(),
        }
    }
}

impl Meter {
    fn groups(&self) -> MutexGuard<'_, Vec<Group>> {
        self.groups.lock().expect("no code that can panic runs under this lock")
    }
}

/// A group's name, if it is one.
fn named(group: &str) -> Result<String> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.';
    if group.is_empty() || group.len() > 64 || !group.bytes().all(letter) {
        return Err(Error::invalid("group", "1 to 64 of A-Z, a-z, 0-9, `.`, `_` and `-`"));
    }
    Ok(group.to_owned())
}

/// The thread.
struct Writer {
    file: File,
    offered: Receiver<Message>,
    ends: BTreeMap<Topic, watch::Sender<u64>>,
    retention: BTreeMap<Topic, Retention>,
    missed: BTreeMap<(String, Topic), u64>,
    /// When it was last said that a group misses messages.
    warned: Option<Monotonic>,
    meter: Arc<Meter>,
    /// When it was last tried to write to a file that can't be written.
    failing_since: Option<Monotonic>,
    tidied: Monotonic,
}

impl Writer {
    /// How long what is offered may wait to be written with others.
    const IDLE: Duration = Duration::from_millis(100);
    /// Between two attempts to write when nobody wants to.
    const PROBE: Duration = Duration::from_secs(2);
    /// Between two looks for what is too old.
    const TIDY: Duration = Duration::from_secs(1);
    /// Between two words about groups that lag.
    const WARN: Duration = Duration::from_secs(60);
    /// Bytes of one transaction; beyond it the next begins.
    const TRANSACTION: usize = 16 << 20;

    fn run(&mut self, jobs: &Receiver<Job>, stop: &CancellationToken) {
        loop {
            match jobs.receive(Self::IDLE) {
                Received::Item(Job::Append(first)) => {
                    let next = self.append(first, jobs);
                    next.into_iter().for_each(|job| self.ask(job));
                }
                Received::Item(job) => self.ask(job),
                Received::Empty if stop.is_cancelled() => break,
                Received::Empty => {}
                Received::Closed => break,
            }
            self.keep_offers();
            let now = self.meter.clock.now();
            if now.since(self.tidied) >= Self::TIDY {
                self.tidied = now;
                self.tidy();
            }
        }
        self.keep_offers();
    }

    /// What does not write messages.
    fn ask(&mut self, job: Job) {
        // Whoever asked may have gone.
        match job {
            Job::Append(append) => drop(append.answer.send(self.write(&append.messages))),
            Job::Read { topic, from, limit, answer } => {
                let read = self.file.read(topic, from, limit).map_err(|e| self.failure("read", e));
                drop(answer.send(read));
            }
            Job::Span { topic, answer } => {
                drop(answer.send(self.file.span(topic).map_err(|e| self.failure("read", e))));
            }
            Job::Committed { group, topic, answer } => {
                drop(answer.send(self.file.committed(&group, topic).map_err(|e| self.failure("read", e))));
            }
            Job::Commit { group, topic, next, answer } => {
                let done = self.file.commit(&group, topic, next);
                self.note(&done);
                drop(answer.send(done.map_err(|e| self.failure("written", e))));
            }
        }
    }

    /// Commits `first` and all appends that wait behind it; another job that came after them is for the caller to do.
    fn append(&mut self, first: Append, jobs: &Receiver<Job>) -> Option<Job> {
        let bytes = |append: &Append| append.messages.iter().map(Message::bytes).sum::<usize>();
        let (mut weight, mut group, mut next) = (bytes(&first), vec![first], None);
        while weight < Self::TRANSACTION {
            match jobs.receive(Duration::ZERO) {
                Received::Item(Job::Append(append)) => {
                    weight += bytes(&append);
                    group.push(append);
                }
                Received::Item(job) => {
                    next = Some(job);
                    break;
                }
                Received::Empty | Received::Closed => break,
            }
        }
        let now = self.meter.clock.wall();
        let together = self.file.append(group.iter().flat_map(|append| &append.messages), now);
        if together.is_ok() {
            self.note(&together);
            self.tell();
            group.into_iter().for_each(|append| drop(append.answer.send(Ok(()))));
            return next;
        }
        // What can't be written with the others may be alone: one of them may be too much for the disk.
        for Append { messages, answer } in group {
            let done = self.write(&messages);
            drop(answer.send(done));
        }
        next
    }

    fn write(&mut self, messages: &[Message]) -> Result<()> {
        let done = self.file.append(messages.iter(), self.meter.clock.wall());
        self.note(&done);
        self.tell();
        done.map_err(|e| self.failure("written", e))
    }

    /// Writes what was offered, as one; what can't be written is dropped and counted.
    fn keep_offers(&mut self) {
        loop {
            let (mut weight, mut group) = (0, Vec::new());
            while weight < Self::TRANSACTION
                && let Received::Item(message) = self.offered.receive(Duration::ZERO)
            {
                weight += message.bytes();
                group.push(message);
            }
            if group.is_empty() {
                return;
            }
            let done = self.write(&group);
            let counter = if done.is_ok() { &self.meter.appended } else { &self.meter.dropped };
            counter.add(group.len() as u64);
        }
    }

    /// Takes out what is too old or too much, a little at a time; tries again what failed, so that an absence ends although
    /// nobody writes.
    fn tidy(&mut self) {
        let now = self.meter.clock.now();
        if let Some(tried) = self.failing_since {
            if now.since(tried) >= Self::PROBE {
                let done = self.file.probe();
                self.note(&done);
            }
            return;
        }
        let done = self.file.trim(&self.retention, self.meter.clock.wall());
        let done = done.map(|trimmed| self.count(trimmed)).and_then(|()| self.look_at_groups());
        self.note(&done);
    }

    /// Counts what went, and says so when a group had not read it.
    fn count(&mut self, trimmed: Trimmed) {
        self.meter.expired.add(trimmed.gone);
        let now = self.meter.clock.now();
        for (group, topic, messages) in trimmed.missed {
            if self.warned.is_none_or(|warned| now.since(warned) >= Self::WARN) {
                self.warned = Some(now);
                warn!(
                    group,
                    topic = topic.name(),
                    messages,
                    "messages went that a group had not read (bus.max_gb, bus.readings_hours, bus.events_days)"
                );
            }
            // As many as are shown.
            let known = self.missed.len();
            let missed = self.missed.entry((group, topic));
            if known < Figures::GROUPS || matches!(missed, Entry::Occupied(_)) {
                *missed.or_default() += messages;
            }
        }
    }

    /// Notes how far each group has come.
    fn look_at_groups(&mut self) -> rusqlite::Result<()> {
        let groups = self.file.groups(Figures::GROUPS)?;
        let group = |(name, topic, next): (String, Topic, u64)| {
            let missed = self.missed.get(&(name.clone(), topic)).copied().unwrap_or(0);
            Group { name, topic, behind: self.file.next(topic).saturating_sub(next), missed }
        };
        *self.meter.groups() = groups.into_iter().map(group).collect();
        Ok(())
    }

    /// Wakes those that wait for what has come.
    fn tell(&self) {
        for (topic, end) in &self.ends {
            let next = self.file.next(*topic);
            end.send_if_modified(|told| std::mem::replace(told, next) != next);
        }
    }

    fn note(&mut self, done: &rusqlite::Result<()>) {
        match done {
            Ok(()) => {
                self.failing_since = None;
                self.meter.presence.here();
            }
            Err(e) => {
                self.failing_since = Some(self.meter.clock.now());
                self.meter.presence.away(trouble(e).0.to_owned());
            }
        }
    }

    fn failure(&self, what: &str, e: rusqlite::Error) -> Error {
        self.meter.failures.add(1);
        let text = format!("the bus can't be {what}: {}", trouble(&e).0);
        Error::new(Kind::Unavailable, text).caused_by(e)
    }
}
