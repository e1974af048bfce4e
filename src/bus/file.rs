//! The file of the bus: messages by topic and offset, how far groups have come, what is kept.
//!
//! Called by the bus's thread only. What is kept of each topic is counted here, so that nothing is counted by looking.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::message::{Kept, Message, Topic};
use super::{Retention, Span};
use crate::base::clock::{MediaTime, Wall};
use crate::base::error::{Error, Result};
use crate::base::sqlite::{self, Schema};

pub(super) struct File {
    connection: Connection,
    topics: BTreeMap<Topic, Amount>,
}

/// What is kept of a topic.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    next: u64,
    messages: u64,
    bytes: u64,
}

impl File {
    pub(super) const NAME: &str = "bus.db";
    const SCHEMA: Schema = Schema {
        what: "the bus",
        version: 1,
        tables: "CREATE TABLE messages (
            topic TEXT NOT NULL, offset INTEGER NOT NULL, key TEXT NOT NULL, at INTEGER NOT NULL,
            written INTEGER NOT NULL, payload TEXT NOT NULL, PRIMARY KEY (topic, offset)
        ) WITHOUT ROWID, STRICT;
        CREATE INDEX newest ON messages (key) WHERE topic = 'onair.streams';
        CREATE TABLE topics (topic TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID, STRICT;
        CREATE TABLE groups (name TEXT NOT NULL, topic TEXT NOT NULL, next INTEGER NOT NULL,
            PRIMARY KEY (name, topic)) WITHOUT ROWID, STRICT;",
    };
    /// Bytes of one read.
    const READ: usize = 8 << 20;
    /// Messages that go at once.
    const TRIM: i64 = 1000;

    pub(super) fn open(folder: &Path) -> Result<Self> {
        let connection = sqlite::open(&folder.join(Self::NAME), Self::SCHEMA)?;
        let mut topics = BTreeMap::new();
        for topic in Topic::ALL {
            let amount =
                Self::amount(&connection, topic).map_err(|e| Error::internal("the bus can't be read", e))?;
            topics.insert(topic, amount);
        }
        Ok(Self { connection, topics })
    }

    fn amount(connection: &Connection, topic: Topic) -> rusqlite::Result<Amount> {
        let next = "SELECT next FROM topics WHERE topic = ?1";
        let next: Option<i64> = connection.query_row(next, [topic.name()], |row| row.get(0)).optional()?;
        let kept =
            "SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(payload AS BLOB))), 0)
            FROM messages WHERE topic = ?1";
        let (messages, bytes): (i64, i64) =
            connection.query_row(kept, [topic.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Amount { next: unsigned(next.unwrap_or(0)), messages: unsigned(messages), bytes: unsigned(bytes) })
    }

    pub(super) fn probe(&self) -> rusqlite::Result<()> {
        sqlite::probe(&self.connection, Self::SCHEMA)
    }

    /// Keeps all messages or none.
    pub(super) fn append<'m>(
        &mut self,
        messages: impl Iterator<Item = &'m Message>,
        now: Wall,
    ) -> rusqlite::Result<()> {
        let mut topics = self.topics.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (topic, amount) in &mut topics {
            // Another process may have written, though none should: no offset is used twice.
            let next = "SELECT next FROM topics WHERE topic = ?1";
            let next: Option<i64> =
                transaction.prepare(next)?.query_row([topic.name()], |row| row.get(0)).optional()?;
            amount.next = amount.next.max(unsigned(next.unwrap_or(0)));
        }
        {
            let mut put = transaction.prepare(
                "INSERT INTO messages (topic, offset, key, at, written, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let mut older = transaction.prepare(
                "DELETE FROM messages WHERE topic = 'onair.streams' AND key = ?1
                 RETURNING length(CAST(key AS BLOB)) + length(CAST(payload AS BLOB))",
            )?;
            for Message { topic, key, at, payload } in messages {
                let amount = topics.entry(*topic).or_default();
                if topic.is_compacted() {
                    for bytes in older.query_map([key], |row| row.get::<_, i64>(0))? {
                        amount.messages = amount.messages.saturating_sub(1);
                        amount.bytes = amount.bytes.saturating_sub(unsigned(bytes?));
                    }
                }
                let (at, written) = (at.0.as_millisecond(), now.0.as_millisecond());
                put.execute(params![topic.name(), signed(amount.next), key, at, written, payload])?;
                amount.next += 1;
                amount.messages += 1;
                amount.bytes += (key.len() + payload.len()) as u64;
            }
            let mut next =
                transaction.prepare("INSERT OR REPLACE INTO topics (topic, next) VALUES (?1, ?2)")?;
            for (topic, amount) in &topics {
                if self.topics.get(topic).is_none_or(|before| before.next != amount.next) {
                    next.execute(params![topic.name(), signed(amount.next)])?;
                }
            }
        }
        transaction.commit()?;
        self.topics = topics;
        Ok(())
    }

    pub(super) fn read(&self, topic: Topic, from: u64, limit: usize) -> rusqlite::Result<Vec<Kept>> {
        let mut select = self.connection.prepare(
            "SELECT offset, key, at, payload FROM messages WHERE topic = ?1 AND offset >= ?2 ORDER BY offset LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = select.query(params![topic.name(), signed(from), limit])?;
        let (mut messages, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let kept = Kept {
                offset: unsigned(row.get(0)?),
                key: row.get(1)?,
                at: MediaTime(Timestamp::from_millisecond(row.get(2)?).unwrap_or_default()),
                payload: row.get(3)?,
            };
            bytes += kept.payload.len();
            messages.push(kept);
            if bytes >= Self::READ {
                break;
            }
        }
        Ok(messages)
    }

    pub(super) fn span(&self, topic: Topic) -> rusqlite::Result<Span> {
        let next = self.next(topic);
        let first = "SELECT min(offset) FROM messages WHERE topic = ?1";
        let first: Option<i64> = self.connection.query_row(first, [topic.name()], |row| row.get(0))?;
        Ok(Span { first: first.map_or(next, unsigned), next })
    }

    /// The offset of the next message.
    pub(super) fn next(&self, topic: Topic) -> u64 {
        self.topics.get(&topic).map_or(0, |amount| amount.next)
    }

    pub(super) fn committed(&self, group: &str, topic: Topic) -> rusqlite::Result<Option<u64>> {
        let next = "SELECT next FROM groups WHERE name = ?1 AND topic = ?2";
        let next = self.connection.query_row(next, [group, topic.name()], |row| row.get(0)).optional()?;
        Ok(next.map(unsigned))
    }

    pub(super) fn commit(&self, group: &str, topic: Topic, next: u64) -> rusqlite::Result<()> {
        let put = "INSERT OR REPLACE INTO groups (name, topic, next) VALUES (?1, ?2, ?3)";
        self.connection.execute(put, params![group, topic.name(), signed(next)]).map(drop)
    }

    /// How far each group has come, of those that ever committed.
    pub(super) fn groups(&self, most: usize) -> rusqlite::Result<Vec<(String, Topic, u64)>> {
        let mut select =
            self.connection.prepare("SELECT name, topic, next FROM groups ORDER BY name, topic LIMIT ?1")?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut rows = select.query([most])?;
        let mut groups = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            // A topic that a later version knows is none of ours.
            if let Some(topic) = Topic::ALL.into_iter().find(|topic| topic.name() == name) {
                groups.push((row.get(0)?, topic, unsigned(row.get(2)?)));
            }
        }
        Ok(groups)
    }

    /// Takes out some of what is too old, too many or too much. Called again until nothing goes.
    pub(super) fn trim(
        &mut self,
        retention: &BTreeMap<Topic, Retention>,
        now: Wall,
    ) -> rusqlite::Result<Trimmed> {
        let mut trimmed = Trimmed::default();
        for topic in Topic::ALL {
            let keep = retention.get(&topic).copied().unwrap_or_else(|| topic.retention());
            let amount = self.topics.get(&topic).copied().unwrap_or_default();
            let Some((first, last, left)) = self.excess(topic, amount, keep, now)? else { continue };
            if !topic.is_compacted() {
                let mut behind = self
                    .connection
                    .prepare("SELECT name, next FROM groups WHERE topic = ?1 AND next <= ?2")?;
                let mut rows = behind.query(params![topic.name(), last])?;
                while let Some(row) = rows.next()? {
                    let next: i64 = row.get(1)?;
                    trimmed.missed.push((row.get(0)?, topic, unsigned(last + 1 - next.max(first))));
                }
            }
            let delete = "DELETE FROM messages WHERE topic = ?1 AND offset <= ?2";
            self.connection.execute(delete, params![topic.name(), last])?;
            trimmed.gone += amount.messages - left.messages;
            self.topics.insert(topic, left);
        }
        Ok(trimmed)
    }

    /// The oldest messages of a topic that are to go, in their order, for as long as one bound or another is broken: the first, the
    /// last, and what is left then.
    fn excess(
        &self,
        topic: Topic,
        amount: Amount,
        keep: Retention,
        now: Wall,
    ) -> rusqlite::Result<Option<(i64, i64, Amount)>> {
        let age = i64::try_from(keep.age.as_millis()).unwrap_or(i64::MAX);
        let oldest = now.0.as_millisecond().saturating_sub(age);
        let excess = amount.messages.saturating_sub(keep.messages);
        let mut select = self.connection.prepare(
            "SELECT offset, written, length(CAST(key AS BLOB)) + length(CAST(payload AS BLOB))
             FROM messages WHERE topic = ?1 ORDER BY offset LIMIT ?2",
        )?;
        let mut rows = select.query(params![topic.name(), Self::TRIM])?;
        let (mut left, mut found, mut number) = (amount, None, 0);
        while let Some(row) = rows.next()? {
            let (offset, written, bytes): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if number >= excess && left.bytes <= keep.bytes && written >= oldest {
                break;
            }
            number += 1;
            left.messages = left.messages.saturating_sub(1);
            left.bytes = left.bytes.saturating_sub(unsigned(bytes));
            found = Some((found.map_or(offset, |(first, _)| first), offset));
        }
        Ok(found.map(|(first, last)| (first, last, left)))
    }
}

/// What went, and who had not read it.
#[derive(Debug, Default)]
pub(super) struct Trimmed {
    pub(super) gone: u64,
    /// Group, topic, messages.
    pub(super) missed: Vec<(String, Topic, u64)>,
}

/// What we wrote is never negative; what somebody else did counts as nothing.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
