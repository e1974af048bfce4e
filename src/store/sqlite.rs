//! The store in a file of its own, `onair.db` in the data directory.
//!
//! One thread owns the connection. It takes what waits in its queue and commits it as one transaction: a commit costs one
//! wait for the disk, however many it is for. Write-ahead log with `synchronous=FULL`: what was answered survives a
//! `kill -9` and a power cut.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Row, document};
use super::meter::{Figures, Meter};
use super::{Change, Claim, Collection, Guard, Health, Holding, Store};
use crate::base::clock::{Clock, Monotonic};
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{self, Bound, Counter, Full, Received, Receiver, Sender, Sent};
use crate::base::sqlite::{self, Schema};
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
        tasks.thread("store", Self::STACK_BYTES, move || match File::open(&path) {
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

    fn write_guarded(&self, guard: Guard, mut changes: Vec<Change>) -> BoxFuture<'_, Result<bool>> {
        // Nobody else has the file.
        let Guard { collection, next, .. } = guard;
        changes.push(Change::Put { collection, id: Guard::DOCUMENT.to_owned(), value: next.into() });
        async move { self.write(changes).await.map(|()| true) }.boxed()
    }

    /// Nobody else has the file.
    fn claim(&self, _claim: Claim) -> BoxFuture<'_, Result<Holding>> {
        async { Ok(Holding::Own { fence: 1 }) }.boxed()
    }

    fn release<'a>(&'a self, _id: &'a str) -> BoxFuture<'a, Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn told(&self) -> Option<watch::Receiver<u64>> {
        None
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
                self.meter.away(sqlite::trouble(e).0.to_owned());
            }
        }
    }

    fn failure(&self, what: &str, e: rusqlite::Error) -> Error {
        self.meter.failed();
        let text = format!("the store can't be {what}: {}", sqlite::trouble(&e).0);
        Error::new(Kind::Unavailable, text).caused_by(e)
    }
}

/// The open file.
struct File {
    connection: Connection,
}

impl File {
    const SCHEMA: Schema = Schema {
        what: "the store",
        version: 1,
        tables: "CREATE TABLE documents (
            collection TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (collection, id)
        ) WITHOUT ROWID, STRICT;",
    };

    fn open(path: &Path) -> Result<Self> {
        Ok(Self { connection: sqlite::open(path, Self::SCHEMA)? })
    }

    fn probe(&mut self) -> rusqlite::Result<()> {
        sqlite::probe(&self.connection, Self::SCHEMA)
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
