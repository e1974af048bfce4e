//! Changes made ready for writing: checked against the bounds, values as text.

use serde_json::Value;

use super::{Change, Collection};
use crate::base::error::{Error, Kind, Result};

/// Bytes of an id.
const MAX_ID: usize = 256;
/// Bytes of one document.
const MAX_VALUE: usize = 4 << 20;
/// Bytes of one batch.
const MAX_BATCH: usize = 64 << 20;
const MAX_CHANGES: usize = 100_000;

/// Changes that are made together or not at all.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Vec<Row>,
    /// Bytes of all ids and documents.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) collection: Collection,
    pub(super) id: String,
    /// The document as JSON; `None`: it goes.
    pub(super) text: Option<String>,
}

impl Batch {
    pub(super) fn new(changes: Vec<Change>) -> Result<Self> {
        let count = changes.len();
        if count > MAX_CHANGES {
            return Err(too_large(format!("{count} changes at once; {MAX_CHANGES} are the most")));
        }
        let (mut rows, mut bytes) = (Vec::with_capacity(count), 0);
        for change in changes {
            let row = match change {
                Change::Put { collection, id, value } => {
                    Row { collection, id, text: Some(value.to_string()) }
                }
                Change::Delete { collection, id } => Row { collection, id, text: None },
            };
            let length = row.text.as_ref().map_or(0, String::len);
            if row.id.is_empty() || row.id.len() > MAX_ID {
                return Err(Error::invalid("id", format!("a document's id has 1 to {MAX_ID} bytes")));
            }
            if length > MAX_VALUE {
                return Err(too_large(format!("a document has {MAX_VALUE} bytes at most, not {length}")));
            }
            bytes += row.id.len() + length;
            if bytes > MAX_BATCH {
                return Err(too_large(format!("changes of {MAX_BATCH} bytes at once are the most")));
            }
            rows.push(row);
        }
        Ok(Self { rows, bytes })
    }
}

fn too_large(detail: String) -> Error {
    Error::new(Kind::TooLarge, detail)
}

/// A document as it was kept.
pub(super) fn document(collection: Collection, id: &str, text: &[u8]) -> Result<Value> {
    serde_json::from_slice(text).map_err(|e| {
        let name = collection.name();
        Error::internal(format!("what the store keeps as {name}/{id} is no JSON: delete it there"), e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(id: &str, length: usize) -> Change {
        let value = Value::String("x".repeat(length - 2));
        Change::Put { collection: Collection::Streams, id: id.to_owned(), value }
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused_by_name() {
        let delete = Change::Delete { collection: Collection::Streams, id: "x".to_owned() };
        for (changes, refused) in [
            (vec![], None),
            (vec![put("a", MAX_VALUE)], None),
            (vec![put("a", MAX_VALUE + 1)], Some(Kind::TooLarge)),
            (vec![put("", 2)], Some(Kind::Invalid)),
            (vec![put(&"i".repeat(MAX_ID), 2)], None),
            (vec![put(&"i".repeat(MAX_ID + 1), 2)], Some(Kind::Invalid)),
            (vec![delete.clone(); MAX_CHANGES], None),
            (vec![delete; MAX_CHANGES + 1], Some(Kind::TooLarge)),
            ((0..17).map(|_| put("a", MAX_VALUE)).collect(), Some(Kind::TooLarge)),
        ] {
            let count = changes.len();
            assert_eq!(Batch::new(changes).map_err(|e| e.kind()).err(), refused, "{count} changes");
        }
    }
}
