//! The scene file: canvas, layers, animations. The same shape is what named scenes store.

use crate::animation::{Animation, Easing};
use crate::color::Color;
use crate::id::Id;
use crate::layer::Layer;
use crate::read::{Counted, Inner, List, Maybe, Said, Whole, Within, Word, label, line, record, words};

/// Layers that the largest scene can have, whatever `MAX_LAYERS` is set to.
pub const MOST_LAYERS: usize = 1000;
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
    pub struct Transition {
        kind "type": TransitionKind = TransitionKind::Cut, Word;
        /// ms.
        duration "duration": f64 = 500.0, Within(0.0, 60_000.0);
        easing "easing": Easing = Easing::default(), Said;
        direction "direction": Toward = Toward::Left, Word;
        /// The stinger's video.
        src "src": Option<String> = None, Maybe(label("the id of an asset, or in a scene file a path beside it"));
    }
}
