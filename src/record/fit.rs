//! A picture fitted into the size of a file that was begun with another: scaled with its proportions kept,
//! black around.
//!
//! Called by `coder` for frames whose size flaps. Pure.

use pixels::scale::scale;
use pixels::{I420, Plane};

/// `picture` in `width` × `height`, with the same range and matrix.
pub(super) fn fit(picture: &I420, width: u32, height: u32) -> I420 {
    let (across, down) = inner_size((picture.width, picture.height), (width, height));
    let inner = scale(picture, across, down);
    if (across, down) == (width, height) {
        return inner;
    }
    let mut out = I420::new(width, height, picture.range, picture.matrix);
    // Even offsets keep the chroma where it belongs.
    let (x, y) = (((width - across) / 2) & !1, ((height - down) / 2) & !1);
    put(&inner.y, &mut out.y, x, y);
    put(&inner.u, &mut out.u, x / 2, y / 2);
    put(&inner.v, &mut out.v, x / 2, y / 2);
    out
}

/// The largest size of the picture's proportions that fits; even where it is not the whole side.
fn inner_size((width, height): (u32, u32), (most_across, most_down): (u32, u32)) -> (u32, u32) {
    let scaled = |side: u32, to: u32, from: u32, most: u32| {
        let side = u64::from(side) * u64::from(to) / u64::from(from.max(1));
        let side = u32::try_from(side).unwrap_or(most);
        if side >= most { most } else { (side & !1).clamp(2.min(most), most) }
    };
    if u64::from(width) * u64::from(most_down) >= u64::from(height) * u64::from(most_across) {
        (most_across, scaled(height, most_across, width, most_down))
    } else {
        (scaled(width, most_down, height, most_across), most_down)
    }
}

fn put(from: &Plane, to: &mut Plane, x: u32, y: u32) {
    for (row, samples) in (y..to.height).zip(from.rows()) {
        let target = &mut to.row_mut(row)[x as usize..];
        let len = samples.len().min(target.len());
        target[..len].copy_from_slice(&samples[..len]);
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    #[test]
    fn proportions_are_kept_within_every_size() {
        for (from, to, expected) in [
            ((640, 480), (320, 240), (320, 240)),
            ((640, 480), (640, 360), (480, 360)),
            ((640, 360), (640, 480), (640, 360)),
            ((480, 640), (640, 480), (360, 480)),
            ((1, 8192), (640, 480), (2, 480)),
            ((8192, 1), (640, 480), (640, 2)),
            ((640, 480), (1, 1), (1, 1)),
            ((3, 5), (7, 7), (4, 7)),
        ] {
            assert_eq!(inner_size(from, to), expected, "{from:?} into {to:?}");
        }
    }

    #[test]
    fn a_wide_picture_stands_in_the_middle_with_black_above_and_below() {
        let mut picture = I420::new(64, 36, Range::Full, Matrix::Bt601);
        for (plane, code) in picture.planes_mut().into_iter().zip([200, 90, 160]) {
            plane.fill(code);
        }
        let out = fit(&picture, 64, 48);
        assert_eq!((out.width, out.height), (64, 48));
        let column: Vec<u8> = (0..48).map(|y| out.y.row(y)[32]).collect();
        assert_eq!(column, [vec![0; 6], vec![200; 36], vec![0; 6]].concat());
        let chroma: Vec<u8> = (0..24).map(|y| out.u.row(y)[16]).collect();
        assert_eq!(chroma, [vec![128; 3], vec![90; 18], vec![128; 3]].concat());
    }

    #[test]
    fn odd_sizes_are_filled_to_the_edge() {
        let mut picture = I420::new(33, 17, Range::Full, Matrix::Bt601);
        picture.y.fill(200);
        let out = fit(&picture, 33, 65);
        assert!((0..65).any(|y| out.y.row(y).iter().all(|&s| s == 200)));
        assert_eq!(fit(&picture, 33, 17), picture);
    }
}
