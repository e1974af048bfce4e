//! Contents that are outlines: filled, stroked, with gradients.

use super::media::SIDE;
use crate::layer::Point;
use crate::read::{At, Inner, List, Within, choice, plain, record};
use crate::style::{MOST_PX, ShapeStyle};

choice! {
    /// An outline.
    pub enum Shape by "shape" {
        Rectangle(Rectangle) "rectangle",
        Circle(Circle) "circle",
        Ellipse(Ellipse) "ellipse",
        Polygon(Polygon) "polygon",
        Line(Line) "line",
        Path(PathShape) "path",
    }
}

impl Shape {
    #[must_use]
    pub fn style(&self) -> &ShapeStyle {
        match self {
            Self::Rectangle(Rectangle { style, .. })
            | Self::Circle(Circle { style, .. })
            | Self::Ellipse(Ellipse { style, .. })
            | Self::Polygon(Polygon { style, .. })
            | Self::Line(Line { style, .. })
            | Self::Path(PathShape { style, .. }) => style,
        }
    }
}

record! {
    pub struct Rectangle {
        /// Canvas px.
        width "width": f64 = 100.0, SIDE;
        height "height": f64 = 100.0, SIDE;
        style "style": ShapeStyle = ShapeStyle::default(), Inner;
    }
}

record! {
    /// Its box has sides of twice the radius.
    pub struct Circle {
        /// Canvas px.
        radius "radius": f64 = 50.0, Within(0.5, MOST_PX / 2.0);
        style "style": ShapeStyle = ShapeStyle::default(), Inner;
    }
}

record! {
    /// As large as its box.
    pub struct Ellipse {
        width "width": f64 = 100.0, SIDE;
        height "height": f64 = 100.0, SIDE;
        style "style": ShapeStyle = ShapeStyle::default(), Inner;
    }
}

record! {
    /// A closed outline; its box begins at the layer's origin and ends at the largest x and y.
    pub struct Polygon {
        points "points": Vec<Point> = Vec::new(), List { least: 3, most: 1000, each: Inner };
        style "style": ShapeStyle = ShapeStyle::default(), Inner;
    }
}

record! {
    /// Straight from one point to the next, stroked and never filled.
    pub struct Line {
        points "points": Vec<Point> = Vec::new(), List { least: 2, most: 1000, each: Inner };
        style "style": ShapeStyle = ShapeStyle { stroke_width: 1.0, ..ShapeStyle::default() }, Inner;
    }
}

record! {
    /// An outline as SVG writes it.
    pub struct PathShape checked by path_can_be_read {
        d "d": String = String::new(), plain(20_000, "the data of an SVG path");
        style "style": ShapeStyle = ShapeStyle::default(), Inner;
    }
}

fn path_can_be_read(path: &PathShape, at: &mut At<'_>) {
    if let Err(message) = crate::animation::check_path(&path.d) {
        at.wrong_in("d", message);
    }
}
