//! What the engine is told of the world outside the scene.

use std::sync::Arc;

use pixels::compose::Picture;
use scene::Effect;
use scene::content::{Crop, Fit};
use scene::template::Values;

/// Asked on the frame clock's thread, some times a frame: whatever is asked for must be at hand.
pub trait World: Values {
    /// The wall clock, in ms since 1970 (UTC).
    fn wall(&self) -> i64;

    /// The file that a `src` names; `None` when there is none (any more).
    fn asset(&self, src: &str) -> Option<Asset>;

    /// How loud a source of sound is now: the highest sample of a moment ago, 1 being full scale; 0 for what is not heard.
    fn level(&self, source: &str) -> f64;

    /// What a live source shows now. Asking is what keeps it being decoded.
    fn feed(&self, want: &Want<'_>) -> Feed;
}

/// A file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Asset {
    pub bytes: Arc<[u8]>,
    /// Another one for every other content.
    pub version: u64,
}

/// The size of a box, in px; what is not said follows from the source's own.
pub type Size = (Option<f64>, Option<f64>);

/// A live picture as a layer shows it: cut, scaled and worked on where it is decoded, once for all layers that want the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Want<'a> {
    /// Who wants it: a layer has the same number from frame to frame.
    pub owner: u64,
    pub source: Source<'a>,
    pub size: Size,
    pub fit: Fit,
    pub crop: Crop,
    pub corner_radius: f64,
    pub effects: &'a [Effect],
}

/// Where a live picture comes from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'a> {
    /// A stream of the hub.
    Stream(&'a str),
    /// A file with moving pictures.
    Video {
        src: &'a str,
        looped: bool,
        alpha: bool,
        /// ms since its first picture.
        at: f64,
    },
}

/// What a live source shows.
#[derive(Clone, Debug, Default)]
pub struct Feed {
    /// The newest picture, if there ever was one.
    pub picture: Option<Arc<Picture>>,
    /// Where the picture's corner is in the content's box, in px: effects may reach over it.
    pub left: i32,
    pub top: i32,
    /// The content's box, in px; the picture's own size unless it is said.
    pub size: Option<(f64, f64)>,
    /// Another one for every other picture.
    pub version: u64,
    /// Why there is nothing newer.
    pub trouble: Option<&'static str>,
    /// ms since it came; how long nothing has come.
    pub age: f64,
}
