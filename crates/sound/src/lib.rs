//! The mixer: sound of many sources in, one sound out that is never too loud and never missing.
//!
//! Called by the outputs, on the thread of their sound. Pure: samples in, samples out; time is the number of samples mixed. After
//! the first call nothing is allocated. Everything is 48 kHz, stereo, `f32` with full scale at 1.
//!
//! ```text
//! push ─► Feed (bounded; holds its fill, or exact) ─► volume, pan, mute (ramps) ─► duck ─┐
//! push ─► Feed …                                                                         ├─► sum ─► limiter ─► mix
//!                                                                         meters ◄───────┴──────────┘
//! ```

mod feed;
mod hold;
mod level;
mod limiter;
mod mixer;
mod ramp;
mod settings;
mod sinc;

pub use feed::{Counts, Timing};
pub use level::{Level, Loudness};
pub use limiter::CEILING;
pub use mixer::{MOST_SOURCES, Mixer};
pub use settings::{Duck, Error, Settings};

/// Samples a second, of both channels each.
pub const RATE: u32 = 48_000;

/// Left and right, full scale at 1.
pub type Sample = [f32; 2];

/// As much as can be heard in that many milliseconds.
const fn samples(ms: u32) -> usize {
    ms as usize * RATE as usize / 1000
}
