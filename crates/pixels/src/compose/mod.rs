//! Putting pictures on top of each other: what the compositor does to samples.
//!
//! A [`Bitmap`] is what was drawn, in sRGB. A [`Picture`] is that, or a live feed, in the canvas's own codes. A [`Canvas`]
//! is what is composed: planar 4:2:0, BT.709, limited range, so that a frame needs no conversion before it is encoded.
//!
//! Called by the compositor, which decides what is drawn where; nothing here knows layers, scenes or time. Drawing
//! ([`Band::over`] and the like) never allocates and never fails; sizes are bounded by whoever makes bitmaps and canvases.

mod affine;
mod bitmap;
mod blend;
mod canvas;
mod colour;
pub mod effects;
mod feed;
mod geometry;
mod mask;
mod phases;
mod picture;
mod recode;
mod rows;
mod sampler;
mod sheet;
pub(crate) mod simd;
mod spans;
#[cfg(test)]
mod testing;
mod texels;
mod tile;

pub use bitmap::{Bitmap, PIXEL};
pub use blend::Mode;
pub use canvas::{Band, Canvas, Colour};
pub use feed::{Crop, Feed};
pub use geometry::{Affine, Rect};
pub use mask::{Mask, mask};
pub use picture::Picture;
