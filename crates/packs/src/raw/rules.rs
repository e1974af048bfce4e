//! The rules as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What holds for all events of a pack.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The game's clock: events wait while it runs backwards.
    pub clock: Option<String>,
    /// Changes after which everything begins anew (`clock decreases by 300`, `all of: …` are conditions as in `when`).
    #[serde(default)]
    pub reset: Vec<String>,
    /// Screens that rules look at; readings of others (menus, replays) are left out. All unless said.
    #[serde(default)]
    pub screens: Vec<String>,
    /// Reads below this confidence do not count.
    #[serde(default = "floor")]
    pub min_confidence: f32,
}

const fn floor() -> f32 {
    0.6
}

/// A change that is an event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// `goal`, `kill`: `[a-z0-9_]{1,32}`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `score.home increases by 1`, `heroes.* appears`, `clock becomes "90:00"`, `clock passes 2700`.
    pub when: String,
    /// How many readings in a row must say so.
    #[serde(default = "twice")]
    pub confirm: u32,
    /// How long after one of this type the next is left out, in seconds of media time.
    #[serde(default)]
    pub cooldown: f64,
    /// Overrides the rules' own.
    pub min_confidence: Option<f32>,
    /// Whether the game's clock must not have run backwards.
    #[serde(default)]
    pub clock_forward: bool,
    /// What the event says: texts with `{{ value }}`, `{{ before.value }}`, `{{ slot.team }}`.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Seconds of the clip before and after.
    pub before: Option<f64>,
    pub after: Option<f64>,
}

const fn twice() -> u32 {
    2
}
