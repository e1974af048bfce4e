//! Rows of samples: laid over each other, mixed, averaged. The innermost loops.
//!
//! Called by `sheet`, `tile` and `canvas`. Every function works on slices of equal length (the shortest counts) and rounds
//! to nearest; none knows which plane it works on, because luma, chroma and alpha are all premultiplied alike.

use super::simd::dispatched;

/// `n / 255` to nearest, for `n` up to 65407.
#[inline(always)]
pub(super) fn div255(n: u16) -> u16 {
    let n = n.wrapping_add(128);
    n.wrapping_add(n >> 8) >> 8
}

#[inline(always)]
pub(super) fn low(n: u16) -> u8 {
    n.to_le_bytes()[0]
}

/// One sample over another, at `opacity` (0–255): `source·o + target·(1 − alpha·o)`. Exact but for one rounding of
/// alpha and one of the sum. `source` is at most `alpha`.
#[inline(always)]
fn laid(target: u8, source: u8, alpha: u16, opacity: u16) -> u8 {
    let alpha = div255(alpha * opacity);
    let sum = (u16::from(source) * opacity).wrapping_add(u16::from(target) * (255 - alpha));
    low(div255(sum))
}

dispatched! {
    /// Source over target, premultiplied: both rows' samples have `alpha`'s.
    fn over(target: &mut [u8], source: &[u8], alpha: &[u8]) {
        for ((target, source), alpha) in target.iter_mut().zip(source).zip(alpha) {
            let under = div255(u16::from(*target) * (255 - u16::from(*alpha)));
            *target = low(u16::from(*source).wrapping_add(under).min(255));
        }
    }
}

dispatched! {
    /// As `over`, the source being only as opaque as `opacity` says (0–255).
    fn over_faded(target: &mut [u8], source: &[u8], alpha: &[u8], opacity: u8) {
        let opacity = u16::from(opacity);
        for ((target, source), alpha) in target.iter_mut().zip(source).zip(alpha) {
            *target = laid(*target, *source, u16::from(*alpha), opacity);
        }
    }
}

dispatched! {
    /// As `over_faded` of a source without alpha: `source·share + target·(1 − share)`.
    fn mix(target: &mut [u8], source: &[u8], share: u8) {
        let (share, rest) = (u16::from(share), 255 - u16::from(share));
        for (target, source) in target.iter_mut().zip(source) {
            *target = low(div255(u16::from(*source) * share + u16::from(*target) * rest));
        }
    }
}

dispatched! {
    /// `target = one·(1 − share) + other·share`.
    fn fade(target: &mut [u8], one: &[u8], other: &[u8], share: u8) {
        let (share, rest) = (u16::from(share), 255 - u16::from(share));
        for ((target, one), other) in target.iter_mut().zip(one).zip(other) {
            *target = low(div255(u16::from(*other) * share + u16::from(*one) * rest));
        }
    }
}

dispatched! {
    /// Multiplies by alpha.
    fn premultiply(samples: &mut [u8], alpha: &[u8]) {
        for (sample, alpha) in samples.iter_mut().zip(alpha) {
            *sample = low(div255(u16::from(*sample) * u16::from(*alpha)));
        }
    }
}

dispatched! {
    /// The mean of each pair of samples and the pair below; `out` is half as long as the rows.
    fn mean_of_four(out: &mut [u8], upper: &[u8], lower: &[u8]) {
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        for (out, (upper, lower)) in out.iter_mut().zip(pairs) {
            let sum = u16::from(upper[0]) + u16::from(upper[1]) + u16::from(lower[0]) + u16::from(lower[1]);
            *out = low((sum + 2) >> 2);
        }
    }
}

dispatched! {
    /// The mean of four rows, sample by sample.
    fn mean_of_rows(out: &mut [u8], rows: [&[u8]; 4]) {
        let [one, two, three, four] = rows;
        for ((((out, one), two), three), four) in out.iter_mut().zip(one).zip(two).zip(three).zip(four) {
            let sum = u16::from(*one) + u16::from(*two) + u16::from(*three) + u16::from(*four);
            *out = low((sum + 2) >> 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::testing::Noise;

    const LENGTHS: [usize; 12] = [0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 200];

    /// Random rows of every length at every alignment: what both compilations of a function make of them.
    fn both(make: impl Fn(&mut Noise, &mut [u8], bool)) {
        for start in 0..33 {
            for length in LENGTHS {
                let seed = (start * 1000 + length) as u64;
                let one = Noise::new(seed).bytes(start + length);
                let (mut portable, mut best) = (one.clone(), one);
                make(&mut Noise::new(seed + 1), &mut portable[start..], false);
                make(&mut Noise::new(seed + 1), &mut best[start..], true);
                assert_eq!(portable, best, "start {start}, length {length}");
            }
        }
    }

    #[test]
    fn what_the_machine_can_do_equals_the_truth_at_every_alignment_and_length() {
        both(|noise, out, fast| {
            let (source, alpha) = noise.premultiplied(out.len());
            (if fast { over::best } else { over::portable })(out, &source, &alpha);
        });
        both(|noise, out, fast| {
            let (source, alpha) = noise.premultiplied(out.len());
            let opacity = noise.byte();
            (if fast { over_faded::best } else { over_faded::portable })(out, &source, &alpha, opacity);
        });
        both(|noise, out, fast| {
            let (source, share) = (noise.bytes(out.len()), noise.byte());
            (if fast { mix::best } else { mix::portable })(out, &source, share);
        });
        both(|noise, out, fast| {
            let (one, other) = (noise.bytes(out.len()), noise.bytes(out.len()));
            (if fast { fade::best } else { fade::portable })(out, &one, &other, noise.byte());
        });
        both(|noise, out, fast| {
            let alpha = noise.bytes(out.len());
            (if fast { premultiply::best } else { premultiply::portable })(out, &alpha);
        });
        both(|noise, out, fast| {
            let (upper, lower) = (noise.bytes(out.len() * 2), noise.bytes(out.len() * 2));
            (if fast { mean_of_four::best } else { mean_of_four::portable })(out, &upper, &lower);
        });
        both(|noise, out, fast| {
            let rows: [Vec<u8>; 4] = std::array::from_fn(|_| noise.bytes(out.len()));
            let rows = [&rows[0][..], &rows[1], &rows[2], &rows[3]];
            (if fast { mean_of_rows::best } else { mean_of_rows::portable })(out, rows);
        });
    }

    #[test]
    fn over_is_within_one_of_the_exact_value_and_exact_at_the_ends() {
        for alpha in 0..=255_u8 {
            for source in (0..=alpha).step_by(3).chain([alpha]) {
                for target in (0..=255).step_by(5) {
                    for opacity in [0, 1, 77, 128, 204, 254, 255_u8] {
                        let mut out = [target];
                        over_faded::best(&mut out, &[source], &[alpha], opacity);
                        let share = f64::from(opacity) / 255.0;
                        let exact = f64::from(source) * share
                            + f64::from(target) * (1.0 - f64::from(alpha) / 255.0 * share);
                        assert!(
                            (f64::from(out[0]) - exact).abs() <= 1.0,
                            "{source} {alpha} {target} {opacity}"
                        );
                        if opacity == 0 || alpha == 0 {
                            assert_eq!(out[0], target);
                        }
                        if opacity == 255 {
                            let mut plain = [target];
                            over::best(&mut plain, &[source], &[alpha]);
                            assert_eq!(plain, out);
                        }
                        if alpha == 255 {
                            let mut mixed = [target];
                            mix::best(&mut mixed, &[source], opacity);
                            assert_eq!(mixed, out);
                        }
                    }
                }
            }
        }
    }
}
