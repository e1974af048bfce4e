//! A scene that stands still and shows no files, as one picture. Called by whoever needs a drawn picture, such as a slate.

use std::sync::Arc;

use pixels::I420;
use render::{Asset, Engine, Feed, Inline, Want, World};
use scene::template::{Seen, Values};
use scene::{Id, SceneFile, Store};
use serde_json::Value;

use crate::base::error::{Error, Kind, Result};

/// Draws `scene`, a scene file's JSON, on a canvas of that size.
///
/// # Errors
/// `Internal` when it is no scene.
pub fn draw(scene: &Value, (width, height): (u32, u32)) -> Result<Arc<I420>> {
    let wrong = |why: String| Error::new(Kind::Internal, format!("a picture can't be drawn: {why}"));
    let mut file = SceneFile::read(scene).map_err(|problems| wrong(format!("{problems:?}")))?;
    (file.canvas.width, file.canvas.height) = (width.into(), height.into());
    let mut named = 0_u32;
    let mut ids = || {
        named += 1;
        Id::parse(&format!("unnamed-{named}")).expect("letters, a dash and digits")
    };
    let store =
        Store::open(&file, scene::document::MOST_LAYERS, &mut ids).map_err(|e| wrong(e.to_string()))?;
    let mut studio = Inline::new(draw::Painter::new(&draw::Fonts::with_system()));
    Ok(Engine::new(width, height).step(&store, &Nothing, &mut studio, 0.0))
}

/// A world without files, streams and values.
pub(super) struct Nothing;

impl Values for Nothing {
    fn get(&self, _path: &[Box<str>]) -> Option<Seen<'_>> {
        None
    }
}

impl World for Nothing {
    fn wall(&self) -> i64 {
        0
    }

    fn asset(&self, _src: &str) -> Option<Asset> {
        None
    }

    fn level(&self, _source: &str) -> f64 {
        0.0
    }

    fn feed(&self, _want: &Want<'_>) -> Feed {
        Feed::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scene_becomes_a_picture_of_the_size_that_is_asked_for() {
        let scene = json!({"layers": [{"content": {"kind": "shape", "shape": "rectangle", "width": 64, "height": 32,
            "style": {"fillColor": "#fff"}}}]});
        let picture = draw(&scene, (64, 32)).unwrap();
        assert_eq!((picture.width, picture.height, picture.y.row(16)[32]), (64, 32, 235));
        assert!(draw(&json!({"layers": 7}), (64, 32)).is_err());
    }
}
