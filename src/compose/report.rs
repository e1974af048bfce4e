//! What the frame loop says of itself: figures, and the layers it can't show as they should be.
//!
//! Written by the frame loop, read by whoever shows it; neither waits for the other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// What the frame loop says of itself. All zero while nothing is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Frames a second over the last seconds.
    pub fps: f64,
    /// ms.
    pub render_p50: f64,
    pub render_p95: f64,
    pub render_p99: f64,
    /// Frames that could not be made in time.
    pub dropped: u64,
    /// Frames that were sent again in their place.
    pub duplicated: u64,
    /// Bytes of pictures, canvases and files in memory.
    pub memory: usize,
    /// Streams that are decoded for layers.
    pub feeds: usize,
    /// Frames of theirs that could not be decoded.
    pub damaged: u64,
    /// Times a file that a layer shows could not be read.
    pub unread: u64,
    /// Panics while a layer was drawn.
    pub panics: u64,
    /// Times drawing a layer took too long and was given up.
    pub given_up: u64,
    /// Frames that could not be composed at all; the last one was shown on.
    pub failed: u64,
}

/// A layer that can't be shown as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub layer: String,
    pub message: String,
}

/// Layers that can't be shown as they should be, in the order of their names.
pub type Troubles = Arc<Vec<Trouble>>;

pub(super) struct Report {
    pub(super) figures: ArcSwap<Figures>,
    pub(super) troubles: watch::Sender<Troubles>,
}

impl Default for Report {
    fn default() -> Self {
        Self { figures: ArcSwap::default(), troubles: watch::Sender::new(Troubles::default()) }
    }
}
