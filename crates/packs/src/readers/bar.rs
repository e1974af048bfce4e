//! How full a bar is.

use pixels::{I420, Quad};

use crate::raw;

/// The reader.
#[derive(Debug)]
pub struct Bar {}

impl Bar {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Bar) -> Result<Self, String> {
        let _ = raw;
        Ok(Self {})
    }

    /// 0 to 1, and how sure.
    #[must_use]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<(f32, f32)> {
        let _ = (picture, quad);
        None
    }
}
