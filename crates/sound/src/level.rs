//! How loud it is.
//!
//! Called by [`super::mixer`]. By EBU R128 (ITU-R BS.1770) and by peaks, both of what was heard since somebody last asked, or over
//! R128's own windows.

use ebur128::{EbuR128, Mode};

use crate::{RATE, Sample};

/// Of one source, after its volume.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Level {
    /// The highest sample since the last look, in dBFS; -120 is silence.
    pub peak_db: f32,
    /// Over 400 ms, in LUFS; -120 is silence.
    pub momentary: f32,
}

/// Of what goes out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Loudness {
    /// The highest sample since the last look, in dBFS; -120 is silence.
    pub peak_db: f32,
    /// Over 400 ms, over 3 s and since the mixer was made, in LUFS; -120 is silence.
    pub momentary: f32,
    pub short_term: f32,
    pub integrated: f32,
    /// By how much the limiter lowered it at most since the last look, in dB, from 0.
    pub limited_db: f32,
}

const SILENCE: f32 = -120.0;

pub(crate) struct Meter {
    loudness: EbuR128,
    peak: f32,
    /// Of what was heard last.
    pub(crate) now: f32,
}

impl Meter {
    pub(crate) fn of_source() -> Self {
        Self::new(Mode::M)
    }

    pub(crate) fn of_all() -> Self {
        // With a histogram it takes the same memory after a minute and after a year.
        Self::new(Mode::M | Mode::S | Mode::I | Mode::HISTOGRAM)
    }

    fn new(mode: Mode) -> Self {
        let loudness = EbuR128::new(2, RATE, mode).expect("two channels of a usual rate");
        Self { loudness, peak: 0.0, now: 0.0 }
    }

    pub(crate) fn hear(&mut self, samples: &[Sample]) {
        let flat = samples.as_flattened();
        self.now = flat.iter().fold(0.0, |peak, value| value.abs().max(peak));
        self.peak = self.peak.max(self.now);
        self.loudness.add_frames_f32(flat).expect("pairs of samples");
    }

    /// Highest sample since the last call, in dBFS.
    fn take_peak(&mut self) -> f32 {
        decibels(std::mem::take(&mut self.peak))
    }

    pub(crate) fn level(&mut self) -> Level {
        Level { peak_db: self.take_peak(), momentary: finite(self.loudness.loudness_momentary()) }
    }

    pub(crate) fn all(&mut self, lowest_gain: f32) -> Loudness {
        Loudness {
            peak_db: self.take_peak(),
            momentary: finite(self.loudness.loudness_momentary()),
            short_term: finite(self.loudness.loudness_shortterm()),
            integrated: finite(self.loudness.loudness_global()),
            limited_db: -decibels(lowest_gain),
        }
    }
}

fn finite(value: Result<f64, ebur128::Error>) -> f32 {
    value.map_or(SILENCE, |value| crate::ramp::narrow(value).max(SILENCE))
}

fn decibels(value: f32) -> f32 {
    (20.0 * value.log10()).max(SILENCE)
}
