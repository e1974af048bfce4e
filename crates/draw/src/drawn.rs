//! What drawing something gives: pixels, and where they stand.

use pixels::compose::{Bitmap, PIXEL};

use crate::canvas::{Canvas, Extent};

/// Something drawn.
///
/// The content's box is what the layer is placed by; strokes, shadows and slanted letters may stand over its edges, and
/// what is empty at the edges has been cut off, so that the pixels have a place of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawn {
    pub bitmap: Bitmap,
    /// Column of the bitmap's first pixel, in px from the left of the content's box.
    pub left: i32,
    /// Row of it, in px from the top of the content's box.
    pub top: i32,
    /// The content's box, in px.
    pub width: f64,
    pub height: f64,
}

impl Drawn {
    pub(crate) fn new(bitmap: Bitmap, extent: Extent, width: f64, height: f64) -> Self {
        Self { bitmap, left: extent.left, top: extent.top, width, height }
    }

    /// Cuts off rows and columns at the edges in which nothing is; the whole's memory goes to `canvas`.
    #[must_use]
    pub(crate) fn trimmed(mut self, canvas: &mut Canvas) -> Self {
        let bitmap = &self.bitmap;
        let empty = |y: &u32| clear(bitmap.row(*y));
        let above = (0..bitmap.height()).take_while(empty).count();
        let below = (0..bitmap.height()).rev().take_while(empty).count();
        let rows = bitmap.height() as usize;
        if above == rows {
            (self.bitmap, self.left, self.top) = (Bitmap::new(0, 0), 0, 0);
            return self;
        }
        let mut used = vec![0; bitmap.width() as usize * PIXEL];
        let pitch = used.len();
        for row in bitmap.data().chunks_exact(pitch).skip(above).take(rows - above - below) {
            used.iter_mut().zip(row).for_each(|(used, byte)| *used |= byte);
        }
        let unused = |column: &&[u8; PIXEL]| **column == [0; PIXEL];
        let columns = used.as_chunks().0;
        let before = columns.iter().take_while(unused).count();
        let behind = columns.iter().rev().take_while(unused).count();
        let part = (before, above, columns.len() - before - behind, rows - above - below);
        let part = cut(bitmap, part, canvas.memory());
        canvas.spare(std::mem::replace(&mut self.bitmap, part));
        self.left += i32::try_from(before).expect("a column of a bitmap");
        self.top += i32::try_from(above).expect("a row of a bitmap");
        self
    }
}

/// Whether all bytes are 0; looks at many at once.
fn clear(row: &[u8]) -> bool {
    let (blocks, rest) = row.as_chunks::<256>();
    blocks.iter().all(|block| block.iter().fold(0, |all, byte| all | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}

/// The part `(column, row, columns, rows)` of a bitmap, in that memory.
pub(crate) fn cut(
    bitmap: &Bitmap,
    (column, row, columns, rows): (usize, usize, usize, usize),
    mut data: Vec<u8>,
) -> Bitmap {
    let pitch = bitmap.width() as usize * PIXEL;
    let (from, length) = (column * PIXEL, columns * PIXEL);
    data.clear();
    data.reserve_exact(length * rows);
    for row in bitmap.data().chunks_exact(pitch).skip(row).take(rows) {
        data.extend_from_slice(&row[from..from + length]);
    }
    let side = |length: usize| u32::try_from(length).expect("a part is not larger than the whole");
    Bitmap::from_premultiplied(side(columns), side(rows), data).expect("all rows were copied")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_edges_are_cut_off_and_the_place_follows() {
        let mut bitmap = Bitmap::new(9, 7);
        bitmap.row_mut(2)[3 * PIXEL..4 * PIXEL].copy_from_slice(&[1, 2, 3, 4]);
        bitmap.row_mut(4)[6 * PIXEL..7 * PIXEL].copy_from_slice(&[5, 6, 7, 8]);
        let drawn = Drawn { bitmap, left: -5, top: 10, width: 3.0, height: 4.0 };
        let trimmed = drawn.trimmed(&mut Canvas::new());
        assert_eq!((trimmed.left, trimmed.top), (-2, 12));
        assert_eq!((trimmed.bitmap.width(), trimmed.bitmap.height()), (4, 3));
        assert_eq!(trimmed.bitmap.pixel(0, 0), [1, 2, 3, 4]);
        assert_eq!(trimmed.bitmap.pixel(3, 2), [5, 6, 7, 8]);
        assert_eq!((trimmed.width, trimmed.height), (3.0, 4.0));
    }

    #[test]
    fn nothing_is_left_of_what_is_empty() {
        let drawn = Drawn { bitmap: Bitmap::new(5, 5), left: 1, top: 1, width: 5.0, height: 5.0 };
        assert_eq!(drawn.trimmed(&mut Canvas::new()).bitmap, Bitmap::new(0, 0));
    }
}
