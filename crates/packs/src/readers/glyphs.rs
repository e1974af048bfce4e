//! Letters known by their shape: a bank of glyphs, and the best way to see a line of ink as a row of them.
//!
//! Called by `digits` with glyphs learned from crops and by `text` with digits of common fonts. Pure; its work is bounded by
//! [`MOST_CUTS`] and the size of the bank.

use pixels::{Plane, Quad};

use super::blobs::Letters;
use super::crop;

/// Samples of a patch, across and down; a margin of one on each side makes a bar differ from nothing.
const ACROSS: u32 = 12;
const DOWN: u32 = 16;
const SAMPLES: usize = (ACROSS * DOWN) as usize;
/// Places where a line may be cut; more is no line of letters.
const MOST_CUTS: usize = 96;

/// From and to, both included.
type Span = (f32, f32);

/// A shape and where on the line it stands.
#[derive(Clone, Debug)]
pub(super) struct Glyph {
    pub(super) letter: char,
    patch: Vec<f32>,
    /// Width to height of its ink.
    aspect: Span,
    /// Where its ink begins and ends: 0 is the top of tall letters, 1 their foot.
    top: Span,
    bottom: Span,
}

/// A part of a line and what it looks like.
#[derive(Clone, Copy, Debug)]
struct Seen {
    letter: char,
    score: f32,
    /// How much less alike the next letter is.
    margin: f32,
}

/// What a line says, how alike its least letter is (-1 to 1), and how near the next best came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spelled {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) margin: f32,
}

impl Glyph {
    /// Learns a glyph of the ink in a stretch of columns. `slack` is how much wider or narrower it may be (1.3: by 30 %), and
    /// `shift` how far off its place, in heights of the line.
    pub(super) fn learn(
        letter: char,
        ink: &Plane,
        letters: &Letters,
        columns: (u32, u32),
        slack: f32,
        shift: f32,
    ) -> Option<Self> {
        let shape = Shape::of(ink, letters, columns)?;
        let around = |at: f32| (at - shift, at + shift);
        let aspect = (shape.aspect / slack, shape.aspect * slack);
        Some(Self {
            letter,
            patch: shape.patch,
            aspect,
            top: around(shape.top),
            bottom: around(shape.bottom),
        })
    }

    /// How alike, less what is wrong with proportions and place.
    fn score(&self, shape: &Shape) -> f32 {
        let off = |at: f32, (least, most): Span| (least - at).max(at - most).max(0.0);
        let alike: f32 = self.patch.iter().zip(&shape.patch).map(|(a, b)| a * b).sum();
        let wide = off(shape.aspect.ln(), (self.aspect.0.ln(), self.aspect.1.ln()));
        alike - wide - 2.0 * (off(shape.top, self.top) + off(shape.bottom, self.bottom))
    }
}

/// The ink of some columns, brought to the size of a patch.
struct Shape {
    patch: Vec<f32>,
    aspect: f32,
    top: f32,
    bottom: f32,
}

impl Shape {
    #[expect(clippy::cast_precision_loss, reason = "sides of a crop are far below 2^24")]
    fn of(ink: &Plane, letters: &Letters, (left, right): (u32, u32)) -> Option<Self> {
        let level = letters.level;
        let dark = |y: u32, x: u32| ink.row(y)[x as usize] > level;
        let row = |y: &u32| (left..right).any(|x| dark(*y, x));
        let top = (0..ink.height).find(row)?;
        let bottom = (0..ink.height).rev().find(row)? + 1;
        let column = |x: &u32| (top..bottom).any(|y| dark(y, *x));
        let first = (left..right).find(column)?;
        let last = (left..right).rev().find(column)? + 1;
        let (width, height) = ((last - first) as f32, (bottom - top) as f32);
        let quad = Quad { x: first as f32, y: top as f32, width, height, slant: 0.0 };
        let inner = crop::upright(ink, &quad, ACROSS - 2, DOWN - 2);
        let mut patch = vec![0.0; SAMPLES];
        for y in 0..inner.height {
            let start = ((y + 1) * ACROSS + 1) as usize;
            patch[start..].iter_mut().zip(inner.row(y)).for_each(|(to, from)| *to = f32::from(*from));
        }
        let mean = patch.iter().sum::<f32>() / SAMPLES as f32;
        patch.iter_mut().for_each(|sample| *sample -= mean);
        let length = patch.iter().map(|sample| sample * sample).sum::<f32>().sqrt();
        if length <= 0.0 {
            return None;
        }
        patch.iter_mut().for_each(|sample| *sample /= length);
        let line = (letters.bottom - letters.top).max(1) as f32;
        let place = |at: u32| (at as f32 - letters.top as f32) / line;
        Some(Self { patch, aspect: width / height, top: place(top), bottom: place(bottom) })
    }
}

/// The letters a reader knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Bank {
    pub(super) glyphs: Vec<Glyph>,
}

impl Bank {
    /// The row of glyphs that explains a line best; `None` when there is none for some of its ink.
    #[expect(clippy::cast_precision_loss, reason = "sides of a crop are far below 2^24")]
    pub(super) fn spell(
        &self,
        ink: &Plane,
        letters: &Letters,
        allowed: impl Fn(char) -> bool,
    ) -> Option<Spelled> {
        let known: Vec<&Glyph> = self.glyphs.iter().filter(|glyph| allowed(glyph.letter)).collect();
        let cuts = cuts(ink, letters)?;
        let widest = (letters.bottom - letters.top) * 13 / 10;
        // By where they end: the sum of likenesses by width, where the last letter begins, and what it is.
        let mut best: Vec<Option<(f32, usize, Seen)>> = vec![None; cuts.len()];
        for end in 0..cuts.len() {
            for start in (0..=end).rev() {
                let (left, right) = (cuts[start].0, cuts[end].1);
                if right <= left {
                    continue;
                }
                if right - left > widest {
                    break;
                }
                let before = match start.checked_sub(1) {
                    None => 0.0,
                    Some(before) => match best[before] {
                        Some((sum, ..)) => sum,
                        None => continue,
                    },
                };
                let Some(seen) =
                    Shape::of(ink, letters, (left, right)).and_then(|shape| look(&known, &shape))
                else {
                    continue;
                };
                let sum = before + seen.score * (right - left) as f32;
                if best[end].is_none_or(|(most, ..)| sum > most) {
                    best[end] = Some((sum, start, seen));
                }
            }
        }
        let mut at = cuts.len();
        let mut spelled = Spelled { text: String::new(), score: 1.0, margin: 1.0 };
        while let Some(last) = at.checked_sub(1) {
            let (_, start, seen) = best[last]?;
            spelled.text.push(seen.letter);
            spelled.score = spelled.score.min(seen.score);
            spelled.margin = spelled.margin.min(seen.margin);
            at = start;
        }
        spelled.text = spelled.text.chars().rev().collect();
        (!spelled.text.is_empty()).then_some(spelled)
    }
}

/// The most alike letter, and how far the next other one is.
fn look(known: &[&Glyph], shape: &Shape) -> Option<Seen> {
    let mut first: Option<(char, f32)> = None;
    let mut next = f32::MIN;
    for glyph in known {
        let score = glyph.score(shape);
        match first {
            Some((letter, most)) if letter == glyph.letter => first = Some((letter, most.max(score))),
            Some((_, most)) if score <= most => next = next.max(score),
            _ => {
                next = next.max(first.map_or(f32::MIN, |(_, most)| most));
                first = Some((glyph.letter, score));
            }
        }
    }
    first.map(|(letter, score)| Seen { letter, score, margin: (score - next).min(1.0) })
}

/// The pieces a line can be made of: columns of letters that stand apart, wide ones also cut where they are thinnest.
fn cuts(ink: &Plane, letters: &Letters) -> Option<Vec<(u32, u32)>> {
    let high = letters.bottom - letters.top;
    let mut cuts = Vec::new();
    for (left, right) in letters.columns() {
        // No single letter of few is wider than that; two that touch are.
        if (right - left) * 10 <= high * 8 {
            cuts.push((left, right));
            continue;
        }
        let ink_of = |x: u32| -> u32 {
            (letters.top..letters.bottom).map(|y| u32::from(ink.row(y)[x as usize])).sum()
        };
        let sums: Vec<u32> = (left..right).map(ink_of).collect();
        let mut from = left;
        for (x, near) in (left + 1..right).zip(sums.windows(3)) {
            // The lowest column of its surroundings, and thinner than a stroke that stands upright.
            let thin = near[1] <= near[0] && near[1] < near[2] && near[1] < high * 255 * 2 / 5;
            if thin && x - from >= 2 && right - x >= 2 {
                cuts.push((from, x));
                from = x;
            }
        }
        cuts.push((from, right));
    }
    (!cuts.is_empty() && cuts.len() <= MOST_CUTS).then_some(cuts)
}
