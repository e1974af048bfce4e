//! Which part of the box changed since the last picture.

use pixels::{I420, Quad};

use crate::raw;

/// The reader.
#[derive(Debug)]
pub struct Motion {}

/// What the box showed last.
#[derive(Debug, Default)]
pub struct Memory {}

impl Motion {
    #[must_use]
    pub fn new(raw: &raw::Motion) -> Self {
        let _ = raw;
        Self {}
    }

    /// 0 to 1; `None` for the first picture.
    pub fn read(&self, picture: &I420, quad: &Quad, memory: &mut Memory) -> Option<f32> {
        let _ = (picture, quad, memory);
        None
    }
}
