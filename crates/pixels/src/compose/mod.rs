//! Putting pictures on top of each other: what the compositor does to samples.
//!
//! Called by the compositor, which decides what is drawn where; nothing here knows layers, scenes or time.

mod bitmap;

pub use bitmap::{Bitmap, PIXEL};
