//! Small pieces of a mapped picture: two rows of pixels, taken apart into planes.
//!
//! Called by `affine` and `blend`. The function by hand for AVX2 gives the same bytes as the portable one.

use super::colour::Texel;
use super::rows::low;
use super::sampler::WIDE;

/// Two rows of pixels of a mapped picture.
pub(super) type Tile = [[Texel; WIDE]; 2];

/// A tile's planes: chroma and its alpha are means of two pixels by two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planes {
    pub(super) luma: [[u8; WIDE]; 2],
    pub(super) alpha: [[u8; WIDE]; 2],
    pub(super) chroma: [[u8; WIDE / 2]; 2],
    pub(super) chroma_alpha: [u8; WIDE / 2],
}

impl Default for Planes {
    fn default() -> Self {
        Self {
            luma: [[0; WIDE]; 2],
            alpha: [[0; WIDE]; 2],
            chroma: [[0; WIDE / 2]; 2],
            chroma_alpha: [0; WIDE / 2],
        }
    }
}

/// Takes a tile's texels apart.
#[expect(unsafe_code, reason = "a function for AVX2 is called after asking for AVX2")]
pub(super) fn apart(tile: &Tile, planes: &mut Planes) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, which is all the function asks for.
        unsafe { wide::apart(tile, planes) };
        return;
    }
    portable(tile, planes);
}

/// The truth.
fn portable(tile: &Tile, planes: &mut Planes) {
    for (row, texels) in tile.iter().enumerate() {
        for (x, texel) in texels.iter().enumerate() {
            (planes.luma[row][x], planes.alpha[row][x]) = (texel[0], texel[3]);
        }
    }
    let [upper, lower] = tile;
    for (x, (upper, lower)) in upper.chunks_exact(2).zip(lower.chunks_exact(2)).enumerate() {
        let mean = |channel: usize| {
            let sum: u16 =
                [upper[0], upper[1], lower[0], lower[1]].map(|t| u16::from(t[channel])).iter().sum();
            low((sum + 2) >> 2)
        };
        (planes.chroma[0][x], planes.chroma[1][x], planes.chroma_alpha[x]) = (mean(1), mean(2), mean(3));
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m128i, __m256i, _mm_storel_epi64, _mm_storeu_si128, _mm_unpackhi_epi64, _mm256_add_epi16,
        _mm256_castsi256_si128, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_maddubs_epi16,
        _mm256_packus_epi16, _mm256_permutevar8x32_epi32, _mm256_set1_epi8, _mm256_set1_epi16,
        _mm256_setr_epi8, _mm256_setr_epi32, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_unpackhi_epi64,
        _mm256_unpacklo_epi64,
    };

    use super::{Planes, Tile, WIDE};

    /// Eight texels, channel by channel: Y of all in the first quarter, then Cb, Cr, alpha.
    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "a load from memory")]
    fn channels(texels: &[[u8; 4]; 8]) -> __m256i {
        // SAFETY: eight texels are the vector's 32 bytes.
        let loaded = unsafe { _mm256_loadu_si256(texels.as_ptr().cast()) };
        let grouped = _mm256_shuffle_epi8(
            loaded,
            _mm256_setr_epi8(
                0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14,
                3, 7, 11, 15,
            ),
        );
        _mm256_permutevar8x32_epi32(grouped, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7))
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "a store to memory")]
    fn store(from: __m128i, to: &mut [u8; 16]) {
        // SAFETY: there are the vector's 16 bytes.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), from) };
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "a store to memory")]
    fn store_half(from: __m128i, to: &mut [u8; 8]) {
        // SAFETY: there are the eight bytes of the vector's lower half.
        unsafe { _mm_storel_epi64(to.as_mut_ptr().cast(), from) };
    }

    /// As `portable`.
    #[target_feature(enable = "avx2")]
    pub(super) fn apart(tile: &Tile, planes: &mut Planes) {
        for from in (0..WIDE).step_by(16) {
            let mut sums = [_mm256_set1_epi16(2); 2];
            for (row, texels) in tile.iter().enumerate() {
                let eight =
                    |from: usize| -> &[[u8; 4]; 8] { texels[from..from + 8].try_into().expect("eight") };
                let (left, right) = (channels(eight(from)), channels(eight(from + 8)));
                for (sum, half) in sums.iter_mut().zip([left, right]) {
                    *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(half, _mm256_set1_epi8(1)));
                }
                // Lower half: Y of sixteen pixels; upper: Cr. And Cb and alpha.
                let luma = _mm256_castsi256_si128(_mm256_unpacklo_epi64(left, right));
                let alpha = _mm256_extracti128_si256::<1>(_mm256_unpackhi_epi64(left, right));
                store(luma, (&mut planes.luma[row][from..from + 16]).try_into().expect("sixteen"));
                store(alpha, (&mut planes.alpha[row][from..from + 16]).try_into().expect("sixteen"));
            }
            let [left, right] = sums.map(|sum| _mm256_srli_epi16(sum, 2));
            // By half: Y and Cb of the left, of the right; Cr and alpha likewise; four bytes each.
            let means = _mm256_packus_epi16(left, right);
            let sorted = _mm256_permutevar8x32_epi32(means, _mm256_setr_epi32(1, 3, 4, 6, 5, 7, 0, 2));
            let (lower, upper) = (_mm256_castsi256_si128(sorted), _mm256_extracti128_si256::<1>(sorted));
            let at = from / 2;
            let [u, v] = &mut planes.chroma;
            store_half(lower, (&mut u[at..at + 8]).try_into().expect("eight"));
            store_half(_mm_unpackhi_epi64(lower, lower), (&mut v[at..at + 8]).try_into().expect("eight"));
            store_half(upper, (&mut planes.chroma_alpha[at..at + 8]).try_into().expect("eight"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::testing::Noise;

    #[test]
    fn what_the_machine_can_do_equals_the_truth() {
        for seed in 0..20 {
            let mut noise = Noise::new(seed);
            let tile: Tile =
                std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| noise.byte())));
            let (mut fast, mut truth) = (Planes::default(), Planes::default());
            apart(&tile, &mut fast);
            portable(&tile, &mut truth);
            assert_eq!(fast, truth, "seed {seed}");
        }
    }
}
