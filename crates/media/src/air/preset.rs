//! How hard an encoder tries, and where it may run.
//!
//! Names only; what they mean to an encoder is in [`super::video`].

use std::fmt;
use std::str::FromStr;

/// x264's presets, the cheapest first. VP8 and VP9 take the nearest speed of theirs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Preset {
    Ultrafast,
    Superfast,
    Veryfast,
    Faster,
    Fast,
    Medium,
    Slow,
    Slower,
    Veryslow,
}

impl Preset {
    /// The cheapest first.
    pub const ALL: [Self; 9] = [
        Self::Ultrafast,
        Self::Superfast,
        Self::Veryfast,
        Self::Faster,
        Self::Fast,
        Self::Medium,
        Self::Slow,
        Self::Slower,
        Self::Veryslow,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ultrafast => "ultrafast",
            Self::Superfast => "superfast",
            Self::Veryfast => "veryfast",
            Self::Faster => "faster",
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
            Self::Slower => "slower",
            Self::Veryslow => "veryslow",
        }
    }

    /// The next cheaper one.
    #[must_use]
    pub fn cheaper(self) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|preset| *preset < self)
    }

    /// The next dearer one.
    #[must_use]
    pub fn dearer(self) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| *preset > self)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is none of [`Preset::name`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a preset: use one from ultrafast to veryslow")]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or(UnknownPreset)
    }
}

/// Hardware that may encode H.264. Where it is not there, software does it and
/// [`super::VideoEncoder::warning`] says so.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Acceleration {
    #[default]
    None,
    Nvenc,
    Qsv,
    Vaapi,
    /// The first of them that works.
    Auto,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_a_ladder_with_names() {
        for (lower, higher) in Preset::ALL.into_iter().zip(Preset::ALL.into_iter().skip(1)) {
            assert_eq!((lower.dearer(), higher.cheaper()), (Some(higher), Some(lower)));
        }
        assert_eq!((Preset::Ultrafast.cheaper(), Preset::Veryslow.dearer()), (None, None));
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
        }
        assert_eq!("placebo".parse::<Preset>(), Err(UnknownPreset));
    }
}
