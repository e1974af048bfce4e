//! Which picture each slot shows, when one in two slots is unlikely but can be.
//!
//! The best choice for all slots together, not slot by slot: the Hungarian method (Kuhn, 1955; with potentials, as in
//! Jonker and Volgenant, 1987). Slots are few, so O(slots² × columns) is nothing.

/// How much the score of the second use of an item counts less; of the third twice that.
pub(super) const AGAIN: f32 = 0.08;

/// For each slot which of its `choices` (item and score) to take; `None` where nothing is better than `nothing`.
///
/// The sum of what is taken is the highest there is, an item's further uses counting [`AGAIN`] less each and an empty slot
/// counting `nothing`.
pub(super) fn assign(choices: &[Vec<(usize, f32)>], nothing: f32) -> Vec<Option<usize>> {
    let mut items: Vec<usize> = choices.iter().flatten().map(|(item, _)| *item).collect();
    items.sort_unstable();
    items.dedup();
    let slots = choices.len();
    // Columns: the first use of each item, the second, …; then one for each slot that stays empty.
    let uses = slots.min(3);
    let columns = items.len() * uses + slots;
    let cost = |slot: usize, column: usize| {
        if column >= items.len() * uses {
            return -nothing;
        }
        let (item, again) = (items[column % items.len()], column / items.len());
        let times = [0.0, 1.0, 2.0][again];
        match choices[slot].iter().find(|(choice, _)| *choice == item) {
            Some((_, score)) => AGAIN * times - score,
            None => 2.0,
        }
    };
    let taken = hungarian(slots, columns, cost);
    (0..slots)
        .map(|slot| {
            let column = taken[slot];
            let item = (column < items.len() * uses).then(|| items[column % items.len()])?;
            choices[slot].iter().position(|(choice, _)| *choice == item)
        })
        .collect()
}

/// The column of each row, no column twice, so that the costs' sum is least; there are at least as many columns as rows.
fn hungarian(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f32) -> Vec<usize> {
    // Row and column 0 stand for none.
    let (mut row_price, mut column_price) = (vec![0.0_f32; rows + 1], vec![0.0_f32; columns + 1]);
    let (mut row_of, mut before) = (vec![0_usize; columns + 1], vec![0_usize; columns + 1]);
    for row in 1..=rows {
        row_of[0] = row;
        let mut at = 0;
        let mut least = vec![f32::INFINITY; columns + 1];
        let mut used = vec![false; columns + 1];
        while row_of[at] != 0 {
            used[at] = true;
            let from = row_of[at];
            let (mut step, mut next) = (f32::INFINITY, 0);
            for column in (1..=columns).filter(|column| !used[*column]) {
                let reduced = cost(from - 1, column - 1) - row_price[from] - column_price[column];
                if reduced < least[column] {
                    (least[column], before[column]) = (reduced, at);
                }
                if least[column] < step {
                    (step, next) = (least[column], column);
                }
            }
            for column in 0..=columns {
                if used[column] {
                    row_price[row_of[column]] += step;
                    column_price[column] -= step;
                } else {
                    least[column] -= step;
                }
            }
            at = next;
        }
        while at != 0 {
            row_of[at] = row_of[before[at]];
            at = before[at];
        }
    }
    let mut taken = vec![0; rows];
    for column in (1..=columns).filter(|column| row_of[*column] != 0) {
        taken[row_of[column] - 1] = column - 1;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(choices: &[Vec<(usize, f32)>]) -> Vec<Option<usize>> {
        let taken = assign(choices, 0.5);
        taken.iter().zip(choices).map(|(taken, choices)| taken.map(|taken| choices[taken].0)).collect()
    }

    #[test]
    fn the_sum_decides_and_not_the_order_of_slots() {
        // Taking the best first would leave the second slot with nothing but item 9.
        let choices = [vec![(7, 0.80), (8, 0.79)], vec![(7, 0.78), (9, 0.55)]];
        assert_eq!(items(&choices), [Some(8), Some(7)]);
        assert_eq!(items(&[choices[1].clone(), choices[0].clone()]), [Some(7), Some(8)]);
    }

    #[test]
    fn one_item_twice_is_taken_when_nothing_else_is_near() {
        let choices = [vec![(3, 0.94), (4, 0.40)], vec![(3, 0.92), (5, 0.45)], vec![(3, 0.60), (6, 0.58)]];
        assert_eq!(items(&choices), [Some(3), Some(3), Some(6)]);
    }

    #[test]
    fn what_is_less_than_nothing_stays_empty() {
        assert_eq!(items(&[vec![(1, 0.49)], vec![], vec![(1, 0.51)]]), [None, None, Some(1)]);
        assert_eq!(items(&[]), []);
    }

    #[test]
    fn no_other_choice_has_a_higher_sum() {
        // All choices of four slots among three items and nothing, tried one by one.
        let mut seed = 7_u32;
        let mut random = move || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from(u16::try_from(seed >> 16).unwrap()) / 65_536.0
        };
        for _ in 0..200 {
            let choices: Vec<Vec<(usize, f32)>> =
                (0..4).map(|_| (0..3).map(|item| (item, random())).collect()).collect();
            let worth = |taken: &[Option<usize>]| {
                let mut uses = [0.0_f32; 3];
                taken.iter().zip(&choices).fold(0.0, |sum, (taken, choices)| match taken {
                    None => sum + 0.5,
                    Some(item) => {
                        uses[*item] += 1.0;
                        let again = if uses[*item] > 3.0 { 9.0 } else { AGAIN * (uses[*item] - 1.0) };
                        sum + choices[*item].1 - again
                    }
                })
            };
            let best = (0..256_usize)
                .map(|code| {
                    let one = |slot: u32| Some(code / 4_usize.pow(slot) % 4).filter(|item| *item < 3);
                    worth(&[one(0), one(1), one(2), one(3)])
                })
                .fold(f32::MIN, f32::max);
            let found = worth(&items(&choices));
            assert!((found - best).abs() < 1e-4, "{found} {best} {choices:?}");
        }
    }
}
