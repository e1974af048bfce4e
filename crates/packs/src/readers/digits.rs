//! Letters of a font that is always the same.

use std::sync::Arc;

use pixels::{I420, Quad};

use super::Line;
use crate::files::Files;
use crate::raw;

/// The letters of a font, learned from labelled crops.
#[derive(Debug)]
pub struct Font {}

impl Font {
    /// # Errors
    /// What is wrong with the crops.
    pub fn load(raw: &raw::Font, files: &dyn Files) -> Result<Self, String> {
        let _ = (raw, files);
        Ok(Self {})
    }
}

/// The reader.
#[derive(Debug)]
pub struct Digits {}

impl Digits {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Digits, font: Arc<Font>) -> Result<Self, String> {
        let _ = (raw, font);
        Ok(Self {})
    }

    #[must_use]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<Line> {
        let _ = (picture, quad);
        None
    }
}
