//! Which of some colours fills the box.

use pixels::{I420, Quad};

use super::Line;
use crate::raw;

/// The reader.
#[derive(Debug)]
pub struct Color {}

impl Color {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Color) -> Result<Self, String> {
        let _ = raw;
        Ok(Self {})
    }

    /// The colour's name.
    #[must_use]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<Line> {
        let _ = (picture, quad);
        None
    }
}
