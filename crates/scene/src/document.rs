//! The scene file: canvas, layers, animations. The same shape is what named scenes store.

use serde_json::Value;

use crate::animation::{Animation, Easing};
use crate::color::Color;
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{
    At, Counted, Flag, Inner, List, Maybe, Problem, Said, Whole, Within, Word, label, line, read_new, record,
    said, words,
};

/// Layers that the largest scene can have, whatever `MAX_LAYERS` is set to.
pub const MOST_LAYERS: usize = 1000;
/// Lines of chat in a scene file.
const MOST_LINES: usize = 10_000;
/// Animations that run at once in one scene.
pub const MOST_ANIMATIONS: usize = 1000;

record! {
    /// What is drawn on.
    #[derive(Copy)]
    pub struct Canvas {
        /// px.
        width "width": i64 = 1920, Whole(16, 8192);
        height "height": i64 = 1080, Whole(16, 8192);
        /// Frames a second.
        fps "fps": f64 = 30.0, Within(1.0, 60.0);
        /// Shown where no layer is; alpha is not looked at.
        background "background": Color = Color::BLACK, Said;
    }
}

record! {
    /// A scene as a file.
    pub struct SceneFile {
        canvas "canvas": Canvas = Canvas::default(), Inner;
        layers "layers": Vec<Layer> = Vec::new(), List { least: 0, most: MOST_LAYERS, each: Inner };
        animations "animations": Vec<Animation> = Vec::new(), List { least: 0, most: MOST_ANIMATIONS, each: Inner };
        /// What is said in it, for the layers that show messages.
        chat "chat": Vec<Line> = Vec::new(), List { least: 0, most: MOST_LINES, each: Inner };
    }
}

record! {
    /// A line of chat in a scene file.
    pub struct Line {
        /// Program time in ms at which it comes.
        at "at": f64 = 0.0, Within(0.0, 1e9);
        author "author": String = String::new(), line(64);
        text "text": String = String::new(), said(500);
        highlighted "highlighted": bool = false, Flag;
    }
}

record! {
    /// A named scene: a set of layers that can be put on air.
    pub struct Scene {
        id "id": Id = Id::default(), Said;
        name "name": String = String::new(), line(128);
        revision "revision": u64 = 0, Counted;
        /// Only its background is used when it is put on air: the size of the picture can't change while it is sent.
        canvas "canvas": Option<Canvas> = None, Maybe(Inner);
        layers "layers": Vec<Layer> = Vec::new(), List { least: 0, most: MOST_LAYERS, each: Inner };
        /// Begin when the scene is put on air; a `startAt` counts from there.
        animations "animations": Vec<Animation> = Vec::new(), List { least: 0, most: MOST_ANIMATIONS, each: Inner };
    }
}

words! {
    pub enum TransitionKind {
        /// From one frame to the next.
        Cut "cut",
        /// One is mixed into the other.
        Fade "fade",
        /// The new one pushes the old one out.
        Slide "slide",
        /// The new one is laid over the old one along an edge.
        Wipe "wipe",
        /// The new one grows over the old one.
        Scale "scale",
        /// A video with alpha hides the cut in its middle.
        Stinger "stinger",
    }
}

words! {
    /// Where the new scene moves to.
    pub enum Toward {
        Left "left",
        Right "right",
        Up "up",
        Down "down",
    }
}

record! {
    /// How one scene becomes the next.
    pub struct Transition checked by stinger_has_a_video {
        kind "type": TransitionKind = TransitionKind::Cut, Word;
        /// ms.
        duration "duration": f64 = 500.0, Within(0.0, 60_000.0);
        easing "easing": Easing = Easing::default(), Said;
        direction "direction": Toward = Toward::Left, Word;
        /// The stinger's video.
        src "src": Option<String> = None, Maybe(label("the id of an asset, or in a scene file a path beside it"));
    }
}

fn stinger_has_a_video(transition: &Transition, at: &mut At<'_>) {
    if transition.kind == TransitionKind::Stinger && transition.src.is_none() {
        at.wrong_in("src", "is missing; it must be the asset that hides the change");
    }
}

impl Transition {
    /// Whether nothing is seen of it.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.kind == TransitionKind::Cut || self.duration == 0.0
    }
}

impl SceneFile {
    /// # Errors
    /// Every mistake by its field.
    pub fn read(json: &Value) -> Result<Self, Vec<Problem>> {
        let mut file: Self = read_new(json)?;
        stack(&mut file.layers, json);
        Ok(file)
    }
}

/// A layer that says no zIndex stands above all before it.
pub(crate) fn stack(layers: &mut [Layer], json: &Value) {
    let mut top: Option<i64> = None;
    for (index, layer) in layers.iter_mut().enumerate() {
        if json["layers"][index]["zIndex"].is_null() {
            layer.z_index = above(top);
        }
        top = top.max(Some(layer.z_index));
    }
}

/// The zIndex above all there are.
pub(crate) fn above(top: Option<i64>) -> i64 {
    top.map_or(0, |top| (top + 1).min(Layer::HIGHEST))
}
