//! Where things are on a screen of any size and shape, and what is truly there.
//!
//! Called by the screens and the drawings. Pure.

use std::collections::{BTreeMap, BTreeSet};

use pixels::Quad;
use serde::Serialize;
use serde_json::Value;

use super::paint::side;

/// The frame that a game is drawn into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stage {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    /// Rows that a window's title takes above the game, which is that much lower.
    pub title: u32,
}

/// What is truly on a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Truth {
    /// `game`, `pick`, `board`; else what stands there without a HUD: `menu`, `replay`, `half_time`, `full_time`,
    /// `preparing`, `ad`, `end`, `other`.
    pub screen: &'static str,
    /// By the ids that packs give them: `score.home` 2, `clock` `"45:12"`, `heroes.3` `"axe"`. An id that is not here has
    /// nothing to be read.
    pub values: BTreeMap<String, Value>,
    /// Of them, those that nobody could say: something lies over them.
    pub unsure: BTreeSet<String>,
    /// Where each stands.
    #[serde(skip)]
    pub spots: BTreeMap<String, Spot>,
}

/// Where a value stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// In pixels of the picture.
    pub quad: Quad,
    /// Height of its digits in pixels, where it is written.
    pub letters: Option<f32>,
}

/// From the pixels that a game's screen was designed with to those of a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    x: f32,
    y: f32,
    unit: f32,
}

impl Stage {
    #[must_use]
    pub const fn new(width: u32, height: u32) -> Self {
        Self { width, height, title: 0 }
    }

    /// With sides of at least 16 and an even title that leaves room for the game.
    pub(super) fn sound(self) -> Self {
        let (width, height) = (self.width.max(16), self.height.max(16));
        Self { width, height, title: self.title.next_multiple_of(2).min((height / 4) & !1) }
    }

    /// Rows of the game itself.
    pub(super) fn rows(&self) -> u32 {
        self.height.saturating_sub(self.title).max(1)
    }

    /// Designed at 1920 × 1080, held at the middle.
    pub(super) fn centred(&self) -> Frame {
        let unit = side(self.rows()) / 1080.0;
        Frame { x: side(self.width) / 2.0 - 960.0 * unit, y: side(self.title), unit }
    }

    /// Designed at 1280 × 720, held at the left.
    pub(super) fn left(&self) -> Frame {
        Frame { x: 0.0, y: side(self.title), unit: side(self.rows()) / 720.0 }
    }

    /// Designed at 1280 × 720, held at the middle.
    pub(super) fn middle(&self) -> Frame {
        let unit = side(self.rows()) / 720.0;
        Frame { x: side(self.width) / 2.0 - 640.0 * unit, y: side(self.title), unit }
    }
}

impl Frame {
    pub(super) fn x(&self, x: f32) -> f32 {
        self.x + x * self.unit
    }

    pub(super) fn y(&self, y: f32) -> f32 {
        self.y + y * self.unit
    }

    pub(super) fn length(&self, length: f32) -> f32 {
        length * self.unit
    }

    pub(super) fn quad(&self, quad: &Quad) -> Quad {
        let (width, height) = (self.length(quad.width), self.length(quad.height));
        Quad { x: self.x(quad.x), y: self.y(quad.y), width, height, slant: self.length(quad.slant) }
    }
}

impl Truth {
    pub(super) fn of(screen: &'static str) -> Self {
        Self { screen, ..Self::default() }
    }

    pub(super) fn put(&mut self, id: &str, value: impl Into<Value>, quad: Quad, letters: Option<f32>) {
        self.values.insert(id.to_owned(), value.into());
        self.spots.insert(id.to_owned(), Spot { quad, letters });
    }

    /// Something lies over that box: values of which it takes more than a sixth are unsure from now on.
    pub(super) fn covered(&mut self, by: &Quad) {
        for (id, Spot { quad, .. }) in &self.spots {
            let over = |from: f32, length: f32, other: f32, reach: f32| {
                ((from + length).min(other + reach) - from.max(other)).max(0.0)
            };
            let across = over(quad.x + quad.slant / 2.0, quad.width, by.x, by.width);
            let part =
                across * over(quad.y, quad.height, by.y, by.height) / (quad.width * quad.height).max(0.01);
            if part > 1.0 / 6.0 {
                self.unsure.insert(id.clone());
            }
        }
    }
}
