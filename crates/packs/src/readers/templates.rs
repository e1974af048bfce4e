//! Which picture of a set is in each slot.

use std::sync::Arc;

use pixels::{I420, Quad};

use crate::files::Files;
use crate::raw;
use crate::value::Item;

/// The pictures of a set, prepared.
#[derive(Debug)]
pub struct Set {
    pub items: Vec<SetItem>,
}

/// One thing of a set, with all pictures there are of it.
#[derive(Debug)]
pub struct SetItem {
    pub tag: Arc<str>,
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// What `onair pack fetch` is to get.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it goes in the data directory's folder of the pack, and where it comes from.
    pub files: Vec<(String, String)>,
    /// SHA-256 in hexadecimal digits, by file.
    pub checksums: std::collections::BTreeMap<String, String>,
}

impl Set {
    /// Reads items and pictures: from `files` or from `data`. Items without a picture are counted, not refused.
    ///
    /// # Errors
    /// What is wrong with the list of items or with a picture.
    pub fn load(raw: &raw::Set, files: &dyn Files, data: &dyn Files) -> Result<Self, String> {
        let _ = (raw, files, data);
        Ok(Self { items: Vec::new() })
    }

    /// What `onair pack fetch` is to get for it.
    ///
    /// # Errors
    /// What is wrong with the list of checksums.
    pub fn wanted(&self, raw: &raw::Set, fetch: &raw::Fetch, files: &dyn Files) -> Result<Wanted, String> {
        let _ = (raw, fetch, files);
        Ok(Wanted { files: Vec::new(), checksums: std::collections::BTreeMap::new() })
    }

    /// Items there is no picture of.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.items.len()
    }
}

/// The reader.
#[derive(Debug)]
pub struct Templates {
    pub set: Arc<Set>,
}

/// What a stream's slots showed before: tried first. One for each region and stream.
#[derive(Debug, Default)]
pub struct Memory {}

/// What is in a slot.
#[derive(Clone, Debug)]
pub struct Match {
    pub item: Item,
    /// 0 to 1, calibrated: how often such a score and margin is right.
    pub confidence: f32,
}

impl Templates {
    #[must_use]
    pub fn new(raw: &raw::Templates, set: Arc<Set>) -> Self {
        let _ = raw;
        Self { set }
    }

    /// One answer for each slot; `None` is nothing there, or nothing sure. `unit` are the pixels of one unit of the pack,
    /// across and down.
    pub fn read(
        &self,
        picture: &I420,
        slots: &[Quad],
        unit: (f32, f32),
        memory: &mut Memory,
    ) -> Vec<Option<Match>> {
        let _ = (picture, unit, memory);
        vec![None; slots.len()]
    }
}
