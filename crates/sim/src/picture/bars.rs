//! Colour bars with a clock, a ball and a large time code.
//!
//! Drawn for [`super::Kind::Bars`]. Shows wrong colours (bars), wrong range (ramp), lost frames (sweeping
//! hand, ball) and wrong time (time code) to the eye at a glance.

use std::time::Duration;

use super::canvas::{Area, At, Canvas, at, position, rgb, text_height, text_width, whole};
use super::counter::strip_height;
use super::{phase, time_code};

/// 75 % bars in the order of falling luma.
const BARS: [[u8; 3]; 7] =
    [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191]];

const RAMP_STEPS: i32 = 32;

/// Where things are, in pixels.
struct Layout {
    width: i32,
    /// Bars end and the grey ramp begins.
    bars: i32,
    /// The ramp ends and the panel begins.
    panel: i32,
    /// The panel ends and the counter begins.
    end: i32,
    /// Side of a dot of small text.
    dot: i32,
    clock: At,
    radius: f32,
}

impl Layout {
    fn of(canvas: &Canvas<'_>) -> Self {
        let (width, height) = (canvas.picture.width.cast_signed(), canvas.picture.height.cast_signed());
        let end = height - strip_height(canvas.picture.height).cast_signed();
        let panel = end - height * 22 / 100;
        let bars = panel - height * 6 / 100;
        let radius = position(canvas.picture.height.min(canvas.picture.width) as usize) * 0.17;
        let clock = at(
            position(canvas.picture.width as usize) / 2.0,
            position(usize::try_from(bars).unwrap_or(0)) / 2.0,
        );
        Self { width, bars, panel, end, dot: (width.min(height * 4 / 3) / 320).max(1), clock, radius }
    }
}

pub(super) fn draw_still(canvas: &mut Canvas<'_>, label: &str) {
    let layout = Layout::of(canvas);
    let edge = |n: i32, of: i32| layout.width * n / of;
    for (n, [r, g, b]) in (0..).zip(BARS) {
        canvas.fill(Area(edge(n, 7), 0, edge(n + 1, 7), layout.bars), rgb(r, g, b));
    }
    for step in 0..RAMP_STEPS {
        let grey = u8::try_from(step * 255 / (RAMP_STEPS - 1)).unwrap_or(255);
        let area = Area(edge(step, RAMP_STEPS), layout.bars, edge(step + 1, RAMP_STEPS), layout.panel);
        canvas.fill(area, rgb(grey, grey, grey));
    }
    canvas.fill(Area(0, layout.panel, layout.width, layout.end), rgb(16, 18, 24));
    draw_face(canvas, &layout);
    let dot = fitting(label, layout.dot * 2, layout.width / 2);
    let margin = layout.width / 40;
    canvas.text(margin, centred(layout.panel, layout.end, dot), dot, label, rgb(255, 214, 10));
}

/// The clock's face: a dark disc, twelve marks, a rim.
fn draw_face(canvas: &mut Canvas<'_>, layout: &Layout) {
    let (centre, radius) = (layout.clock, layout.radius);
    canvas.disc(centre, radius, rgb(10, 12, 18), 0.85);
    canvas.ring(centre, radius, radius / 16.0, rgb(255, 255, 255));
    for mark in 0..12_u8 {
        let turn = f32::from(mark) / 12.0;
        let (inner, width) = if mark % 3 == 0 { (0.74, 14.0) } else { (0.82, 30.0) };
        canvas.line(hand(layout, turn, inner), hand(layout, turn, 0.9), radius / width, rgb(230, 230, 230));
    }
}

pub(super) fn draw_moving(canvas: &mut Canvas<'_>, frame: u64, time: Duration) {
    let layout = Layout::of(canvas);
    draw_ball(canvas, &layout, time);
    let minute = phase(time, Duration::from_secs(60));
    let sweep = phase(time, Duration::from_secs(2));
    let tip = |turn: f32, length: f32| hand(&layout, turn, length);
    canvas.line(layout.clock, tip(minute, 0.55), layout.radius / 9.0, rgb(230, 230, 230));
    canvas.line(tip(sweep + 0.5, 0.16), tip(sweep, 0.84), layout.radius / 18.0, rgb(255, 80, 40));
    canvas.disc(layout.clock, layout.radius / 11.0, rgb(255, 80, 40), 1.0);
    draw_time(canvas, &layout, frame, time);
}

/// Time code and frame number, right-aligned in the panel.
fn draw_time(canvas: &mut Canvas<'_>, layout: &Layout, frame: u64, time: Duration) {
    let margin = layout.width / 40;
    let code = time_code(time);
    let number = format!("FRAME {frame:06}");
    let (large, small) = (fitting(&code, layout.dot * 2, layout.width * 45 / 100), layout.dot);
    let gap = small * 4;
    let block = text_height(large) + gap + text_height(small);
    let top = layout.panel + (layout.end - layout.panel - block) / 2;
    let right = layout.width - margin;
    canvas.text(right - text_width(&code, large), top, large, &code, rgb(255, 255, 255));
    let below = top + text_height(large) + gap;
    canvas.text(right - text_width(&number, small), below, small, &number, rgb(150, 160, 175));
}

/// Across in two and a half seconds, hopping about three times on its way.
fn draw_ball(canvas: &mut Canvas<'_>, layout: &Layout, time: Duration) {
    let there_and_back = phase(time, Duration::from_secs(5)) * 2.0;
    let across = if there_and_back > 1.0 { 2.0 - there_and_back } else { there_and_back };
    let hop = phase(time, Duration::from_millis(900));
    let height = 4.0 * hop * (1.0 - hop);
    let radius = layout.radius / 3.2;
    let (width, floor) = (layout.clock.x * 2.0, layout.clock.y * 2.0);
    let centre =
        at(radius + across * (width - 2.0 * radius), floor - radius - height * (floor - 2.0 * radius) * 0.85);
    canvas.disc(centre, radius, rgb(255, 255, 255), 1.0);
    canvas.disc(centre, radius * 0.86, rgb(230, 40, 60), 1.0);
    let shine = at(centre.x - radius * 0.32, centre.y - radius * 0.34);
    canvas.disc(shine, radius * 0.26, rgb(255, 200, 200), 0.9);
}

/// A point on the clock at a turn (0 is up, clockwise) and a part of the radius.
fn hand(layout: &Layout, turn: f32, part: f32) -> At {
    let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
    at(layout.clock.x + layout.radius * part * sin, layout.clock.y - layout.radius * part * cos)
}

/// The largest dot up to `most` with which `text` fits into `room` pixels; at least 1.
pub(super) fn fitting(text: &str, most: i32, room: i32) -> i32 {
    (room / text_width(text, 1).max(1)).clamp(1, most.max(1))
}

fn centred(top: i32, bottom: i32, dot: i32) -> i32 {
    top + (bottom - top - text_height(dot)) / 2
}

/// For callers that lay out in fractions of the picture.
pub(super) fn part(length: u32, of: f32) -> i32 {
    whole(position(length as usize) * of)
}
