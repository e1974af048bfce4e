//! What is done to a layer's finished picture before it is blended.

use std::collections::BTreeMap;

use crate::color::Color;
use crate::read::{Named, Said, Within, choice, record, source};
use crate::style::MOST_PX;

choice! {
    /// One effect; a layer's are applied in their order.
    pub enum Effect by "type" {
        Blur(Blur) "blur",
        Shadow(DropShadow) "shadow",
        Glow(Glow) "glow",
        Color(ColorShift) "color",
        ChromaKey(ChromaKey) "chromaKey",
        Tint(Tint) "tint",
        CornerRadius(CornerRadius) "cornerRadius",
        Pixelate(Pixelate) "pixelate",
        /// On a GPU only; drawn without elsewhere.
        Shader(Shader) "shader",
    }
}

record! {
    /// A Gaussian blur.
    pub struct Blur {
        /// px.
        radius "radius": f64 = 8.0, Within(0.0, 200.0);
    }
}

record! {
    /// A soft copy of the layer's outline below it.
    pub struct DropShadow {
        color "color": Color = Color { r: 0, g: 0, b: 0, a: 128 }, Said;
        /// px.
        blur "blur": f64 = 8.0, Within(0.0, 200.0);
        /// px to the right.
        offset_x "offsetX": f64 = 0.0, Within(-2000.0, 2000.0);
        /// px down.
        offset_y "offsetY": f64 = 4.0, Within(-2000.0, 2000.0);
    }
}

record! {
    /// A soft light around the layer's outline.
    pub struct Glow {
        color "color": Color = Color::WHITE, Said;
        /// px.
        radius "radius": f64 = 12.0, Within(0.0, 200.0);
    }
}

record! {
    /// Brightness, contrast, saturation, hue, in this order; the defaults change nothing.
    pub struct ColorShift {
        /// A factor; 1 changes nothing.
        brightness "brightness": f64 = 1.0, Within(0.0, 10.0);
        /// A factor around middle grey; 1 changes nothing.
        contrast "contrast": f64 = 1.0, Within(0.0, 10.0);
        /// A factor; 0 is grey, 1 changes nothing.
        saturation "saturation": f64 = 1.0, Within(0.0, 10.0);
        /// Degrees that the hue is turned by.
        hue "hue": f64 = 0.0, Within(-3600.0, 3600.0);
    }
}

record! {
    /// Makes what has a colour clear.
    pub struct ChromaKey {
        color "color": Color = Color { r: 0, g: 255, b: 0, a: 255 }, Said;
        /// How far from the colour is clear, as a part of the greatest distance in the chroma plane.
        similarity "similarity": f64 = 0.4, Within(0.0, 1.0);
        /// How much farther it takes to be solid, in the same measure.
        smoothness "smoothness": f64 = 0.08, Within(0.0, 1.0);
        /// How much of the colour's cast is taken from what stays.
        spill "spill": f64 = 0.1, Within(0.0, 1.0);
    }
}

record! {
    /// Mixes a colour into what is drawn, keeping its alpha.
    pub struct Tint {
        color "color": Color = Color::WHITE, Said;
        /// 0 changes nothing, 1 leaves the colour only.
        amount "amount": f64 = 0.5, Within(0.0, 1.0);
    }
}

record! {
    /// Rounds the corners of the layer's box.
    pub struct CornerRadius {
        /// px.
        radius "radius": f64 = 16.0, Within(0.0, MOST_PX);
    }
}

record! {
    /// Squares of one colour.
    pub struct Pixelate {
        /// px a side.
        size "size": f64 = 16.0, Within(1.0, 512.0);
    }
}

record! {
    /// A shader of the client's own.
    pub struct Shader {
        /// Its source.
        wgsl "wgsl": String = String::new(), source();
        /// Numbers it is given by name.
        params "params": BTreeMap<String, f64> = BTreeMap::new(), Named { most: 32, each: Within(-1e9, 1e9) };
    }
}
