//! All sources into one.
//!
//! Called by whoever owns the sound's thread: [`Mixer::push`] as sound comes, [`Mixer::mix`] as the output's clock goes on.

use crate::feed::{Counts, Feed, Timing};
use crate::level::{Level, Loudness, Meter};
use crate::limiter::{self, Limiter};
use crate::ramp::Ramp;
use crate::settings::{Error, Settings};
use crate::{RATE, Sample, samples};

/// Sources at once.
pub const MOST_SOURCES: usize = 32;
/// Samples mixed at once.
const STRETCH: usize = 256;
/// What counts as loud for lowering others: -40 dBFS.
const LOUD: f32 = 0.01;
/// How long a source counts as loud after it was.
const LOUD_FOR: usize = samples(300);
/// Shares of the way that lowering, and coming back, take each sample: 30 ms and 400 ms.
const LOWER: f32 = 1.0 / (0.03 * RATE as f32);
const RAISE: f32 = 1.0 / (0.4 * RATE as f32);

/// Sources by name, and the output's count of samples.
pub struct Mixer {
    sources: Vec<Source>,
    /// The sample mixed next.
    next: i64,
    limiter: Limiter,
    meter: Meter,
}

struct Source {
    name: String,
    settings: Settings,
    feed: Feed,
    gains: [Ramp; 2],
    /// Samples until it is not loud any more.
    loud_for: usize,
    /// What others make of it: 1 is as it was.
    ducked: f32,
    meter: Meter,
    leaving: bool,
    stretch: [Sample; STRETCH],
}

impl Mixer {
    /// Samples from going in to coming out: what [`Mixer::mix`] gives is from so many before the sample it mixes.
    pub const DELAY: usize = limiter::DELAY;

    /// The first sample that comes out is number `first` of the output's clock.
    #[must_use]
    pub fn new(first: i64) -> Self {
        let mut limiter = Limiter::new();
        // So that a sample comes out at its own number.
        limiter.process(&mut [[0.0; 2]; Self::DELAY]);
        let next = first.saturating_add(i64::try_from(Self::DELAY).unwrap_or(0));
        Self { sources: Vec::with_capacity(MOST_SOURCES), next, limiter, meter: Meter::of_all() }
    }

    /// The number of the sample that is mixed next: the first that pushed sound can still be heard at.
    #[must_use]
    pub fn next(&self) -> i64 {
        self.next
    }

    /// Adds a source; it is silent until sound comes.
    ///
    /// # Errors
    /// When its settings are out of bounds, its name is taken, or there are too many.
    pub fn add(&mut self, name: &str, timing: Timing, settings: Settings) -> Result<(), Error> {
        settings.check(name)?;
        if self.sources.iter().any(|source| source.name == name && !source.leaving) {
            return Err(Error::Taken);
        }
        if self.sources.len() >= MOST_SOURCES {
            return Err(Error::TooMany);
        }
        let gains = settings.gains().map(Ramp::resting);
        self.sources.push(Source {
            name: name.to_owned(),
            settings,
            feed: Feed::new(timing),
            gains,
            loud_for: 0,
            ducked: 1.0,
            meter: Meter::of_source(),
            leaving: false,
            stretch: [[0.0; 2]; STRETCH],
        });
        Ok(())
    }

    /// Changes a source from the next sample mixed on, over its `fade_ms`.
    ///
    /// # Errors
    /// When there is none of that name, or the settings are out of bounds; then nothing changes.
    pub fn set(&mut self, name: &str, settings: Settings) -> Result<(), Error> {
        settings.check(name)?;
        let source = self.source(name)?;
        let fade = samples(settings.fade_ms.max(Settings::LEAST_FADE_MS));
        for (gain, to) in source.gains.iter_mut().zip(settings.gains()) {
            // What stays as it is, or goes there already, is let alone.
            if gain.target() != to {
                gain.go(to, fade);
            }
        }
        source.settings = settings;
        Ok(())
    }

    /// Takes a source away, after a short fade.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn remove(&mut self, name: &str) -> Result<(), Error> {
        let source = self.source(name)?;
        source.leaving = true;
        source.gains.iter_mut().for_each(|gain| gain.go(0.0, samples(Settings::LEAST_FADE_MS)));
        Ok(())
    }

    /// Takes sound of a source, of which the first sample is number `number`: on the output's clock for
    /// [`Timing::Exact`], by its own count for [`Timing::Live`]. What is too late or has no room is counted and left out.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn push(&mut self, name: &str, number: i64, sound: &[Sample]) -> Result<(), Error> {
        let next = self.next;
        self.source(name)?.feed.push(number, sound, next);
        Ok(())
    }

    /// Samples of a source that wait; for whoever reads a file ahead.
    #[must_use]
    pub fn waiting(&self, name: &str) -> Option<usize> {
        Some(self.sources.iter().find(|source| source.name == name && !source.leaving)?.feed.waiting())
    }

    /// The sources: name, settings, counts.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Settings, Counts)> {
        let there = self.sources.iter().filter(|source| !source.leaving);
        there.map(|source| (source.name.as_str(), &source.settings, source.feed.counts))
    }

    /// How loud a source is; peaks count from the last call.
    pub fn level(&mut self, name: &str) -> Option<Level> {
        Some(self.source(name).ok()?.meter.level())
    }

    /// The highest sample of each source in the stretch that was mixed last, after its volume, 1 being full scale.
    pub fn heard(&self) -> impl Iterator<Item = (&str, f32)> {
        let there = self.sources.iter().filter(|source| !source.leaving);
        there.map(|source| (source.name.as_str(), source.meter.now))
    }

    /// How loud all is; peaks count from the last call.
    pub fn loudness(&mut self) -> Loudness {
        self.meter.all(self.limiter.take_lowest())
    }

    fn source(&mut self, name: &str) -> Result<&mut Source, Error> {
        self.sources.iter_mut().find(|source| source.name == name && !source.leaving).ok_or(Error::Unknown)
    }

    /// Mixes the next `frames` samples into the start of `out`; silence where there is nothing.
    ///
    /// # Panics
    /// If `out` is shorter.
    pub fn mix(&mut self, frames: usize, out: &mut [Sample]) {
        for stretch in out[..frames].chunks_mut(STRETCH) {
            self.stretch(stretch);
        }
    }

    /// Mixes as much as fits.
    fn stretch(&mut self, out: &mut [Sample]) {
        out.fill([0.0; 2]);
        for source in &mut self.sources {
            source.render(self.next, out.len());
        }
        for at in 0..self.sources.len() {
            let amount = self.duck(at);
            let source = &mut self.sources[at];
            source.duck(amount, out.len());
            let sound = &source.stretch[..out.len()];
            source.meter.hear(sound);
            for (out, sound) in out.iter_mut().zip(sound) {
                *out = [out[0] + sound[0], out[1] + sound[1]];
            }
        }
        self.sources.retain(|source| !source.leaving || source.gains.iter().any(|gain| !gain.rests()));
        self.limiter.process(out);
        self.meter.hear(out);
        self.next = self.next.saturating_add(i64::try_from(out.len()).unwrap_or(0));
    }

    /// What the source at that place is lowered to.
    fn duck(&self, at: usize) -> f32 {
        let Some(duck) = &self.sources[at].settings.duck else { return 1.0 };
        let loud = self.sources.iter().any(|source| source.name == duck.by && source.loud_for > 0);
        if loud { 10_f32.powf(-duck.amount_db.abs() / 20.0) } else { 1.0 }
    }
}

impl Source {
    /// The next `length` samples, with volume, pan and mute.
    fn render(&mut self, next: i64, length: usize) {
        let sound = &mut self.stretch[..length];
        self.feed.read(next, sound);
        let mut loud = false;
        for sample in sound.iter_mut() {
            for (value, gain) in sample.iter_mut().zip(&mut self.gains) {
                *value *= gain.next();
                loud |= value.abs() > LOUD;
            }
        }
        self.loud_for = if loud { LOUD_FOR } else { self.loud_for.saturating_sub(length) };
    }

    /// Lowers what was rendered on its way to `amount`.
    fn duck(&mut self, amount: f32, length: usize) {
        if self.ducked == amount && amount == 1.0 {
            return;
        }
        let share = if amount < self.ducked { LOWER } else { RAISE };
        for sample in &mut self.stretch[..length] {
            self.ducked += (amount - self.ducked) * share;
            *sample = sample.map(|value| value * self.ducked);
        }
        if (self.ducked - amount).abs() < 1e-4 {
            self.ducked = amount;
        }
    }
}

#[cfg(test)]
mod tests;
