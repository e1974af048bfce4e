//! What parts of the program tell each other: messages in topics, read by groups, each at its own pace.
//!
//! Owns how messages are kept and who has read how far: a file by SQLite (`bus.db`), the same to whoever calls as another bus
//! would be. Called by those who find things and those who act on them; knows nothing of what a message means. Never shares
//! a writer with the store. A message that was appended survives `kill -9`; one that was offered may be lost, and is counted.

mod consumer;
mod file;
mod message;
mod sqlite;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::base::histogram::Snapshot;
use crate::base::tasks::Tasks;

pub use crate::base::health::Health;
pub use consumer::{Consumer, Start};
pub use message::{Kept, Message, Topic};

/// How much of a topic is kept: the oldest go first, also when a group has not read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    pub age: Duration,
    pub messages: u64,
    /// Of keys and payloads.
    pub bytes: u64,
}

impl Retention {
    /// For each topic, of how long and in how much room all of them may be kept: a quarter of it each for readings and
    /// segments, an eighth for events, for what clips are asked for and for clips.
    #[must_use]
    pub fn of(readings: Duration, events: Duration, bytes: u64) -> BTreeMap<Topic, Self> {
        let of = |topic: Topic| {
            let usual = topic.retention();
            match topic {
                Topic::Streams => Self { bytes: bytes / 32, ..usual },
                Topic::Segments | Topic::Readings => Self { age: readings, bytes: bytes / 4, ..usual },
                Topic::Events | Topic::ClipRequests | Topic::Clips => {
                    Self { age: events, bytes: bytes / 8, ..usual }
                }
            }
        };
        Topic::ALL.into_iter().map(|topic| (topic, of(topic))).collect()
    }
}

/// A stretch of a topic that is kept: from `first` on, up to and without `next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub next: u64,
}

/// Where messages are kept. Calls may overlap; a read sees every message whose append had returned before it began.
pub trait Bus: Send + Sync {
    /// Keeps all messages, in their order, or none. They are durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away or too much waits; `TooLarge` and `Invalid` for a message out of bounds.
    fn append(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<()>>;

    /// Keeps a message soon, without anybody waiting: when the disk can't keep up, the oldest that wait are dropped and
    /// counted.
    ///
    /// # Errors
    /// As [`Bus::append`] for a message out of bounds.
    fn offer(&self, message: Message) -> Result<()>;

    /// At most `limit` messages of a topic from an offset on, the oldest first; waits at most `wait` for the first of them.
    ///
    /// What is no longer kept is left out: the offset of the first one tells. Bounded by bytes, too.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away.
    fn read(&self, topic: Topic, from: u64, limit: usize, wait: Duration)
    -> BoxFuture<'_, Result<Vec<Kept>>>;

    /// What is kept of a topic.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away.
    fn span(&self, topic: Topic) -> BoxFuture<'_, Result<Span>>;

    /// How far a group has come: the offset it goes on at. `None`: it never committed.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away.
    fn committed<'a>(&'a self, group: &'a str, topic: Topic) -> BoxFuture<'a, Result<Option<u64>>>;

    /// Writes down how far a group has come. Durable when it returns.
    ///
    /// # Errors
    /// `Unavailable` when the bus is away; `Invalid` for a group's name that is none.
    fn commit<'a>(&'a self, group: &'a str, topic: Topic, next: u64) -> BoxFuture<'a, Result<()>>;

    fn health(&self) -> Health;

    /// `sqlite`.
    fn kind(&self) -> &'static str;

    fn figures(&self) -> Figures;
}

/// Since the start.
#[derive(Clone, Debug)]
pub struct Figures {
    pub appended: u64,
    /// Messages that were offered and not kept.
    pub dropped: u64,
    /// Messages that were too old or too many.
    pub expired: u64,
    /// Calls that were not done.
    pub failures: u64,
    /// Messages and bytes that wait to be written.
    pub waiting: (usize, usize),
    /// How long appends took that were done.
    pub append_latency: Snapshot,
    /// By group and topic, at most the first [`Figures::GROUPS`] of them.
    pub groups: Vec<Group>,
}

impl Figures {
    pub const GROUPS: usize = 100;
}

/// How a group fares that reads a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub topic: Topic,
    /// Messages that it has not committed yet.
    pub behind: u64,
    /// Messages that went before it had committed them, since the start.
    pub missed: u64,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the file lies.
    pub data_dir: PathBuf,
    /// By topic; what is left out is kept as [`Topic::retention`] says.
    pub retention: BTreeMap<Topic, Retention>,
}

/// Opens the bus.
///
/// # Errors
/// `Internal` for a file that can't be used, saying which and what to do.
pub async fn open(settings: &Settings, tasks: &Tasks, clock: &Clock) -> Result<Arc<dyn Bus>> {
    Ok(Arc::new(sqlite::Sqlite::open(settings, tasks, clock).await?))
}
