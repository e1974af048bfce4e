//! Changes what the samples of a picture mean or where they stand, never its size in memory by resampling.
//!
//! Range and matrix ([`to_limited`], [`to_full_bt601`]), RGB to planes ([`rgb_to_i420`]) and the eight EXIF
//! orientations ([`upright`]). Called by `jpeg`, the recorder before it encodes, and the stand-in world.
//! Integer arithmetic only, rounded to nearest, so that the same picture gives the same bytes on every
//! machine.

mod orient;
mod range;
mod rgb;

pub use orient::upright;
pub use range::{Squeeze, to_full_bt601, to_limited};
pub use rgb::{i420_to_rgb, rgb_to_i420, yuv_of_rgb};

pub(crate) use range::div255;
pub(crate) use rgb::halve;
