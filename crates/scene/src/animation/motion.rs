//! Motion along an SVG path at an even speed.
//!
//! The path is measured once, into a table from length to place; a look-up is a binary search and does not allocate.

use kurbo::{BezPath, ParamCurve, ParamCurveDeriv, PathEl, PathSeg, Point, Vec2};

/// Pieces that a curve is measured in.
const PIECES: u32 = 32;
/// Segments of a path.
const MOST_SEGMENTS: usize = 1000;

/// A measured path.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    segments: Vec<PathSeg>,
    /// Length up to the end of each piece, with its segment and its stretch of the segment's parameter.
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    end: f64,
    segment: usize,
    from: f64,
    to: f64,
}

impl Motion {
    /// Follows the path data; an error says what is allowed.
    pub(crate) fn parse(d: &str) -> Result<Self, String> {
        let path = outline(d)?;
        let segments: Vec<_> = path.segments().collect();
        if segments.len() > MOST_SEGMENTS {
            return Err(format!("must have at most {MOST_SEGMENTS} segments"));
        }
        let (mut pieces, mut length) = (Vec::new(), 0.0);
        for (index, segment) in segments.iter().enumerate() {
            let count = if matches!(segment, PathSeg::Line(_)) { 1 } else { PIECES };
            for piece in 0..count {
                let at = |piece: u32| f64::from(piece) / f64::from(count);
                let (from, to) = (at(piece), at(piece + 1));
                length += stretch(segment, from, to);
                pieces.push(Piece { end: length, segment: index, from, to });
            }
        }
        if !(length > 0.0 && length.is_finite()) {
            return Err("must have a length to move along".to_owned());
        }
        Ok(Self { segments, pieces })
    }

    /// Where the path is at `part` (0 to 1) of its length, and the degrees clockwise it heads there.
    pub(crate) fn at(&self, part: f64) -> (f64, f64, f64) {
        let length = self.pieces.last().map_or(0.0, |piece| piece.end);
        let wanted = part.clamp(0.0, 1.0) * length;
        let index = self.pieces.partition_point(|piece| piece.end < wanted).min(self.pieces.len() - 1);
        let Piece { end, segment, from, to } = self.pieces[index];
        let start = if index == 0 { 0.0 } else { self.pieces[index - 1].end };
        let inside = if end > start { ((wanted - start) / (end - start)).clamp(0.0, 1.0) } else { 0.0 };
        let mut t = from + (to - from) * inside;
        // A curve's speed changes within a piece: Newton's steps find the length that is wanted.
        for _ in 0..3 {
            let speed = derivative(&self.segments[segment], t).hypot();
            if speed > 1e-9 {
                let off = stretch(&self.segments[segment], from, t) - (wanted - start);
                t = (t - off / speed).clamp(from, to);
            }
        }
        let place = self.segments[segment].eval(t);
        let heading = derivative(&self.segments[segment], t);
        // Where a curve stands still its direction is that of the chord around.
        let heading = if heading.hypot() > 1e-9 {
            heading
        } else {
            self.segments[segment].eval((t + 0.01).min(1.0))
                - self.segments[segment].eval((t - 0.01).max(0.0))
        };
        (place.x, place.y, heading.y.atan2(heading.x).to_degrees())
    }
}

/// Whether a path can be drawn; an error says what is allowed.
pub(crate) fn check(d: &str) -> Result<(), String> {
    outline(d).map(drop)
}

fn outline(d: &str) -> Result<BezPath, String> {
    let allowed =
        || "must be the data of an SVG path with coordinates from -100000 to 100000: M0,0 C10,0 20,10 20,20";
    let path = BezPath::from_svg(d).map_err(|_| allowed())?;
    let near = |point: Point| point.x.abs() <= 1e5 && point.y.abs() <= 1e5;
    let within = |element: &PathEl| match *element {
        PathEl::MoveTo(p) | PathEl::LineTo(p) => near(p),
        PathEl::QuadTo(a, p) => near(a) && near(p),
        PathEl::CurveTo(a, b, p) => near(a) && near(b) && near(p),
        PathEl::ClosePath => true,
    };
    if path.elements().is_empty() || !path.elements().iter().all(within) {
        return Err(allowed().to_owned());
    }
    Ok(path)
}

fn derivative(segment: &PathSeg, t: f64) -> Vec2 {
    match segment {
        PathSeg::Line(line) => line.p1 - line.p0,
        PathSeg::Quad(quad) => quad.deriv().eval(t).to_vec2(),
        PathSeg::Cubic(cubic) => cubic.deriv().eval(t).to_vec2(),
    }
}

/// Length between two parameters, by Gauss and Legendre's rule of five points.
fn stretch(segment: &PathSeg, from: f64, to: f64) -> f64 {
    const NODES: [(f64, f64); 3] = [
        (0.0, 0.568_888_888_888_888_9),
        (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
        (0.906_179_845_938_664, 0.236_926_885_056_189_1),
    ];
    let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0);
    let speed = |t: f64| derivative(segment, t).hypot();
    let sum: f64 = NODES
        .iter()
        .map(|&(node, weight)| {
            let sides = if node == 0.0 {
                speed(middle)
            } else {
                speed(middle - half * node) + speed(middle + half * node)
            };
            weight * sides
        })
        .sum();
    sum * half
}
