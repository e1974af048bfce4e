//! Documents that outlive the program: the streams we follow, settings made at run time.
//!
//! Owns where they are kept: a file by SQLite, or Redis, chosen at the start and the same to whoever calls. Called by the
//! owners of what is kept; knows nothing of what it means. A store that is away is a state with a reason, which ends by
//! itself; what was written is never half there.

mod batch;
mod meter;
mod redis;
mod sqlite;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

use crate::base::clock::Clock;
use crate::base::error::Result;
use crate::base::secret::Secret;
use crate::base::tasks::Tasks;

pub use crate::base::health::Health;
pub use meter::Figures;

/// Documents of one kind, each by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    Streams,
    Settings,
    /// What is on air, and what it is made of.
    Scene,
    /// What is known of files that layers show.
    Assets,
    /// Where the program goes.
    Outputs,
    /// What is heard in the program.
    Sounds,
}

impl Collection {
    pub const ALL: [Self; 6] =
        [Self::Streams, Self::Settings, Self::Scene, Self::Assets, Self::Outputs, Self::Sounds];

    /// What it is called where it is kept. Never changes.
    const fn name(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::Settings => "settings",
            Self::Scene => "scene",
            Self::Assets => "assets",
            Self::Outputs => "outputs",
            Self::Sounds => "sounds",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// New, or in place of what has that id.
    Put { collection: Collection, id: String, value: Value },
    /// Also of what is not there.
    Delete { collection: Collection, id: String },
}

/// Lets a write through only if nobody else has written to a collection since: by a number in its document `version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub collection: Collection,
    /// What the number was when the writer looked; 0 where there is none.
    pub expected: u64,
    /// What it is afterwards.
    pub next: u64,
    /// Whoever composes writes under the number of its lease: when another one has it by now, nothing is written.
    pub fence: Option<u64>,
}

/// A server asks for the lease of the one that composes, or renews it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Of the server's run.
    pub id: String,
    /// `host:port` at which the others find it; may be empty.
    pub address: String,
    /// The number of a lease whose holder was found dead: taken over if it has been silent for longer than `silent`.
    pub over: Option<u64>,
    pub silent: Duration,
}

/// Who has the lease. Its number is higher each time it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// The one that asked.
    Own {
        fence: u64,
    },
    Other(Holder),
}

/// Another server that has the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub id: String,
    pub address: String,
    pub fence: u64,
    /// Since it was renewed last.
    pub silent: Duration,
}

impl Guard {
    /// The document that has the number.
    pub const DOCUMENT: &str = "version";
}

/// Where documents are kept. Calls may overlap; a read sees every write that had returned before it began.
pub trait Store: Send + Sync {
    /// All documents of a collection.
    ///
    /// # Errors
    /// `Unavailable` when the store is away; `Internal` when a document in it is none.
    fn read(&self, collection: Collection) -> BoxFuture<'_, Result<BTreeMap<String, Value>>>;

    /// Makes all changes, in their order, or none. They are durable when it returns: with Redis as durable as that
    /// server is set up to be.
    ///
    /// # Errors
    /// `Unavailable` when the store is away, in which case nothing was changed but where the sentence says that it is
    /// not known; `TooLarge` for more than a batch may hold.
    fn write(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>>;

    /// The same unless somebody else has written meanwhile; whether it was done. Others are told.
    ///
    /// # Errors
    /// As [`Store::write`].
    fn write_guarded(&self, guard: Guard, changes: Vec<Change>) -> BoxFuture<'_, Result<bool>>;

    /// Takes the lease if it is free, renews it if the one who asks has it.
    ///
    /// # Errors
    /// `Unavailable` when the store is away.
    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<Holding>>;

    /// Gives the lease back, if `id` has it.
    ///
    /// # Errors
    /// `Unavailable` when the store is away.
    fn release<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<()>>;

    /// Changes whenever somebody may have made a guarded write; `None` where only this process writes.
    fn told(&self) -> Option<watch::Receiver<u64>>;

    fn health(&self) -> Health;

    /// `sqlite` or `redis`.
    fn kind(&self) -> &'static str;

    fn figures(&self) -> Figures;
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Where SQLite's file lies.
    pub data_dir: PathBuf,
    /// `redis://[user:password@]host[:port][/database]`: use this Redis instead.
    pub redis_url: Option<Secret>,
    /// Wins over the one in the address.
    pub redis_password: Option<Secret>,
}

/// Opens the store that the settings choose.
///
/// A Redis that can't be reached is no error: the store is away until it can be.
///
/// # Errors
/// `Invalid` for an address that is none; `Internal` for a file that can't be used, saying which and what to do.
pub async fn open(settings: &Settings, tasks: &Tasks, clock: &Clock) -> Result<Arc<dyn Store>> {
    Ok(match &settings.redis_url {
        Some(url) => Arc::new(redis::Redis::open(url, settings.redis_password.as_ref(), tasks, clock).await?),
        None => Arc::new(sqlite::Sqlite::open(&settings.data_dir, tasks, clock).await?),
    })
}
