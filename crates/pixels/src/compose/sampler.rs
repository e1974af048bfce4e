//! Texels of a turned or scaled picture, one row of pixels at a time.
//!
//! Called by `affine`. Interpolates between the four nearest texels, of the picture at the size that comes closest, and
//! between two such sizes when it shrinks; never takes the nearest. The function by hand for AVX2 does the same steps as
//! the portable one and gives the same bytes.

use super::colour::Texel;
use super::simd::dispatched;
use super::texels::{Level, sample};

/// How many pixels are made at once.
pub(super) const WIDE: usize = 64;

/// Where a row of pixels lies in a level: the texel coordinates of the first and the steps to the next. Texel centres are
/// at whole numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) u: f32,
    pub(super) v: f32,
    pub(super) du: f32,
    pub(super) dv: f32,
}

/// Weights of two neighbours across add up to this, those down to 255: together, 4,194,240 of 2^22.
const ACROSS: i32 = 16448;

/// Makes the first `count` (rounded up to eights) pixels of a row. What lies outside the level is its edge.
///
/// # Panics
/// If there are more than [`WIDE`].
#[expect(unsafe_code, reason = "a function for AVX2 is called after asking for AVX2")]
pub(super) fn row(level: &Level, line: Line, count: usize, out: &mut [Texel; WIDE]) {
    let count = count.next_multiple_of(8);
    assert!(count <= WIDE, "{count} pixels");
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, which is all the function asks for.
        unsafe { wide::row(level, line, &mut out[..count]) };
        return;
    }
    portable(level, line, &mut out[..count]);
}

/// The truth.
#[expect(clippy::cast_precision_loss, reason = "a row has few pixels, and sides are far below 2^24")]
fn portable(level: &Level, line: Line, out: &mut [Texel]) {
    let (last_u, last_v) = ((level.width - 1) as f32, (level.height - 1) as f32);
    for (i, out) in out.iter_mut().enumerate() {
        let (x, across) = split(line.u + i as f32 * line.du, last_u);
        let (y, down) = split(line.v + i as f32 * line.dv, last_v);
        let at = y * level.stride() + x;
        let texels = level.texels();
        let (upper, lower) = (&texels[at..at + 2], &texels[at + level.stride()..at + level.stride() + 2]);
        let right = (across * 129) >> 1;
        *out = std::array::from_fn(|channel| {
            let column =
                |x: usize| i32::from(upper[x][channel]) * (255 - down) + i32::from(lower[x][channel]) * down;
            let sum = column(0) * (ACROSS - right) + column(1) * right;
            sample(((sum + (1 << 21)) >> 22).to_le_bytes()[0].cast_signed())
        });
    }
}

/// The texel before a coordinate, and the way to the next one in 256ths.
#[expect(clippy::cast_possible_truncation, reason = "clamped to the level")]
fn split(at: f32, last: f32) -> (usize, i32) {
    let fixed = (at.max(0.0).min(last) * 256.0 + 0.5) as i32;
    (usize::try_from(fixed >> 8).unwrap_or(0), fixed & 255)
}

dispatched! {
    /// `near`, mixed with `far` in 256ths.
    fn between(near: &mut [Texel], far: &[Texel], share: u16) {
        for (near, far) in near.as_flattened_mut().iter_mut().zip(far.as_flattened()) {
            let sum = u16::from(*near) * (256 - share) + u16::from(*far) * share;
            *near = (sum.wrapping_add(128) >> 8).to_le_bytes()[0];
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m256i, _mm_castpd_si128, _mm_castsi128_pd, _mm_loadh_pd, _mm_loadl_epi64, _mm256_add_epi32,
        _mm256_add_ps, _mm256_and_si256, _mm256_castsi128_si256, _mm256_cvttps_epi32,
        _mm256_inserti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_ps, _mm256_min_ps,
        _mm256_mul_ps, _mm256_mullo_epi32, _mm256_or_si256, _mm256_packs_epi16, _mm256_packs_epi32,
        _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8,
        _mm256_setr_epi32, _mm256_setr_ps, _mm256_setzero_ps, _mm256_shuffle_epi8, _mm256_slli_epi32,
        _mm256_srai_epi32, _mm256_srli_epi32, _mm256_storeu_si256, _mm256_sub_epi32, _mm256_xor_si256,
    };

    use super::{ACROSS, Level, Line, Texel};

    /// Texel coordinates of eight pixels: the whole parts and 256ths.
    #[target_feature(enable = "avx2")]
    fn split(start: f32, step: f32, index: std::arch::x86_64::__m256, last: f32) -> (__m256i, __m256i) {
        let at = _mm256_add_ps(_mm256_set1_ps(start), _mm256_mul_ps(index, _mm256_set1_ps(step)));
        let inside = _mm256_min_ps(_mm256_max_ps(at, _mm256_setzero_ps()), _mm256_set1_ps(last));
        let fixed = _mm256_cvttps_epi32(_mm256_add_ps(
            _mm256_mul_ps(inside, _mm256_set1_ps(256.0)),
            _mm256_set1_ps(0.5),
        ));
        (_mm256_srai_epi32(fixed, 8), _mm256_and_si256(fixed, _mm256_set1_epi32(255)))
    }

    /// As `portable`; `out` is a multiple of eight long.
    #[target_feature(enable = "avx2")]
    #[expect(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
    #[expect(unsafe_code, reason = "loads at computed places, which the clamps keep inside")]
    pub(super) fn row(level: &Level, line: Line, out: &mut [Texel]) {
        let (last_u, last_v) = ((level.width - 1) as f32, (level.height - 1) as f32);
        let stride = level.stride();
        let texels = level.texels();
        assert_eq!(texels.len(), stride * (level.height as usize + 1), "a row and a column to spare");
        let pitch = _mm256_set1_epi32(i32::try_from(stride).expect("sides of pictures fit"));
        let mut index = _mm256_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0);
        for eight in out.chunks_exact_mut(8) {
            let (x, across) = split(line.u, line.du, index, last_u);
            let (y, down) = split(line.v, line.dv, index, last_v);
            index = _mm256_add_ps(index, _mm256_set1_ps(8.0));
            let at = _mm256_add_epi32(_mm256_mullo_epi32(y, pitch), x);
            let mut places = [0_i32; 8];
            // SAFETY: `places` has the vector's 32 bytes.
            unsafe { _mm256_storeu_si256(places.as_mut_ptr().cast(), at) };
            // Weights in pairs: bytes for upper and lower, words for left and right.
            let right = _mm256_srli_epi32(_mm256_mullo_epi32(across, _mm256_set1_epi32(129)), 1);
            let left = _mm256_sub_epi32(_mm256_set1_epi32(ACROSS), right);
            let across = _mm256_or_si256(left, _mm256_slli_epi32(right, 16));
            let up = _mm256_sub_epi32(_mm256_set1_epi32(255), down);
            let pair = _mm256_or_si256(up, _mm256_slli_epi32(down, 8));
            let down = _mm256_or_si256(pair, _mm256_slli_epi32(pair, 16));
            let two = |first: usize, order: __m256i| {
                let four = |place: i32| {
                    let place = place.cast_unsigned() as usize;
                    // SAFETY: `split` clamps to the level's width and height, whose right and lower neighbours exist: the
                    // assertion above. So two texels can be read at `place` and a row below it.
                    unsafe {
                        let upper = texels.as_ptr().add(place);
                        let upper_two = _mm_loadl_epi64(upper.cast());
                        _mm_castpd_si128(_mm_loadh_pd(_mm_castsi128_pd(upper_two), upper.add(stride).cast()))
                    }
                };
                let both = _mm256_inserti128_si256::<1>(
                    _mm256_castsi128_si256(four(places[first])),
                    four(places[first + 1]),
                );
                let columns = _mm256_maddubs_epi16(
                    _mm256_permutevar8x32_epi32(down, order),
                    _mm256_shuffle_epi8(both, upper_and_lower()),
                );
                let sum = _mm256_madd_epi16(columns, _mm256_permutevar8x32_epi32(across, order));
                _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(1 << 21)), 22)
            };
            // Pixels 0, 2, 4, 6 in the lower half, the others in the upper.
            let packed = _mm256_packs_epi16(
                _mm256_packs_epi32(
                    two(0, _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1)),
                    two(2, _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3)),
                ),
                _mm256_packs_epi32(
                    two(4, _mm256_setr_epi32(4, 4, 4, 4, 5, 5, 5, 5)),
                    two(6, _mm256_setr_epi32(6, 6, 6, 6, 7, 7, 7, 7)),
                ),
            );
            let sorted = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
            let samples = _mm256_xor_si256(sorted, _mm256_set1_epi8(i8::MIN));
            // SAFETY: `eight` has the vector's 32 bytes.
            unsafe { _mm256_storeu_si256(eight.as_mut_ptr().cast(), samples) };
        }
    }

    /// From two texels and the two below them to pairs of one channel: left upper and lower, right upper and lower.
    #[target_feature(enable = "avx2")]
    fn upper_and_lower() -> __m256i {
        _mm256_setr_epi8(
            0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3, 11, 7, 15, 0, 8, 4, 12, 1, 9, 5, 13, 2, 10, 6, 14, 3,
            11, 7, 15,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::testing::Noise;

    fn noise(seed: u64, width: u32, height: u32) -> Level {
        let (mut noise, mut level) = (Noise::new(seed), Level::default());
        level.reshape(width, height);
        for y in 0..height {
            level.write_row(y, (0..width).map(|_| std::array::from_fn(|_| noise.byte())));
        }
        level
    }

    #[test]
    fn what_the_machine_can_do_equals_the_truth() {
        for (width, height) in [(1, 1), (1, 9), (7, 1), (8, 8), (33, 21), (200, 3)] {
            let level = noise(u64::from(width), width, height);
            for (u, v, du, dv) in [
                (0.0, 0.0, 1.0, 0.0),
                (-3.7, 2.2, 0.71, 0.71),
                (12.3, 1.1, -0.3, 0.05),
                (1e9, -1e9, 1e8, 3.0),
                (f32::NAN, 0.5, 0.0, f32::INFINITY),
                (3.999, 0.001, 0.003_906_25, 0.0),
            ] {
                let line = Line { u, v, du, dv };
                let (mut fast, mut truth) = ([[9; 4]; WIDE], [[9; 4]; WIDE]);
                row(&level, line, WIDE, &mut fast);
                portable(&level, line, &mut truth);
                assert_eq!(fast, truth, "{width}x{height} {line:?}");
            }
        }
    }

    #[test]
    #[expect(clippy::cast_possible_truncation, reason = "the level is small")]
    fn whole_steps_copy_and_others_are_within_one_of_the_exact_mean() {
        let level = noise(3, 50, 40);
        let mut out = [[0; 4]; WIDE];
        row(&level, Line { u: 2.0, v: 7.0, du: 1.0, dv: 0.0 }, 40, &mut out);
        assert_eq!(out[..40], level.row(7)[2..42].iter().map(|t| t.map(sample)).collect::<Vec<_>>());
        let (u, v, du, dv) = (3.3_f32, 5.9_f32, 0.61_f32, 0.37_f32);
        row(&level, Line { u, v, du, dv }, WIDE, &mut out);
        for (i, pixel) in (0_u16..).zip(out) {
            let (u, v) = (u + f32::from(i) * du, v + f32::from(i) * dv);
            let (x, y) = (u.floor(), v.floor());
            let (fx, fy) = (u - x, v - y);
            let at = |dx: u32, dy: u32| level.row(y as u32 + dy)[x as usize + dx as usize].map(sample);
            for (channel, got) in pixel.into_iter().enumerate() {
                let [a, b, c, d] = [at(0, 0), at(1, 0), at(0, 1), at(1, 1)].map(|t| f32::from(t[channel]));
                let exact = (a * (1.0 - fx) + b * fx) * (1.0 - fy) + (c * (1.0 - fx) + d * fx) * fy;
                assert!((f32::from(got) - exact).abs() <= 1.6, "{i}: {got} for {exact}");
            }
        }
    }
}
