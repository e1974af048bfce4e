//! Whole matches: every event of a drawn match told once, and none that did not happen.
//!
//! Some are drawn, read and followed by the rules; more go to the rules as they would be read, for that is quick. Always two
//! of a hundred values are another's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use packs::rules::{Event, State};
use packs::value::Item;
use packs::{Pack, Read, Reading, Value};
use pixels::{I420, Matrix, Range};
use sim::hud::{Drawing, Game, Match, Stage, Truth, portraits};

use crate::pack::{Reader, load};
use crate::portraits::Dice;

/// Such a match lasts so many milliseconds; what comes behind it is a picture of something else.
const LENGTH: u64 = 300_000;
const BEHIND: u64 = 150_000;
/// How long a moment may have passed before it is seen, and the longest that it may take to be there for certain.
const EARLY: i64 = 1_000;
const LATE: i64 = 30_000;

fn drawn_portraits() -> BTreeMap<String, Vec<u8>> {
    let png = |rgb: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder =
            png::Encoder::new(&mut bytes, sim::hud::portraits::SIZE.0, sim::hud::portraits::SIZE.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_compression(png::Compression::Fastest);
        encoder.write_header().unwrap().write_image_data(rgb).unwrap();
        bytes
    };
    let all = portraits().iter();
    all.map(|portrait| (format!("portraits/{}", portrait.file()), png(portrait.rgb()))).collect()
}

/// What a moment is told by; kills of one side are alike.
fn moment(kind: &str, data: &serde_json::Map<String, serde_json::Value>) -> String {
    let text = |key: &str| data.get(key).map_or_else(String::new, |value| value.to_string().replace('"', ""));
    let hero = |key: &str| text(key).replace("npc_dota_hero_", "");
    match kind {
        "kill" => format!("kill {}", text("side")),
        "hero_pick" | "hero_change" => {
            let tag = ["hero", "to", "hero_name"].map(hero).concat();
            format!("{kind} {} {} {tag}", text("team"), text("position"))
        }
        _ => kind.to_owned(),
    }
}

/// What is wrong with the events of a match: those that did not happen, and those that were not told.
fn mistakes(script: &Match, told: &[Event]) -> Vec<String> {
    let mut open: Vec<(String, i64)> = script
        .events()
        .iter()
        .map(|event| (moment(event.kind, &event.data), i64::try_from(event.at.as_millis()).unwrap()))
        .collect();
    let mut wrong = Vec::new();
    for event in told {
        let name = moment(&event.kind, &event.data);
        for _ in 0..event.data.get("kills").map_or(1, |kills| kills.as_i64().unwrap()) {
            let fits = |(other, at): &(String, i64)| {
                *other == name && *at <= event.at + EARLY && event.at - at < LATE
            };
            match open.iter().position(fits) {
                Some(number) => drop(open.remove(number)),
                None => wrong.push(format!("false: {name} at {} {:?}", event.at, event.trace)),
            }
        }
    }
    wrong.extend(open.iter().map(|(name, at)| format!("missed: {name} at {at}")));
    wrong
}

/// Two of a hundred values become what another picture showed there, or nothing.
fn corrupt(reading: &mut Reading, seen: &mut Vec<(Arc<str>, Value)>, dice: &mut Dice) {
    let mut lost = Vec::new();
    for (id, read) in &mut reading.values {
        seen.push((Arc::clone(id), read.value.clone()));
        if dice.part() >= 0.02 {
            continue;
        }
        let list = |id: &str| id.split('.').next().unwrap().to_owned();
        let alike: Vec<&Value> =
            seen.iter().filter(|(other, _)| list(other) == list(id)).map(|(_, value)| value).collect();
        match dice.below(3) {
            0 => lost.push(Arc::clone(id)),
            1 if matches!(read.value, Value::Int(_)) => {
                read.value = Value::Int(i64::try_from(dice.below(60)).unwrap());
            }
            _ => read.value = alike[dice.below(alike.len())].clone(),
        }
    }
    reading.values.retain(|id, _| !lost.contains(id));
}

/// The events of a match of which a picture is read every so many milliseconds.
fn follow(
    pack: &Arc<Pack>,
    seed: u64,
    every: u64,
    mut read: impl FnMut(u64) -> Option<Reading>,
) -> Vec<Event> {
    let (mut state, mut events, mut seen) = (State::default(), Vec::new(), Vec::new());
    let mut dice = Dice::new(seed + every);
    let first = u64::try_from(dice.below(usize::try_from(every).unwrap())).unwrap();
    for at in (first..LENGTH + BEHIND).step_by(usize::try_from(every).unwrap()) {
        let mut reading = if at < LENGTH { read(at) } else { None };
        if let Some(reading) = &mut reading {
            corrupt(reading, &mut seen, &mut dice);
        }
        events.extend(pack.rules.step(
            &mut state,
            reading.map(Arc::new).as_ref(),
            i64::try_from(at).unwrap(),
        ));
    }
    events
}

/// What would be read of a picture of which that is true.
fn as_read(pack: &Pack, truth: &Truth) -> Option<Reading> {
    if !["game", "pick"].contains(&truth.screen) {
        return None;
    }
    let value = |id: &str, value: &serde_json::Value| {
        if let Some(number) = value.as_i64() {
            return Value::Int(number);
        }
        let text = value.as_str().unwrap();
        let Some(slot) = id.strip_prefix("heroes.").map(|slot| slot.parse::<u8>().unwrap()) else {
            let (minutes, seconds) = text.trim_start_matches('-').split_once(':').unwrap();
            let plain = minutes.parse::<i64>().unwrap() * 60 + seconds.parse::<i64>().unwrap();
            let seconds = if text.starts_with('-') { -plain } else { plain };
            return Value::Clock { seconds, shown: text.into() };
        };
        let mut fields = serde_json::Map::new();
        fields.insert("hero_name".to_owned(), format!("npc_dota_hero_{text}").into());
        fields.insert("team".to_owned(), ["radiant", "dire"][usize::from(slot / 5)].into());
        fields.insert("position".to_owned(), (slot % 5).into());
        Value::Item(Arc::new(Item { tag: text.into(), variant: "".into(), score: 0.9, fields }))
    };
    let values = truth.values.iter();
    let values =
        values.map(|(id, shown)| (id.as_str().into(), Read { value: value(id, shown), confidence: 0.9 }));
    let (pack, pack_version) = (Arc::clone(&pack.id), Arc::clone(&pack.version));
    Some(Reading { pack, pack_version, screen: truth.screen.into(), values: values.collect() })
}

#[test]
fn every_event_of_whole_matches_is_told_once_and_none_is_false() {
    let (pack, length) = (load(&drawn_portraits()), Duration::from_millis(LENGTH));
    let (mut told, mut wrong) = (0, Vec::new());
    let mut tell = |seed: u64, every: u64, how: &str, events: &[Event]| {
        told += events.len();
        let mistakes = mistakes(&Match::new(Game::Dota, seed, length), events);
        wrong.extend(mistakes.into_iter().map(|line| format!("{how} {seed} every {every} ms: {line}")));
    };
    let stage = Stage::new(1280, 720);
    for seed in 0..30 {
        let script = Match::new(Game::Dota, seed, length);
        for every in [1_000, 3_000] {
            let read = |at: u64| as_read(&pack, &script.truth(Duration::from_millis(at), stage));
            tell(seed, every, "told", &follow(&pack, seed, every, read));
        }
    }
    for (seed, every) in [(101, 3_000), (102, 3_000), (103, 1_000)] {
        let mut drawing = Drawing::new(Game::Dota, seed, length, Stage::new(1280, 720));
        let (mut reader, mut picture) = (Reader::new(&pack), I420::new(2, 2, Range::Full, Matrix::Bt601));
        let read = |at: u64| {
            drawing.draw(Duration::from_millis(at), &mut picture);
            reader.read(&picture).reading
        };
        tell(seed, every, "drawn", &follow(&pack, seed, every, read));
    }
    println!("{told} events of 63 matches");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told > 1_500, "{told}");
}
