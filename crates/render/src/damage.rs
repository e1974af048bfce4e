//! Which parts of the canvas have to be composed again, in tiles.
//!
//! A grid of flags: marking is cheap, overlapping marks are counted once, and what comes out are rectangles that do not
//! overlap, so that no pixel is composed twice. Made once for a size; nothing here allocates after that.

use pixels::compose::Rect;

/// Sides of a tile, in px. Wide, for rows are what is fast; low, for text lines are.
pub(crate) const TILE: (u32, u32) = (64, 16);

#[derive(Clone, Debug)]
pub(crate) struct Damage {
    width: u32,
    height: u32,
    columns: usize,
    /// A byte a tile, row after row.
    tiles: Vec<u8>,
    any: bool,
}

impl Damage {
    /// Of a canvas of that many pixels; nothing is marked.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let columns = width.div_ceil(TILE.0) as usize;
        let rows = height.div_ceil(TILE.1) as usize;
        Self { width, height, columns, tiles: vec![0; columns * rows], any: false }
    }

    pub(crate) fn clear(&mut self) {
        if self.any {
            self.tiles.fill(0);
            self.any = false;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.any
    }

    pub(crate) fn mark_all(&mut self) {
        self.tiles.fill(1);
        self.any = true;
    }

    /// Marks the tiles that `area` touches.
    pub(crate) fn mark(&mut self, area: Rect) {
        let area = area.even().meet(&Rect::at(0, 0, self.width, self.height));
        if area.is_empty() {
            return;
        }
        let (left, right) = (side(area.left) / TILE.0, side(area.right).div_ceil(TILE.0));
        let (top, bottom) = (side(area.top) / TILE.1, side(area.bottom).div_ceil(TILE.1));
        for row in top..bottom {
            let start = row as usize * self.columns;
            self.tiles[start + left as usize..start + right as usize].fill(1);
        }
        self.any = true;
    }

    /// Marks what is marked in `other`, of the same size.
    pub(crate) fn join(&mut self, other: &Self) {
        if other.any {
            self.tiles.iter_mut().zip(&other.tiles).for_each(|(own, other)| *own |= other);
            self.any = true;
        }
    }

    /// Calls `each` with what is marked within the rows `top..bottom`, which stand at edges of tiles or at the canvas's.
    pub(crate) fn areas(&self, top: u32, bottom: u32, mut each: impl FnMut(Rect)) {
        if !self.any {
            return;
        }
        let (first, last) = ((top / TILE.1) as usize, bottom.div_ceil(TILE.1) as usize);
        let mut row = first;
        while row < last {
            // Rows that are marked alike are composed together.
            let own = self.row(row);
            let like = (row + 1..last).take_while(|other| self.row(*other) == own).count();
            let (from, to) = (tiles(row) * TILE.1, tiles(row + 1 + like) * TILE.1);
            let (from, to) = (from.max(top), to.min(bottom));
            let mut column = 0;
            while let Some(start) = (column..self.columns).find(|at| own[*at] != 0) {
                let end = (start..self.columns).find(|at| own[*at] == 0).unwrap_or(self.columns);
                let (left, right) = (tiles(start) * TILE.0, (tiles(end) * TILE.0).min(self.width));
                each(Rect::at(px(left), px(from), right - left, to - from));
                column = end;
            }
            row += 1 + like;
        }
    }

    /// Pixels that are marked.
    pub(crate) fn pixels(&self) -> u64 {
        let mut sum = 0;
        self.areas(0, self.height, |area| sum += area.area());
        sum
    }

    fn row(&self, row: usize) -> &[u8] {
        &self.tiles[row * self.columns..(row + 1) * self.columns]
    }
}

fn side(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

fn tiles(n: usize) -> u32 {
    u32::try_from(n).expect("a canvas has few tiles")
}

fn px(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(damage: &Damage) -> Vec<(i32, i32, i32, i32)> {
        let mut found = Vec::new();
        damage.areas(0, damage.height, |r| found.push((r.left, r.top, r.right, r.bottom)));
        found
    }

    #[test]
    fn marks_become_tiles_that_do_not_overlap() {
        let mut damage = Damage::new(200, 100);
        assert!(areas(&damage).is_empty());
        damage.mark(Rect::at(10, 20, 30, 30));
        damage.mark(Rect::at(20, 30, 10, 10));
        assert_eq!(areas(&damage), [(0, 16, 64, 64)]);
        damage.mark(Rect::at(190, 40, 500, 5));
        assert_eq!(areas(&damage), [(0, 16, 64, 32), (0, 32, 64, 48), (128, 32, 200, 48), (0, 48, 64, 64)]);
        assert_eq!(damage.pixels(), 64 * 48 + 72 * 16);
        damage.mark(Rect::at(-50, -50, 20, 20));
        damage.clear();
        assert!(damage.is_empty() && areas(&damage).is_empty());
        damage.mark_all();
        assert_eq!(areas(&damage), [(0, 0, 200, 100)]);
    }

    #[test]
    fn bands_get_their_own_rows_only() {
        let mut damage = Damage::new(128, 70);
        damage.mark_all();
        let mut found = Vec::new();
        for (top, bottom) in [(0, 32), (32, 64), (64, 70)] {
            damage.areas(top, bottom, |r| found.push((r.top, r.bottom)));
        }
        assert_eq!(found, [(0, 32), (32, 64), (64, 70)]);
    }
}
