//! A pack that has been checked: all boxes inside, all files there, all names known.
//!
//! [`Pack::load`] makes it of files, or says every mistake with its line.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::expr::Expr;
use crate::files::Files;
use crate::gate::Gate;
use crate::geometry::{Aspects, Layout, Spot};
use crate::problem::Problem;
use crate::readers::Reader;
use crate::rules::Ruleset;

/// The version of the format that this program reads.
pub const FORMAT: u32 = 1;

/// A pack, ready to read with. Shared; never changes.
#[derive(Debug)]
pub struct Pack {
    pub id: Arc<str>,
    pub name: String,
    pub version: Arc<str>,
    pub description: String,
    pub screens: Vec<Screen>,
    /// In the order they are to be worked out.
    pub derived: Vec<(Arc<str>, Expr)>,
    pub rules: Ruleset,
    /// What it can't do here and how that is mended (`no portraits: run onair pack fetch dota2`).
    pub notes: Vec<String>,
    /// Where to fetch what may not be shipped, by set.
    pub fetches: BTreeMap<String, crate::readers::templates::Wanted>,
}

/// One screen of a pack.
#[derive(Debug)]
pub struct Screen {
    pub id: Arc<str>,
    pub layout: Layout,
    pub aspects: Option<Aspects>,
    pub gate: Gate,
    pub accept: Accept,
    pub regions: Vec<Region>,
}

/// What a reading must have to count.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    pub all: Vec<String>,
    pub any: Vec<String>,
    pub items: BTreeMap<String, usize>,
}

/// A place that is read: one box, or the slots of a list.
#[derive(Debug)]
pub struct Region {
    pub id: Arc<str>,
    pub slots: Vec<Slot>,
    /// Whether the slots make a list, also when there is one.
    pub list: bool,
    /// The least lines of a frame that it is read on.
    pub min_lines: u32,
    pub reader: Reader,
}

/// One box of a region.
#[derive(Clone, Debug)]
pub struct Slot {
    pub spot: Spot,
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Pack {
    /// The ids of all values it can read, `*` standing for the numbers of lists.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let derived = self.derived.iter().map(|(id, _)| id.to_string());
        check::known(&self.screens).iter().map(ToString::to_string).chain(derived).collect()
    }

    /// The ids that values are made of, themselves included: of a derived value those that are read.
    #[must_use]
    pub fn made_of(&self, values: &[String]) -> Vec<String> {
        let mut all: BTreeSet<String> = values.iter().cloned().collect();
        // A derived value is made of those before it.
        for (id, expr) in self.derived.iter().rev() {
            if all.contains(&**id) {
                all.extend(expr.names().map(str::to_owned));
            }
        }
        all.into_iter().collect()
    }

    /// Makes a pack of its `files`. `data` are the files that `onair pack fetch` got for it.
    ///
    /// # Errors
    /// Every mistake that can be seen at once.
    pub fn load(files: &dyn Files, data: &dyn Files) -> Result<Self, Vec<Problem>> {
        check::load(files, data)
    }
}
