//! How alike two patches are, whatever their brightness and contrast.
//!
//! Called by the packs' readers and gates. A patch is made [`flat`] once; then the mean-subtracted correlation of two is a
//! [`dot`] product, and that of one with many is [`against`].

/// How many samples are worked on at once: a row of flattened patches is padded with zeros to a multiple of it.
pub const LANES: usize = 16;

/// Takes the mean off and divides by the length, so that the patch's [`dot`] with itself is 1. Returns the standard
/// deviation it had, in the samples' unit; a patch without any contrast becomes zeros.
#[expect(clippy::cast_precision_loss, reason = "patches have far fewer than 2^24 samples")]
pub fn flat(patch: &mut [f32]) -> f32 {
    let count = patch.len().max(1) as f32;
    let mean = patch.iter().sum::<f32>() / count;
    patch.iter_mut().for_each(|sample| *sample -= mean);
    let squares = dot(patch, patch);
    let deviation = (squares / count).sqrt();
    // Rounding leaves a little in a patch that is all the same.
    let factor = if deviation > 1e-3 { squares.sqrt().recip() } else { 0.0 };
    patch.iter_mut().for_each(|sample| *sample *= factor);
    if factor > 0.0 { deviation } else { 0.0 }
}

/// The sum of the products; of flat patches, how alike they are: 1 the same, 0 nothing in common, -1 the negative.
#[must_use]
pub fn dot(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f32 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (one, other) in ones.zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// The [`dot`] of `patch` with each row of `many`, which has the patch's length; put into `out`.
///
/// # Panics
/// If the patch's length is not a multiple of [`LANES`] above 0.
pub fn against(patch: &[f32], many: &[f32], out: &mut Vec<f32>) {
    assert!(!patch.is_empty() && patch.len().is_multiple_of(LANES), "{} samples", patch.len());
    out.clear();
    out.extend(many.chunks_exact(patch.len()).map(|row| dot(patch, row)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brightness_and_contrast_make_no_difference() {
        let patch: Vec<f32> = (0..37_u8).map(|i| f32::from(i * 7 % 23)).collect();
        let (mut one, mut other) = (patch.clone(), patch.iter().map(|s| s * 0.3 + 90.0).collect::<Vec<_>>());
        let deviation = flat(&mut one);
        assert!((flat(&mut other) - deviation * 0.3).abs() < 1e-3);
        assert!((dot(&one, &other) - 1.0).abs() < 1e-4);
        let mut negative: Vec<f32> = patch.iter().map(|s| 200.0 - s).collect();
        flat(&mut negative);
        assert!((dot(&one, &negative) + 1.0).abs() < 1e-4);
    }

    #[test]
    fn no_contrast_is_like_nothing() {
        let mut plain = vec![77.7; 48];
        assert_eq!(flat(&mut plain), 0.0);
        assert!(plain.iter().all(|sample| *sample == 0.0));
        assert_eq!(flat(&mut []), 0.0);
    }

    #[test]
    fn many_at_once_are_each_as_alone() {
        let many: Vec<f32> = (0..5 * 32_u16).map(|i| f32::from(i * 31 % 97)).collect();
        let mut out = vec![9.0];
        against(&many[32..64], &many, &mut out);
        let alone: Vec<f32> =
            many.chunks(32).map(|row| row.iter().zip(&many[32..64]).map(|(a, b)| a * b).sum()).collect();
        assert_eq!(out, alone);
    }
}
