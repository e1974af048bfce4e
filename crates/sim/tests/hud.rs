//! What drawn HUDs are said to show is in their pixels, at every size, when a match's script says so; and the same seed
//! draws the same.
//!
//! `HUD_PICTURES=FOLDER cargo test -p sim --test hud -- --nocapture` writes pictures to look at and prints what drawing
//! costs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the numbers are small and clamped"
)]
#![allow(clippy::disallowed_methods, reason = "the cost of drawing is printed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pixels::{I420, Matrix, Plane, Quad, Range, convert, jpeg, warp};
use sim::hud::portraits::{self, portraits};
use sim::hud::{Coding, Drawing, Game, Kind, Match, Samples, Stage, Truth, events, truth};

const LENGTH: Duration = Duration::from_secs(120);
const GAMES: [Game; 2] = [Game::Football, Game::Dota];

/// 360p to 4K, 16:9 and 21:9, in a window.
const STAGES: [Stage; 6] = [
    Stage::new(640, 360),
    Stage::new(854, 480),
    Stage::new(1280, 720),
    Stage { width: 1720, height: 720, title: 24 },
    Stage { width: 1920, height: 1080, title: 40 },
    Stage::new(3840, 2160),
];

fn blank() -> I420 {
    I420::new(2, 2, Range::Limited, Matrix::Bt709)
}

fn drawn(game: Game, seed: u64, stage: Stage, time: Duration) -> (I420, Truth) {
    let mut out = blank();
    let truth = Drawing::new(game, seed, LENGTH, stage).draw(time, &mut out);
    (out, truth)
}

/// The first moment from `from` on at which that screen is shown.
fn when(game: Game, seed: u64, screen: &str, from: u64) -> Duration {
    let at = |ms: &u64| truth(game, seed, LENGTH, Duration::from_millis(*ms), STAGES[2]).screen == screen;
    Duration::from_millis((from..120_000).step_by(50).find(at).unwrap())
}

/// 24 × 14 samples of a box, their mean taken off, of length 1.
fn patch(plane: &Plane, quad: &Quad) -> Vec<f32> {
    let mut out = Plane::new(24, 14, 0);
    warp(plane, quad, &mut out);
    let mean = out.data.iter().map(|s| f32::from(*s)).sum::<f32>() / 336.0;
    let flat: Vec<f32> = out.data.iter().map(|s| f32::from(*s) - mean).collect();
    let length = flat.iter().map(|s| s * s).sum::<f32>().sqrt().max(1e-3);
    flat.into_iter().map(|s| s / length).collect()
}

fn alike(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The part of a slot that no bar or badge of a spectator covers, and the same part of a portrait.
fn clear(slot: &Quad) -> (Quad, Quad) {
    // As the game has it: the art stands upright and is a little larger than its window.
    let (width, height) = (slot.width * 1.095, slot.height * 1.03);
    let middle = slot.x + (slot.slant + slot.width) / 2.0;
    let (left, top) = (middle - width / 2.0, slot.y - slot.height * 0.02);
    let (scale_x, scale_y) = (256.0 / width, 144.0 / height);
    let seen = Quad {
        x: middle - slot.width * 0.4,
        y: slot.y + slot.height * 0.05,
        width: slot.width * 0.8,
        height: slot.height * 0.5,
        slant: 0.0,
    };
    let art = Quad {
        x: (seen.x - left) * scale_x,
        y: (seen.y - top) * scale_y,
        width: seen.width * scale_x,
        height: seen.height * scale_y,
        slant: 0.0,
    };
    (seen, art)
}

fn art(number: usize) -> Plane {
    let mut out = I420::new(256, 144, Range::Full, Matrix::Bt601);
    convert::rgb_to_i420(portraits()[number].rgb(), 3, &mut out);
    out.y
}

#[test]
fn each_slot_holds_the_portrait_that_the_truth_names() {
    let arts: Vec<Plane> = (0..portraits().len()).map(art).collect();
    for stage in STAGES {
        let (mut right, mut all) = (0, 0);
        for (seed, screen) in [(1, "game"), (2, "game"), (3, "pick")] {
            let from = if screen == "pick" { 25_000 } else { 40_000 };
            let (picture, truth) = drawn(Game::Dota, seed, stage, when(Game::Dota, seed, screen, from));
            assert_eq!(truth.screen, screen);
            for (id, spot) in &truth.spots {
                let Some(tag) = truth.values[id].as_str().filter(|_| id.starts_with("heroes.")) else {
                    continue;
                };
                let (seen, part) = clear(&spot.quad);
                let seen = patch(&picture.y, &seen);
                let score = |number: &usize| alike(&seen, &patch(&arts[*number], &part));
                let best = (0..arts.len()).max_by(|one, other| score(one).total_cmp(&score(other))).unwrap();
                right += u32::from(portraits()[best].tag == tag);
                all += 1;
            }
        }
        println!("{stage:?}: {right} of {all} slots by plain correlation");
        assert_eq!(all, 30);
        assert!(right >= if stage.height < 480 { 27 } else { 29 }, "{right} of {all} at {stage:?}");
    }
}

#[test]
fn words_stand_in_their_boxes_at_their_height() {
    for stage in STAGES {
        for (game, screen) in [(Game::Dota, "game"), (Game::Dota, "pick"), (Game::Football, "board")] {
            let (picture, truth) = drawn(game, 4, stage, when(game, 4, screen, 12_000));
            for (id, spot) in truth.spots.iter().filter(|(_, spot)| spot.letters.is_some()) {
                let quad = spot.quad;
                assert!(quad.inside(stage.width, stage.height), "{id} at {stage:?}");
                // Letters differ from the ground they stand on, which is the box's edge.
                let rows: Vec<(f32, f32)> = (quad.y as u32..(quad.y + quad.height) as u32)
                    .map(|y| {
                        let margin = quad.width * 0.12;
                        let columns = (quad.x + margin) as usize..(quad.x + quad.width - margin) as usize;
                        let row = &picture.y.row(y)[columns];
                        let (least, most) = (row.iter().min().unwrap(), row.iter().max().unwrap());
                        (y as f32, f32::from(most - least))
                    })
                    .collect();
                let written = rows.iter().filter(|(_, contrast)| *contrast > 90.0).count() as f32;
                let letters = spot.letters.unwrap();
                assert!(
                    (written - letters).abs() <= 2.0 + letters * 0.25,
                    "{id} at {stage:?}: {written} of {letters}"
                );
            }
        }
    }
}

#[test]
fn the_script_and_the_screen_agree() {
    for game in GAMES {
        for seed in 0..10 {
            for seconds in [32, 64, 120] {
                let length = Duration::from_secs(seconds);
                let script = Match::new(game, seed, length);
                follow(game, &format!("{game:?} {seed} {length:?}"), &script);
            }
        }
    }
}

/// `-0:30` is half a minute before a game begins.
fn seconds(clock: &str) -> i64 {
    let (minutes, seconds) = clock.trim_start_matches('-').split_once(':').unwrap();
    let seconds = minutes.parse::<i64>().unwrap() * 60 + seconds.parse::<i64>().unwrap();
    if clock.starts_with('-') { -seconds } else { seconds }
}

/// Walks through a match and holds what changes against its events.
fn follow(game: Game, name: &str, script: &Match) {
    const STEP: u64 = 40;
    let (mut changes, mut last_clock) = (BTreeMap::new(), None);
    let mut last = BTreeMap::new();
    let mut screens = Vec::new();
    for ms in (0..script.length().as_millis() as u64).step_by(STEP as usize) {
        let truth = script.truth(Duration::from_millis(ms), STAGES[2]);
        if screens.last() != Some(&truth.screen) {
            screens.push(truth.screen);
        }
        // A second half begins at 45:00 again, however long the first was.
        if ["pick", "half_time"].contains(&truth.screen) {
            last_clock = None;
        }
        for (id, value) in &truth.values {
            if id == "clock" {
                let clock = seconds(value.as_str().unwrap());
                assert!(last_clock.is_none_or(|last| clock >= last), "{name}: {last_clock:?} then {clock}");
                last_clock = Some(clock);
            } else if id != "countdown" && last.get(id) != Some(value) {
                let first_sight = id.starts_with("team.") || (value.as_u64() == Some(0));
                if !first_sight {
                    changes.entry(id.clone()).or_insert_with(Vec::new).push((ms, value.clone()));
                }
                last.insert(id.clone(), value.clone());
            }
        }
    }
    let of = |kind: &str| script.events().iter().filter(move |event| event.kind == kind).count();
    let seen = |ids: &[&str]| ids.iter().map(|id| changes.get(*id).map_or(0, Vec::len)).sum::<usize>();
    match game {
        Game::Football => {
            assert_eq!(seen(&["score.home", "score.away"]), of("goal"), "{name}");
            assert!(
                of("goal") >= 2 && of("kickoff") == 1 && of("half_time") == 1 && of("full_time") == 1,
                "{name}"
            );
            assert!(
                ["menu", "board", "half_time", "full_time"].iter().all(|s| screens.contains(s)),
                "{name} {screens:?}"
            );
        }
        Game::Dota => {
            assert_eq!(seen(&["score.radiant", "score.dire"]), of("kill"), "{name}");
            let heroes: usize = (0..10).map(|slot| seen(&[&format!("heroes.{slot}")])).sum();
            assert_eq!(heroes, of("hero_pick") + of("hero_change"), "{name}");
            assert!(of("hero_pick") == 10 && of("match_start") == 1 && of("match_end") == 1, "{name}");
            assert!(
                ["pick", "preparing", "game", "end"].iter().all(|s| screens.contains(s)),
                "{name} {screens:?}"
            );
        }
    }
    for event in script.events().iter().filter(|event| ["goal", "kill"].contains(&event.kind)) {
        let at = event.at.as_millis() as u64;
        let mut all = changes.iter().filter(|(id, _)| id.starts_with("score.")).flat_map(|(_, all)| all);
        assert!(all.any(|(ms, _)| (at..at + STEP).contains(ms)), "{name}: {event:?} is shown at once");
    }
    assert!(script.events().windows(2).all(|two| two[0].at <= two[1].at), "{name}");
}

#[test]
fn a_goal_falls_within_a_minute_of_a_demonstrations_start() {
    for seed in 0..100 {
        let found =
            events(Game::Football, seed, Duration::from_secs(180), Duration::ZERO, Duration::from_secs(60));
        assert!(found.iter().any(|event| event.kind == "goal"), "seed {seed}");
    }
}

#[test]
fn matches_follow_each_other_and_differ() {
    for game in GAMES {
        let both = events(game, 1, LENGTH, Duration::ZERO, LENGTH * 2);
        let (first, second) = both.split_at(both.iter().position(|event| event.at >= LENGTH).unwrap());
        assert_eq!(first, Match::new(game, 1, LENGTH).events());
        assert_eq!(second.len(), Match::new(game, 2, LENGTH).events().len());
        let at = |seconds| truth(game, 1, LENGTH, Duration::from_secs(seconds), STAGES[2]).values;
        assert_ne!(at(45), at(165), "{game:?}");
        let mut out = blank();
        assert_eq!(
            Drawing::new(game, 1, LENGTH, STAGES[0]).draw(Duration::from_secs(165), &mut out).values,
            at(165)
        );
    }
}

#[test]
fn the_same_seed_draws_the_same_and_another_something_else() {
    let time = Duration::from_secs(50);
    for game in GAMES {
        let one = drawn(game, 7, STAGES[0], time);
        assert!(one == drawn(game, 7, STAGES[0], time));
        assert!(one.0 != drawn(game, 8, STAGES[0], time).0);
        assert!(one.0 != drawn(game, 7, STAGES[0], time + Duration::from_millis(40)).0, "it moves");
    }
    let (mut one, mut other) = (Samples::new(5).heights(&[360]), Samples::new(5).heights(&[360]));
    let first: Vec<_> = one.by_ref().take(8).collect();
    // Whatever was made before.
    for number in [6, 1, 3] {
        let again = other.sample(number);
        assert!(
            again.picture == first[number as usize].picture && again.truth == first[number as usize].truth
        );
    }
}

#[test]
fn any_frame_can_be_drawn_into() {
    let mut out = blank();
    for (width, height, title) in [
        (0, 0, 0),
        (1, 1, 9),
        (16, 16, 16),
        (17, 301, 3),
        (720, 1280, 31),
        (2000, 40, 0),
        (321, 241, u32::MAX - 1),
    ] {
        for game in GAMES {
            let mut drawing = Drawing::new(game, 1, LENGTH, Stage { width, height, title });
            for seconds in [0, 10, 22, 26, 60, 119, 1_000_000] {
                drawing.draw(Duration::from_secs(seconds), &mut out);
                assert_eq!((out.width, out.height), (width.max(16), height.max(16)));
            }
        }
    }
}

#[test]
fn samples_are_of_every_kind_and_tell_what_is_on_them() {
    let mut codings = [0; 3];
    let mut over = BTreeMap::new();
    let (mut unsure, mut others) = (0, 0);
    for sample in Samples::new(1).heights(&[360, 480]).take(160) {
        let Stage { width, height, .. } = sample.stage;
        assert_eq!((sample.picture.width, sample.picture.height), (width, height), "{}", sample.number);
        let coding = match sample.coding {
            Coding::Drawn => 0,
            Coding::Jpeg(_) => 1,
            Coding::H264(_) => 2,
        };
        codings[coding] += 1;
        *over.entry(sample.over).or_insert(0) += 1;
        unsure += sample.truth.unsure.len();
        assert!(sample.truth.unsure.iter().all(|id| sample.truth.values.contains_key(id)));
        match sample.kind {
            Kind::Other => {
                others += 1;
                assert!(sample.truth.screen == "other" && sample.truth.values.is_empty());
            }
            Kind::Bar => assert!(sample.truth.screen == "game" && sample.truth.values.len() == 13),
            Kind::Pick => assert_eq!(sample.truth.screen, "pick"),
            Kind::Football => {}
        }
        if sample.number < 24 {
            save(&format!("sample-{:02}-{:?}-{}", sample.number, sample.kind, sample.over), &sample.picture);
        }
    }
    println!("codings {codings:?}, over {over:?}, {unsure} values unsure");
    assert!(codings.iter().all(|count| *count > 15) && over.len() == 5 && unsure > 0 && others == 40);
}

#[test]
fn portraits_are_written_as_files_and_differ() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!portraits::are_in(folder.path()));
    let count = portraits::write(folder.path()).unwrap();
    assert!(portraits::are_in(folder.path()));
    assert!(count >= 170 && count == std::fs::read_dir(folder.path()).unwrap().count());
    let file =
        std::io::BufReader::new(std::fs::File::open(folder.path().join("antimage@persona1.png")).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut bytes).unwrap();
    let portrait = portraits().iter().find(|p| (p.tag, p.variant) == ("antimage", "persona1")).unwrap();
    assert!(bytes == portrait.rgb());
    let whole = Quad { x: 0.0, y: 0.0, width: 256.0, height: 144.0, slant: 0.0 };
    let patches: Vec<_> = (0..count).map(|number| patch(&art(number), &whole)).collect();
    let mut close = 0;
    for one in 0..count {
        for other in 0..one {
            let score = alike(&patches[one], &patches[other]);
            assert!(score < 0.995, "{} and {}: {score}", portraits()[one].file(), portraits()[other].file());
            close += u32::from(score > 0.8);
        }
    }
    println!("{close} pairs of {count} portraits are alike (above 0.8)");
    assert!((3..400).contains(&close), "a few pairs are hard to tell apart: {close}");
}

#[test]
fn what_drawing_costs() {
    let mut out = blank();
    for stage in [STAGES[1], STAGES[2], STAGES[4]] {
        for game in GAMES {
            let mut drawing = Drawing::new(game, 2, LENGTH, stage);
            let mut times = Vec::new();
            for frame in 0..60_u64 {
                let began = Instant::now();
                let truth = drawing.draw(Duration::from_millis(frame * 2000), &mut out);
                times.push(began.elapsed());
                if frame.is_multiple_of(6) {
                    save(&format!("{game:?}-{}-{frame:02}-{}", stage.height, truth.screen), &out);
                }
            }
            times.sort();
            println!(
                "{game:?} {}x{}: {:?} a frame, at worst {:?}",
                stage.width, stage.height, times[30], times[59]
            );
            assert!(out.y.data.iter().any(|sample| *sample > 100));
        }
    }
}

/// Writes a picture as JPEG into the folder that was asked for.
fn save(name: &str, picture: &I420) {
    let Ok(folder) = std::env::var("HUD_PICTURES") else { return };
    let bytes = jpeg::Encoder::new(92).unwrap().encode(picture).unwrap();
    std::fs::write(Path::new(&folder).join(format!("{name}.jpg")), bytes).unwrap();
}
