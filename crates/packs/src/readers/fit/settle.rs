//! Settles a line of letters: each in turn is tried against every other letter at its place, all else staying, until none is
//! better; then how much better each is than the next one is known.
//!
//! Called by the fitting. Pure; its work is bounded by the letters of the line.

use super::forms::Forms;
use super::grid::Grid;
use super::lay::{Laid, lay};
use super::shapes::{Column, Drawn, PHASES, ROWS};

/// How far a letter may move, in parts of a pixel.
const MOVES: isize = 4;
const ROUNDS: usize = 3;
/// What a codec leaves of noise at least, as the square of a part of the ink.
const NOISE: f32 = 0.002;

/// A line, its letters where they fit best.
pub(super) struct Line<'a> {
    drawn: &'a [Drawn],
    grid: Grid,
    letters: Vec<Laid>,
    form_margin: f32,
}

/// Another letter in the place of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Other {
    pub(super) place: usize,
    pub(super) letter: char,
    /// How much worse it is, in noises.
    pub(super) worse: f32,
}

impl<'a> Line<'a> {
    /// Laid anew once ground and ink are known better than at first.
    pub(super) fn settle(grid: &Grid, drawn: &'a [Drawn], letters: Vec<Laid>, forms: &Forms) -> Option<Self> {
        let mut line = Self { drawn, grid: grid.clone(), letters, form_margin: 0.0 };
        line.settle_once()?;
        let again = lay(&line.grid, drawn, forms);
        (line.letters, line.form_margin) = (again.letters, again.form_margin);
        line.settle_once()?;
        Some(line)
    }

    /// How much worse the best line of another form is, in noises.
    pub(super) fn form_margin(&self) -> f32 {
        self.form_margin / self.noise()
    }

    fn settle_once(&mut self) -> Option<()> {
        if self.letters.is_empty() {
            return None;
        }
        for _ in 0..ROUNDS {
            self.level()?;
            if !self.improve() {
                break;
            }
        }
        self.level()
    }

    pub(super) fn text(&self) -> String {
        self.letters.iter().map(|laid| self.drawn[laid.number].letter).collect()
    }

    /// Where its ink begins and ends, in parts of a pixel.
    pub(super) fn span(&self) -> (usize, usize) {
        let first = self.letters.first().map_or(0, |laid| laid.at);
        let last = self.letters.last().map_or(0, |laid| laid.at + self.drawn[laid.number].wide);
        (first, last)
    }

    /// How alike the samples are to what is drawn, all over the line: -1 to 1.
    pub(super) fn alike(&self) -> f32 {
        let model = self.model(None);
        let [n, x, y, xx, yy, xy] = self.moments(&model);
        let (sx, sy) = (xx - x * x / n, yy - y * y / n);
        (xy - x * y / n) / (sx * sy).sqrt().max(1e-6)
    }

    /// Each other letter in each place.
    pub(super) fn others(&self) -> Vec<Other> {
        let noise = self.noise();
        let mut others: Vec<Other> = Vec::new();
        for place in 0..self.letters.len() {
            let now = self.letters[place];
            let rest = self.model(Some(place));
            let (from, to) = self.window(now);
            let here = self.left(&rest, now, from, to);
            let first = others.len();
            for laid in self.tries(now) {
                let letter = self.drawn[laid.number].letter;
                if letter == self.drawn[now.number].letter {
                    continue;
                }
                let worse = (self.left(&rest, laid, from, to) - here).max(0.0) / noise;
                match others[first..].iter_mut().find(|other| other.letter == letter) {
                    Some(other) => other.worse = other.worse.min(worse),
                    None => others.push(Other { place, letter, worse }),
                }
            }
        }
        others
    }

    /// The widest space between two letters, in parts of a pixel.
    pub(super) fn gap(&self) -> usize {
        let ends = self.letters.iter().map(|laid| laid.at + self.drawn[laid.number].wide);
        let gaps = ends.zip(self.letters.iter().skip(1)).map(|(end, next)| next.at.saturating_sub(end));
        gaps.max().unwrap_or(0)
    }

    /// Ink beside the line that no letter explains, in samples that are all ink.
    pub(super) fn beside(&self) -> f32 {
        let (first, last) = self.span();
        let (first, last) = ((first / PHASES).saturating_sub(1), last.div_ceil(PHASES) + 1);
        let outside = self.grid.columns.iter().enumerate().filter(|(x, _)| *x < first || *x >= last);
        outside.flat_map(|(_, column)| column).map(|ink| (ink - 0.25).max(0.0).powi(2)).sum()
    }

    /// The mean of the squares of what is unexplained, about the letters.
    #[expect(clippy::cast_precision_loss, reason = "samples of a small box")]
    fn noise(&self) -> f32 {
        let (first, last) = self.span();
        let columns =
            (first / PHASES).saturating_sub(1)..(last.div_ceil(PHASES) + 1).min(self.grid.columns.len());
        let model = self.model(None);
        let count = columns.len() * self.grid.rows;
        let left: f32 = columns.map(|x| square(&self.grid.columns[x], &model[x])).sum();
        (left / count.max(1) as f32).max(NOISE)
    }

    /// Brings ground to 0 and ink to 1 as the letters say. `None` when they say the opposite.
    fn level(&mut self) -> Option<()> {
        let model = self.model(None);
        let [n, x, y, xx, _, xy] = self.moments(&model);
        let contrast = (xy - x * y / n) / (xx - x * x / n).max(1e-6);
        let ground = (y - contrast * x) / n;
        if contrast < 0.3 {
            return None;
        }
        let rows = self.grid.rows;
        for column in &mut self.grid.columns {
            column[..rows].iter_mut().for_each(|ink| *ink = (*ink - ground) / contrast);
        }
        Some(())
    }

    /// Tries everything in each place once; whether something was better.
    fn improve(&mut self) -> bool {
        let mut better = false;
        for place in 0..self.letters.len() {
            let now = self.letters[place];
            let rest = self.model(Some(place));
            let (from, to) = self.window(now);
            let here = self.left(&rest, now, from, to);
            let tries = self.tries(now).map(|laid| (self.left(&rest, laid, from, to), laid));
            let Some((left, laid)) = tries.min_by(|a, b| a.0.total_cmp(&b.0)) else { continue };
            if left + 1e-4 < here {
                self.letters[place] = laid;
                better = true;
            }
        }
        better
    }

    /// Every letter of its kind about where one is: digits are not taken for marks.
    fn tries(&self, now: Laid) -> impl Iterator<Item = Laid> {
        let middle = now.at * 2 + self.drawn[now.number].wide;
        let most = self.grid.columns.len() * PHASES;
        let digit = self.drawn[now.number].letter.is_ascii_digit();
        let alike = move |letter: &Drawn| letter.letter.is_ascii_digit() == digit;
        self.drawn.iter().enumerate().filter(move |(_, letter)| alike(letter)).flat_map(
            move |(number, letter)| {
                let start = middle.checked_sub(letter.wide).map(|twice| twice / 2);
                (-MOVES..=MOVES).filter_map(move |by| {
                    let at = start?.checked_add_signed(by)?;
                    (at + letter.wide <= most).then_some(Laid { number, at })
                })
            },
        )
    }

    /// The columns that a letter and what may be in its place can reach.
    fn window(&self, now: Laid) -> (usize, usize) {
        let widest = self.drawn.iter().map(|letter| letter.wide).max().unwrap_or(0);
        let middle = now.at + self.drawn[now.number].wide / 2;
        let reach = widest / 2 + MOVES.unsigned_abs() + PHASES;
        let from = middle.saturating_sub(reach) / PHASES;
        (from, (middle + reach).div_ceil(PHASES).min(self.grid.columns.len()))
    }

    /// What is unexplained between two columns with a letter over the rest of the line.
    fn left(&self, rest: &[Column], laid: Laid, from: usize, to: usize) -> f32 {
        let patch = &self.drawn[laid.number].patches[laid.at % PHASES];
        let first = laid.at / PHASES;
        let mut left = 0.0;
        for x in from..to {
            let rest = &rest[x];
            left += match x.checked_sub(first).and_then(|column| patch.columns.get(column)) {
                None => square(&self.grid.columns[x], rest),
                Some(ink) => {
                    let both: Column = std::array::from_fn(|row| rest[row] + ink[row]);
                    square(&self.grid.columns[x], &both)
                }
            };
        }
        left
    }

    /// The letters drawn, but for one.
    fn model(&self, but: Option<usize>) -> Vec<Column> {
        let mut model = vec![[0.0; ROWS]; self.grid.columns.len()];
        for (place, laid) in self.letters.iter().enumerate() {
            if Some(place) == but {
                continue;
            }
            let patch = &self.drawn[laid.number].patches[laid.at % PHASES];
            for (to, from) in model[laid.at / PHASES..].iter_mut().zip(&patch.columns) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
        model
    }

    /// Count, sums, squares and products of what is drawn and what is there.
    #[expect(clippy::cast_precision_loss, reason = "samples of a small box")]
    fn moments(&self, model: &[Column]) -> [f32; 6] {
        let rows = self.grid.rows;
        let mut sums = [0.0; 6];
        sums[0] = (model.len() * rows).max(1) as f32;
        for (model, ink) in model.iter().zip(&self.grid.columns) {
            for (x, y) in model[..rows].iter().zip(&ink[..rows]) {
                for (sum, term) in sums[1..].iter_mut().zip([*x, *y, x * x, y * y, x * y]) {
                    *sum += term;
                }
            }
        }
        sums
    }
}

fn square(a: &Column, b: &Column) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}
