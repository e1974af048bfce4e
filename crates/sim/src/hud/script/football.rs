//! A football match: two halves with goals, each followed by its replay, the break between them and menus around.

use serde_json::json;

use super::{Event, event};
use crate::dice::Dice;

/// When what happens, in milliseconds since the film began.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) teams: [&'static str; 2],
    /// Numbers of the shirts' colours.
    pub(crate) kits: [u64; 2],
    halves: [Half; 2],
    goals: Vec<Goal>,
    /// When the break's advertisement begins, if it has one.
    ad: Option<u64>,
}

#[derive(Clone, Debug)]
struct Half {
    from: u64,
    to: u64,
    /// Seconds on the clock when the whistle goes.
    length: u64,
    replays: Vec<Replay>,
}

#[derive(Clone, Copy, Debug)]
struct Replay {
    from: u64,
    to: u64,
    /// Whether names and score stay on the screen.
    board: bool,
}

#[derive(Clone, Copy, Debug)]
struct Goal {
    at: u64,
    side: usize,
}

/// What is on the screen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    Menu,
    Play,
    Replay { board: bool },
    HalfTime,
    Ad,
    FullTime,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Seconds of play.
    pub(crate) clock: u64,
    pub(crate) score: [u64; 2],
    pub(crate) teams: [&'static str; 2],
    pub(crate) kits: [u64; 2],
}

const HALF: u64 = 45 * 60;

impl Plan {
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        let mut dice = Dice::new(seed, "football", 1);
        let menu = (length / 30).clamp(2_000, 8_000);
        let (rest, end) = ((length / 14).clamp(4_000, 20_000), (length / 20).clamp(3_000, 12_000));
        let half = (length - menu - rest - end) / 2;
        let first = *dice.one_of(&TEAMS);
        let second = loop {
            let other = *dice.one_of(&TEAMS);
            if other != first {
                break other;
            }
        };
        let kit = dice.within(0..6);
        let kits = [kit, (kit + dice.within(1..6)) % 6];
        let mut goals = Vec::new();
        let halves = [menu, menu + half + rest].map(|from| {
            let replays = played(&mut dice, from, half, &mut goals);
            Half { from, to: from + half, length: HALF, replays }
        });
        let ad = (rest >= 6_000).then_some(menu + half + rest * 6 / 10);
        // Time is added, and the second half begins at 45:00 whatever was.
        let halves = halves.map(|half| Half { length: HALF + dice.within(60..240), ..half });
        Self { teams: [first, second], kits, halves, goals, ad }
    }

    pub(crate) fn at(&self, time: u64) -> State {
        let (first, second) = (&self.halves[0], &self.halves[1]);
        let replay = [first, second].into_iter().flat_map(|half| &half.replays);
        let replay = replay.copied().find(|replay| (replay.from..replay.to).contains(&time));
        let phase = match replay {
            Some(Replay { board, .. }) => Phase::Replay { board },
            None if time < first.from => Phase::Menu,
            None if time < first.to => Phase::Play,
            None if time < second.from && self.ad.is_some_and(|ad| time >= ad) => Phase::Ad,
            None if time < second.from => Phase::HalfTime,
            None if time < second.to => Phase::Play,
            None => Phase::FullTime,
        };
        let mut score = [0, 0];
        for goal in self.goals.iter().filter(|goal| goal.at <= time) {
            score[goal.side] += 1;
        }
        let clock = if time < second.from { first.played(time) } else { HALF + second.played(time) };
        State { phase, clock, score, teams: self.teams, kits: self.kits }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let score = |at| {
            let [home, away] = self.at(at).score;
            json!({ "home": home, "away": away })
        };
        let goal = |goal: &Goal| {
            let mut data = score(goal.at);
            data["side"] = json!(["home", "away"][goal.side]);
            data["team"] = json!(self.teams[goal.side]);
            event(goal.at, "goal", data)
        };
        let mut events: Vec<_> = self.goals.iter().map(goal).collect();
        let [first, second] = &self.halves;
        let teams = json!({ "home_team": self.teams[0], "away_team": self.teams[1] });
        events.push(event(first.from, "kickoff", teams));
        events.push(event(first.to, "half_time", score(first.to)));
        events.push(event(second.to, "full_time", score(second.to)));
        events
    }
}

/// The goals of one half and their replays.
fn played(dice: &mut Dice, from: u64, half: u64, goals: &mut Vec<Goal>) -> Vec<Replay> {
    /// Play between two goals, so that each can be seen by who looks every few seconds.
    const APART: u64 = 18_000;
    let most = (half / APART).clamp(1, 4);
    let count = dice.within(1..most + 1);
    let window = half / count;
    let length = (window / 5).clamp(2_000, 8_000);
    let mut replays = Vec::new();
    for number in 0..count {
        let at = from + number * window + dice.within(window / 4..window * 11 / 20);
        let side = usize::from(dice.chance(450_000));
        goals.push(Goal { at, side });
        // The board shows the goal before the replay begins.
        let begins = at + (window / 12).clamp(800, 2_500);
        replays.push(Replay { from: begins, to: begins + length, board: dice.chance(500_000) });
    }
    replays
}

impl Half {
    /// Seconds of this half on the clock at `time`; it stands still in replays.
    fn played(&self, time: u64) -> u64 {
        let time = time.clamp(self.from, self.to);
        let still = |until: u64| -> u64 {
            self.replays.iter().map(|replay| replay.to.min(until).saturating_sub(replay.from)).sum()
        };
        let all = self.to - self.from - still(self.to);
        self.length * (time - self.from - still(time)) / all.max(1)
    }
}

const TEAMS: [&str; 32] = [
    "ALB", "ARN", "BAR", "BER", "BOL", "CHE", "COL", "DOR", "EIN", "FEY", "GEN", "HAM", "INT", "JUV", "KOB",
    "LEI", "LIV", "MAD", "MUN", "NAP", "OLY", "POR", "QUE", "ROM", "SEV", "TOT", "UDI", "VAL", "WOL", "XAM",
    "YOK", "ZEN",
];
