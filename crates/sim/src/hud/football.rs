//! A football game's screens: the board in the corner, the boards of the break and the end, menus and replays.
//!
//! Called by the drawing. Sizes are pixels of 1280 × 720.

use pixels::{I420, Quad};
use serde_json::json;

use super::backdrop::KITS;
use super::letters::{Face, Side, word};
use super::paint::{Mask, tint, upright};
use super::screens;
use super::script::football::{Phase, State};
use super::stage::{Frame, Stage, Truth};
use crate::picture::canvas::{Colour, rgb};

const CLOCK: Quad = upright(70.0, 38.0, 65.0, 24.0);
const HOME: Quad = upright(156.0, 38.0, 54.0, 24.0);
const SCORE: Quad = upright(220.0, 38.0, 60.0, 24.0);
const AWAY: Quad = upright(280.0, 38.0, 60.0, 24.0);

/// Height of a digit on the board, and where its top is.
const DIGIT: f32 = 12.5;
const TOP: f32 = 43.7;

/// How a board is coloured.
struct Theme {
    clock: (Colour, Colour),
    names: (Colour, Colour),
    score: (Colour, Colour),
}

fn theme(seed: u64) -> Theme {
    let (navy, white, black) = (rgb(16, 22, 44), rgb(244, 246, 248), rgb(14, 14, 18));
    match seed % 3 {
        0 => Theme { clock: (black, white), names: (navy, white), score: (white, navy) },
        1 => Theme { clock: (navy, white), names: (white, black), score: (navy, white) },
        _ => Theme { clock: (black, white), names: (black, white), score: (rgb(60, 64, 74), white) },
    }
}

pub(super) fn truth(state: &State, stage: Stage) -> Truth {
    let [home, away] = state.score;
    let frame = stage.left();
    let letters = Some(frame.length(DIGIT));
    let board = |screen, clock: bool| {
        let mut truth = Truth::of(screen);
        if clock {
            truth.put("clock", shown(state.clock), frame.quad(&CLOCK), letters);
        }
        truth.put("score.home", home, frame.quad(&SCORE), letters);
        truth.put("score.away", away, frame.quad(&SCORE), letters);
        truth.put("team.home", state.teams[0], frame.quad(&HOME), letters);
        truth.put("team.away", state.teams[1], frame.quad(&AWAY), letters);
        truth
    };
    match state.phase {
        Phase::Menu => Truth::of("menu"),
        Phase::Play => board("board", true),
        Phase::Replay { board: true } => board("board", false),
        Phase::Replay { board: false } => Truth::of("replay"),
        Phase::Ad => Truth::of("ad"),
        Phase::HalfTime | Phase::FullTime => {
            let mut truth = Truth::of(if state.phase == Phase::HalfTime { "half_time" } else { "full_time" });
            truth.values.insert("score.home".to_owned(), json!(home));
            truth.values.insert("score.away".to_owned(), json!(away));
            truth
        }
    }
}

fn shown(seconds: u64) -> String {
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// Draws over the pitch.
pub(super) fn draw(state: &State, stage: Stage, seed: u64, out: &mut I420) {
    match state.phase {
        Phase::Menu => screens::menu(stage, seed, out),
        Phase::Ad => screens::ad(stage, seed, out),
        Phase::Play => board(state, stage, seed, true, out),
        Phase::Replay { board: shown } => {
            if shown {
                board(state, stage, seed, false, out);
            }
            let frame = stage.middle();
            let label = word(
                Face::Bold,
                "REPLAY",
                frame.length(14.0),
                Side::Right,
                frame.x(1230.0),
                frame.y(44.0),
                0.2,
            );
            tint(out, &label, rgb(250, 250, 250), 0.9);
        }
        Phase::HalfTime => result(state, stage, "HALF TIME", out),
        Phase::FullTime => result(state, stage, "FULL TIME", out),
    }
}

fn board(state: &State, stage: Stage, seed: u64, clock: bool, out: &mut I420) {
    let (frame, theme) = (stage.left(), theme(seed));
    let mut panel = |area: Quad, colour: Colour| tint(out, &Mask::quad(&frame.quad(&area)), colour, 0.96);
    if clock {
        panel(upright(64.0, 38.0, 76.0, 24.0), theme.clock.0);
    }
    panel(upright(146.0, 38.0, 202.0, 24.0), theme.names.0);
    panel(upright(216.0, 38.0, 68.0, 24.0), theme.score.0);
    for (x, kit) in [(146.0, state.kits[0]), (343.0, state.kits[1])] {
        let [r, g, b] = KITS[usize::try_from(kit).unwrap_or(0) % KITS.len()];
        panel(upright(x, 38.0, 5.0, 24.0), rgb(r, g, b));
    }
    let mut write = |text: &str, area: Quad, colour: Colour| {
        let middle = frame.x(area.x + area.width / 2.0);
        let mask = word(Face::Narrow, text, frame.length(DIGIT), Side::Middle, middle, frame.y(TOP), 0.04);
        tint(out, &mask, colour, 1.0);
    };
    if clock {
        write(&shown(state.clock), CLOCK, theme.clock.1);
    }
    write(state.teams[0], HOME, theme.names.1);
    write(&score(state, "-"), SCORE, theme.score.1);
    write(state.teams[1], AWAY, theme.names.1);
}

fn score(state: &State, between: &str) -> String {
    format!("{}{between}{}", state.score[0], state.score[1])
}

/// The large board of the break and the end.
fn result(state: &State, stage: Stage, title: &str, out: &mut I420) {
    let frame: Frame = stage.middle();
    let panel = Mask::quad(&frame.quad(&upright(380.0, 250.0, 520.0, 150.0)));
    tint(out, &panel, rgb(14, 18, 38), 0.94);
    let mut write = |text: &str, x: f32, y: f32, digit: f32| {
        let mask = word(Face::Bold, text, frame.length(digit), Side::Middle, frame.x(x), frame.y(y), 0.1);
        tint(out, &mask, rgb(246, 246, 250), 1.0);
    };
    write(title, 640.0, 270.0, 18.0);
    write(state.teams[0], 475.0, 325.0, 34.0);
    write(&score(state, " - "), 640.0, 325.0, 34.0);
    write(state.teams[1], 805.0, 325.0, 34.0);
}
