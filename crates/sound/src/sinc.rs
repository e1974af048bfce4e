//! Samples between samples: a windowed sinc, for speeds that differ from 1 by a thousandth.
//!
//! Called by [`super::feed`]. At whole positions it gives the sample itself.

use std::f64::consts::PI;
use std::sync::OnceLock;

use crate::Sample;
use crate::ramp::narrow;

/// Samples each value is made of: so many before the position as after it.
pub(crate) const TAPS: usize = 16;
pub(crate) const HALF: usize = TAPS / 2;
/// Steps from one sample to the next; between them it is a straight line.
const PHASES: usize = 512;

type Kernel = [f32; TAPS];

/// One more than the phases, so that there is one after the last.
fn kernels() -> &'static [Kernel] {
    static KERNELS: OnceLock<Vec<Kernel>> = OnceLock::new();
    KERNELS.get_or_init(|| (0..=PHASES).map(kernel).collect())
}

fn kernel(phase: usize) -> Kernel {
    let small = |n: usize| f64::from(u32::try_from(n).unwrap_or(0));
    let offset = small(phase) / small(PHASES);
    let mut kernel = [0.0; TAPS];
    for (tap, value) in kernel.iter_mut().enumerate() {
        // From the position to that sample.
        let x = small(tap) - small(HALF - 1) - offset;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let at = x / small(HALF);
        let window =
            if at.abs() >= 1.0 { 0.0 } else { 0.42 + 0.5 * (PI * at).cos() + 0.08 * (2.0 * PI * at).cos() };
        *value = sinc * window;
    }
    let sum: f64 = kernel.iter().sum();
    kernel.map(|value: f64| narrow(value / sum))
}

/// The value `offset` (0 to 1) after the sample that has `HALF - 1` before it in `around`.
pub(crate) fn between(around: &[Sample; TAPS], offset: f64) -> Sample {
    let place = offset.clamp(0.0, 1.0) * f64::from(u32::try_from(PHASES).unwrap_or(0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to PHASES")]
    let phase = (place.floor() as usize).min(PHASES - 1);
    let [lower, upper] = [&kernels()[phase], &kernels()[phase + 1]];
    let part = narrow(place - place.floor());
    let mut sum = [0.0; 2];
    for ((sample, lower), upper) in around.iter().zip(lower).zip(upper) {
        let weight = lower + (upper - lower) * part;
        for (sum, value) in sum.iter_mut().zip(sample) {
            *sum += value * weight;
        }
    }
    sum
}

/// Makes the table, so that no later call has to.
pub(crate) fn prepare() {
    kernels();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_itself_between_its_samples() {
        let tone = |at: f64| narrow((at * 2.0 * PI * 1000.0 / 48_000.0).sin());
        for start in 0..48_u32 {
            let around: [Sample; TAPS] = std::array::from_fn(|n| {
                [tone(f64::from(start) + n as f64), -tone(f64::from(start) + n as f64)]
            });
            for offset in [0.0, 0.1, 0.25, 0.5, 0.777, 1.0] {
                let [left, right] = between(&around, offset);
                let expected = tone(f64::from(start) + (HALF - 1) as f64 + offset);
                assert!(
                    (left - expected).abs() < 1e-3 && (right + expected).abs() < 1e-3,
                    "{left} {expected}"
                );
            }
        }
    }
}
