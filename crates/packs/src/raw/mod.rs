//! `pack.toml` as it is written: names, shapes and defaults, nothing checked yet.
//!
//! The JSON Schema in `docs/pack.schema.json` is made from these types; a test compares them. Unknown keys are refused.

mod readers;
mod rules;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use readers::{Bar, Color, Digits, Direction, Kind, Motion, Polarity, Reader, Templates, Text};
pub use rules::{Event, Rules};

/// The JSON Schema of `pack.toml`, as text.
///
/// # Panics
/// Never: a schema is plain data.
#[must_use]
pub fn schema() -> String {
    serde_json::to_string_pretty(&schemars::schema_for!(Pack)).expect("a schema is plain data")
}

/// x, y, width and height.
pub type Area = [f32; 4];

/// A pack: one game's screens, how they are read, and which changes are events.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// The version of this format: 1.
    pub format: u32,
    /// The name of the pack and of its folder: `[a-z0-9_-]{1,64}`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The pack's own version, three numbers. What it reads is compared from one to the next.
    pub version: String,
    #[serde(default)]
    pub description: String,
    /// Width and height of the picture that all boxes were drawn on, in pixels. Without it boxes are fractions of the frame.
    pub reference: Option<[f32; 2]>,
    /// Sets of pictures that `templates` readers know.
    #[serde(default, rename = "set")]
    pub sets: BTreeMap<String, Set>,
    /// Fonts that `digits` readers know.
    #[serde(default, rename = "font")]
    pub fonts: BTreeMap<String, Font>,
    /// The screens, the likeliest first.
    #[serde(rename = "screen")]
    pub screens: Vec<Screen>,
    /// Values made from others.
    #[serde(default, rename = "value")]
    pub values: Vec<Derived>,
    #[serde(default)]
    pub rules: Rules,
    #[serde(default, rename = "event")]
    pub events: Vec<Event>,
}

/// Pictures of things that look the same each time (heroes, items, maps).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// A TOML file with `[[item]]`s: `tag` and whatever fields the readings are to show.
    pub items: String,
    /// A folder of PNG pictures named by tag (`axe.png`), further ones of the same by a suffix (`axe@persona1.png`): in the
    /// pack, or in the data directory where `onair pack fetch` puts what may not be shipped.
    pub folder: String,
    /// Where `onair pack fetch` finds a picture; `{tag}` and `{variant}` are replaced.
    pub fetch: Option<Fetch>,
    /// The part of each picture that shows on screen, as fractions: x, y, width, height.
    #[serde(default = "whole")]
    pub crop: Area,
}

const fn whole() -> Area {
    [0.0, 0.0, 1.0, 1.0]
}

/// Where pictures come from that may not be shipped.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// With `{tag}`, or `{file}`, which is the item's file name without its ending.
    pub url: String,
    /// A file with lines of `<sha256>  <name>.png`.
    pub checksums: Option<String>,
}

/// A font of few letters, learned from labelled crops.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Font {
    /// A folder of PNG crops, each named by what it says (`12-3.png`, `45;12_b.png`: `;` stands for `:`, whatever follows `_` is
    /// ignored).
    pub folder: String,
}

/// One kind of picture the game shows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// `[a-z0-9_]{1,32}`.
    pub id: String,
    /// What boxes hold on to when a frame has another shape than the reference.
    #[serde(default)]
    pub pin: Pin,
    /// Shapes of frames it can have: width divided by height, from and to.
    pub aspect: Option<[f32; 2]>,
    /// What must be there for this screen to be read.
    pub gate: Gate,
    /// What must have been read for the reading to count.
    #[serde(default)]
    pub accept: Accept,
    #[serde(default, rename = "region")]
    pub regions: Vec<Region>,
}

/// What a box holds on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    Left,
    Center,
    Right,
    /// Fractions of the frame, whatever its shape.
    #[default]
    Stretch,
}

/// The signs of a screen. Cheap to look for; nothing is read before they are found.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    pub signs: Vec<Sign>,
    /// How many of them must be there; all of them unless said.
    pub need: Option<usize>,
    /// How far the whole HUD may be moved, in units of the boxes: `[left, right, up, down]`. Where the signs fit best is where it is.
    #[serde(default)]
    pub search: [f32; 4],
    /// Sizes the HUD may have, 1 being the reference's.
    #[serde(default = "one_size")]
    pub scales: Vec<f32>,
}

fn one_size() -> Vec<f32> {
    vec![1.0]
}

/// Something a screen can be known by.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub enum Sign {
    /// A part of the box has this colour.
    Color {
        #[serde(rename = "box")]
        area: Area,
        #[serde(default)]
        slant: f32,
        /// `#rrggbb`
        color: String,
        /// How far off each of red, green and blue may be on the average, 0 to 255.
        #[serde(default = "near")]
        tolerance: f32,
        /// Which part of the box has it, 0 to 1.
        #[serde(default = "most")]
        share: f32,
    },
    /// The box is so bright, and so mixed.
    Luma {
        #[serde(rename = "box")]
        area: Area,
        #[serde(default)]
        slant: f32,
        /// The mean, 0 (black) to 255 (white).
        mean: Option<[f32; 2]>,
        /// The standard deviation.
        spread: Option<[f32; 2]>,
    },
    /// An edge runs along the middle of the box: one side is brighter by this much on the average.
    Edge {
        #[serde(rename = "box")]
        area: Area,
        #[serde(default)]
        slant: f32,
        along: Along,
        /// How much brighter the right or lower side is at least; negative for darker.
        contrast: f32,
    },
    /// The box looks like a picture of the pack, at any brightness and contrast.
    Image {
        #[serde(rename = "box")]
        area: Area,
        #[serde(default)]
        slant: f32,
        /// A PNG in the pack.
        image: String,
        /// How alike at least, 0 to 1.
        #[serde(default = "alike")]
        score: f32,
    },
    /// Several boxes have these colours, each its own. What counts is which way each is off grey, not how strongly nor how
    /// brightly: a row of team colours is known when it is pale, blurred or two pixels high.
    Hues {
        spots: Vec<Spot>,
        /// Boxes of another screen that this one is easily taken for: their hues must not be more alike.
        #[serde(default)]
        rather_than: Vec<Spot>,
        /// How alike the hues are at least, on the average of all boxes: 1 the same, 0 what grey has.
        #[serde(default = "hued")]
        score: f32,
    },
}

/// One box of a sign of hues.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spot {
    #[serde(rename = "box")]
    pub area: Area,
    /// Where it may be instead.
    pub other: Option<Area>,
    #[serde(default)]
    pub slant: f32,
    /// `#rrggbb`
    pub color: String,
}

const fn hued() -> f32 {
    0.7
}

const fn near() -> f32 {
    30.0
}

const fn most() -> f32 {
    0.6
}

const fn alike() -> f32 {
    0.6
}

/// Which way an edge runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Along {
    Horizontal,
    Vertical,
}

/// What a reading must have.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// All of these values.
    #[serde(default)]
    pub all: Vec<String>,
    /// At least one of these values.
    #[serde(default)]
    pub any: Vec<String>,
    /// So many items of a list (`{heroes = 8}`).
    #[serde(default)]
    pub items: BTreeMap<String, usize>,
}

/// A place where something stands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// The value's name; dots make objects (`score.home`). A pattern with named groups gives `id.group`, or the group alone
    /// when the id is empty there.
    pub id: String,
    #[serde(rename = "box")]
    pub area: Option<Area>,
    #[serde(default)]
    pub slant: f32,
    /// Boxes for frames of other shapes.
    #[serde(default)]
    pub at: Vec<Alternative>,
    /// Several boxes of the same kind, which make a list.
    #[serde(default)]
    pub slots: Vec<Slot>,
    /// The least lines a frame must have: on smaller ones its letters are too small to be told.
    #[serde(default)]
    pub min_lines: u32,
    pub reader: Reader,
}

/// A box for some shapes of frames.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    pub aspect: [f32; 2],
    #[serde(rename = "box")]
    pub area: Area,
    #[serde(default)]
    pub slant: f32,
}

/// One box of several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    #[serde(rename = "box")]
    pub area: Area,
    #[serde(default)]
    pub slant: f32,
    #[serde(default)]
    pub at: Vec<Alternative>,
    /// What readings say of it (`{team = "radiant", position = 0}`).
    #[serde(default)]
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// A value made from others.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Derived {
    pub id: String,
    /// `score.home + score.away`, `clock >= 0`, `min(a, b)`: numbers, texts in quotes, `+ - * /`, comparisons, `and or not`.
    pub is: String,
}
