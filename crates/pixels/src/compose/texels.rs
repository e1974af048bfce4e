//! A picture's samples side by side, at its size and at halves of it, as the sampler wants them.
//!
//! Made by `picture` when something is first turned or scaled; read by `sampler`. A texel is Y, Cb, Cr and alpha of one
//! pixel, premultiplied, each less 128 so that it fits a signed byte: the machine multiplies unsigned weights by signed
//! bytes.

use super::colour::{self, Texel};
use super::simd::dispatched;

/// What is taken off each sample.
const BIAS: u8 = 0x80;

/// The texels of one size.
///
/// One more column and one more row than the picture has, which repeat its last: so that a texel's right and lower
/// neighbours are always there to be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Level {
    /// At least 1.
    pub(super) width: u32,
    /// At least 1.
    pub(super) height: u32,
    /// `(width + 1) * (height + 1)` texels.
    data: Vec<[i8; 4]>,
    /// Rows that making it again can use.
    pub(super) spare: [Vec<u8>; 3],
}

impl Level {
    /// Gives it another size, keeping the memory.
    pub(super) fn reshape(&mut self, width: u32, height: u32) {
        (self.width, self.height) = (width, height);
        self.data.resize((width as usize + 1) * (height as usize + 1), [0; 4]);
    }

    /// Texels from the start of one row to that of the next.
    pub(super) fn stride(&self) -> usize {
        self.width as usize + 1
    }

    /// All texels, the repeated ones included.
    pub(super) fn texels(&self) -> &[[i8; 4]] {
        &self.data
    }

    /// Row `y`, without the repeated texel.
    pub(super) fn row(&self, y: u32) -> &[[i8; 4]] {
        &self.data[y as usize * self.stride()..][..self.width as usize]
    }

    /// Writes row `y`, and with it what is repeated of it.
    pub(super) fn write_row(&mut self, y: u32, texels: impl Iterator<Item = Texel>) {
        let stride = self.stride();
        let start = y as usize * stride;
        let row = &mut self.data[start..start + stride];
        for (out, texel) in row.iter_mut().zip(texels) {
            *out = texel.map(|sample| (sample ^ BIAS).cast_signed());
        }
        self.repeat(y);
    }

    /// Writes row `y` of premultiplied RGBA pixels.
    pub(super) fn write_pixels(&mut self, y: u32, pixels: &[[u8; 4]]) {
        let (stride, width) = (self.stride(), self.width as usize);
        let start = y as usize * stride;
        convert(pixels, &mut self.data[start..start + width]);
        self.repeat(y);
    }

    /// Writes what is repeated of row `y`.
    fn repeat(&mut self, y: u32) {
        let stride = self.stride();
        let start = y as usize * stride;
        self.data[start + stride - 1] = self.data[start + stride - 2];
        if y + 1 == self.height {
            self.data.copy_within(start..start + stride, start + stride);
        }
    }

    /// Makes this the picture of half `larger`'s size (rounded up): each texel the mean of four.
    pub(super) fn halve(&mut self, larger: &Self) {
        self.reshape(larger.width.div_ceil(2), larger.height.div_ceil(2));
        for y in 0..self.height {
            let [upper, lower] = [2 * y as usize, 2 * y as usize + 1]
                .map(|y| &larger.data[y * larger.stride()..(y + 1) * larger.stride()]);
            let fours = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            let texels = fours.map(|(upper, lower)| {
                std::array::from_fn(|i| {
                    let sum: i16 =
                        [upper[0], upper[1], lower[0], lower[1]].map(|t| i16::from(t[i])).iter().sum();
                    ((sum + 2) >> 2).to_le_bytes()[0] ^ BIAS
                })
            });
            self.write_row(y, texels);
        }
    }

    /// Asks the processor to bring what lies between two corners nearer, when it fits its own memory: a turned picture is
    /// read across its rows, which the processor does not foresee. Twice as fast for pictures not read for a while.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the level")]
    pub(super) fn fetch(&self, (left, top): (f64, f64), (right, bottom): (f64, f64)) {
        const OWN: usize = 1 << 20;
        let place = |at: f64, most: u32| -> usize { at.max(0.0).min(f64::from(most)) as usize };
        let columns = place(left - 1.0, self.width)..place(right + 2.0, self.width);
        let rows = place(top - 1.0, self.height)..place(bottom + 2.0, self.height);
        if columns.len() * rows.len() * 4 > OWN {
            return;
        }
        for row in rows {
            let row = &self.data[row * self.stride()..][columns.clone()];
            // Sixteen texels are what the processor moves at once.
            row.iter().step_by(16).chain(row.last()).for_each(fetch);
        }
    }

    /// The sizes below this one, down to a single texel, kept in `chain`.
    pub(super) fn chain(&self, chain: &mut Vec<Self>) {
        let mut count = 0;
        loop {
            let (done, rest) = chain.split_at_mut(count);
            let larger = done.last().unwrap_or(self);
            if (larger.width, larger.height) == (1, 1) {
                break;
            }
            match rest.first_mut() {
                Some(next) => next.halve(larger),
                None => {
                    let mut next = Self::default();
                    next.halve(larger);
                    chain.push(next);
                }
            }
            count += 1;
        }
        chain.truncate(count);
    }
}

dispatched! {
    /// The samples of channel `channel` (0 to 3).
    fn channel(out: &mut [u8], texels: &[[i8; 4]], channel: u32) {
        for (out, texel) in out.iter_mut().zip(texels) {
            let word = u32::from_le_bytes(texel.map(i8::cast_unsigned));
            *out = (word >> (8 * channel)).to_le_bytes()[0] ^ BIAS;
        }
    }
}

/// Premultiplied RGBA to texels.
#[expect(unsafe_code, reason = "a function for AVX2 is called after asking for AVX2")]
fn convert(pixels: &[[u8; 4]], texels: &mut [[i8; 4]]) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2, which is all the function asks for.
        unsafe { wide::convert(pixels, texels) };
        return;
    }
    portable(pixels, texels);
}

/// The truth.
fn portable(pixels: &[[u8; 4]], texels: &mut [[i8; 4]]) {
    for (pixel, texel) in pixels.iter().zip(texels) {
        *texel = colour::texel(*pixel).map(|sample| (sample ^ BIAS).cast_signed());
    }
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32, _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_max_epi32, _mm256_min_epi32, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32,
        _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_srli_epi32,
        _mm256_storeu_si256, _mm256_unpackhi_epi8, _mm256_unpacklo_epi8, _mm256_xor_si256,
    };

    use super::super::colour;

    /// As `portable`.
    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "loads and stores of eight pixels")]
    pub(super) fn convert(pixels: &[[u8; 4]], texels: &mut [[i8; 4]]) {
        let (eights, rest) = pixels.as_chunks::<8>();
        let (targets, rest_of_targets) = texels.split_at_mut(eights.len() * 8);
        super::portable(rest, rest_of_targets);
        let [luma, blue, red] = [factors(colour::LUMA), factors(colour::BLUE), factors(colour::RED)];
        for (eight, target) in eights.iter().zip(targets.as_chunks_mut::<8>().0) {
            // SAFETY: eight pixels are the vector's 32 bytes.
            let loaded = unsafe { _mm256_loadu_si256(eight.as_ptr().cast()) };
            let alpha = _mm256_srli_epi32(loaded, 24);
            let [y, u, v] = [luma, blue, red].map(|factors| code(loaded, alpha, factors));
            let colours =
                _mm256_or_si256(_mm256_or_si256(y, _mm256_slli_epi32(u, 8)), _mm256_slli_epi32(v, 16));
            let made = _mm256_or_si256(colours, _mm256_slli_epi32(alpha, 24));
            let biased = _mm256_xor_si256(made, _mm256_set1_epi8(i8::MIN));
            // SAFETY: eight texels are the vector's 32 bytes.
            unsafe { _mm256_storeu_si256(target.as_mut_ptr().cast(), biased) };
        }
    }

    /// Four factors as words, over and over.
    #[target_feature(enable = "avx2")]
    fn factors(of: [i16; 4]) -> __m256i {
        let [r, g, b, a] = of.map(i16::to_le_bytes);
        _mm256_set1_epi64x(i64::from_le_bytes([r[0], r[1], g[0], g[1], b[0], b[1], a[0], a[1]]))
    }

    /// One code of eight pixels, in 32 bits each.
    #[target_feature(enable = "avx2")]
    fn code(pixels: __m256i, alpha: __m256i, factors: __m256i) -> __m256i {
        let zero = _mm256_setzero_si256();
        let (one, two) = (_mm256_unpacklo_epi8(pixels, zero), _mm256_unpackhi_epi8(pixels, zero));
        let sums = _mm256_hadd_epi32(_mm256_madd_epi16(one, factors), _mm256_madd_epi16(two, factors));
        let code = _mm256_srai_epi32(_mm256_add_epi32(sums, _mm256_set1_epi32(1 << 14)), 15);
        _mm256_min_epi32(_mm256_max_epi32(code, zero), alpha)
    }
}

#[expect(unsafe_code, reason = "a hint about an address that exists")]
#[inline(always)]
fn fetch(texel: &[i8; 4]) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint only, and the address is a reference's.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(texel.as_ptr().cast());
    }
    let _ = texel;
}

/// The sample a texel's signed byte stands for.
#[inline(always)]
pub(super) fn sample(of: i8) -> u8 {
    of.cast_unsigned() ^ BIAS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_can_do_equals_the_truth() {
        let mut noise = crate::compose::testing::Noise::new(5);
        for count in [0, 1, 7, 8, 9, 31, 64, 1001] {
            // Hostile ones too, whose colours are above their alpha.
            let pixels: Vec<[u8; 4]> = (0..count).map(|_| std::array::from_fn(|_| noise.byte())).collect();
            let (mut fast, mut truth) = (vec![[0; 4]; count], vec![[0; 4]; count]);
            convert(&pixels, &mut fast);
            portable(&pixels, &mut truth);
            assert_eq!(fast, truth);
        }
    }

    #[test]
    fn each_channel_of_a_row_by_itself_is_the_texels_samples() {
        let mut noise = crate::compose::testing::Noise::new(6);
        for count in [0, 1, 15, 33, 1001] {
            let texels: Vec<[i8; 4]> =
                (0..count).map(|_| std::array::from_fn(|_| noise.byte().cast_signed())).collect();
            for at in 0..4 {
                let truth: Vec<u8> = texels.iter().map(|texel| sample(texel[at as usize])).collect();
                for split in [channel::portable, channel::best] {
                    let mut out = vec![0; count];
                    split(&mut out, &texels, at);
                    assert_eq!(out, truth);
                }
            }
        }
    }

    #[test]
    fn the_last_column_and_row_are_repeated_and_halves_are_means() {
        let mut level = Level::default();
        level.reshape(3, 3);
        for y in 0..3_u8 {
            level.write_row(u32::from(y), (0..3_u8).map(|x| [x * 80, y * 100, 7, 255]));
        }
        let at = |x: usize, y: usize| level.texels()[y * 4 + x].map(sample);
        assert_eq!(
            (at(2, 1), at(3, 1), at(3, 3)),
            ([160, 100, 7, 255], [160, 100, 7, 255], [160, 200, 7, 255])
        );
        let mut chain = vec![Level::default(); 5];
        level.chain(&mut chain);
        assert_eq!(chain.iter().map(|l| (l.width, l.height)).collect::<Vec<_>>(), [(2, 2), (1, 1)]);
        assert_eq!(chain[0].row(0)[0].map(sample), [40, 50, 7, 255]);
        assert_eq!(chain[0].row(1)[1].map(sample), [160, 200, 7, 255]);
        assert_eq!(chain[1].row(0)[0].map(sample), [100, 125, 7, 255]);
    }
}
