//! Words as masks, in real letters: DejaVu, under its own free licence.
//!
//! Called by the screens. Sizes are the height of a digit, as that is what can be measured on a screen.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use super::paint::{Mask, signed};
use crate::picture::canvas::whole;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Bold,
    Narrow,
}

/// Where a word stands to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Middle,
    Right,
}

/// Height of a digit in parts of the font's square.
const DIGIT: f32 = 0.729;

/// A word's shape, its digits `digit` pixels high from `top` down.
///
/// `gap` is added between letters, in parts of a digit's height.
pub(super) fn word(face: Face, text: &str, digit: f32, side: Side, x: f32, top: f32, gap: f32) -> Mask {
    let font = font(face);
    let square = font.units_per_em().unwrap_or(2048.0);
    let scale = PxScale::from(digit / DIGIT * font.height_unscaled() / square);
    let scaled = font.as_scaled(scale);
    let advance = |letter: char| scaled.h_advance(font.glyph_id(letter)) + gap * digit;
    let length: f32 = text.chars().map(advance).sum::<f32>() - gap * digit;
    let start = match side {
        Side::Left => x,
        Side::Middle => x - length / 2.0,
        Side::Right => x - length,
    };
    let (left, above) = (whole(start) - 1, whole(top - digit));
    let width = usize::try_from(whole(length)).unwrap_or(0) + 4;
    let height = usize::try_from(whole(digit * 3.0)).unwrap_or(0) + 3;
    let mut mask = Mask::new(left, above, width, height);
    let mut pen = start;
    for letter in text.chars() {
        let glyph = font.glyph_id(letter).with_scale_and_position(scale, point(pen, top + digit));
        if let Some(outline) = font.outline_glyph(glyph) {
            let bounds = outline.px_bounds();
            let (dx, dy) = (bounds.min.x - signed(left), bounds.min.y - signed(above));
            outline.draw(|x, y, cover| put(&mut mask, whole(dx), whole(dy), (x, y), cover));
        }
        pen += advance(letter);
    }
    mask
}

fn put(mask: &mut Mask, dx: i32, dy: i32, (x, y): (u32, u32), cover: f32) {
    let place = |from: i32, at: u32| usize::try_from(from.saturating_add_unsigned(at)).ok();
    let (Some(x), Some(y)) = (place(dx, x), place(dy, y)) else { return };
    if x < mask.width && y < mask.height() {
        let sample = &mut mask.data[y * mask.width + x];
        *sample = sample.saturating_add(crate::picture::canvas::byte(cover * 255.0));
    }
}

fn font(face: Face) -> &'static FontRef<'static> {
    static BOLD: OnceLock<FontRef<'static>> = OnceLock::new();
    static NARROW: OnceLock<FontRef<'static>> = OnceLock::new();
    let (cell, bytes): (_, fn() -> &'static [u8]) = match face {
        Face::Bold => (&BOLD, dejavu::sans::bold),
        Face::Narrow => (&NARROW, dejavu::sans_condensed::bold),
    };
    cell.get_or_init(|| FontRef::try_from_slice(bytes()).expect("the font is part of the program"))
}
