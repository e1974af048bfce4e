//! Pictures of another size, for snapshots and previews.
//!
//! Called by the snapshot route. Averages all samples that a target sample covers (a triangle filter as wide
//! as the step), so that small text and thin lines fade instead of vanishing; never takes the nearest sample.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::plane::{I420, Plane};

/// `source` at `width` × `height` pixels (0 counts as 1), with the same range and matrix.
///
/// The proportions are the caller's: both directions scale on their own. A `source` without pixels gives
/// black.
#[must_use]
pub fn scale(source: &I420, width: u32, height: u32) -> I420 {
    let mut out = I420::new(width.max(1), height.max(1), source.range, source.matrix);
    let mut resizer = Resizer::new();
    for (source, out) in source.planes().into_iter().zip(out.planes_mut()) {
        if source.width > 0 && source.height > 0 {
            scale_plane(&mut resizer, source, out);
        }
    }
    out
}

fn scale_plane(resizer: &mut Resizer, source: &Plane, out: &mut Plane) {
    if (source.width, source.height) == (out.width, out.height) {
        for y in 0..out.height {
            out.row_mut(y).copy_from_slice(source.row(y));
        }
        return;
    }
    let packed;
    let samples = if source.stride == source.width as usize {
        &source.data
    } else {
        packed = source.rows().flatten().copied().collect::<Vec<u8>>();
        &packed
    };
    let from =
        TypedImageRef::<U8>::from_buffer(source.width, source.height, samples).expect("one byte a sample");
    let mut to =
        TypedImage::<U8>::from_buffer(out.width, out.height, &mut out.data).expect("one byte a sample");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize_typed(&from, &mut to, &options).expect("neither picture is empty");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::{Matrix, Range};

    #[test]
    fn a_solid_picture_stays_solid_at_every_size() {
        let mut source = I420::new(641, 359, Range::Limited, Matrix::Bt709);
        for (plane, code) in source.planes_mut().into_iter().zip([81, 90, 240]) {
            plane.fill(code);
        }
        for (width, height) in [(320, 180), (1, 1), (0, 0), (1280, 718), (641, 359), (33, 900)] {
            let out = scale(&source, width, height);
            assert_eq!((out.width, out.height), (width.max(1), height.max(1)));
            assert_eq!((out.range, out.matrix), (Range::Limited, Matrix::Bt709));
            for (plane, code) in out.planes().into_iter().zip([81, 90, 240]) {
                assert!(plane.data.iter().all(|&s| s == code), "{width}x{height}");
            }
        }
    }

    #[test]
    fn thin_lines_fade_instead_of_vanishing() {
        let mut source = I420::new(64, 64, Range::Full, Matrix::Bt601);
        for y in 0..64 {
            source.y.row_mut(y).iter_mut().step_by(2).for_each(|s| *s = 255);
        }
        let out = scale(&source, 16, 16);
        assert!(out.y.data.iter().all(|s| s.abs_diff(128) <= 12), "{:?}", out.y.row(3));
    }

    #[test]
    fn padding_is_not_part_of_the_picture() {
        let mut source = I420::new(4, 4, Range::Full, Matrix::Bt601);
        source.y = Plane { data: vec![255; 10 * 4], stride: 10, width: 4, height: 4 };
        for y in 0..4 {
            source.y.row_mut(y).fill(7);
        }
        assert!(scale(&source, 2, 2).y.data.iter().all(|&s| s == 7));
    }
}
