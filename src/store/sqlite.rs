//! The store in a file of its own, `onair.db` in the data directory.
//!
//! One thread owns the connection. It takes what waits in its queue and commits it as one transaction: a commit costs one
//! wait for the disk, however many it is for. Write-ahead log with `synchronous=FULL`: what was answered survives a
//! `kill -9` and a power cut.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Row, document};
use super::meter::{Figures, Meter};
use super::{Change, Collection, Health, Store};
use crate::base::clock::{Clock, Monotonic};
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{self, Bound, Counter, Full, Received, Receiver, Sender, Sent};
use crate::base::tasks::Tasks;

/// Called by `store::open`.
pub(super) struct Sqlite {
    jobs: Sender<Job>,
    meter: Arc<Meter>,
}

enum Job {
    Read { collection: Collection, answer: oneshot::Sender<Result<Documents>> },
    Write(Write),
}

struct Write {
    batch: Batch,
    answer: oneshot::Sender<Result<()>>,
}

type Documents = BTreeMap<String, Value>;

impl Sqlite {
    const FILE: &str = "onair.db";
    /// What may wait for the thread; more is refused.
    const WAITING: Bound = Bound { items: 4096, weight: 128 << 20 };
    const STACK_BYTES: usize = 1 << 20;

    pub(super) async fn open(folder: &Path, tasks: &Tasks, clock: &Clock) -> Result<Self> {
        let (jobs, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, Counter::default());
        let meter = Arc::new(Meter::new(clock.clone(), "sqlite"));
        let (opened, answer) = oneshot::channel();
        let (path, metered, stop) = (folder.join(Self::FILE), Arc::clone(&meter), tasks.stopping());
        tasks.thread("store", Self::STACK_BYTES, move || match File::open(path) {
            Ok(file) => {
                if opened.send(Ok(())).is_ok() {
                    Writer { file, meter: metered, failing_since: None }.run(&inbox, &stop);
                }
            }
            // Nobody may be waiting for it any more.
            Err(e) => drop(opened.send(Err(e))),
        })?;
        answer.await.map_err(|e| Error::internal("the store's thread has ended", e))??;
        Ok(Self { jobs, meter })
    }

    /// Has the thread do it, and waits for its answer.
    async fn ask<T>(&self, job: Job, weight: usize, answer: oneshot::Receiver<Result<T>>) -> Result<T> {
        let ended = || Error::new(Kind::Unavailable, "the store has ended");
        let refused = match self.jobs.send(job, weight) {
            Sent::Queued | Sent::Displaced(_) => return answer.await.map_err(|_| ended())?,
            Sent::Refused => Error::new(Kind::Unavailable, "too much waits to be stored; try again")
                .retry_after(Duration::from_secs(1)),
            Sent::Closed => ended(),
        };
        self.meter.failed();
        Err(refused)
    }
}

impl Store for Sqlite {
    fn read(&self, collection: Collection) -> BoxFuture<'_, Result<Documents>> {
        async move {
            let (answer, answered) = oneshot::channel();
            self.ask(Job::Read { collection, answer }, 0, answered).await
        }
        .boxed()
    }

    fn write(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        async move {
            let begun = self.meter.now();
            let batch = Batch::new(changes)?;
            let (answer, answered) = oneshot::channel();
            let weight = batch.bytes;
            self.ask(Job::Write(Write { batch, answer }), weight, answered).await?;
            self.meter.wrote(begun);
            Ok(())
        }
        .boxed()
    }

    fn health(&self) -> Health {
        self.meter.health()
    }

    fn kind(&self) -> &'static str {
        "sqlite"
    }

    fn figures(&self) -> Figures {
        self.meter.figures()
    }
}

/// The thread.
struct Writer {
    file: File,
    meter: Arc<Meter>,
    /// When it was last tried to write to a file that can't be written.
    failing_since: Option<Monotonic>,
}

impl Writer {
    /// How soon it notices that the program ends.
    const IDLE: Duration = Duration::from_millis(200);
    /// Between two attempts to write when nobody wants to.
    const PROBE: Duration = Duration::from_secs(2);
    /// Bytes of one transaction; beyond it the next begins.
    const TRANSACTION: usize = 16 << 20;

    fn run(mut self, jobs: &Receiver<Job>, stop: &CancellationToken) {
        loop {
            match jobs.receive(Self::IDLE) {
                Received::Item(Job::Read { collection, answer }) => self.read(collection, answer),
                Received::Item(Job::Write(first)) => {
                    let next = self.write(first, jobs);
                    next.into_iter().for_each(|(collection, answer)| self.read(collection, answer));
                }
                Received::Empty if stop.is_cancelled() => return,
                Received::Empty => self.probe(),
                Received::Closed => return,
            }
        }
    }

    fn read(&self, collection: Collection, answer: oneshot::Sender<Result<Documents>>) {
        let read = match self.file.read(collection) {
            Ok(documents) => documents,
            Err(e) => Err(self.failure("read", e)),
        };
        if read.is_ok() {
            self.meter.read();
        }
        // Whoever asked may have gone.
        drop(answer.send(read));
    }

    /// Commits `first` and all writes that wait behind it; a read that came after them is for the caller to do.
    fn write(
        &mut self,
        first: Write,
        jobs: &Receiver<Job>,
    ) -> Option<(Collection, oneshot::Sender<Result<Documents>>)> {
        let (mut bytes, mut group, mut next) = (first.batch.bytes, vec![first], None);
        while bytes < Self::TRANSACTION {
            match jobs.receive(Duration::ZERO) {
                Received::Item(Job::Write(write)) => {
                    bytes += write.batch.bytes;
                    group.push(write);
                }
                Received::Item(Job::Read { collection, answer }) => {
                    next = Some((collection, answer));
                    break;
                }
                Received::Empty | Received::Closed => break,
            }
        }
        let together = self.file.commit(group.iter().flat_map(|write| &write.batch.rows));
        let alone = group.len() == 1;
        let mut together = Some(together).filter(|done| alone || done.is_ok());
        for Write { batch, answer } in group {
            let done = match &together {
                Some(Ok(())) => Ok(()),
                Some(Err(_)) => together.take().expect("it was there just now"),
                // What can't be written with the others may be alone: one of them may be too much for the disk.
                None => self.file.commit(batch.rows.iter()),
            };
            self.note(&done);
            // Whoever asked may have gone.
            drop(answer.send(done.map_err(|e| self.failure("written", e))));
        }
        next
    }

    /// Tries again what failed, so that an absence ends although nobody writes.
    fn probe(&mut self) {
        let now = self.meter.now();
        if self.failing_since.is_some_and(|tried| now.since(tried) >= Self::PROBE) {
            let done = self.file.probe();
            self.note(&done);
        }
    }

    fn note(&mut self, done: &rusqlite::Result<()>) {
        match done {
            Ok(()) => {
                self.failing_since = None;
                self.meter.here();
            }
            Err(e) => {
                self.failing_since = Some(self.meter.now());
                self.meter.away(trouble(e).0.to_owned());
            }
        }
    }

    fn failure(&self, what: &str, e: rusqlite::Error) -> Error {
        self.meter.failed();
        let text = format!("the store can't be {what}: {}", trouble(&e).0);
        Error::new(Kind::Unavailable, text).caused_by(e)
    }
}

/// What is wrong, and what to do about it.
fn trouble(e: &rusqlite::Error) -> (&'static str, &'static str) {
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => ("its disk is full", "make room on it"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            ("it may not be written", "give the user that runs onair the right to")
        }
        Some(ErrorCode::CannotOpen) => {
            ("it can't be opened", "data_dir must be a folder that the user that runs onair may write to")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            ("it is damaged", "put a copy in its place, or move it away to begin with an empty one")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            ("another program has locked it", "end that program")
        }
        Some(ErrorCode::SystemIoFailure) => ("its disk fails", "look at the system's log"),
        _ => ("it can't be used", "see the cause"),
    }
}

fn number(connection: &Connection, query: &str) -> rusqlite::Result<i64> {
    connection.query_row(query, [], |row| row.get(0))
}

/// The open file.
struct File {
    connection: Connection,
}

impl File {
    /// Of the tables below. A file of a later version is refused, one of an earlier is brought up to it.
    const VERSION: i64 = 1;
    const SCHEMA: &str = "CREATE TABLE documents (
        collection TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (collection, id)
    ) WITHOUT ROWID, STRICT; PRAGMA user_version = 1;";
    /// How long another program may hold the lock.
    const PATIENCE: Duration = Duration::from_secs(5);

    fn open(path: PathBuf) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|e| Error::internal(format!("{} can't be made", folder.display()), e))?;
        }
        // Addresses in it may hold passwords: others must not read them.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|e| Error::internal(format!("the store {} can't be opened", path.display()), e))?;
        Self::prepare(&path).map_err(|e| {
            let (what, remedy) = trouble(&e);
            Error::internal(format!("the store {}: {what}; {remedy}", path.display()), e)
        })?
    }

    /// The inner error is for a file that can be read, and is not for us; nothing of it is changed.
    fn prepare(path: &Path) -> rusqlite::Result<Result<Self>> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(Self::PATIENCE)?;
        if let Some(strange) = Self::strange(&connection)? {
            let text = format!("the store {}: {strange}", path.display());
            return Ok(Err(Error::new(Kind::Internal, text)));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster.
        if number(&transaction, "PRAGMA user_version")? == 0 {
            transaction.execute_batch(Self::SCHEMA)?;
        }
        transaction.commit()?;
        // Writes, so that a file which can't be written is told now.
        let mut file = Self { connection };
        file.probe()?;
        Ok(Ok(file))
    }

    /// Why the file is not for us, and what to do, if it is not.
    fn strange(connection: &Connection) -> rusqlite::Result<Option<String>> {
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found != "ok" {
            return Ok(Some(format!("it is damaged ({found}); put a copy in its place, or move it away")));
        }
        let version = number(connection, "PRAGMA user_version")?;
        let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
        let strange = match (version, tables) {
            (Self::VERSION, _) | (0, 0) => return Ok(None),
            (0, _) => "it is the database of another program".to_owned(),
            _ => format!("a newer onair made it (version {version}; this one knows {})", Self::VERSION),
        };
        Ok(Some(format!("{strange}; choose another data_dir")))
    }

    fn probe(&mut self) -> rusqlite::Result<()> {
        self.connection.pragma_update(None, "user_version", Self::VERSION)
    }

    fn read(&self, collection: Collection) -> rusqlite::Result<Result<Documents>> {
        let mut select = self.connection.prepare("SELECT id, value FROM documents WHERE collection = ?1")?;
        let mut rows = select.query([collection.name()])?;
        let mut documents = Documents::new();
        while let Some(row) = rows.next()? {
            let id: String = row.get(0)?;
            match document(collection, &id, row.get_ref(1)?.as_bytes()?) {
                Ok(value) => documents.insert(id, value),
                Err(e) => return Ok(Err(e)),
            };
        }
        Ok(Ok(documents))
    }

    fn commit<'r>(&mut self, rows: impl Iterator<Item = &'r Row>) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut put = transaction
                .prepare("INSERT OR REPLACE INTO documents (collection, id, value) VALUES (?1, ?2, ?3)")?;
            let mut delete =
                transaction.prepare("DELETE FROM documents WHERE collection = ?1 AND id = ?2")?;
            for Row { collection, id, text } in rows {
                match text {
                    Some(text) => put.execute((collection.name(), id, text))?,
                    None => delete.execute((collection.name(), id))?,
                };
            }
        }
        transaction.commit()
    }
}
