//! What is in a box: one file a reader.
//!
//! A reader is made once of its settings and knows nothing of streams; what one stream's boxes showed before is in the
//! session's memory, what a thread can use again is in its [`Tools`].

pub mod bar;
mod blobs;
pub mod color;
mod crop;
pub mod digits;
mod fit;
mod glyphs;
pub mod motion;
mod numerals;
mod one_thread;
pub mod templates;
pub mod text;

use crate::shape::Shape;

/// A reader with its settings.
#[derive(Debug)]
pub enum Reader {
    Templates(templates::Templates),
    Text(text::Text, Shape),
    Digits(digits::Digits, Shape),
    Color(color::Color),
    Bar(bar::Bar),
    Motion(motion::Motion),
}

/// What a thread that reads keeps between pictures: handles that are dear to make. Nothing of a picture stays in it.
#[derive(Default)]
pub struct Tools {
    pub text: text::Engine,
}

/// A text and how sure the reader is, 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub text: String,
    pub confidence: f32,
}
