//! Events in a file of their own, `events.db` in the data directory: SQLite, write-ahead log, `synchronous=FULL`.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter};

use super::Filter;
use super::shape::Event;
use crate::base::error::{Error, Kind, Result};
use crate::streams::StreamName;

pub(super) struct File(Connection);

/// What the rules of a stream remember: stream, pack, state.
pub(super) type Remembered = (StreamName, String, String);

/// Some events, and where the next begin.
#[derive(Debug)]
pub struct Page {
    pub events: Vec<Event>,
    /// `None`: there are no more.
    pub next: Option<String>,
}

/// Events of one kind of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub stream: String,
    pub kind: String,
    pub events: u64,
    /// Media time of the newest, in ms since 1970.
    pub newest: i64,
}

fn failed(e: rusqlite::Error) -> Error {
    Error::new(Kind::Unavailable, "the events can't be read or written").caused_by(e)
}

impl File {
    const NAME: &str = "events.db";
    /// One that waits for the other.
    const PATIENCE: Duration = Duration::from_secs(5);

    pub(super) fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::NAME);
        let wrong = |e: rusqlite::Error| Error::internal(format!("{} can't be used", path.display()), e);
        let file = Connection::open(&path).map_err(wrong)?;
        file.busy_timeout(Self::PATIENCE).map_err(wrong)?;
        file.pragma_update(None, "journal_mode", "WAL").map_err(wrong)?;
        file.pragma_update(None, "synchronous", "FULL").map_err(wrong)?;
        file.execute_batch(
            "CREATE TABLE IF NOT EXISTS events (
                id TEXT PRIMARY KEY, stream TEXT NOT NULL, type TEXT NOT NULL, at INTEGER NOT NULL,
                bytes INTEGER NOT NULL, flat TEXT NOT NULL, event TEXT NOT NULL, verdict INTEGER,
                told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS events_told ON events (told) WHERE told = 0;
             CREATE INDEX IF NOT EXISTS events_at ON events (at, id);
             CREATE INDEX IF NOT EXISTS events_stream ON events (stream, at, id);
             CREATE TABLE IF NOT EXISTS memory (stream TEXT PRIMARY KEY, pack TEXT NOT NULL, state TEXT NOT NULL)
                WITHOUT ROWID;",
        )
        .map_err(wrong)?;
        Ok(Self(file))
    }

    /// Writes down events with the bytes their evidence takes, and what the rules of their streams remember now: all or nothing, so
    /// that a crash neither loses one nor finds one again. Durable when it returns.
    pub(super) fn add(&mut self, events: &[(Event, u64)], memory: &[Remembered]) -> Result<()> {
        let wrong = |e| Error::internal("an event can't be written", e);
        let change = self.0.transaction().map_err(failed)?;
        for (event, bytes) in events {
            let (text, flat) = (serde_json::to_string(event), serde_json::to_string(&event.flat));
            let (text, flat) = (text.map_err(wrong)?, flat.map_err(wrong)?);
            let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
            let values = params![event.id, event.stream, event.kind, event.at_ms, bytes, flat, text];
            let sql =
                "INSERT INTO events (id, stream, type, at, bytes, flat, event) VALUES (?, ?, ?, ?, ?, ?, ?)";
            change.execute(sql, values).map_err(failed)?;
        }
        for remembered in memory {
            put(&change, remembered).map_err(failed)?;
        }
        change.commit().map_err(failed)
    }

    /// Events that the bus has not got yet, the oldest first.
    pub(super) fn untold(&self, most: usize) -> Result<Vec<Event>> {
        let sql = "SELECT id, at, flat, event, verdict FROM events WHERE told = 0 ORDER BY id LIMIT ?";
        let mut query = self.0.prepare(sql).map_err(failed)?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = query.query_map([most], row).map_err(failed)?;
        rows.map(|found| found.map_err(failed)?).collect()
    }

    /// The bus has them now.
    pub(super) fn told(&mut self, events: &[Event]) -> Result<()> {
        let change = self.0.transaction().map_err(failed)?;
        for event in events {
            change.execute("UPDATE events SET told = 1 WHERE id = ?", [&event.id]).map_err(failed)?;
        }
        change.commit().map_err(failed)
    }

    /// Whether there is an event of that id.
    pub(super) fn has(&self, id: &str) -> Result<bool> {
        let mut query = self.0.prepare("SELECT 1 FROM events WHERE id = ?").map_err(failed)?;
        query.exists([id]).map_err(failed)
    }

    pub(super) fn get(&self, id: &str) -> Result<Event> {
        let sql = "SELECT id, at, flat, event, verdict FROM events WHERE id = ?";
        let found = self.0.prepare(sql).and_then(|mut get| get.query_row([id], row).optional());
        found
            .map_err(failed)?
            .transpose()?
            .ok_or_else(|| Error::not_found(format!("there is no event {id:?}")))
    }

    pub(super) fn judge(&mut self, id: &str, correct: Option<bool>) -> Result<Event> {
        self.0.execute("UPDATE events SET verdict = ? WHERE id = ?", params![correct, id]).map_err(failed)?;
        self.get(id)
    }

    pub(super) fn list(&mut self, filter: &Filter) -> Result<Page> {
        let Filter { stream, kind, since, until, cursor, limit } = filter;
        let mut sql = "SELECT id, at, flat, event, verdict FROM events WHERE 1".to_owned();
        let mut values: Vec<rusqlite::types::Value> = Vec::new();
        let mut and = |part: &str, value: rusqlite::types::Value| {
            sql.push_str(part);
            values.push(value);
        };
        if let Some(stream) = stream {
            and(" AND stream = ?", stream.as_str().to_owned().into());
        }
        if let Some(kind) = kind {
            and(" AND type = ?", kind.clone().into());
        }
        if let Some(since) = since {
            and(" AND at >= ?", since.0.as_millisecond().into());
        }
        if let Some(until) = until {
            and(" AND at < ?", until.0.as_millisecond().into());
        }
        if let Some(cursor) = cursor {
            let wrong = || Error::invalid("cursor", "what a page before gave as next");
            let (at, id) = cursor.split_once('_').ok_or_else(wrong)?;
            let at: i64 = at.parse().map_err(|_| wrong())?;
            and(" AND (at, id) < (?,", at.into());
            and(" ?)", id.to_owned().into());
        }
        and(" ORDER BY at DESC, id DESC LIMIT ?", i64::try_from(*limit + 1).unwrap_or(i64::MAX).into());
        let mut query = self.0.prepare(&sql).map_err(failed)?;
        let rows = query.query_map(params_from_iter(values), row).map_err(failed)?;
        let mut events = Vec::new();
        for found in rows {
            events.push(found.map_err(failed)??);
        }
        let more = events.len() > *limit;
        events.truncate(*limit);
        let next = events.last().filter(|_| more).map(|last| format!("{}_{}", last.at_ms, last.id));
        Ok(Page { events, next })
    }

    pub(super) fn counts(&self) -> Result<Vec<Count>> {
        let sql = "SELECT stream, type, count(*), max(at) FROM events GROUP BY stream, type";
        let mut query = self.0.prepare(sql).map_err(failed)?;
        let count = |row: &rusqlite::Row<'_>| {
            let events: i64 = row.get(2)?;
            Ok(Count {
                stream: row.get(0)?,
                kind: row.get(1)?,
                events: events.unsigned_abs(),
                newest: row.get(3)?,
            })
        };
        let rows = query.query_map([], count).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    /// Takes out what is too old, too many or too much; the ids.
    pub(super) fn trim(&self, oldest: i64, most: u64, most_bytes: u64) -> Result<Vec<String>> {
        let mut gone = Vec::new();
        let all = "SELECT id, at, bytes FROM events ORDER BY at DESC, id DESC";
        let mut query = self.0.prepare(all).map_err(failed)?;
        let mut rows = query.query([]).map_err(failed)?;
        let (mut count, mut bytes) = (0_u64, 0_u64);
        while let Some(row) = rows.next().map_err(failed)? {
            let (id, at, size): (String, i64, i64) =
                (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?, row.get(2).map_err(failed)?);
            count += 1;
            bytes = bytes.saturating_add(size.unsigned_abs());
            if at < oldest || count > most || bytes > most_bytes {
                gone.push(id);
            }
        }
        drop(rows);
        for id in &gone {
            self.0.execute("DELETE FROM events WHERE id = ?", [id]).map_err(failed)?;
        }
        Ok(gone)
    }

    /// What the rules of each stream remember: stream, pack, state.
    pub(super) fn memory(&self) -> Result<Vec<(String, String, String)>> {
        let mut query = self.0.prepare("SELECT stream, pack, state FROM memory").map_err(failed)?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(failed)?;
        rows.collect::<rusqlite::Result<_>>().map_err(failed)
    }

    pub(super) fn forget(&self, stream: &StreamName) -> Result<()> {
        self.0.execute("DELETE FROM memory WHERE stream = ?", [stream.as_str()]).map_err(failed)?;
        Ok(())
    }
}

fn put(change: &Transaction<'_>, (stream, pack, state): &Remembered) -> rusqlite::Result<()> {
    let sql = "INSERT INTO memory (stream, pack, state) VALUES (?, ?, ?)
        ON CONFLICT (stream) DO UPDATE SET pack = excluded.pack, state = excluded.state";
    change.execute(sql, params![stream.as_str(), pack, state]).map(|_| ())
}

/// An event of a row, or why it is none.
fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Result<Event>> {
    let (at, flat, text, verdict): (i64, String, String, Option<bool>) =
        (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
    let event = || -> serde_json::Result<Event> {
        let event: Event = serde_json::from_str(&text)?;
        Ok(Event { verdict, at_ms: at, flat: serde_json::from_str(&flat)?, ..event })
    };
    Ok(event().map_err(|e| Error::internal("an event in the file is damaged", e)))
}
