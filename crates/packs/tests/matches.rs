//! Thousands of simulated matches: every goal once, none false, whatever the reader and the broadcast do.
//!
//! Each match is drawn from a seed: goals, replays that hide the board or show its old state, half time, ads, cut-aways. A
//! picture is read every three seconds; two of a hundred reads are corrupted: other digits, nothing, or unsure.

use std::collections::BTreeMap;
use std::sync::Arc;

use packs::raw;
use packs::rules::{Event, Ruleset, State};
use packs::{Read, Reading, Value};

/// Seconds between two pictures.
const EVERY: i64 = 3;
const CORRUPTED: u64 = 20;

/// Numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(most.abs_diff(least) + 1)).expect("it is so in a test")
    }

    /// Whether so many in a thousand.
    fn chance(&mut self, thousandth: u64) -> bool {
        self.below(1000) < thousandth
    }
}

/// What the screen shows at one second.
#[derive(Clone, Debug)]
struct Shown {
    clock: i64,
    score: [i64; 2],
    /// By slot; `None` before a hero is picked.
    heroes: Vec<Option<String>>,
}

/// A broadcast, second by second; `None` is a picture without the HUD.
#[derive(Default)]
struct Film {
    seconds: Vec<Option<Shown>>,
    /// Second and side of each goal.
    goals: Vec<(usize, usize)>,
    /// Second and kind of what else happens.
    moments: Vec<(usize, &'static str)>,
}

fn clock(seconds: i64) -> Value {
    let (sign, plain) = if seconds < 0 { ("-", -seconds) } else { ("", seconds) };
    Value::Clock { seconds, shown: format!("{sign}{}:{:02}", plain / 60, plain % 60).into() }
}

/// Other digits than those that are there, as a bad reader finds them.
fn other_digits(dice: &mut Dice, value: &Value) -> Value {
    match value {
        Value::Int(int) => {
            let length = int.to_string().len().max(1) + usize::from(dice.chance(200));
            let digits: String = (0..length)
                .map(|_| char::from(b'0' + u8::try_from(dice.below(10)).expect("it is so in a test")))
                .collect();
            Value::Int(digits.parse().expect("it is so in a test"))
        }
        Value::Clock { .. } => clock(dice.between(0, 5999)),
        Value::Text(_) => Value::Text(format!("{:x}", dice.below(4096)).into()),
        other => other.clone(),
    }
}

fn read(dice: &mut Dice, shown: &Shown) -> Reading {
    let mut values = BTreeMap::new();
    let mut put = |dice: &mut Dice, id: String, value: Value| {
        let mut read = Read { value, confidence: 0.9 };
        if dice.chance(CORRUPTED) {
            match dice.below(3) {
                0 => return,
                1 => read.confidence = 0.4,
                _ => read.value = other_digits(dice, &read.value),
            }
        }
        values.insert(Arc::from(id), read);
    };
    put(dice, "clock".to_owned(), clock(shown.clock));
    put(dice, "score.home".to_owned(), Value::Int(shown.score[0]));
    put(dice, "score.away".to_owned(), Value::Int(shown.score[1]));
    for (slot, hero) in shown.heroes.iter().enumerate() {
        if let Some(hero) = hero {
            put(dice, format!("heroes.{slot}"), Value::Text(hero.as_str().into()));
        }
    }
    Reading { pack: "p".into(), pack_version: "1.0.0".into(), screen: "hud".into(), values }
}

/// All events of a film, with the seconds of the pictures.
fn watch(rules: &Ruleset, film: &Film, dice: &mut Dice) -> Vec<Event> {
    let mut state = State::default();
    let mut events = Vec::new();
    let mut second = dice.between(0, EVERY - 1);
    while let Some(shown) = film.seconds.get(usize::try_from(second).expect("it is so in a test")) {
        let reading = shown.as_ref().map(|shown| Arc::new(read(dice, shown)));
        events.extend(rules.step(&mut state, reading.as_ref(), second * 1000));
        second += EVERY;
    }
    events
}

fn ruleset(toml: &str) -> Ruleset {
    #[derive(serde::Deserialize)]
    struct File {
        rules: raw::Rules,
        event: Vec<raw::Event>,
    }
    let file: File = toml::from_str(toml).expect("it is so in a test");
    let known = ["clock", "score.home", "score.away", "heroes.*"].map(Arc::from);
    Ruleset::new(&file.rules, &file.event, &known).expect("it is so in a test")
}

const FOOTBALL: &str = r#"
    [rules]
    clock = "clock"
    reset = ["clock decreases by 600"]
    [[event]]
    type = "goal"
    when = "score.home increases by 1"
    confirm = 3
    data = {side = "home"}
    [[event]]
    type = "goal"
    when = "score.away increases by 1"
    confirm = 3
    data = {side = "away"}
    [[event]]
    type = "kickoff"
    when = "match begins"
    [[event]]
    type = "half_time"
    when = "clock passes 2700"
    confirm = 3
    once = true
    [[event]]
    type = "full_time"
    when = "match ends after 90"
    if = "before.clock > 5000"
"#;

/// One to three matches, one after the other, with what a broadcast does between and in them.
fn football(dice: &mut Dice) -> Film {
    let mut film = Film::default();
    for _ in 0..dice.between(1, 3) {
        film.seconds.extend((0..dice.between(6, 40)).map(|_| None));
        // Game seconds in one: halves of four to fifteen minutes, or a real match.
        let rate = [11, 7, 5, 3, 1][usize::try_from(dice.below(5)).expect("it is so in a test")];
        let mut score = [0, 0];
        film.moments.push((film.seconds.len(), "kickoff"));
        for (from, to) in [(0, 2700 + dice.between(0, 240)), (2700, 5400 + dice.between(0, 300))] {
            if from > 0 {
                film.seconds.extend((0..dice.between(5, 120)).map(|_| None));
            }
            half(dice, &mut film, &mut score, (from, to, rate));
        }
        film.moments.push((film.seconds.len(), "full_time"));
        film.seconds.extend((0..dice.between(110, 200)).map(|_| None));
    }
    film
}

fn half(dice: &mut Dice, film: &mut Film, score: &mut [i64; 2], (from, to, rate): (i64, i64, i64)) {
    let hidden = |film: &mut Film, seconds: i64| film.seconds.extend((0..seconds).map(|_| None));
    let mut game = from;
    // Goals are a minute or more apart in the game, and not in the last seconds before the whistle.
    // Nor so early that nothing else could be seen before.
    let mut quiet = 20 * rate;
    while game < to {
        if from == 0 && game < 2700 && game + rate >= 2700 {
            film.moments.push((film.seconds.len() + 1, "half_time"));
        }
        let shown = Shown { clock: game, score: *score, heroes: Vec::new() };
        film.seconds.push(Some(shown.clone()));
        game += rate;
        quiet -= rate;
        let safe = to - game > 30 * rate && (from > 0 || (game - 2700).abs() > 30 * rate);
        if quiet < 0 && safe && dice.chance(u64::try_from(rate).expect("it is so in a test")) {
            quiet = 60 + 30 * rate;
            let side = usize::try_from(dice.below(2)).expect("it is so in a test");
            match dice.below(4) {
                // The board is hidden through the celebration and shows the goal behind it.
                0 => {
                    hidden(film, dice.between(5, 25));
                    score[side] += 1;
                }
                // It is shown for a moment, then replays hide the board.
                1 => {
                    score[side] += 1;
                    film.goals.push((film.seconds.len(), side));
                    for _ in 0..dice.between(3, 9) {
                        film.seconds.push(Some(Shown { clock: game, score: *score, heroes: Vec::new() }));
                        game += rate;
                    }
                    hidden(film, dice.between(8, 30));
                    continue;
                }
                // Replays show the board as it was.
                2 => {
                    score[side] += 1;
                    film.goals.push((film.seconds.len(), side));
                    for _ in 0..9 {
                        film.seconds.push(Some(Shown { clock: game, score: *score, heroes: Vec::new() }));
                        game += rate;
                    }
                    for second in 0..dice.between(6, 20) {
                        let clock = shown.clock - (20 - second) * rate.min(2);
                        film.seconds.push(Some(Shown { clock, ..shown.clone() }));
                    }
                    continue;
                }
                _ => score[side] += 1,
            }
            film.goals.push((film.seconds.len(), side));
        } else if safe && quiet < 0 && dice.chance(2) {
            // An ad or a cut-away; the game goes on, or waits.
            let seconds = dice.between(3, 60);
            hidden(film, seconds);
            if dice.chance(500)
                && to - game - seconds * rate > 30 * rate
                && (from > 0 || game > 2700 || game + (seconds + 30) * rate < 2700)
            {
                game += seconds * rate;
            }
        }
    }
}

#[test]
fn of_thousands_of_football_matches_every_goal_is_told_once_and_none_is_false() {
    let rules = ruleset(FOOTBALL);
    let (mut goals, mut pictures, mut late, mut off) = (0, 0, 0, 0);
    for seed in 0..1500 {
        let mut dice = Dice(seed);
        let film = football(&mut dice);
        let events = watch(&rules, &film, &mut dice);
        pictures += film.seconds.len() / 3;
        let found: Vec<_> = events.iter().filter(|event| &*event.kind == "goal").collect();
        let sides: Vec<&str> =
            found.iter().map(|event| event.data["side"].as_str().expect("it is so in a test")).collect();
        let expected: Vec<&str> = film.goals.iter().map(|(_, side)| ["home", "away"][*side]).collect();
        assert_eq!(sides, expected, "seed {seed}");
        for (event, (second, _)) in found.iter().zip(&film.goals) {
            let second = i64::try_from(*second).expect("it is so in a test") * 1000;
            assert!(!event.data.contains_key("uncertain"), "seed {seed}");
            // It fell after the reading before, and not after the one that is said to have shown it first: but for a few where a
            // read was wrong just so.
            let after = event.after.expect("there was a reading before");
            off += i64::from(after >= second + EVERY * 1000 || event.at < second);
            late += i64::from(event.at >= second + EVERY * 1000);
            goals += 1;
        }
        for kind in ["kickoff", "half_time", "full_time"] {
            let found: Vec<_> = events.iter().filter(|event| &*event.kind == kind).collect();
            let expected: Vec<_> = film.moments.iter().filter(|(_, moment)| *moment == kind).collect();
            assert_eq!(found.len(), expected.len(), "seed {seed}: {kind} {expected:?} {found:?}");
        }
    }
    println!(
        "football: {goals} goals in {pictures} pictures, {late} first seen by a later one than the first, {off} misdated"
    );
    assert!(goals > 5000 && late * 5 < goals && off * 500 < goals, "{late} and {off} of {goals}");
}

const DOTA: &str = r#"
    [rules]
    clock = "clock"
    reset = ["clock decreases by 300"]
    [[event]]
    type = "match_start"
    when = "clock passes 0"
    confirm = 3
    once = true
    [[event]]
    type = "hero_pick"
    when = "heroes.* appears"
    confirm = 3
    once = true
    data = {hero = "{{ heroes.* }}", slot = "{{ slot.number }}"}
    [[event]]
    type = "kill"
    when = "score.home increases by 1 to 6"
    confirm = 3
    data = {side = "home", kills = "{{ change }}"}
    [[event]]
    type = "kill"
    when = "score.away increases by 1 to 6"
    confirm = 3
    data = {side = "away", kills = "{{ change }}"}
    [[event]]
    type = "match_end"
    when = "match ends after 120"
"#;

fn dota(dice: &mut Dice) -> Film {
    let mut film = Film::default();
    for game in 0..dice.between(1, 2) {
        film.seconds.extend((0..dice.between(10, 60)).map(|_| None));
        let mut heroes: Vec<Option<String>> = vec![None; 10];
        let mut order: Vec<usize> = (0..10).collect();
        (1..10).rev().for_each(|at| {
            order.swap(at, usize::try_from(dice.below(at as u64 + 1)).expect("it is so in a test"))
        });
        for at in 0..70 {
            film.seconds.push(Some(Shown { clock: -160 + at, score: [0, 0], heroes: heroes.clone() }));
            if at >= 40
                && at % 3 == 0
                && let Some(slot) = order.pop()
            {
                heroes[slot] = Some(format!("hero{game}{slot}"));
            }
        }
        let mut score = [0, 0];
        let mut fight = 0;
        let end = dice.between(1200, 2400);
        let mut clock = -90;
        while clock < end {
            match clock {
                0 => film.moments.push((film.seconds.len(), "match_start")),
                _ if clock < end - 60 && dice.chance(3) => {
                    // A cut-away, an ad, or a pause: with the HUD gone or standing still.
                    let pause = dice.chance(300);
                    let still = Shown { clock, score, heroes: heroes.clone() };
                    film.seconds.extend((0..dice.between(3, 45)).map(|_| pause.then(|| still.clone())));
                    fight = 0;
                }
                _ => {}
            }
            film.seconds.push(Some(Shown { clock, score, heroes: heroes.clone() }));
            clock += 1;
            fight -= 1;
            if clock > 60 && clock < end - 40 {
                if fight < -30 && dice.chance(15) {
                    fight = dice.between(4, 20);
                }
                if fight > 0 && dice.chance(150) {
                    let side = usize::try_from(dice.below(2)).expect("it is so in a test");
                    score[side] += 1;
                    film.goals.push((film.seconds.len(), side));
                }
            }
        }
        film.moments.push((film.seconds.len(), "match_end"));
        film.seconds.extend((0..dice.between(130, 300)).map(|_| None));
    }
    film
}

#[test]
fn of_hundreds_of_dota_matches_every_kill_and_hero_is_told_once_and_none_is_false() {
    let rules = ruleset(DOTA);
    let (mut kills, mut games, mut matches) = (0, 0, 0);
    for seed in 0..400 {
        let mut dice = Dice(1_000_000 + seed);
        let film = dota(&mut dice);
        let events = watch(&rules, &film, &mut dice);
        matches += 1;
        for (side, name) in [(0, "home"), (1, "away")] {
            let found = events.iter().filter(|event| &*event.kind == "kill" && event.data["side"] == name);
            let found: i64 =
                found.map(|event| event.data["kills"].as_i64().expect("it is so in a test")).sum();
            let expected = film.goals.iter().filter(|(_, scored)| *scored == side).count();
            assert_eq!(usize::try_from(found).expect("it is so in a test"), expected, "seed {seed}: {name}");
            kills += expected;
        }
        for kind in ["match_start", "match_end"] {
            let found: Vec<_> = events.iter().filter(|event| &*event.kind == kind).collect();
            let expected: Vec<_> = film.moments.iter().filter(|(_, moment)| *moment == kind).collect();
            assert_eq!(found.len(), expected.len(), "seed {seed}: {kind} {expected:?} {found:?}");
        }
        let mut picks: Vec<&str> = events
            .iter()
            .filter(|event| &*event.kind == "hero_pick")
            .map(|event| event.data["hero"].as_str().expect("it is so in a test"))
            .collect();
        picks.sort_unstable();
        games += picks.len() / 10;
        let starts = film.moments.iter().filter(|(_, moment)| *moment == "match_start").count();
        let mut expected: Vec<String> =
            (0..starts).flat_map(|game| (0..10).map(move |slot| format!("hero{game}{slot}"))).collect();
        expected.sort_unstable();
        assert_eq!(picks, expected, "seed {seed}");
    }
    println!("dota: {kills} kills and {games} games of ten heroes in {matches} broadcasts");
    assert!(kills > 10_000 && games > 500);
}
