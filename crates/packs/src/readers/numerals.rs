//! Digits as common fonts draw them: a second opinion for OCR, and most often the only one that is needed.
//!
//! Called by `text` for regions whose charset is of these letters. The shapes are drawn from the free DejaVu fonts
//! (`numerals.png`, a row a font); a test draws them anew and compares.

use std::sync::OnceLock;

use pixels::Plane;

use super::blobs::Letters;
use super::fit::Font;
use super::glyphs::{Bank, Glyph};

/// What is known, in the order of the picture's columns; the second 1 stands on no foot.
pub(super) const KNOWN: &str = "0123456789:-.1";
/// Each shape's cell in `numerals.png`, in samples.
const CELL: (u32, u32) = (40, 48);
/// Rows of a cell that digits stand between.
const LINES: (u32, u32) = (4, 44);
static PICTURE: &[u8] = include_bytes!("numerals.png");

/// Read once, shared by all.
pub(super) fn bank() -> &'static Bank {
    static BANK: OnceLock<Bank> = OnceLock::new();
    BANK.get_or_init(|| read(PICTURE).expect("the picture is part of the program, and a test reads it"))
}

/// The same letters, a font each, to be drawn at any size.
pub(super) fn fonts() -> &'static [Font] {
    static FONTS: OnceLock<Vec<Font>> = OnceLock::new();
    FONTS.get_or_init(|| drawable(PICTURE).expect("the picture is part of the program, and a test reads it"))
}

fn read(png: &[u8]) -> Option<Bank> {
    let sheet = sheet(png)?;
    let mut bank = Bank::default();
    for row in 0..sheet.height / CELL.1 {
        for (column, letter) in (0..).zip(KNOWN.chars()) {
            bank.glyphs.push(glyph(&cut_out(&sheet, row, column), letter)?);
        }
    }
    Some(bank)
}

fn drawable(png: &[u8]) -> Option<Vec<Font>> {
    let sheet = sheet(png)?;
    let font = |row: u32| {
        let mut font = Font::new(LINES.0, LINES.1);
        for (column, letter) in (0..).zip(KNOWN.chars()) {
            font.learn(letter, &cut_out(&sheet, row, column), (0, CELL.0));
        }
        font
    };
    Some((0..sheet.height / CELL.1).map(font).collect())
}

fn sheet(png: &[u8]) -> Option<Plane> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().ok()?;
    let (width, height) = reader.info().size();
    let mut data = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut data).ok()?;
    Some(Plane { data, stride: width as usize, width, height })
}

fn cut_out(sheet: &Plane, row: u32, column: u32) -> Plane {
    let mut cell = Plane::new(CELL.0, CELL.1, 0);
    for y in 0..CELL.1 {
        let from = &sheet.row(row * CELL.1 + y)[(column * CELL.0) as usize..];
        cell.row_mut(y).copy_from_slice(&from[..CELL.0 as usize]);
    }
    cell
}

/// The picture of a letter in the font of that row.
#[cfg(test)]
pub(super) fn cell(row: u32, letter: char) -> Plane {
    let column = KNOWN.find(letter).and_then(|at| u32::try_from(at).ok()).unwrap();
    cut_out(&sheet(PICTURE).unwrap(), row, column)
}

fn glyph(cell: &Plane, letter: char) -> Option<Glyph> {
    let letters = Letters { blobs: Vec::new(), top: LINES.0, bottom: LINES.1, level: 127, cut: false };
    // How much wider or narrower other fonts draw them, and how far up or down.
    let (slack, shift) = match letter {
        '-' => (2.5, 0.15),
        ':' | '.' => (1.6, 0.12),
        _ => (1.45, 0.08),
    };
    Glyph::learn(letter, cell, &letters, (0, CELL.0), slack, shift)
}
