//! Channels that show a game: what the control routes say of them is what their segments show.

use std::time::Duration;

use media::decode;
use media::segment::{Finder, Limits};
use pixels::{I420, Matrix, Range, convert};
use sim::clip::Clip;
use sim::hud::{Drawing, Game, Stage};
use sim::ladder::{Rendition, Video};
use sim::picture::read_counter;

use crate::harness::{Outcome, START, Served, addresses};

const SIZE: (u32, u32) = (426, 240);

/// One channel with a football match of 32 s, live since the start.
fn served() -> Outcome<Served> {
    let video = Video { width: SIZE.0, height: SIZE.1, fps: 15, kbps: 900, b_frames: 0 };
    Served::with(|settings| {
        settings.ladder = vec![Rendition::new("240p15", "240p", video)];
        settings.clips = vec![Clip::Hud { game: Game::Football, seed: 3, number: 5 }];
        settings.loop_steps = 4;
        settings.uptime = Some(Duration::ZERO);
    })
}

#[test]
fn segments_show_what_the_truth_says() -> Outcome {
    let served = served()?;
    let mut drawn = I420::new(2, 2, Range::Full, Matrix::Bt601);
    let stage = Stage::new(SIZE.0, SIZE.1);
    let mut drawing = Drawing::new(Game::Football, 3, Duration::from_secs(32), stage);
    for second in [40, 61, 82] {
        served.set(START + second * 1000);
        let list = served.playlist("sim_0001")?.text();
        let segment = served.get(addresses(&list).last().ok_or("no segment")?)?;
        let (sequence, begins) = served.world.newest("sim_0001").ok_or("no channel")?;
        let picture = first_picture(&segment.body)?;
        let number = served.world.number_at("sim_0001", sequence);
        assert_eq!(read_counter(&picture), number, "segment {sequence}");
        let within = Duration::from_millis(u64::from(number.ok_or("no number")? % Clip::NUMBERS) * 1000 / 60);
        let truth = drawing.draw(within, &mut drawn);
        let said = served.world.truth("sim_0001", begins).ok_or("no truth")?;
        assert_eq!(said.values, truth.values, "at {within:?}");
        let answer = served.get(&format!("/sim/channels/sim_0001/truth?at={begins}"))?.json();
        assert_eq!(answer["truth"]["screen"], truth.screen);
        let apart = apart(&picture, &drawn);
        assert!(apart < 12.0, "{apart} apart at {within:?}");
    }
    Ok(())
}

#[test]
fn events_of_every_turn_are_told_with_their_times() -> Outcome {
    let served = served()?;
    let (origin, day) = (START, 86_400_000);
    let once = served.world.events("sim_0001", 0, origin + 40_000);
    let kinds: Vec<&str> = once.iter().map(|(_, event)| event.kind).collect();
    assert!(kinds.contains(&"goal") && kinds.contains(&"full_time"), "{kinds:?}");
    assert!(once.windows(2).all(|two| two[0].0 <= two[1].0), "in order");
    for (at, event) in once.iter().filter(|(_, event)| event.kind == "goal") {
        let score = |at| served.world.truth("sim_0001", at).map(|truth| truth.values);
        assert_ne!(score(*at), score(at - 1), "{event:?}");
    }
    assert_eq!(served.world.events("sim_0001", origin, origin + day).len(), 1000, "bounded");
    let path = format!("/sim/channels/sim_0001/events?since=0&until={}", origin + 40_000);
    let told = served.get(&path)?.json();
    assert_eq!(told["events"].as_array().map(Vec::len), Some(once.len()));
    for (path, status) in [
        ("/sim/channels/sim_0001/truth?at=x", 422),
        ("/sim/channels/sim_0001/events?since=-1", 422),
        ("/sim/channels/nobody/truth", 404),
    ] {
        assert_eq!(served.get(path)?.status, status, "{path}");
    }
    Ok(())
}

#[test]
fn channels_without_a_game_have_no_truth() -> Outcome {
    let served = Served::small()?;
    assert_eq!(served.world.truth("sim_0001", START), None);
    assert_eq!(served.get("/sim/channels/sim_0001/truth")?.status, 404);
    assert!(served.world.events("sim_0001", 0, u64::MAX).is_empty());
    Ok(())
}

fn first_picture(segment: &[u8]) -> Outcome<I420> {
    let mut finder = Finder::new(Limits::default());
    let keyframe = match finder.push(segment)? {
        Some(keyframe) => keyframe,
        None => finder.finish()?,
    };
    let mut out = I420::new(2, 2, Range::Limited, Matrix::Bt601);
    decode::decode(&keyframe, &mut out)?;
    Ok(out)
}

/// Mean difference of luma between a decoded picture and the drawing, above the number at the bottom.
fn apart(decoded: &I420, drawn: &I420) -> f32 {
    let mut limited = drawn.clone();
    convert::to_limited(&mut limited);
    let rows = decoded.height * 9 / 10;
    let differences = (0..rows).flat_map(|y| {
        decoded.y.row(y).iter().zip(limited.y.row(y)).map(|(one, other)| f32::from(one.abs_diff(*other)))
    });
    let (sum, count) = differences.fold((0.0, 0.0), |(sum, count): (f32, f32), d| (sum + d, count + 1.0));
    sum / count.max(1.0)
}
