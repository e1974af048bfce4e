//! What a source is set to, and what is refused.

/// How a source sounds. The default is as it came.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// 0 to 2; 1 leaves it as it is.
    pub volume: f32,
    /// -1 (left) to 1 (right), of constant power: what is moved to one side gets 3 dB louder there.
    pub pan: f32,
    pub mute: bool,
    /// How long a change of volume, pan or mute takes, up to a minute. Less than [`Settings::LEAST_FADE_MS`] counts as that, for
    /// a jump would click.
    pub fade_ms: u32,
    pub duck: Option<Duck>,
}

/// Lowers a source while another is loud.
#[derive(Clone, PartialEq, Debug)]
pub struct Duck {
    /// The name of the other; one that isn't there is silent.
    pub by: String,
    /// Decibels it is lowered by, 0 to 60; the sign does not matter.
    pub amount_db: f32,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("volume must be a number from 0 to 2")]
    Volume,
    #[error("pan must be a number from -1 to 1")]
    Pan,
    #[error("fadeMs must be at most {max}", max = Settings::MOST_FADE_MS)]
    Fade,
    #[error("amountDb must be a number from 0 to 60")]
    Amount,
    #[error("a source can't be lowered by itself")]
    DucksItself,
    #[error("there is no source of that name")]
    Unknown,
    #[error("there is a source of that name already")]
    Taken,
    #[error("more than {max} sources", max = crate::MOST_SOURCES)]
    TooMany,
}

impl Settings {
    /// Milliseconds.
    pub const LEAST_FADE_MS: u32 = 10;
    pub const MOST_FADE_MS: u32 = 60_000;

    /// Whether all of it is within its bounds, for the source `name`.
    ///
    /// # Errors
    /// The first that isn't.
    pub fn check(&self, name: &str) -> Result<(), Error> {
        let Self { volume, pan, mute: _, fade_ms, duck } = self;
        if !(0.0..=2.0).contains(volume) {
            return Err(Error::Volume);
        }
        if !(-1.0..=1.0).contains(pan) {
            return Err(Error::Pan);
        }
        if *fade_ms > Self::MOST_FADE_MS {
            return Err(Error::Fade);
        }
        match duck {
            Some(duck) if !(-60.0..=60.0).contains(&duck.amount_db) => Err(Error::Amount),
            Some(duck) if duck.by == name => Err(Error::DucksItself),
            _ => Ok(()),
        }
    }

    /// Factors of left and right.
    pub(crate) fn gains(&self) -> [f32; 2] {
        if self.mute {
            return [0.0; 2];
        }
        if self.pan == 0.0 {
            // Exactly as it came.
            return [self.volume; 2];
        }
        let (sin, cos) = ((self.pan + 1.0) * std::f32::consts::FRAC_PI_4).sin_cos();
        [cos, sin].map(|side| side * std::f32::consts::SQRT_2 * self.volume)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { volume: 1.0, pan: 0.0, mute: false, fade_ms: 0, duck: None }
    }
}
