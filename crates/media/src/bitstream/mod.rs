//! The bits of H.264, HEVC and AV1 that say where a picture starts, whether it needs another, and how large it is.
//!
//! Called by [`crate::ts`], [`crate::segment`] and [`crate::live`] on bytes from strangers: every count is bounded, nothing is
//! allocated by a length that was not checked. Reconstructs no sample; FFmpeg does that.

pub(crate) mod av1;
mod bits;
pub(crate) mod h264;
pub(crate) mod hevc;
mod stored;
#[cfg(test)]
mod tests;
mod units;

pub(crate) use stored::{Config, Look, begins_picture, look_annexb};
pub(crate) use units::{Found, Units, starts};

/// Shown size of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// Largest side any of the three codecs can say. Beyond it the numbers are noise.
const MAX_SIDE: u32 = 65_536;

impl Size {
    /// `None` for what no picture has.
    fn new(width: u32, height: u32) -> Option<Self> {
        let sane = |side| (1..=MAX_SIDE).contains(&side);
        (sane(width) && sane(height)).then_some(Self { width, height })
    }
}
