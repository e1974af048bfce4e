//! The eight EXIF orientations (TIFF 6.0 tag 274, EXIF 2.3 section 4.6.4).
//!
//! Called by the JPEG decoder. Works plane by plane; in a picture of odd width or height that is mirrored,
//! chroma therefore moves by half a luma sample against luma, which nobody sees.

use crate::plane::{I420, Plane};

/// Side of the square blocks a plane is transposed by: one block's rows and columns fit the first-level
/// cache.
const BLOCK: u32 = 32;

/// Makes `out` the upright picture of `source`, which a camera stored with this EXIF orientation (1–8; others
/// count as 1).
///
/// 1 as is · 2 mirrored left to right · 3 turned by 180° · 4 mirrored top to bottom · 5 mirrored along the
/// main diagonal · 6 to be turned 90° clockwise · 7 mirrored along the other diagonal · 8 to be turned 90°
/// anticlockwise. From 5 on width and height change places. `out` takes over range and matrix; its memory is
/// reused.
pub fn upright(source: &I420, orientation: u8, out: &mut I420) {
    (out.range, out.matrix) = (source.range, source.matrix);
    if (5..=8).contains(&orientation) {
        out.reshape(source.height, source.width);
    } else {
        out.reshape(source.width, source.height);
    }
    for (source, out) in source.planes().into_iter().zip(out.planes_mut()) {
        match orientation {
            2 => mirror(source, out, true, false),
            3 => mirror(source, out, true, true),
            4 => mirror(source, out, false, true),
            5 => transpose(source, out, false, false),
            6 => transpose(source, out, false, true),
            7 => transpose(source, out, true, true),
            8 => transpose(source, out, true, false),
            _ => mirror(source, out, false, false),
        }
    }
}

fn mirror(source: &Plane, out: &mut Plane, columns: bool, rows: bool) {
    for y in 0..out.height {
        let from = source.row(if rows { source.height - 1 - y } else { y });
        let target = out.row_mut(y);
        target.copy_from_slice(from);
        if columns {
            target.reverse();
        }
    }
}

/// Rows become columns; `columns` and `rows` say whether the source's are read from the far end.
fn transpose(source: &Plane, out: &mut Plane, columns: bool, rows: bool) {
    let starts =
        |length: u32| (0..length).step_by(BLOCK as usize).map(move |from| from..(from + BLOCK).min(length));
    for down in starts(out.height) {
        for across in starts(out.width) {
            for y in down.clone() {
                let column = if columns { source.width - 1 - y } else { y } as usize;
                let target = &mut out.row_mut(y)[across.start as usize..across.end as usize];
                for (target, x) in target.iter_mut().zip(across.clone()) {
                    let row = if rows { source.height - 1 - x } else { x } as usize;
                    *target = source.data[row * source.stride + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::{Matrix, Range};

    /// Luma of a picture of the given rows.
    fn oriented(rows: &[&[u8]], orientation: u8) -> Vec<Vec<u8>> {
        let (width, height) = (u32::try_from(rows[0].len()).unwrap(), u32::try_from(rows.len()).unwrap());
        let mut source = I420::new(width, height, Range::Limited, Matrix::Bt709);
        for (y, row) in (0..).zip(rows) {
            source.y.row_mut(y).copy_from_slice(row);
        }
        let mut out = I420::new(9, 9, Range::Full, Matrix::Bt601);
        upright(&source, orientation, &mut out);
        assert_eq!((out.range, out.matrix), (source.range, source.matrix));
        assert_eq!((out.u.width, out.u.height), I420::chroma_size(out.width, out.height));
        out.y.rows().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn each_orientation_puts_the_corners_where_exif_says() {
        let stored: &[&[u8]] = &[b"abc", b"def"];
        let cases: [(u8, &[&[u8]]); 9] = [
            (1, &[b"abc", b"def"]),
            (2, &[b"cba", b"fed"]),
            (3, &[b"fed", b"cba"]),
            (4, &[b"def", b"abc"]),
            (5, &[b"ad", b"be", b"cf"]),
            (6, &[b"da", b"eb", b"fc"]),
            (7, &[b"fc", b"eb", b"da"]),
            (8, &[b"cf", b"be", b"ad"]),
            (0, &[b"abc", b"def"]),
        ];
        for (orientation, want) in cases {
            assert_eq!(oriented(stored, orientation), want, "orientation {orientation}");
        }
    }

    #[test]
    fn a_turn_and_the_turn_back_give_the_same_picture_at_sizes_beyond_one_block() {
        for (width, height) in [(1, 1), (33, 65), (64, 32), (70, 31)] {
            let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
            for plane in picture.planes_mut() {
                plane.data.iter_mut().zip((0..=250).cycle()).for_each(|(sample, n)| *sample = n);
            }
            for (there, back) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)] {
                let (mut turned, mut restored) = (picture.clone(), picture.clone());
                upright(&picture, there, &mut turned);
                upright(&turned, back, &mut restored);
                assert_eq!(restored, picture, "{width}x{height} {there}");
            }
        }
    }
}
