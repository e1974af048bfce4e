//! Games' screens with what is truly on them: what packs read, drawn here, so that no outside picture is needed to know
//! how well they do.
//!
//! Called by the clips of the stand-in, by the demo, and by the packs' accuracy command and tests. A picture is a pure
//! function of game, seed, size and time. Portraits and letters are ours or free; nothing is taken from a game.
//!
//! ```text
//! script (what happens when) ─► football, dota, screens (draw it over a backdrop) ─► Drawing: picture and Truth
//!                                                                                 └► Samples: coded, covered, other
//! ```

mod art;
mod backdrop;
mod dota;
mod football;
mod letters;
mod paint;
pub mod portraits;
mod sample;
mod screens;
mod script;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use pixels::{I420, Matrix, Range};

use backdrop::{Backdrop, Ground};
pub use portraits::{Portrait, portraits};
pub use sample::{Coding, Kind, Sample, Samples};
use script::Plan;
pub use script::{Event, Game, Match};
pub use stage::{Spot, Stage, Truth};

/// Draws one channel's matches, one after the other without end.
#[derive(Debug)]
pub struct Drawing {
    game: Game,
    seed: u64,
    stage: Stage,
    backdrop: Arc<Backdrop>,
    painter: dota::Painter,
    length: Duration,
    /// The match that is on, and its number.
    now: (u64, Match),
}

impl Drawing {
    /// Matches of `game` that last `length` each, all different; the same seed gives the same matches. Sides are taken as
    /// at least 16.
    #[must_use]
    pub fn new(game: Game, seed: u64, length: Duration, stage: Stage) -> Self {
        let stage = stage.sound();
        Self::before(Arc::new(Backdrop::new(ground(game), stage, seed)), game, seed, length, stage)
    }

    /// The same over a backdrop that is there already, of the same stage.
    fn before(backdrop: Arc<Backdrop>, game: Game, seed: u64, length: Duration, stage: Stage) -> Self {
        let now = (0, Match::new(game, seed, length));
        let length = now.1.length();
        Self { game, seed, stage, backdrop, painter: dota::Painter::default(), length, now }
    }

    /// Draws what is on at `time` into `out`, which gets the stage's size, full range and BT.601; its memory is reused.
    pub fn draw(&mut self, time: Duration, out: &mut I420) -> Truth {
        (out.range, out.matrix) = (Range::Full, Matrix::Bt601);
        out.reshape(self.stage.width, self.stage.height);
        let (number, since) = turn(time, self.length);
        if self.now.0 != number {
            self.now = (number, nth(self.game, self.seed, self.length, number));
        }
        let seed = self.seed.wrapping_add(number);
        let since = script::millis(since);
        match self.now.1.plan() {
            Plan::Football(plan) => {
                let state = plan.at(since);
                let elsewhere = matches!(state.phase, script::football::Phase::Replay { .. });
                self.backdrop.draw(self.stage, time, elsewhere, state.kits, out);
                football::draw(&state, self.stage, seed, out);
                screens::title(self.stage, "Football", out);
                football::truth(&state, self.stage)
            }
            Plan::Dota(plan) => {
                let state = plan.at(since);
                self.backdrop.draw(self.stage, time, false, [0, 0], out);
                self.painter.draw(&state, self.stage, seed, seed.is_multiple_of(2), out);
                screens::title(self.stage, "Dota", out);
                dota::truth(&state, self.stage)
            }
        }
    }

    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }
}

const fn ground(game: Game) -> Ground {
    match game {
        Game::Football => Ground::Pitch,
        Game::Dota => Ground::Land,
    }
}

/// What [`Drawing`] shows at `time`, without drawing it.
#[must_use]
pub fn truth(game: Game, seed: u64, length: Duration, time: Duration, stage: Stage) -> Truth {
    let length = Match::new(game, seed, length).length();
    let (number, since) = turn(time, length);
    nth(game, seed, length, number).truth(since, stage)
}

/// What happens in `from..to` of what [`Drawing`] shows, at most the first thousand events, with the time since the
/// drawing began.
#[must_use]
pub fn events(game: Game, seed: u64, length: Duration, from: Duration, to: Duration) -> Vec<Event> {
    const MOST: usize = 1000;
    let length = Match::new(game, seed, length).length();
    let (mut number, _) = turn(from, length);
    let mut found = Vec::new();
    while found.len() < MOST {
        let begins = length.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
        if begins >= to {
            break;
        }
        let events = nth(game, seed, length, number).events().to_vec();
        let moved = events.into_iter().map(|event| Event { at: begins + event.at, ..event });
        found.extend(moved.filter(|event| (from..to).contains(&event.at)));
        number += 1;
    }
    found.truncate(MOST);
    found
}

/// Which match is on at `time`, and how long.
fn turn(time: Duration, length: Duration) -> (u64, Duration) {
    let (time, length) = (script::millis(time), script::millis(length).max(1));
    (time / length, Duration::from_millis(time % length))
}

fn nth(game: Game, seed: u64, length: Duration, number: u64) -> Match {
    Match::new(game, seed.wrapping_add(number), length)
}
