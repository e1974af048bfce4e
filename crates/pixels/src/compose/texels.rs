//! A picture's samples side by side, at its size and at halves of it, as the sampler wants them.
//!
//! Made by `picture` when something is first turned or scaled; read by `sampler`. A texel is Y, Cb, Cr and alpha of one
//! pixel, premultiplied, each less 128 so that it fits a signed byte: the machine multiplies unsigned weights by signed
//! bytes.

use super::colour::Texel;

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
        row[stride - 1] = row[stride - 2];
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

/// The sample a texel's signed byte stands for.
#[inline(always)]
pub(super) fn sample(of: i8) -> u8 {
    of.cast_unsigned() ^ BIAS
}

#[cfg(test)]
mod tests {
    use super::*;

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
