//! Pictures without a HUD to read: menus, advertisements, the wait before them, and all that is not the game.
//!
//! Called by the games' screens and by the samples. Some are made to look like a HUD at first sight.

use pixels::{I420, Quad};

use super::letters::{Face, Side, word};
use super::paint::{Mask, side, tint, upright};
use super::stage::Stage;
use crate::dice::Dice;
use crate::picture::canvas::{Area, Canvas, Colour, byte, position, rgb, whole};

/// The game's part of the frame under one colour.
pub(super) fn shade(stage: Stage, colour: Colour, opacity: f32, out: &mut I420) {
    let rows = [stage.title, stage.title / 2, stage.title / 2];
    for ((plane, first), value) in out.planes_mut().into_iter().zip(rows).zip(colour) {
        // Every sample becomes what its value becomes: a whole frame is a table's look-up.
        let becomes: [u8; 256] =
            std::array::from_fn(|code| byte(position(code) * (1.0 - opacity) + f32::from(value) * opacity));
        for y in first..plane.height {
            plane.row_mut(y).iter_mut().for_each(|sample| *sample = becomes[usize::from(*sample)]);
        }
    }
}

/// A window's title above the game.
pub(super) fn title(stage: Stage, name: &str, out: &mut I420) {
    if stage.title == 0 {
        return;
    }
    let height = side(stage.title);
    let right = stage.width.cast_signed();
    Canvas { picture: out }.fill(Area(0, 0, right, stage.title.cast_signed()), rgb(232, 234, 238));
    let mask = word(Face::Narrow, name, height * 0.4, Side::Left, height * 0.6, height * 0.3, 0.0);
    tint(out, &mask, rgb(30, 30, 34), 1.0);
    let cross =
        word(Face::Bold, "x", height * 0.4, Side::Right, side(stage.width) - height * 0.4, height * 0.3, 0.0);
    tint(out, &cross, rgb(30, 30, 34), 1.0);
}

/// Words below each other on dark ground.
pub(super) fn menu(stage: Stage, seed: u64, out: &mut I420) {
    let frame = stage.middle();
    let mut dice = Dice::new(seed, "menu", 1);
    let tint_of = [rgb(18, 26, 52), rgb(40, 14, 44), rgb(16, 44, 40)];
    shade(stage, *dice.one_of(&tint_of), 1.0, out);
    for (number, item) in
        (0_u8..).zip(["KICK OFF", "CAREER", "ONLINE", "TEAMS 4-3-3", "SETTINGS", "12:30 NEWS"])
    {
        let y = 180.0 + 70.0 * f32::from(number);
        let chosen = u64::from(number) == seed % 6;
        let panel = Mask::quad(&frame.quad(&upright(120.0, y, 420.0, 52.0)));
        let colours = if chosen {
            (rgb(240, 240, 244), rgb(20, 20, 30))
        } else {
            (rgb(40, 50, 84), rgb(230, 232, 240))
        };
        tint(out, &panel, colours.0, 0.9);
        let mask =
            word(Face::Narrow, item, frame.length(20.0), Side::Left, frame.x(144.0), frame.y(y + 16.0), 0.05);
        tint(out, &mask, colours.1, 1.0);
    }
    let large = Mask::disc(frame.x(900.0), frame.y(380.0), frame.length(180.0));
    tint(out, &large, rgb(90, 110, 160), 0.6);
}

/// What a channel shows before an advertisement comes.
pub(super) fn preparing(stage: Stage, seed: u64, out: &mut I420) {
    let frame = stage.middle();
    shade(stage, if seed.is_multiple_of(2) { rgb(28, 22, 44) } else { rgb(14, 14, 16) }, 1.0, out);
    for (text, y, digit) in [("Preparing your stream", 330.0, 30.0), ("This will take a moment", 390.0, 16.0)]
    {
        let mask =
            word(Face::Bold, text, frame.length(digit), Side::Middle, frame.x(640.0), frame.y(y), 0.03);
        tint(out, &mask, rgb(240, 238, 248), 1.0);
    }
    for dot in 0..3_u8 {
        let x = frame.x(600.0 + 40.0 * f32::from(dot));
        let lit = u64::from(dot) == seed % 3;
        tint(
            out,
            &Mask::disc(x, frame.y(460.0), frame.length(9.0)),
            rgb(145, 90, 240),
            if lit { 1.0 } else { 0.4 },
        );
    }
}

/// Something to buy.
pub(super) fn ad(stage: Stage, seed: u64, out: &mut I420) {
    let frame = stage.middle();
    let mut dice = Dice::new(seed, "ad", 1);
    let mut colour = |from: f32, to: f32| {
        let [r, g, b] = std::array::from_fn(|_| byte(dice.between(from, to)));
        rgb(r, g, b)
    };
    let (ground, bottle, label) = (colour(90.0, 250.0), colour(10.0, 160.0), colour(120.0, 255.0));
    shade(stage, ground, 1.0, out);
    for (area, colour) in [
        (upright(820.0, 160.0, 170.0, 460.0), bottle),
        (upright(870.0, 90.0, 70.0, 90.0), bottle),
        (upright(820.0, 320.0, 170.0, 130.0), label),
        (upright(0.0, 640.0, 1280.0, 80.0), bottle),
    ] {
        tint(out, &Mask::quad(&frame.quad(&area)), colour, 1.0);
    }
    let words = [("FRESH", 220.0, 60.0), ("2 for 1-0", 320.0, 40.0), ("until 12:00", 390.0, 24.0)];
    for (text, y, digit) in words {
        let mask = word(Face::Bold, text, frame.length(digit), Side::Left, frame.x(140.0), frame.y(y), 0.02);
        tint(out, &mask, bottle, 1.0);
    }
}

/// How many kinds of [`other`] there are.
pub(super) const OTHERS: u64 = 8;

/// Pictures of something else, by `kind`; drawn over whatever backdrop is there.
pub(super) fn other(kind: u64, stage: Stage, seed: u64, out: &mut I420) {
    let mut dice = Dice::new(seed, "other", kind);
    match kind % OTHERS {
        // The backdrop alone.
        0 => {}
        1 => shade(stage, rgb(0, 0, 0), 1.0, out),
        2 => ad(stage, seed, out),
        3 => preparing(stage, seed, out),
        4 => menu(stage, seed, out),
        5 => page(stage, &mut dice, out),
        6 => rival(stage, &mut dice, out),
        _ => colours(stage, &mut dice, out),
    }
}

/// A page with rows of small pictures under their names.
fn page(stage: Stage, dice: &mut Dice, out: &mut I420) {
    let frame = stage.middle();
    shade(stage, rgb(244, 244, 246), 1.0, out);
    let across = 3 + u8::try_from(dice.within(0..9)).unwrap_or(0);
    let pitch = 1280.0 / f32::from(across);
    for number in 0..across.saturating_mul(5) {
        let (x, y) = (pitch * f32::from(number % across), 12.0 + 150.0 * f32::from(number / across));
        for part in 0..4_u8 {
            let [r, g, b] = std::array::from_fn(|_| byte(dice.between(10.0, 250.0)));
            let height = 96.0 - 24.0 * f32::from(part);
            let area = upright(x + 4.0, y + 24.0 * f32::from(part), pitch - 8.0, height);
            tint(out, &Mask::quad(&frame.quad(&area)), rgb(r, g, b), 0.8);
        }
        let text = *dice.one_of(&["12:45 live", "2-1 (AET)", "Watch", "1.2K", "MUN v CHE", "How to cook"]);
        let mask = word(
            Face::Narrow,
            text,
            frame.length(12.0),
            Side::Left,
            frame.x(x + 6.0),
            frame.y(y + 108.0),
            0.0,
        );
        tint(out, &mask, rgb(30, 30, 34), 1.0);
    }
}

/// Another game's HUD: a bar of boxes at the top, numbers, a board in some corner.
fn rival(stage: Stage, dice: &mut Dice, out: &mut I420) {
    let frame = stage.middle();
    let count = 3 + u8::try_from(dice.within(0..8)).unwrap_or(0);
    let (size, gap) = (dice.between(24.0, 60.0), dice.between(2.0, 16.0));
    let (top, middle) = (dice.between(0.0, 30.0), dice.between(560.0, 720.0));
    let half = dice.between(40.0, 130.0);
    for number in 0..count {
        for wing in [-1.0, 1.0] {
            let x = middle + wing * (half + f32::from(number) * (size + gap))
                - if wing < 0.0 { size } else { 0.0 };
            let [r, g, b] = std::array::from_fn(|_| byte(dice.between(0.0, 255.0)));
            let boxed: Quad = upright(x, top, size, size * 0.7);
            tint(out, &Mask::quad(&frame.quad(&boxed)), rgb(r, g, b), 1.0);
            let eye =
                Mask::disc(frame.x(x + size * 0.5), frame.y(top + size * 0.3), frame.length(size * 0.2));
            tint(out, &eye, rgb(b, r, g), 1.0);
        }
    }
    let panel = upright(middle - half * 0.8, top, half * 1.6, 40.0);
    tint(out, &Mask::quad(&frame.quad(&panel)), rgb(24, 26, 32), 0.9);
    let text = format!("{}:{:02}", dice.within(0..3), dice.within(0..60));
    let mask =
        word(Face::Bold, &text, frame.length(18.0), Side::Middle, frame.x(middle), frame.y(top + 10.0), 0.0);
    tint(out, &mask, rgb(250, 250, 250), 1.0);
    let (x, y) = (dice.between(400.0, 900.0), dice.between(300.0, 640.0));
    tint(out, &Mask::quad(&frame.quad(&upright(x, y, 240.0, 30.0))), rgb(14, 16, 22), 0.9);
    let text = format!("AMMO {} / {}", dice.within(0..31), dice.within(0..200));
    let mask =
        word(Face::Narrow, &text, frame.length(15.0), Side::Left, frame.x(x + 12.0), frame.y(y + 7.0), 0.0);
    tint(out, &mask, rgb(240, 240, 240), 1.0);
}

/// Stripes and patches of strong colours.
fn colours(stage: Stage, dice: &mut Dice, out: &mut I420) {
    let (width, height) = (side(stage.width), side(stage.height));
    let count = dice.within(4..24);
    for _ in 0..count {
        let [r, g, b] = std::array::from_fn(|_| byte(dice.between(0.0, 255.0)));
        let (x, y) = (whole(dice.between(-0.1, 0.9) * width), whole(dice.between(-0.1, 0.9) * height));
        let (w, h) = (whole(dice.between(0.02, 0.5) * width), whole(dice.between(0.02, 0.5) * height));
        Canvas { picture: out }.fill(Area(x, y.max(stage.title.cast_signed()), x + w, y + h), rgb(r, g, b));
    }
}
