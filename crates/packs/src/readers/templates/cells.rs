//! How alike two patches are when a part of one may be covered: by a badge, a number, somebody's camera.
//!
//! A patch is kept cell by cell, so that what one cell adds to a correlation can be taken off again.

use std::array::from_fn;

use pixels::correlate::dot;

use super::set::{FINE, FINE_LEN};

/// Columns and rows of a cell, and how many cells there are each way.
const CELL: (usize, usize) = (8, 6);
const ACROSS: usize = FINE.0 as usize / CELL.0;
const COUNT: usize = FINE_LEN / LEN;
const LEN: usize = CELL.0 * CELL.1;

/// How much less a likeness counts for which a cell was left out.
const COVERED: f32 = 0.04;

/// Sums of a flat patch's cells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    sums: [f32; COUNT],
    squares: [f32; COUNT],
}

impl Cells {
    pub(super) fn of(patch: &[f32]) -> Self {
        Self {
            sums: from_fn(|i| cell(patch, i).iter().sum()),
            squares: from_fn(|i| dot(cell(patch, i), cell(patch, i))),
        }
    }
}

fn cell(patch: &[f32], number: usize) -> &[f32] {
    &patch[number * LEN..][..LEN]
}

/// The samples of rows in the order of cells.
pub(super) fn cell_by_cell(rows: &[f32]) -> impl Iterator<Item = f32> {
    (0..COUNT).flat_map(move |number| {
        let (left, top) = (number % ACROSS * CELL.0, number / ACROSS * CELL.1);
        (0..CELL.1)
            .flat_map(move |row| rows[(top + row) * FINE.0 as usize + left..][..CELL.0].iter().copied())
    })
}

/// The correlation of two flat patches, or somewhat less than that of what one cell leaves if it is higher.
#[expect(clippy::cast_precision_loss, reason = "some hundred samples")]
pub(super) fn alike(one: (&[f32], &Cells), other: (&[f32], &Cells)) -> f32 {
    let products: [f32; COUNT] = from_fn(|i| dot(cell(one.0, i), cell(other.0, i)));
    let whole: f32 = products.iter().sum();
    let count = (FINE_LEN - LEN) as f32;
    let without = |i: usize| {
        // All samples' sum is 0 and that of their squares 1, so what is left is what the cell does not have.
        let rest = |cells: &Cells| (-cells.sums[i], 1.0 - cells.squares[i] - cells.sums[i].powi(2) / count);
        let ((a, aa), (b, bb)) = (rest(one.1), rest(other.1));
        let length = (aa * bb).max(0.0).sqrt();
        // A patch that was nearly all in that cell says nothing without it.
        if aa < 0.1 || bb < 0.1 { 0.0 } else { (whole - products[i] - a * b / count) / length }
    };
    (0..COUNT).map(|i| without(i) - COVERED).fold(whole, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixels::correlate::flat;

    fn patch(seed: u16, covered: Option<usize>) -> (Vec<f32>, Cells) {
        let mut number = u32::from(seed) + 1;
        let mut samples: Vec<f32> = (0..FINE_LEN)
            .map(|_| {
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32::from(u16::try_from(number >> 16).unwrap() >> 8)
            })
            .collect();
        if let Some(number) = covered {
            samples[number * LEN..][..LEN].fill(600.0);
        }
        flat(&mut samples);
        let cells = Cells::of(&samples);
        (samples, cells)
    }

    #[test]
    fn one_covered_cell_costs_little_and_two_different_patches_stay_different() {
        let whole = patch(1, None);
        let score = |other: &(Vec<f32>, Cells)| alike((&whole.0, &whole.1), (&other.0, &other.1));
        assert!((score(&whole) - 1.0).abs() < 1e-4);
        for number in 0..COUNT {
            let covered = patch(1, Some(number));
            assert!(dot(&whole.0, &covered.0) < 0.7);
            assert!((score(&covered) - (1.0 - COVERED)).abs() < 1e-3, "{}", score(&covered));
            assert!(score(&patch(2, Some(number))) < 0.3);
        }
    }

    #[test]
    fn cells_hold_each_sample_once() {
        let rows: Vec<f32> = (0..FINE_LEN).map(|i| f32::from(u16::try_from(i).unwrap())).collect();
        let mut cells: Vec<f32> = cell_by_cell(&rows).collect();
        assert_eq!(cells[..CELL.0 + 1], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 24.0]);
        cells.sort_by(f32::total_cmp);
        assert_eq!(cells, rows);
    }
}
