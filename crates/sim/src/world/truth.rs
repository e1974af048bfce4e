//! What channels that show a game truly have on their screens, and when what happened.
//!
//! Called by the control routes and by tests, to hold what was read against it.

use std::time::Duration;

use super::{Channel, Made, World};
use crate::clip::Clip;
use crate::fault::Fault;
use crate::film::{LOOP_STEP, SEGMENT_SECONDS};
use crate::hud::{self, Event, Game, Stage, Truth};

/// A match that is shown again and again.
struct Loop {
    game: Game,
    seed: u64,
    length: Duration,
}

impl World {
    /// What a channel shows at `at` (ms since 1970, as its PROGRAM-DATE-TIME says); `None` when it shows no game.
    #[must_use]
    pub fn truth(&self, channel: &str, at: u64) -> Option<Truth> {
        let channel = self.find(channel)?;
        let shown = self.shown(&channel)?;
        let since = at.saturating_sub(channel.origin);
        let look = channel.look(self.now());
        if matches!(
            look.made(since / (u64::from(SEGMENT_SECONDS) * 1000)),
            Some(Made { fault: Fault::Ads { .. }, .. })
        ) {
            return Some(Truth { screen: "ad", ..Truth::default() });
        }
        let within = Duration::from_millis(since % turn(&shown));
        // The size bears on places only.
        Some(hud::truth(shown.game, shown.seed, shown.length, within, Stage::new(1280, 720)))
    }

    /// What happens on a channel in `from..to` (ms since 1970), with the time of each; at most a thousand events.
    #[must_use]
    pub fn events(&self, channel: &str, from: u64, to: u64) -> Vec<(u64, Event)> {
        const MOST: usize = 1000;
        let Some(channel) = self.find(channel) else { return Vec::new() };
        let Some(shown) = self.shown(&channel) else { return Vec::new() };
        let all = hud::events(shown.game, shown.seed, shown.length, Duration::ZERO, shown.length);
        let turn = turn(&shown);
        let first = from.saturating_sub(channel.origin) / turn;
        let times = (first..).map(|number| channel.origin + number * turn).take_while(|begins| *begins < to);
        let at = |event: &Event| u64::try_from(event.at.as_millis()).unwrap_or(u64::MAX);
        let events =
            times.flat_map(|begins| all.iter().map(move |event| (begins + at(event), event.clone())));
        events.filter(|(at, _)| (from..to).contains(at)).take(MOST).collect()
    }

    fn shown(&self, channel: &Channel) -> Option<Loop> {
        let Clip::Hud { game, seed, .. } = *self.clip(channel) else { return None };
        let length = u64::from(self.settings().loop_steps.max(1) * LOOP_STEP);
        Some(Loop { game, seed, length: Duration::from_secs(length) })
    }
}

/// Milliseconds of one turn.
fn turn(shown: &Loop) -> u64 {
    u64::try_from(shown.length.as_millis()).unwrap_or(u64::MAX)
}
