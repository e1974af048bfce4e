//! Which stretches of a plane's rows are empty, opaque or in between.
//!
//! Made once with a sheet, so that laying it over something skips what is empty and copies what is opaque.

/// What a stretch of samples is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Opaque,
    Mixed,
}

/// Samples `from..to` of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) from: u32,
    pub(super) to: u32,
}

/// How many samples are judged at once. Shorter stretches cost more to tell apart than to blend.
const CELL: usize = 32;

/// The stretches of each row that are not empty, from left to right.
#[derive(Clone, Debug, Default)]
pub(super) struct Spans {
    all: Vec<Span>,
    /// Where each row's begin; one more than there are rows.
    rows: Vec<usize>,
}

impl Spans {
    /// Looks at every alpha of a plane `width` wide again, keeping the memory.
    pub(super) fn look(&mut self, alpha: &[u8], width: u32) {
        self.all.clear();
        self.rows.clear();
        self.rows.push(0);
        if width == 0 {
            return;
        }
        for row in alpha.chunks_exact(width as usize) {
            let first = self.all.len();
            for (from, cell) in (0..width).step_by(CELL).zip(row.chunks(CELL)) {
                let to = from + u32::try_from(cell.len()).unwrap_or(0);
                let (least, most) =
                    (cell.iter().fold(255, |a, b| a.min(*b)), cell.iter().fold(0, |a, b| a.max(*b)));
                let kind = match (least, most) {
                    (_, 0) => continue,
                    (255, _) => Kind::Opaque,
                    _ => Kind::Mixed,
                };
                match self.all[first..].last_mut() {
                    Some(last) if last.kind == kind && last.to == from => last.to = to,
                    _ => self.all.push(Span { kind, from, to }),
                }
            }
            self.rows.push(self.all.len());
        }
    }

    /// What of row `row` lies within `from..to`.
    ///
    /// # Panics
    /// If there is no such row.
    pub(super) fn of(&self, row: u32, from: u32, to: u32) -> impl Iterator<Item = Span> {
        let row = row as usize;
        self.all[self.rows[row]..self.rows[row + 1]].iter().filter_map(move |span| {
            let (from, to) = (span.from.max(from), span.to.min(to));
            (from < to).then_some(Span { kind: span.kind, from, to })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_stretches_are_left_out_and_neighbours_joined() {
        let mut alpha = vec![0; 200 * 3];
        alpha[200 + 64..200 + 128].fill(255);
        alpha[200 + 130] = 9;
        alpha[400..600].fill(255);
        let mut spans = Spans::default();
        spans.look(&alpha, 200);
        let of = |row, from, to| spans.of(row, from, to).map(|s| (s.kind, s.from, s.to)).collect::<Vec<_>>();
        assert!(of(0, 0, 200).is_empty());
        assert_eq!(of(1, 0, 200), [(Kind::Opaque, 64, 128), (Kind::Mixed, 128, 160)]);
        assert_eq!(of(1, 100, 140), [(Kind::Opaque, 100, 128), (Kind::Mixed, 128, 140)]);
        assert_eq!(of(2, 0, 200), [(Kind::Opaque, 0, 200)]);
        assert!(of(2, 50, 50).is_empty());
    }
}
