//! A picture as its decoder gave it: nothing is copied until somebody scales it.

use ffmpeg_next::frame;
use pixels::{I420, Lent, View};

use crate::input::planes;

/// A decoded picture. Its memory goes back to its decoder when it is dropped.
pub struct Decoded(Form);

enum Form {
    /// 8-bit 4:2:0.
    Frame(frame::Video),
    /// What had to be turned.
    Own(Box<I420>),
}

#[expect(unsafe_code, reason = "the binding leaves Sync to us")]
// SAFETY: once made nothing changes it; all that is done with it is reading its fields and its samples, and its buffers count
// their references atomically.
unsafe impl Sync for Decoded {}

impl Decoded {
    pub(super) fn frame(frame: frame::Video) -> Self {
        Self(Form::Frame(frame))
    }

    pub(super) fn own(picture: I420) -> Self {
        Self(Form::Own(Box::new(picture)))
    }

    /// Its samples, range and matrix (unmarked: BT.709 from 720 lines up, else BT.601).
    #[must_use]
    pub fn view(&self) -> View<'_> {
        let frame = match &self.0 {
            Form::Own(picture) => return picture.view(),
            Form::Frame(frame) => frame,
        };
        let (width, height) = (frame.width(), frame.height());
        let (range, matrix) = planes::colours(frame);
        let half = I420::chroma_size(width, height);
        let sizes = [(width, height), half, half];
        let planes = std::array::from_fn(|at| {
            let (width, height) = sizes[at];
            Lent { data: frame.data(at), stride: frame.stride(at), width, height }
        });
        View { width, height, planes, range, matrix }
    }
}

impl std::fmt::Debug for Decoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let View { width, height, range, matrix, .. } = self.view();
        write!(f, "Decoded({width}×{height}, {range:?}, {matrix:?})")
    }
}
