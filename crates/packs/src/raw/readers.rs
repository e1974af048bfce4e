//! The readers' settings as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// How a box is read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Reader {
    Templates(Templates),
    Text(Text),
    Digits(Digits),
    Color(Color),
    Bar(Bar),
    Motion(Motion),
}

/// Which picture of a set is in each slot.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    pub set: String,
    /// How alike a picture must be at least: mean-subtracted correlation, 0 to 1.
    #[serde(default = "score")]
    pub min_score: f32,
    /// How much more alike than the next best picture.
    #[serde(default = "margin")]
    pub min_margin: f32,
    /// How far a picture may be off its box, in units of the boxes: across and down.
    #[serde(default)]
    pub search: [f32; 2],
    /// Whether a picture in two slots is unlikely.
    #[serde(default)]
    pub unique: bool,
}

const fn score() -> f32 {
    0.45
}

const fn margin() -> f32 {
    0.05
}

/// A line of text, by OCR.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The letters that occur; all unless said.
    pub charset: Option<String>,
    /// What the text must look like: a regular expression for all of it. Named groups become values.
    pub pattern: Option<String>,
    /// What each value is; `text` unless said. Names of groups, or the region's id.
    #[serde(default)]
    pub values: BTreeMap<String, Kind>,
    #[serde(default)]
    pub polarity: Polarity,
    /// The height the box is brought to before it is read, in pixels.
    #[serde(default = "height")]
    pub height: u32,
    /// How sure the reader must be, 0 to 1.
    #[serde(default = "sure")]
    pub min_confidence: f32,
}

const fn height() -> u32 {
    48
}

const fn sure() -> f32 {
    0.5
}

/// A few letters of a font that is always the same.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digits {
    pub font: String,
    pub pattern: Option<String>,
    #[serde(default)]
    pub values: BTreeMap<String, Kind>,
    #[serde(default)]
    pub polarity: Polarity,
    /// How alike each letter must be, 0 to 1.
    #[serde(default = "alike")]
    pub min_score: f32,
}

const fn alike() -> f32 {
    0.7
}

/// What a text becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[default]
    Text,
    Int,
    Number,
    /// `45:12`, `-0:30`, `1:02:03`, `9.4`.
    Clock,
}

/// What is brighter, the letters or what they stand on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Polarity {
    /// Whatever there is less of is letters.
    #[default]
    Auto,
    /// Bright letters.
    Light,
    /// Dark letters.
    Dark,
}

/// Which of some colours fills the box.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Color {
    /// Colours (`#rrggbb`) by what they mean.
    pub palette: BTreeMap<String, String>,
    /// How far off each of red, green and blue may be on the average, 0 to 255.
    #[serde(default = "near")]
    pub tolerance: f32,
    /// Which part of the box must have it, 0 to 1.
    #[serde(default = "most")]
    pub share: f32,
}

const fn near() -> f32 {
    40.0
}

const fn most() -> f32 {
    0.5
}

/// How full a bar is, 0 to 1.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bar {
    /// The colour of the full part.
    pub color: String,
    #[serde(default = "near")]
    pub tolerance: f32,
    /// Which way it grows.
    #[serde(default)]
    pub grows: Direction,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    #[default]
    Right,
    Left,
    Up,
    Down,
}

/// Which part of the box changed since the last picture, 0 to 1.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Motion {
    /// How much brighter or darker a pixel must be to have changed, 0 to 255.
    #[serde(default = "changed")]
    pub threshold: u8,
}

const fn changed() -> u8 {
    25
}
