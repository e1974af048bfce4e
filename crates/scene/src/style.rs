//! How text and shapes are painted.

use crate::color::Color;
use crate::read::{At, Inner, List, Maybe, Said, Whole, Within, Word, label, record, words};

/// The largest side, in canvas px, of anything that is drawn.
pub(crate) const MOST_PX: f64 = 8192.0;

record! {
    /// A soft copy of the outline below what is drawn.
    pub struct Shadow {
        color "color": Color = Color { r: 0, g: 0, b: 0, a: 128 }, Said;
        /// Standard deviation doubled, as CSS has it, in px.
        blur "blur": f64 = 4.0, Within(0.0, 200.0);
        /// To the right, in px.
        offset_x "offsetX": f64 = 0.0, Within(-2000.0, 2000.0);
        /// Down, in px.
        offset_y "offsetY": f64 = 2.0, Within(-2000.0, 2000.0);
    }
}

words! {
    pub enum GradientKind {
        /// Along a line through the middle of the box at `angle`.
        Linear "linear",
        /// From the middle of the box to its corners.
        Radial "radial",
    }
}

record! {
    /// Takes the place of a plain colour.
    pub struct Gradient checked by stops_rise {
        kind "type": GradientKind = GradientKind::Linear, Word;
        /// Degrees clockwise as CSS has it: 0 goes up, 90 to the right. For `linear` only.
        angle "angle": f64 = 90.0, Within(-36_000.0, 36_000.0);
        colors "colors": Vec<Stop> = Vec::new(), List { least: 2, most: 32, each: Inner };
    }
}

record! {
    /// A colour at a place on a gradient.
    pub struct Stop {
        /// 0 is the beginning, 1 the end.
        offset "offset": f64 = 0.0, Within(0.0, 1.0);
        color "color": Color = Color::BLACK, Said;
    }
}

fn stops_rise(gradient: &Gradient, at: &mut At<'_>) {
    if gradient.colors.windows(2).any(|pair| pair[0].offset > pair[1].offset) {
        at.wrong_in("colors", "must have offsets that do not fall");
    }
}

words! {
    pub enum FontStyle {
        Normal "normal",
        Italic "italic",
        Oblique "oblique",
    }
}

words! {
    pub enum Align {
        /// To the left, or to the right in a script that is written from there.
        Start "start",
        Left "left",
        Center "center",
        Right "right",
        End "end",
        Justify "justify",
    }
}

record! {
    /// How text looks.
    pub struct TextStyle {
        /// A family, or a list of them separated by commas; what none of them has is taken from the fonts of the system.
        font_family "fontFamily": String = "sans-serif".to_owned(), label("the name of a font family");
        /// px an em.
        font_size "fontSize": f64 = 32.0, Within(1.0, 1000.0);
        /// 400 is regular, 700 is bold.
        font_weight "fontWeight": i64 = 400, Whole(1, 1000);
        font_style "fontStyle": FontStyle = FontStyle::Normal, Word;
        color "color": Color = Color::WHITE, Said;
        /// Takes the place of `color`, over the box of the whole text.
        gradient "gradient": Option<Gradient> = None, Maybe(Inner);
        stroke_color "strokeColor": Color = Color::BLACK, Said;
        /// px, half of it outside the glyph; 0 draws none.
        stroke_width "strokeWidth": f64 = 0.0, Within(0.0, 100.0);
        shadow "shadow": Option<Shadow> = None, Maybe(Inner);
        align "align": Align = Align::Start, Word;
        /// Times the font's size.
        line_height "lineHeight": f64 = 1.2, Within(0.1, 10.0);
        /// px added behind each letter.
        letter_spacing "letterSpacing": f64 = 0.0, Within(-100.0, 1000.0);
    }
}

words! {
    pub enum LineCap {
        Butt "butt",
        Round "round",
        Square "square",
    }
}

words! {
    pub enum LineJoin {
        Miter "miter",
        Round "round",
        Bevel "bevel",
    }
}

record! {
    /// How a shape looks.
    pub struct ShapeStyle {
        /// White unless it is said; a clear colour fills nothing.
        fill_color "fillColor": Color = Color::WHITE, Said;
        /// Takes the place of `fillColor`, over the shape's box.
        gradient "gradient": Option<Gradient> = None, Maybe(Inner);
        stroke_color "strokeColor": Color = Color::BLACK, Said;
        /// px, half of it outside the outline; 0 draws none.
        stroke_width "strokeWidth": f64 = 0.0, Within(0.0, 500.0);
        line_cap "lineCap": LineCap = LineCap::Butt, Word;
        line_join "lineJoin": LineJoin = LineJoin::Miter, Word;
        /// px; of a rectangle's corners.
        corner_radius "cornerRadius": f64 = 0.0, Within(0.0, MOST_PX);
    }
}
