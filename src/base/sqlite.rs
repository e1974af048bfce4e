//! How a file of SQLite is opened, and what its errors mean to whoever runs the program.
//!
//! Called by the owners of such files, each from its own thread. A file that is damaged, of another program or of a newer
//! version is refused, and nothing of it is changed.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::error::{Error, Kind, Result};

/// The tables of a file.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What the file is called in sentences: `the store`.
    pub what: &'static str,
    /// Of the tables. A file of a later version is refused.
    pub version: i64,
    /// Makes them.
    pub tables: &'static str,
}

/// How long another program may hold the lock.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the file, or makes it: write-ahead log with `synchronous=FULL`, readable for its owner only.
///
/// # Errors
/// `Internal`, saying which file, what is wrong with it and what to do.
pub fn open(path: &Path, schema: Schema) -> Result<Connection> {
    let what = schema.what;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|e| Error::internal(format!("{} can't be made", folder.display()), e))?;
    }
    // Addresses in it may hold passwords: others must not read them.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| Error::internal(format!("{what} {} can't be opened", path.display()), e))?;
    prepare(path, schema).map_err(|e| {
        let (wrong, remedy) = trouble(&e);
        Error::internal(format!("{what} {}: {wrong}; {remedy}", path.display()), e)
    })?
}

/// The inner error is for a file that can be read, and is not for us.
fn prepare(path: &Path, schema: Schema) -> rusqlite::Result<Result<Connection>> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    if let Some(strange) = strange(&connection, schema.version)? {
        let text = format!("{} {}: {strange}", schema.what, path.display());
        return Ok(Err(Error::new(Kind::Internal, text)));
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if number(&transaction, "PRAGMA user_version")? == 0 {
        transaction.execute_batch(schema.tables)?;
        transaction.pragma_update(None, "user_version", schema.version)?;
    }
    transaction.commit()?;
    // Writes, so that a file which can't be written is told now.
    probe(&connection, schema)?;
    Ok(Ok(connection))
}

/// Why the file is not for us, and what to do, if it is not.
fn strange(connection: &Connection, known: i64) -> rusqlite::Result<Option<String>> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Ok(Some(format!("it is damaged ({found}); put a copy in its place, or move it away")));
    }
    let version = number(connection, "PRAGMA user_version")?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
    let strange = match (version, tables) {
        (0, 0) => return Ok(None),
        _ if version == known => return Ok(None),
        (0, _) => "it is the database of another program".to_owned(),
        _ => format!("a newer onair made it (version {version}; this one knows {known})"),
    };
    Ok(Some(format!("{strange}; choose another data_dir")))
}

/// Writes nothing new: whether it can be written.
///
/// # Errors
/// Why it can't.
pub fn probe(connection: &Connection, schema: Schema) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", schema.version)
}

/// What is wrong, and what to do about it.
#[must_use]
pub fn trouble(e: &rusqlite::Error) -> (&'static str, &'static str) {
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

/// The one number that a query gives.
///
/// # Errors
/// When it gives none.
pub fn number(connection: &Connection, query: &str) -> rusqlite::Result<i64> {
    connection.query_row(query, [], |row| row.get(0))
}
