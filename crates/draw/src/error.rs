//! Why something is not drawn, in words for whoever sent it.

use crate::image::{Kind, MAX_FRAMES};
use crate::{MAX_PIXELS, MAX_SIDE};

/// Why something is not drawn. What has a name in it is to be told to whoever sent the content or file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("there is no data; send a whole file")]
    Empty,
    #[error("this is not an image that can be shown; PNG, APNG, JPEG, GIF, WebP and SVG can")]
    UnknownImage,
    #[error("the {what} has {bytes} bytes; at most {most} are allowed")]
    TooManyBytes { what: &'static str, bytes: usize, most: usize },
    #[error("the {0} is cut short: it ends before its picture is complete")]
    CutShort(Kind),
    #[error(
        "the {kind} is {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are allowed"
    )]
    TooManyPixels { kind: Kind, width: u32, height: u32 },
    #[error("the {0} has too many frames; at most {MAX_FRAMES} are allowed")]
    TooManyFrames(Kind),
    #[error(
        "the frames of the {kind} take {bytes} bytes; {most} are allowed: show it smaller or make it shorter"
    )]
    TooMuchMotion { kind: Kind, bytes: u64, most: u64 },
    #[error("the {kind} is damaged: {what}")]
    Damaged { kind: Kind, what: String },
    #[error("the {kind} {what}, which is not allowed")]
    Forbidden { kind: Kind, what: String },
    #[error("this is not a font that can be used: {0}")]
    Font(String),
    #[error("the {what} has {count} {of}; at most {most} are allowed")]
    TooMany { what: &'static str, count: usize, of: &'static str, most: usize },
    #[error(
        "the {what} would be {width}x{height} pixels; at most {MAX_SIDE} a side and {MAX_PIXELS} in all are allowed"
    )]
    TooLarge { what: &'static str, width: u32, height: u32 },
    #[error("the path cannot be read: {0}")]
    Path(String),
    /// A library gave up where it should not have.
    #[error("drawing the {what} failed: {why}")]
    Failed { what: &'static str, why: String },
}

impl Error {
    pub(crate) fn damaged(kind: Kind, what: impl Into<String>) -> Self {
        Self::Damaged { kind, what: what.into() }
    }

    pub(crate) fn forbidden(kind: Kind, what: impl Into<String>) -> Self {
        Self::Forbidden { kind, what: what.into() }
    }
}
