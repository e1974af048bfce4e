//! A match of two teams of five heroes: picked one after the other, then fighting, until one team has won.

use serde_json::json;

use super::{Event, event};
use crate::dice::Dice;
use crate::hud::portraits::{self, HEROES, portraits};

/// When what happens, in milliseconds since the film began.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    seed: u64,
    /// Number of the portrait each slot ends up with: Radiant 0 to 4, Dire 5 to 9.
    picks: Vec<Pick>,
    swap: Option<Swap>,
    /// The screen before the game begins.
    preparing: u64,
    from: u64,
    to: u64,
    /// Seconds of the game before creeps come, and at its end.
    before: u64,
    game: u64,
    kills: Vec<Kill>,
    /// The break: "preparing" first, then the advertisement.
    ad: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Pick {
    at: u64,
    slot: usize,
    portrait: usize,
}

/// Two of a team change heroes.
#[derive(Clone, Copy, Debug)]
struct Swap {
    at: u64,
    slots: [usize; 2],
}

#[derive(Clone, Copy, Debug)]
struct Kill {
    at: u64,
    victim: usize,
    back: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Phase {
    /// With the seconds left.
    Pick(u64),
    Preparing,
    Game,
    Ad,
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// Numbers of portraits.
    pub(crate) heroes: [Option<usize>; 10],
    /// Seconds until each is back.
    pub(crate) dead: [Option<u64>; 10],
    /// 0 to 1.
    pub(crate) health: [f32; 10],
    pub(crate) mana: [f32; 10],
    pub(crate) score: [u64; 2],
    /// Seconds of the game; before creeps come they are below 0.
    pub(crate) clock: i64,
}

const ORDER: [usize; 10] = [0, 5, 6, 1, 2, 7, 8, 3, 4, 9];
const TEAMS: [&str; 2] = ["radiant", "dire"];

impl Plan {
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        let mut dice = Dice::new(seed, "dota", 1);
        let picking = (length / 4).clamp(9_000, 70_000);
        let preparing = picking + (length / 40).clamp(1_500, 4_000);
        let to = length - (length / 20).clamp(2_500, 8_000);
        let game = dice.within(22 * 60..48 * 60);
        let (picks, swap) = picked(&mut dice, picking);
        // Some begin to show a game when it begins.
        let before = if dice.chance(250_000) { 0 } else { dice.within(20..90) };
        let horn = horn(preparing, to, before, game);
        // Nobody dies at once, and a game does not end in the moment of a kill.
        let quiet = ((to - horn) / 12).clamp(3_000, 12_000);
        let kills = fought(&mut dice, horn + quiet, to - quiet);
        let ad = (length >= 100_000).then(|| {
            let at = preparing + (to - preparing) * dice.within(55..75) / 100;
            (at, at + 4_500)
        });
        let kills: Vec<_> = kills
            .into_iter()
            .filter(|kill| {
                ad.is_none_or(|(from, to)| !(from.saturating_sub(3_000)..to + 3_000).contains(&kill.at))
            })
            .collect();
        Self { seed, picks, swap, preparing: picking, from: preparing, to, before, game, kills, ad }
    }

    pub(crate) fn at(&self, time: u64) -> State {
        let phase = match time {
            _ if time < self.preparing => Phase::Pick((self.preparing - time).div_ceil(1000)),
            _ if time < self.from => Phase::Preparing,
            _ if time >= self.to => Phase::End,
            _ => match self.ad {
                Some((from, to)) if (from..from + 1_500).contains(&time) && time < to => Phase::Preparing,
                Some((from, to)) if (from..to).contains(&time) => Phase::Ad,
                _ => Phase::Game,
            },
        };
        let mut score = [0, 0];
        let mut dead = [None; 10];
        for kill in self.kills.iter().filter(|kill| kill.at <= time) {
            score[1 - kill.victim / 5] += 1;
            if time < kill.back {
                dead[kill.victim] = Some((kill.back - time).div_ceil(1000));
            }
        }
        let played = time.clamp(self.from, self.to) - self.from;
        let clock = (self.before + self.game) * played / (self.to - self.from).max(1);
        let clock = clock.cast_signed() - self.before.cast_signed();
        let (health, mana) = self.bars(time, &dead);
        State { phase, heroes: self.heroes(time), dead, health, mana, score, clock }
    }

    fn heroes(&self, time: u64) -> [Option<usize>; 10] {
        let mut heroes = [None; 10];
        for pick in self.picks.iter().filter(|pick| pick.at <= time) {
            heroes[pick.slot] = Some(pick.portrait);
        }
        if let Some(Swap { slots: [one, other], .. }) = self.swap.filter(|swap| swap.at <= time) {
            heroes.swap(one, other);
        }
        heroes
    }

    /// Health and mana wander from one value to the next every two seconds.
    fn bars(&self, time: u64, dead: &[Option<u64>; 10]) -> ([f32; 10], [f32; 10]) {
        const STEP: u64 = 2_000;
        let bar = |slot: usize, salt: u64| {
            let value = |step: u64| {
                Dice::new(self.seed ^ step, "bar", salt + slot as u64 * 8).between(0.15, 1.1).min(1.0)
            };
            let (from, to) = (value(time / STEP), value(time / STEP + 1));
            let part = u16::try_from(time % STEP).map_or(0.0, f32::from) / 2_000.0;
            from + (to - from) * part
        };
        let health = std::array::from_fn(|slot| if dead[slot].is_some() { 0.0 } else { bar(slot, 0) });
        (health, std::array::from_fn(|slot| bar(slot, 1)))
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let place = |slot: usize| (TEAMS[slot / 5], slot % 5);
        let tag = |portrait: Option<usize>| portrait.map(|at| portraits()[at].tag);
        let mut events = Vec::new();
        for pick in &self.picks {
            let (team, position) = place(pick.slot);
            let data = json!({ "team": team, "position": position, "hero": tag(Some(pick.portrait)) });
            events.push(event(pick.at, "hero_pick", data));
        }
        if let Some(swap) = &self.swap {
            let (before, after) = (self.heroes(swap.at - 1), self.heroes(swap.at));
            for slot in swap.slots {
                let (team, position) = place(slot);
                let (from, to) = (tag(before[slot]), tag(after[slot]));
                let data = json!({ "team": team, "position": position, "from": from, "to": to });
                events.push(event(swap.at, "hero_change", data));
            }
        }
        for kill in &self.kills {
            let [radiant, dire] = self.at(kill.at).score;
            let (team, position) = place(kill.victim);
            let data = json!({
                "side": TEAMS[1 - kill.victim / 5], "radiant": radiant, "dire": dire,
                "victim": { "team": team, "position": position },
            });
            events.push(event(kill.at, "kill", data));
        }
        events.push(event(horn(self.from, self.to, self.before, self.game), "match_start", json!({})));
        events.push(event(self.to, "match_end", json!({})));
        events
    }
}

/// When the clock is at 0.
fn horn(from: u64, to: u64, before: u64, game: u64) -> u64 {
    from + ((to - from) * before).div_ceil((before + game).max(1))
}

fn picked(dice: &mut Dice, time: u64) -> (Vec<Pick>, Option<Swap>) {
    let mut taken: Vec<usize> = Vec::new();
    // Heroes are banned before the first is picked.
    let (first, step) = (time * 30 / 100, time * 55 / 1000);
    let mut picks = Vec::new();
    for (number, slot) in (0..).zip(ORDER) {
        let hero = loop {
            let hero = usize::try_from(dice.within(0..HEROES as u64)).expect("small");
            if !taken.contains(&hero) {
                break hero;
            }
        };
        taken.push(hero);
        let pictures: Vec<usize> = portraits::of_hero(hero).collect();
        // Most players own no other picture.
        let portrait = if dice.chance(600_000) { pictures[0] } else { *dice.one_of(&pictures) };
        picks.push(Pick { at: first + number * step, slot, portrait });
    }
    let swap = dice.chance(500_000).then(|| {
        let first = usize::try_from(dice.within(0..2) * 5 + dice.within(0..4)).expect("small");
        Swap { at: time * 97 / 100, slots: [first, first + 1] }
    });
    (picks, swap)
}

fn fought(dice: &mut Dice, from: u64, to: u64) -> Vec<Kill> {
    /// So that each can be seen by who looks every few seconds.
    const APART: u64 = 7_000;
    let mut kills: Vec<Kill> = Vec::new();
    let mut at = from + dice.within(0..5_000);
    while at < to {
        let alive = |victim: &usize| !kills.iter().any(|kill| kill.victim == *victim && at < kill.back);
        let victims: Vec<usize> = (0..10).filter(alive).collect();
        let victim = *dice.one_of(&victims);
        kills.push(Kill { at, victim, back: at + dice.within(6_000..15_000) });
        at += dice.within(APART..APART * 5 / 2);
    }
    kills
}
