//! Two teams of robots after a ball, seen from above, under a score board.
//!
//! Drawn for [`super::Kind::Court`]. Everyone moves on smooth closed paths that depend on the label, so that
//! two streams side by side never look the same; a goal falls now and then, and the board counts it.

use std::time::Duration;

use super::bars::{fitting, part};
use super::canvas::{Area, At, Canvas, Colour, at, hue, position, rgb, text_height, text_width};
use super::counter::strip_height;
use super::{phase, time_code};

const TEAM: u8 = 5;

/// A goal falls this often, for the sides in turn.
const GOAL_EVERY: Duration = Duration::from_secs(20);

/// Part of the width that the score may take.
const SCORE: f32 = 0.12;

/// The floor between score board and counter, in pixels.
#[derive(Clone, Copy)]
struct Floor {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    /// Width of a marking.
    line: f32,
}

impl Floor {
    fn of(canvas: &Canvas<'_>) -> Self {
        let (width, height) =
            (position(canvas.picture.width as usize), position(canvas.picture.height as usize));
        let strip = position(strip_height(canvas.picture.height) as usize);
        let (margin, top) = (width * 0.035, height * 0.13);
        Self {
            left: margin,
            top,
            width: width - 2.0 * margin,
            height: (height - strip - top - height * 0.03).max(4.0),
            line: (height / 180.0).max(1.0),
        }
    }

    /// A point by its parts of the floor: 0 to 1 from left to right and from top to bottom.
    fn at(self, x: f32, y: f32) -> At {
        at(self.left + x * self.width, self.top + y * self.height)
    }

    /// Radius of a robot.
    fn robot(self) -> f32 {
        self.height * 0.042
    }
}

fn team_colours(flavour: f32) -> [Colour; 2] {
    [hue(flavour), hue(flavour + 0.42)]
}

pub(super) fn draw_still(canvas: &mut Canvas<'_>, label: &str, flavour: f32) {
    let floor = Floor::of(canvas);
    let (width, height) = (canvas.picture.width, canvas.picture.height);
    canvas.fill(Area(0, 0, width.cast_signed(), height.cast_signed()), rgb(22, 26, 33));
    let bands = 12_u8;
    for band in 0..bands {
        let edge = |n: u8| super::canvas::whole(floor.at(f32::from(n) / f32::from(bands), 0.0).x);
        let colour = if band % 2 == 0 { rgb(38, 92, 66) } else { rgb(44, 103, 74) };
        let bottom = super::canvas::whole(floor.top + floor.height);
        canvas.fill(Area(edge(band), super::canvas::whole(floor.top), edge(band + 1), bottom), colour);
    }
    draw_markings(canvas, floor);
    let board = part(height, 0.105);
    let dot = fitting(label, (board / 14).max(1), part(width, 0.3));
    let top = (board - text_height(dot)) / 2 + part(height, 0.01);
    canvas.text(part(width, 0.035), top, dot, label, rgb(235, 238, 242));
    let [home, away] = team_colours(flavour);
    let middle = position(width as usize) / 2.0;
    let chip = floor.height * 0.045;
    let height = position(usize::try_from(board).unwrap_or(0)) / 2.0 + chip / 4.0;
    for (side, colour) in [(-1.0, home), (1.0, away)] {
        let centre = at(middle + side * (position(width as usize) * SCORE / 2.0 + chip * 1.5), height);
        canvas.slab(centre, at(chip, chip * 0.8), chip * 0.3, 0.0, colour, 1.0);
    }
}

fn draw_markings(canvas: &mut Canvas<'_>, floor: Floor) {
    let white = rgb(225, 235, 228);
    let corners = [floor.at(0.0, 0.0), floor.at(1.0, 0.0), floor.at(1.0, 1.0), floor.at(0.0, 1.0)];
    for (from, to) in corners.into_iter().zip(corners.into_iter().cycle().skip(1)) {
        canvas.line(from, to, floor.line, white);
    }
    canvas.line(floor.at(0.5, 0.0), floor.at(0.5, 1.0), floor.line, white);
    canvas.ring(floor.at(0.5, 0.5), floor.height * 0.15, floor.line, white);
    canvas.disc(floor.at(0.5, 0.5), floor.line * 2.0, white, 1.0);
    for (goal_line, inwards) in [(0.0, 1.0), (1.0, -1.0)] {
        for (depth, reach) in [(0.13, 0.27), (0.05, 0.14)] {
            let (near, far) = (0.5 - reach, 0.5 + reach);
            let inner = goal_line + inwards * depth;
            canvas.line(floor.at(goal_line, near), floor.at(inner, near), floor.line, white);
            canvas.line(floor.at(inner, near), floor.at(inner, far), floor.line, white);
            canvas.line(floor.at(inner, far), floor.at(goal_line, far), floor.line, white);
        }
        let post = goal_line - inwards * 0.014;
        canvas.line(floor.at(post, 0.42), floor.at(post, 0.58), floor.line * 3.0, rgb(250, 250, 250));
    }
}

pub(super) fn draw_moving(canvas: &mut Canvas<'_>, frame: u64, time: Duration, flavour: f32) {
    let floor = Floor::of(canvas);
    let ball = ball(time, flavour);
    for (side, colour) in [(0.0, 0), (1.0, 1)].map(|(side, team)| (side, team_colours(flavour)[team])) {
        for number in 0..TEAM {
            draw_robot(canvas, floor, robot(number, side, time, flavour), ball, colour);
        }
    }
    draw_ball(canvas, floor, ball);
    draw_board(canvas, frame, time);
}

/// Where a robot is, in parts of the floor: round its own place in the formation, drawn to the ball.
fn robot(number: u8, side: f32, time: Duration, flavour: f32) -> At {
    // From the own goal forwards, for the side that plays to the right.
    const PLACES: [(f32, f32); TEAM as usize] =
        [(0.05, 0.5), (0.2, 0.25), (0.2, 0.75), (0.4, 0.35), (0.4, 0.68)];
    let (x, y) = PLACES[usize::from(number)];
    let n = f32::from(number);
    let wander = |seconds: u64, shift: f32| {
        let turn = phase(time, Duration::from_secs(seconds)) + shift + flavour + n * 0.37 + side * 0.21;
        (turn * std::f32::consts::TAU).sin()
    };
    let ball = ball(time, flavour);
    let eager = if number == 0 { 0.04 } else { 0.16 + 0.05 * n };
    let x = if side > 0.5 { 1.0 - x } else { x };
    let x = x + (ball.x - x) * eager + 0.05 * wander(5 + u64::from(number), 0.0);
    let y = y + (ball.y - y) * eager * 1.2 + 0.07 * wander(4 + u64::from(number), 0.3);
    at(x.clamp(0.02, 0.98), y.clamp(0.04, 0.96))
}

/// Where the ball is: on a figure that fills the floor, and in the goal when one falls.
fn ball(time: Duration, flavour: f32) -> At {
    let wave = |seconds: u64, shift: f32| {
        ((phase(time, Duration::from_secs(seconds)) + shift) * std::f32::consts::TAU).sin()
    };
    let free = at(0.5 + 0.36 * wave(10, flavour), 0.5 + 0.3 * wave(4, flavour * 3.0) + 0.1 * wave(5, 0.2));
    // The last second before a goal draws the ball into it, the second after brings it back.
    let round = phase(time, GOAL_EVERY) * 20.0;
    let pull = (1.0 - round).max(round - 19.0).max(0.0);
    let pull = pull * pull * (3.0 - 2.0 * pull);
    let goal = phase(time.saturating_add(GOAL_EVERY / 2), GOAL_EVERY * 2);
    let goal = at(if goal < 0.5 { 0.0 } else { 1.0 }, 0.5);
    at(free.x + (goal.x - free.x) * pull, free.y + (goal.y - free.y) * pull)
}

fn draw_robot(canvas: &mut Canvas<'_>, floor: Floor, place: At, ball: At, colour: Colour) {
    let (centre, target) = (floor.at(place.x, place.y), floor.at(ball.x, ball.y));
    let radius = floor.robot();
    let heading = (target.y - centre.y).atan2(target.x - centre.x);
    let (sin, cos) = heading.sin_cos();
    let shadow = at(centre.x + radius * 0.18, centre.y + radius * 0.26);
    canvas.slab(shadow, at(radius, radius * 0.86), radius * 0.35, heading, rgb(12, 30, 22), 0.55);
    canvas.slab(centre, at(radius, radius * 0.86), radius * 0.35, heading, rgb(24, 26, 30), 1.0);
    canvas.slab(centre, at(radius * 0.86, radius * 0.7), radius * 0.28, heading, colour, 1.0);
    let eye = at(centre.x + cos * radius * 0.42, centre.y + sin * radius * 0.42);
    canvas.disc(eye, radius * 0.26, rgb(245, 248, 250), 1.0);
    canvas.disc(
        at(eye.x + cos * radius * 0.1, eye.y + sin * radius * 0.1),
        radius * 0.13,
        rgb(15, 15, 20),
        1.0,
    );
}

fn draw_ball(canvas: &mut Canvas<'_>, floor: Floor, place: At) {
    let (centre, radius) = (floor.at(place.x, place.y), floor.robot() * 0.55);
    canvas.disc(at(centre.x + radius * 0.3, centre.y + radius * 0.4), radius, rgb(12, 30, 22), 0.5);
    canvas.disc(centre, radius, rgb(255, 150, 20), 1.0);
    canvas.disc(at(centre.x - radius * 0.3, centre.y - radius * 0.3), radius * 0.3, rgb(255, 225, 170), 0.9);
}

/// Score, time code and frame number.
fn draw_board(canvas: &mut Canvas<'_>, frame: u64, time: Duration) {
    let (width, height) = (canvas.picture.width, canvas.picture.height);
    let board = part(height, 0.105);
    let goals = time.as_secs() / GOAL_EVERY.as_secs();
    let score = format!("{}-{}", goals.div_ceil(2) % 100, goals / 2 % 100);
    let dot = fitting(&score, (board / 9).max(1), part(width, SCORE));
    let middle = |dot: i32| (board - text_height(dot)) / 2 + part(height, 0.01);
    let left = width.cast_signed() / 2 - text_width(&score, dot) / 2;
    canvas.text(left, middle(dot), dot, &score, rgb(255, 255, 255));
    let code = time_code(time);
    let number = format!("#{frame:06}");
    let dot = fitting(&code, (board / 16).max(1), part(width, 0.27));
    let small = ((dot + 1) * 2 / 3).max(1);
    let right = width.cast_signed() - part(width, 0.035);
    let top = part(height, 0.015) + (board - text_height(dot) - text_height(small) - small * 3).max(0) / 2;
    canvas.text(right - text_width(&code, dot), top, dot, &code, rgb(235, 238, 242));
    let below = top + text_height(dot) + small * 3;
    canvas.text(right - text_width(&number, small), below, small, &number, rgb(140, 150, 165));
}
