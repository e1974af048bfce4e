//! A layer: what it shows, where, and how it is blended.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::content::Content;
use crate::effect::Effect;
use crate::id::Id;
use crate::read::{
    At, Chosen, Counted, Flag, Height, Inner, List, Maybe, Named, Problem, Said, Within, Word, label, line,
    read_new, record, words,
};
use crate::template::{self, Binding};

words! {
    /// What a layer is for. It says nothing about how it is drawn, and never changes.
    pub enum LayerType {
        Overlay "overlay",
        Host "host",
        Assistant "assistant",
        VisualFeed "visualFeed",
        Chat "chat",
    }
}

words! {
    /// How a layer's colours meet those below it, as CSS Compositing 1 defines them; `add` is its `plus-lighter`.
    pub enum BlendMode {
        Normal "normal",
        Multiply "multiply",
        Screen "screen",
        Overlay "overlay",
        Darken "darken",
        Lighten "lighten",
        Add "add",
    }
}

record! {
    /// One layer of the picture.
    ///
    /// A mask layer or a group that is not there, and circles of them, are refused by the store.
    pub struct Layer checked by template::check {
        /// Never changes.
        id "id": Id = Id::default(), Said;
        /// For people.
        name "name": String = String::new(), line(128);
        kind "type": LayerType = LayerType::Overlay, Word;
        /// Higher ones are in front; those that are equal stand in the order in which they were made. Above all there are
        /// unless it is said.
        z_index "zIndex": i64 = 0, Height(Layer::HIGHEST);
        visible "visible": bool = true, Flag;
        opacity "opacity": f64 = 1.0, Within(0.0, 1.0);
        blend_mode "blendMode": BlendMode = BlendMode::Normal, Word;
        transform "transform": Transform = Transform::default(), Inner;
        /// The group that it is in.
        parent "parent": Option<Id> = None, Maybe(Said);
        mask "mask": Option<Mask> = None, Maybe(Inner);
        effects "effects": Vec<Effect> = Vec::new(), List { least: 0, most: 16, each: Inner };
        /// By property (`content.text`, `opacity`, `visible`): what it takes its value from.
        bind "bind": BTreeMap<String, Binding> = BTreeMap::new(), Named { most: 32, each: template::BindingRule };
        content "content": Content = Content::default(), Chosen;
        /// The store's revision that last changed it. What a client writes here is not looked at.
        revision "revision": u64 = 0, Counted;
    }
}

impl Layer {
    /// The highest `zIndex`; its negative is the lowest.
    pub const HIGHEST: i64 = 1_000_000;

    /// A layer by itself. What it names (parent, mask) is not looked for; a `zIndex` that is not said is 0.
    ///
    /// # Errors
    /// Every mistake by its field.
    pub fn read(json: &Value) -> Result<Self, Vec<Problem>> {
        read_new(json)
    }
}

record! {
    /// Where a layer stands: translate to `position`, rotate, scale, move back by the anchor.
    #[derive(Copy)]
    pub struct Transform {
        /// Where the anchor stands on the canvas, or within the group, in px.
        position "position": Point = Point::default(), Inner;
        /// Factors; a negative one mirrors.
        scale "scale": Scale = Scale::default(), Inner;
        /// Degrees clockwise.
        rotation "rotation": f64 = 0.0, Within(-1_000_000.0, 1_000_000.0);
        /// The fixed point of the content's box, in fractions of its sides.
        anchor "anchor": Anchor = Anchor::default(), Inner;
    }
}

record! {
    /// A place, in px.
    #[derive(Copy)]
    pub struct Point {
        x "x": f64 = 0.0, Within(-100_000.0, 100_000.0);
        y "y": f64 = 0.0, Within(-100_000.0, 100_000.0);
    }
}

record! {
    /// Factors for the two sides.
    #[derive(Copy)]
    pub struct Scale {
        x "x": f64 = 1.0, Within(-100.0, 100.0);
        y "y": f64 = 1.0, Within(-100.0, 100.0);
    }
}

record! {
    /// A point of a box: 0,0 is its top left corner, 1,1 its bottom right one.
    #[derive(Copy)]
    pub struct Anchor {
        x "x": f64 = 0.0, Within(0.0, 1.0);
        y "y": f64 = 0.0, Within(0.0, 1.0);
    }
}

impl Transform {
    /// The matrix `[a, b, c, d, e, f]` that takes a point of the content's box to the canvas:
    /// `x' = a·x + c·y + e`, `y' = b·x + d·y + f`. `width` and `height` are the box's sides in px.
    #[must_use]
    pub fn matrix(&self, width: f64, height: f64) -> [f64; 6] {
        let (sin, cos) = turn(self.rotation);
        let (a, b) = (cos * self.scale.x, sin * self.scale.x);
        let (c, d) = (-sin * self.scale.y, cos * self.scale.y);
        let (x, y) = (self.anchor.x * width, self.anchor.y * height);
        [a, b, c, d, self.position.x - a * x - c * y, self.position.y - b * x - d * y]
    }
}

/// Sine and cosine of degrees; exact at right angles, so that what is upright stays so to the pixel.
fn turn(degrees: f64) -> (f64, f64) {
    match degrees.rem_euclid(360.0) {
        0.0 => (0.0, 1.0),
        90.0 => (1.0, 0.0),
        180.0 => (0.0, -1.0),
        270.0 => (-1.0, 0.0),
        other => other.to_radians().sin_cos(),
    }
}

words! {
    pub enum MaskMode {
        /// The mask's alpha.
        Alpha "alpha",
        /// The mask's brightness, times its alpha.
        Luma "luma",
    }
}

record! {
    /// Lets a layer through where another picture is solid, or bright.
    ///
    /// A layer used as a mask is drawn as well unless its `visible` is off.
    pub struct Mask checked by one_mask {
        layer_id "layerId": Option<Id> = None, Maybe(Said);
        /// A picture stretched over the layer's box.
        src "src": Option<String> = None, Maybe(label("the id of an asset, or in a scene file a path beside it"));
        mode "mode": MaskMode = MaskMode::Alpha, Word;
    }
}

fn one_mask(mask: &Mask, at: &mut At<'_>) {
    if mask.layer_id.is_some() == mask.src.is_some() {
        at.wrong("must have either layerId or src");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_anchor_stands_at_the_position_however_the_layer_is_turned() {
        for rotation in [0.0, 30.0, 90.0, 180.0, 270.0, -450.0] {
            for (x, y) in [(1.0, 1.0), (-1.0, 1.0), (2.0, 0.5)] {
                let transform = Transform {
                    position: Point { x: 500.0, y: 300.0 },
                    scale: Scale { x, y },
                    rotation,
                    anchor: Anchor { x: 0.5, y: 1.0 },
                };
                let [a, b, c, d, e, f] = transform.matrix(200.0, 100.0);
                let (px, py) = (100.0, 100.0);
                let at = (a * px + c * py + e, b * px + d * py + f);
                assert!((at.0 - 500.0).abs() < 1e-9 && (at.1 - 300.0).abs() < 1e-9, "{rotation}: {at:?}");
            }
        }
    }

    #[test]
    fn what_is_upright_or_mirrored_is_so_exactly() {
        let matrix = |rotation, x| {
            Transform { rotation, scale: Scale { x, y: 1.0 }, ..Transform::default() }.matrix(10.0, 10.0)
        };
        assert_eq!(matrix(90.0, 1.0), [0.0, 1.0, -1.0, 0.0, 0.0, 0.0]);
        assert_eq!(matrix(-360.0, 1.0), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(matrix(0.0, -1.0)[0], -1.0);
    }
}
