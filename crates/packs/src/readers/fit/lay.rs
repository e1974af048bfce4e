//! Lays letters of one size over a line: of all rows of them that a pattern allows, the one that leaves least unexplained.
//!
//! Called by the fitting. Pure; its work is bounded by the width of the box and the forms of the pattern.

use super::forms::Forms;
use super::grid::Grid;
use super::shapes::{Column, Drawn, PHASES};

/// What one more letter must explain, in samples that are all ink: less is noise.
const LETTER: f32 = 0.2;

/// A letter and where its ink begins, in parts of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Laid {
    /// Number among the letters that were drawn.
    pub(super) number: usize,
    pub(super) at: usize,
}

/// The row of letters that explains most. What neighbours share is counted twice: that is mended when the line is settled.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    /// From left to right; none when nothing fits.
    pub(super) letters: Vec<Laid>,
    /// How the squares of what is unexplained change: less than zero, the less the better.
    pub(super) left: f32,
    /// How much worse the best row of another form is.
    pub(super) form_margin: f32,
}

pub(super) fn lay(grid: &Grid, drawn: &[Drawn], forms: &Forms) -> Row {
    let places = grid.columns.len() * PHASES + 1;
    let gains: Vec<Vec<f32>> = drawn.iter().map(|letter| gains(grid, letter, places)).collect();
    // By beginning and by where its last letter ends, at most: what is explained, and by which letter if it ends just there.
    let mut best: Vec<Vec<(f32, Option<Laid>)>> = Vec::with_capacity(forms.steps.len());
    best.push(vec![(0.0, None); places]);
    for step in forms.steps.iter().skip(1) {
        let is = |letter: &Drawn| match step.mark {
            None => letter.letter.is_ascii_digit(),
            Some(mark) => letter.letter == mark,
        };
        let before = &best[step.before];
        let mut row = vec![(f32::INFINITY, None); places];
        for (number, letter) in drawn.iter().enumerate().filter(|(_, letter)| is(letter)) {
            for (at, gain) in gains[number].iter().enumerate() {
                let (sum, end) = (before[at].0 + gain + LETTER, at + letter.wide);
                if sum < row[end].0 {
                    row[end] = (sum, Some(Laid { number, at }));
                }
            }
        }
        // Nothing more is explained by going on.
        for end in 1..places {
            if row[end - 1].0 <= row[end].0 {
                row[end] = (row[end - 1].0, None);
            }
        }
        best.push(row);
    }
    let mut ends: Vec<usize> = (0..forms.steps.len()).filter(|step| forms.steps[*step].ends).collect();
    let left = |step: usize| best[step][places - 1].0;
    ends.sort_unstable_by(|a, b| left(*a).total_cmp(&left(*b)));
    let Some(mut step) = ends.first().copied().filter(|step| left(*step).is_finite()) else {
        return Row::default();
    };
    let all = left(step);
    let form_margin = ends.get(1).map_or(f32::INFINITY, |next| left(*next)) - all;
    let mut letters = Vec::new();
    let mut end = places - 1;
    while step > 0 {
        match best[step][end].1 {
            Some(laid) => {
                letters.push(laid);
                (end, step) = (laid.at, forms.steps[step].before);
            }
            None if end == 0 => break,
            None => end -= 1,
        }
    }
    letters.reverse();
    Row { letters, left: all, form_margin }
}

/// By how much the squares of what is unexplained change with a letter, for each place it can begin at.
fn gains(grid: &Grid, letter: &Drawn, places: usize) -> Vec<f32> {
    let rows = grid.rows.next_multiple_of(4);
    (0..places.saturating_sub(letter.wide))
        .map(|at| {
            let patch = &letter.patches[at % PHASES];
            let columns = &grid.columns[at / PHASES..];
            let shared: f32 = patch.columns.iter().zip(columns).map(|(a, b)| dot(a, b, rows)).sum();
            patch.energy - 2.0 * shared
        })
        .collect()
}

/// `rows` is a multiple of four.
fn dot(a: &Column, b: &Column, rows: usize) -> f32 {
    let mut sums = [0.0_f32; 4];
    for (a, b) in a[..rows].chunks_exact(4).zip(b[..rows].chunks_exact(4)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
