//! What happens in a match, and when: made once of a seed, then a pure function of time.
//!
//! Called by the drawings, which show it, and by tests, which hold what was read against it. Knows nothing of pictures.

pub(super) mod dota;
pub(super) mod football;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::stage::{Stage, Truth};

/// Which game is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Game {
    Football,
    Dota,
}

/// Something that happened, as the pack of the game is to say it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Since the match's film began.
    #[serde(rename = "at_ms", serialize_with = "in_millis")]
    pub at: Duration,
    /// `kickoff`, `goal`, `half_time`, `full_time`; `hero_pick`, `hero_change`, `match_start`, `kill`, `match_end`.
    pub kind: &'static str,
    /// `{"side":"home","team":"MUN","home":1,"away":0}`
    pub data: Map<String, Value>,
}

/// One match from its first picture to its last.
#[derive(Clone, Debug)]
pub struct Match {
    plan: Plan,
    length: Duration,
    events: Vec<Event>,
}

#[derive(Clone, Debug)]
pub(super) enum Plan {
    Football(football::Plan),
    Dota(dota::Plan),
}

impl Match {
    /// Shorter ones would have no room for what happens.
    pub const SHORTEST: Duration = Duration::from_secs(32);
    /// In shorter ones a football clock runs faster than any game's, so that packs take what it shows for another time's.
    pub const FOLLOWED: Duration = Duration::from_secs(424);

    /// The match of that seed, its whole time pressed into `length` (at least [`Self::SHORTEST`]; hours at most).
    #[must_use]
    pub fn new(game: Game, seed: u64, length: Duration) -> Self {
        let length = length.clamp(Self::SHORTEST, Duration::from_secs(12 * 3600));
        let millis = u64::try_from(length.as_millis()).expect("hours");
        let (plan, mut events) = match game {
            Game::Football => {
                let plan = football::Plan::new(seed, millis);
                let events = plan.events();
                (Plan::Football(plan), events)
            }
            Game::Dota => {
                let plan = dota::Plan::new(seed, millis);
                let events = plan.events();
                (Plan::Dota(plan), events)
            }
        };
        events.sort_by_key(|event| event.at);
        Self { plan, length, events }
    }

    #[must_use]
    pub const fn length(&self) -> Duration {
        self.length
    }

    /// Everything that happens, in order.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What is on a screen of that stage at `time`.
    #[must_use]
    pub fn truth(&self, time: Duration, stage: Stage) -> Truth {
        match &self.plan {
            Plan::Football(plan) => super::football::truth(&plan.at(millis(time)), stage),
            Plan::Dota(plan) => super::dota::truth(&plan.at(millis(time)), stage),
        }
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Milliseconds; what lies behind the end is the end's business.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn event(at: u64, kind: &'static str, data: Value) -> Event {
    let data = if let Value::Object(data) = data { data } else { Map::new() };
    Event { at: Duration::from_millis(at), kind, data }
}

fn in_millis<S: serde::Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(millis(*at))
}
