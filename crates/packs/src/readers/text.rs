//! A line of text, by OCR.

use pixels::{I420, Quad};

use super::Line;
use crate::raw;

/// Handles of the OCR engine, kept by a thread.
#[derive(Default)]
pub struct Engine {}

/// The reader.
#[derive(Debug)]
pub struct Text {}

impl Text {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Text) -> Result<Self, String> {
        let _ = raw;
        Ok(Self {})
    }

    pub fn read(&self, picture: &I420, quad: &Quad, engine: &mut Engine) -> Option<Line> {
        let _ = (picture, quad, engine);
        None
    }
}
