//! The rules as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// What holds for all events of a pack.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The game's clock: what is read while it runs backwards (a replay) does not count.
    pub clock: Option<String>,
    /// Whether that clock counts down.
    #[serde(default)]
    pub countdown: bool,
    /// Changes after which everything begins anew (`clock decreases by 300`: by so much or more; `screen becomes "pick"`);
    /// conditions as in `when`.
    #[serde(default)]
    pub reset: Vec<String>,
    /// Screens that rules look at; readings of others (menus, replays) are left out. All unless said.
    #[serde(default)]
    pub screens: Vec<String>,
    /// Reads below this confidence do not count.
    #[serde(default = "floor")]
    pub min_confidence: f32,
}

impl Default for Rules {
    fn default() -> Self {
        let (clock, countdown, reset, screens) = (None, false, Vec::new(), Vec::new());
        Self { clock, countdown, reset, screens, min_confidence: floor() }
    }
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
    /// `score.home increases by 1`, `heroes.* appears`, `clock passes "45:00"`, `match begins`; behind an `and` what else must
    /// hold, as in `if`.
    pub when: String,
    /// What must hold besides: an expression of the values then, and of those before (`before.score.home`).
    #[serde(default, rename = "if")]
    pub only_if: Option<String>,
    /// How many readings must say so.
    #[serde(default = "twice")]
    pub confirm: u32,
    /// How long after one of this type (and slot) the next is left out, in seconds of media time.
    #[serde(default)]
    pub cooldown: f64,
    /// Whether it happens once a match (in each slot) at the most.
    #[serde(default)]
    pub once: bool,
    /// Overrides the rules' own.
    pub min_confidence: Option<f32>,
    /// Whether the game's clock must have been read with it, running forward; as long as a match's was not read at all, it need not.
    #[serde(default)]
    pub clock_forward: bool,
    /// What the event says: texts with `{{ score.home }}`, `{{ before.score.home }}`, `{{ value }}`, `{{ slot.team }}`.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Seconds of the clip before and after.
    pub before: Option<f64>,
    pub after: Option<f64>,
}

const fn twice() -> u32 {
    2
}
