//! What is sent when there is nothing to show: a picture that nobody takes for a failure.

use std::sync::{Arc, OnceLock};

use pixels::{I420, Matrix, Range};
use serde_json::json;
use tracing::warn;

use crate::compose::still;

/// The slate, drawn when it is first needed.
pub(super) struct Slate {
    width: u32,
    height: u32,
    picture: OnceLock<Arc<I420>>,
}

impl Slate {
    pub(super) const fn new(width: u32, height: u32) -> Self {
        Self { width, height, picture: OnceLock::new() }
    }

    pub(super) const fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// As the compositor makes its pictures.
    pub(super) fn picture(&self) -> &Arc<I420> {
        self.picture.get_or_init(|| {
            let (width, height) = self.size();
            still::draw(&scene(width, height), (width, height)).unwrap_or_else(|e| {
                warn!(error = %e, "the slate has no text");
                Arc::new(plain(width, height))
            })
        })
    }
}

fn scene(width: u32, height: u32) -> serde_json::Value {
    let (size, bar) = ((height / 14).max(8), (height / 90).max(2));
    let colours = [json!({"offset": 0, "color": "#1d2b45"}), json!({"offset": 1, "color": "#0e1524"})];
    json!({"layers": [
        {"id": "ground", "content": {"kind": "shape", "shape": "rectangle", "width": width, "height": height,
            "style": {"gradient": {"type": "linear", "angle": 90, "colors": colours}}}},
        {"id": "words",
            "transform": {"position": {"x": width / 2, "y": height / 2}, "anchor": {"x": 0.5, "y": 0.5}},
            "content": {"kind": "text", "text": "One moment, please", "maxWidth": width,
                "style": {"fontSize": size, "fontWeight": 600, "color": "#dfe7f5", "align": "center"}}},
        {"id": "bar",
            "transform": {"position": {"x": width / 2, "y": height / 2 + size}, "anchor": {"x": 0.5, "y": 0}},
            "content": {"kind": "shape", "shape": "rectangle", "width": width / 6, "height": bar,
                "style": {"fillColor": "#4f7cc4", "cornerRadius": bar / 2}}},
    ]})
}

/// Without fonts or a drawing: a dark blue.
fn plain(width: u32, height: u32) -> I420 {
    let mut picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
    picture.y.fill(48);
    picture.u.fill(140);
    picture.v.fill(120);
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slate_is_never_black_and_has_words_whatever_its_size() {
        for (width, height) in [(64, 64), (640, 360), (1080, 1920)] {
            let slate = Slate::new(width, height);
            let picture = slate.picture();
            assert_eq!((picture.width, picture.height), slate.size());
            assert!(picture.y.data.iter().all(|luma| *luma > 20), "{width}x{height} has black in it");
            assert!(picture.y.data.iter().any(|luma| *luma > 150), "{width}x{height} has no words");
            let other = plain(width, height);
            assert_eq!((other.range, other.matrix), (picture.range, picture.matrix));
        }
    }
}
