//! Keeps what goes out below full scale, also between the samples.
//!
//! Called by [`super::mixer`] with everything it mixed. It looks a little ahead, so that it is lower in time and not at once; what
//! comes out is [`DELAY`] samples later than what goes in.

use std::f64::consts::PI;

use crate::ramp::narrow;
use crate::{RATE, Sample};

/// What no sample exceeds: -1 dBFS.
pub const CEILING: f32 = 0.891_250_9;
/// What peaks are lowered to, between samples too: -1.2 dB, for the estimate of those is a little low.
const TARGET: f32 = 0.870_963_6;
/// Samples it looks ahead.
const AHEAD: usize = 64;
/// Samples around a place that its peak is estimated from, and values between two samples (ITU-R BS.1770-4, annex 2).
const TAPS: usize = 12;
const BETWEEN: usize = 4;
/// Samples from going in to coming out.
pub(crate) const DELAY: usize = AHEAD - 1 + TAPS / 2;
/// Below this no value between samples can reach the target.
const HARMLESS: f32 = 0.4;
/// Share of the way back to 1 that each sample takes: 80 ms.
const RELEASE: f32 = 1.0 / (0.08 * RATE as f32);

pub(crate) struct Limiter {
    kernels: [[f32; TAPS]; BETWEEN],
    /// Samples on their way, in a ring.
    delayed: [Sample; 128],
    /// Gains wanted, after release, in a ring; and the least of the last [`AHEAD`] at each, in another.
    wanted: [f32; AHEAD],
    least: [f32; AHEAD],
    /// Of `least`, in 1/2^32: whole numbers, so that nothing is lost in a year of adding and taking away.
    sum: u64,
    released: f32,
    at: usize,
    /// Samples in the last [`TAPS`] that are not harmless: until then nothing is looked at.
    loud_for: usize,
    lowest: f32,
}

const ONE: f32 = 4_294_967_296.0;

impl Limiter {
    pub(crate) fn new() -> Self {
        Self {
            kernels: std::array::from_fn(kernel),
            delayed: [[0.0; 2]; 128],
            wanted: [1.0; AHEAD],
            least: [1.0; AHEAD],
            sum: AHEAD as u64 * fixed(1.0),
            released: 1.0,
            at: 0,
            loud_for: 0,
            lowest: 1.0,
        }
    }

    /// The least gain since the last call.
    pub(crate) fn take_lowest(&mut self) -> f32 {
        std::mem::replace(&mut self.lowest, 1.0)
    }

    /// Puts what comes out in the place of what goes in.
    pub(crate) fn process(&mut self, samples: &mut [Sample]) {
        for sample in samples {
            *sample = self.next(*sample);
        }
    }

    fn next(&mut self, sample: Sample) -> Sample {
        let ring = self.delayed.len();
        let at = self.at;
        self.delayed[at % ring] = sample;
        let peak = sample[0].abs().max(sample[1].abs());
        self.loud_for = if peak > HARMLESS { TAPS } else { self.loud_for.saturating_sub(1) };
        let peak = if self.loud_for > 0 { self.peak(at) } else { 0.0 };
        let needed = if peak > TARGET { TARGET / peak } else { 1.0 };
        let back = self.released + (1.0 - self.released) * RELEASE;
        self.released = needed.min(if back > 0.999_99 { 1.0 } else { back });
        self.wanted[at % AHEAD] = self.released;
        // While nothing is lowered this is a comparison a sample; otherwise 64, and still nothing next to encoding.
        let least = if self.released >= 1.0 && self.least[(at + AHEAD - 1) % AHEAD] >= 1.0 {
            1.0
        } else {
            self.wanted.iter().copied().fold(1.0, f32::min)
        };
        self.sum += fixed(least);
        self.sum -= fixed(std::mem::replace(&mut self.least[at % AHEAD], least));
        self.at = (at + 1) % (ring * AHEAD);
        let gain = if self.sum == AHEAD as u64 * fixed(1.0) { 1.0 } else { self.mean() };
        self.lowest = self.lowest.min(gain);
        let out = self.delayed[(at + ring - DELAY) % ring];
        out.map(|value| (value * gain).clamp(-CEILING, CEILING))
    }

    #[expect(clippy::cast_precision_loss, reason = "24 of 38 bits are more than can be heard")]
    fn mean(&self) -> f32 {
        self.sum as f32 / (ONE * AHEAD as f32)
    }

    /// The highest value at and after the sample that came [`TAPS`] / 2 ago.
    fn peak(&self, at: usize) -> f32 {
        let ring = self.delayed.len();
        let around: [Sample; TAPS] =
            std::array::from_fn(|tap| self.delayed[(at + ring + tap + 1 - TAPS) % ring]);
        let own = around[TAPS / 2 - 1];
        let mut peak = own[0].abs().max(own[1].abs());
        for kernel in &self.kernels {
            let mut sum = [0.0_f32; 2];
            for (weight, sample) in kernel.iter().zip(&around) {
                sum = [sum[0] + weight * sample[0], sum[1] + weight * sample[1]];
            }
            peak = peak.max(sum[0].abs()).max(sum[1].abs());
        }
        peak
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 2^32")]
fn fixed(gain: f32) -> u64 {
    (gain * ONE) as u64
}

/// A windowed sinc for the place `step` quarters after the sixth of twelve samples.
fn kernel(step: usize) -> [f32; TAPS] {
    let small = |n: usize| f64::from(u32::try_from(n).unwrap_or(0));
    let offset = small(step) / small(BETWEEN);
    std::array::from_fn(|tap| {
        let x = small(tap) - small(TAPS / 2 - 1) - offset;
        let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
        let window = 0.5 + 0.5 * (PI * x / small(TAPS / 2 + 1)).cos();
        narrow(sinc * window)
    })
}
