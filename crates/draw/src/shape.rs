//! Shapes: outlines that are filled and stroked.
//!
//! Called for shape layers, and by cards for their frames. Takes what the scene has checked; what it makes is bounded again.

use scene::content::Shape;
use scene::layer::Point as ScenePoint;
use scene::style::{LineJoin, ShapeStyle};
use vello_cpu::kurbo::{BezPath, Circle, Ellipse, Point, Rect, RoundedRect, Shape as _};

use crate::canvas::{Extent, MITER, stroke};
use crate::painter::Painter;
use crate::{Drawn, Error};

/// How far a drawn curve may be from the true one, in px.
const TOLERANCE: f64 = 0.05;
/// Most segments of a path.
const MAX_SEGMENTS: usize = 50_000;

impl Painter {
    /// Draws a shape.
    ///
    /// The box of a rectangle, circle or ellipse is its outline's; that of points and paths goes from the layer's origin to
    /// the largest x and y. A gradient spans the outline. A stroke stands half outside.
    ///
    /// # Errors
    /// [`Error::Path`], [`Error::TooLarge`], [`Error::TooMany`] segments, [`Error::Failed`].
    pub fn shape(&mut self, shape: &Shape) -> Result<Drawn, Error> {
        self.draw("shape", |desk| {
            let outline = outline(shape)?;
            let style = shape.style();
            let bounds = outline.bounding_box();
            let lined = style.stroke_width > 0.0 && style.stroke_color.a > 0;
            let (width, height) = match shape {
                Shape::Polygon(_) | Shape::Line(_) | Shape::Path(_) => {
                    (bounds.x1.max(0.0), bounds.y1.max(0.0))
                }
                _ => (bounds.width(), bounds.height()),
            };
            let over = if lined { beyond(style) } else { 0.0 };
            let extent = Extent::of("shape", bounds.inflate(over + 1.0, over + 1.0))?;
            desk.canvas.begin(extent);
            let closed = !matches!(shape, Shape::Line(_));
            if closed && (style.gradient.is_some() || style.fill_color.a > 0) {
                desk.canvas.paint(style.fill_color, style.gradient.as_ref(), bounds);
                desk.canvas.fill(&outline);
            }
            if lined {
                desk.canvas.paint(style.stroke_color, None, bounds);
                desk.canvas.stroke(&outline, stroke(style.stroke_width, style.line_cap, style.line_join));
            }
            Ok(Drawn::new(desk.canvas.finish(extent), extent, width, height).trimmed(&mut desk.canvas))
        })
    }
}

/// How far a stroke may stand out of its outline, in px.
fn beyond(style: &ShapeStyle) -> f64 {
    let half = style.stroke_width / 2.0;
    if style.line_join == LineJoin::Miter { half * MITER } else { half * std::f64::consts::SQRT_2 }
}

fn outline(shape: &Shape) -> Result<BezPath, Error> {
    Ok(match shape {
        Shape::Rectangle(of) => rounded(Rect::new(0.0, 0.0, of.width, of.height), of.style.corner_radius),
        Shape::Circle(of) => Circle::new((of.radius, of.radius), of.radius).to_path(TOLERANCE),
        Shape::Ellipse(of) => {
            let radii = (of.width / 2.0, of.height / 2.0);
            Ellipse::new(radii, radii, 0.0).to_path(TOLERANCE)
        }
        Shape::Polygon(of) => joined(&of.points, true),
        Shape::Line(of) => joined(&of.points, false),
        Shape::Path(of) => {
            let path = BezPath::from_svg(&of.d).map_err(|error| Error::Path(error.to_string()))?;
            let count = path.elements().len();
            if count > MAX_SEGMENTS {
                return Err(Error::TooMany { what: "path", count, of: "segments", most: MAX_SEGMENTS });
            }
            if !path.is_finite() {
                return Err(Error::Path("it goes on without end".to_owned()));
            }
            path
        }
    })
}

/// A rectangle with round corners, of at most half its shorter side.
pub(crate) fn rounded(rect: Rect, radius: f64) -> BezPath {
    if radius <= 0.0 {
        return rect.to_path(TOLERANCE);
    }
    RoundedRect::from_rect(rect, radius.min(rect.width() / 2.0).min(rect.height() / 2.0)).to_path(TOLERANCE)
}

fn joined(points: &[ScenePoint], closed: bool) -> BezPath {
    let mut path = BezPath::new();
    for (index, point) in points.iter().enumerate() {
        let point = Point::new(point.x, point.y);
        if index == 0 { path.move_to(point) } else { path.line_to(point) }
    }
    if closed && !points.is_empty() {
        path.close_path();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fonts;
    use scene::Color;
    use scene::content::{Circle, PathShape, Rectangle};

    fn plain(fill_color: Color) -> ShapeStyle {
        ShapeStyle { fill_color, ..ShapeStyle::default() }
    }

    #[test]
    fn a_rectangle_fills_its_box_exactly() {
        let mut painter = Painter::new(&Fonts::new());
        let style = plain(Color { r: 16, g: 32, b: 48, a: 128 });
        let drawn = painter.shape(&Shape::Rectangle(Rectangle { width: 40.0, height: 9.0, style })).unwrap();
        assert_eq!((drawn.left, drawn.top, drawn.width, drawn.height), (0, 0, 40.0, 9.0));
        assert_eq!((drawn.bitmap.width(), drawn.bitmap.height()), (40, 9));
        assert_eq!(drawn.bitmap.pixel(0, 0), [8, 16, 24, 128]);
        assert_eq!(drawn.bitmap.pixel(39, 8), [8, 16, 24, 128]);
    }

    #[test]
    fn a_stroke_stands_half_outside() {
        let mut painter = Painter::new(&Fonts::new());
        let style = ShapeStyle { stroke_width: 6.0, ..plain(Color::WHITE) };
        let drawn = painter.shape(&Shape::Circle(Circle { radius: 20.0, style })).unwrap();
        assert_eq!((drawn.left, drawn.top, drawn.width), (-3, -3, 40.0));
        assert_eq!((drawn.bitmap.width(), drawn.bitmap.pixel(23, 23)), (46, [255; 4]));
        assert_eq!(drawn.bitmap.pixel(23, 2), [0, 0, 0, 255]);
    }

    #[test]
    fn what_is_too_large_or_no_path_is_refused() {
        let mut painter = Painter::new(&Fonts::new());
        let mut path = |d: &str| {
            painter.shape(&Shape::Path(PathShape { d: d.to_owned(), style: plain(Color::WHITE) })).map(|_| ())
        };
        assert!(matches!(path("M0 0 L 9000 10 L 0 10 Z"), Err(Error::TooLarge { what: "shape", .. })));
        assert!(matches!(path("M0 0 L 1e300 1e300 L 0 10 Z"), Err(Error::TooLarge { .. })));
        assert!(matches!(path("hello"), Err(Error::Path(_))));
        assert_eq!(path(""), Ok(()));
        assert_eq!(path("M5 5"), Ok(()));
    }
}
