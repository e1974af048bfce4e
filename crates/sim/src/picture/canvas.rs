//! Drawing straight into the planes of a full-range BT.601 picture: flat rectangles, soft-edged shapes,
//! letters.
//!
//! Called by the scenes. Everything is clipped to the picture. Luma edges are anti-aliased by distance;
//! chroma samples are taken at the middle of their four pixels.

use pixels::{I420, Plane, convert};

use super::font;

/// Luma, Cb, Cr.
pub(crate) type Colour = [u8; 3];

pub(crate) fn rgb(r: u8, g: u8, b: u8) -> Colour {
    convert::yuv_of_rgb([r, g, b])
}

/// A fully saturated hue (in turns) at a brightness that reads well on dark and light.
pub(crate) fn hue(turns: f32) -> Colour {
    let channel = |offset: f32| {
        let angle = (turns + offset) * std::f32::consts::TAU;
        byte(140.0 + 110.0 * angle.cos())
    };
    rgb(channel(0.0), channel(-1.0 / 3.0), channel(1.0 / 3.0))
}

/// A point or a size, in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct At {
    pub(crate) x: f32,
    pub(crate) y: f32,
}

pub(crate) const fn at(x: f32, y: f32) -> At {
    At { x, y }
}

/// Edges in pixels: left, top, right, bottom; right and bottom are outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area(pub(crate) i32, pub(crate) i32, pub(crate) i32, pub(crate) i32);

pub(crate) struct Canvas<'a> {
    pub(crate) picture: &'a mut I420,
}

impl Canvas<'_> {
    /// Fills an area with one colour, without soft edges.
    pub(crate) fn fill(&mut self, Area(left, top, right, bottom): Area, colour: Colour) {
        fill_plane(&mut self.picture.y, [left, top, right, bottom], colour[0]);
        let half = [left, top, right, bottom].map(|edge| edge.saturating_add(1).div_euclid(2));
        fill_plane(&mut self.picture.u, half, colour[1]);
        fill_plane(&mut self.picture.v, half, colour[2]);
    }

    pub(crate) fn disc(&mut self, centre: At, radius: f32, colour: Colour, opacity: f32) {
        self.shape(around(centre, radius, radius), colour, opacity, |p| distance(p, centre) - radius);
    }

    /// A circle line of `width`, its middle at `radius`.
    pub(crate) fn ring(&mut self, centre: At, radius: f32, width: f32, colour: Colour) {
        let reach = radius + width;
        self.shape(around(centre, reach, reach), colour, 1.0, |p| {
            (distance(p, centre) - radius).abs() - width / 2.0
        });
    }

    /// A straight line with round ends.
    pub(crate) fn line(&mut self, from: At, to: At, width: f32, colour: Colour) {
        let middle = at((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
        let (across, down) = ((to.x - from.x).abs() / 2.0 + width, (to.y - from.y).abs() / 2.0 + width);
        let along = at(to.x - from.x, to.y - from.y);
        let length = (along.x * along.x + along.y * along.y).max(f32::MIN_POSITIVE);
        self.shape(around(middle, across, down), colour, 1.0, |p| {
            let part = (((p.x - from.x) * along.x + (p.y - from.y) * along.y) / length).clamp(0.0, 1.0);
            distance(p, at(from.x + along.x * part, from.y + along.y * part)) - width / 2.0
        });
    }

    /// A rectangle of twice `half` with rounded corners, turned by `angle` (radians, clockwise).
    pub(crate) fn slab(
        &mut self,
        centre: At,
        half: At,
        radius: f32,
        angle: f32,
        colour: Colour,
        opacity: f32,
    ) {
        let (sin, cos) = angle.sin_cos();
        let reach = half.x.hypot(half.y);
        self.shape(around(centre, reach, reach), colour, opacity, |p| {
            let (dx, dy) = (p.x - centre.x, p.y - centre.y);
            let (x, y) = (cos * dx + sin * dy, cos * dy - sin * dx);
            let (x, y) = (x.abs() - half.x + radius, y.abs() - half.y + radius);
            x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
        });
    }

    /// Text whose top left corner is at `x`, `y`; each dot of a letter is `dot` pixels wide and high.
    pub(crate) fn text(&mut self, x: i32, y: i32, dot: i32, text: &str, colour: Colour) {
        let mut left = x;
        for letter in text.chars() {
            for (row, bits) in (0..).zip(font::glyph(letter)) {
                for column in (0..font::WIDTH.cast_signed()).filter(|c| bits >> (4 - c) & 1 == 1) {
                    let (dx, dy) = (left + column * dot, y + row * dot);
                    self.fill(Area(dx, dy, dx + dot, dy + dot), colour);
                }
            }
            left += font::ADVANCE.cast_signed() * dot;
        }
    }

    /// Blends `colour` wherever `outside` (a distance in pixels, negative inside) says so.
    fn shape(&mut self, bounds: Area, colour: Colour, opacity: f32, outside: impl Fn(At) -> f32) {
        let Area(left, top, right, bottom) = bounds;
        blend_plane(&mut self.picture.y, [left, top, right, bottom], colour[0], |x, y| {
            opacity * (0.5 - outside(at(x + 0.5, y + 0.5))).clamp(0.0, 1.0)
        });
        let half = [left, top, right, bottom].map(|edge| edge.saturating_add(1).div_euclid(2));
        let chroma = |x: f32, y: f32| {
            opacity * (0.5 - outside(at(2.0 * x + 1.0, 2.0 * y + 1.0)) / 2.0).clamp(0.0, 1.0)
        };
        blend_plane(&mut self.picture.u, half, colour[1], chroma);
        blend_plane(&mut self.picture.v, half, colour[2], chroma);
    }
}

/// Pixels that `text` takes up across, without the gap after its last letter.
pub(crate) fn text_width(text: &str, dot: i32) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 64);
    (letters * font::ADVANCE.cast_signed() - 1).max(0) * dot
}

pub(crate) fn text_height(dot: i32) -> i32 {
    font::HEIGHT.cast_signed() * dot
}

fn around(centre: At, across: f32, down: f32) -> Area {
    Area(
        whole(centre.x - across).saturating_sub(2),
        whole(centre.y - down).saturating_sub(2),
        whole(centre.x + across).saturating_add(3),
        whole(centre.y + down).saturating_add(3),
    )
}

fn distance(a: At, b: At) -> f32 {
    (a.x - b.x).hypot(a.y - b.y)
}

/// The part of `edges` that lies on the plane: columns and rows.
fn clipped(plane: &Plane, [left, top, right, bottom]: [i32; 4]) -> [std::ops::Range<usize>; 2] {
    let on = |from: i32, to: i32, size: u32| {
        let to = usize::try_from(to).unwrap_or(0).min(size as usize);
        usize::try_from(from).unwrap_or(0).min(to)..to
    };
    [on(left, right, plane.width), on(top, bottom, plane.height)]
}

fn fill_plane(plane: &mut Plane, edges: [i32; 4], value: u8) {
    let [columns, rows] = clipped(plane, edges);
    for y in rows {
        let start = y * plane.stride;
        plane.data[start + columns.start..start + columns.end].fill(value);
    }
}

fn blend_plane(plane: &mut Plane, edges: [i32; 4], value: u8, opacity: impl Fn(f32, f32) -> f32) {
    let [columns, rows] = clipped(plane, edges);
    for y in rows {
        let start = y * plane.stride;
        for x in columns.clone() {
            let opacity = opacity(position(x), position(y));
            if opacity > 0.0 {
                let sample = &mut plane.data[start + x];
                *sample = byte(f32::from(*sample) + opacity * (f32::from(value) - f32::from(*sample)));
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "picture positions are far below 2^24")]
pub(crate) fn position(n: usize) -> f32 {
    n as f32
}

/// Rounded down to a whole pixel.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and what is far outside is clipped anyway"
)]
pub(crate) fn whole(value: f32) -> i32 {
    value.floor() as i32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte first")]
pub(crate) fn byte(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    #[test]
    fn nothing_drawn_outside_the_picture_panics() {
        let mut picture = I420::new(33, 17, Range::Full, Matrix::Bt601);
        let mut canvas = Canvas { picture: &mut picture };
        let white = rgb(255, 255, 255);
        for (x, y) in [(-50.0, -50.0), (0.0, 0.0), (32.5, 16.5), (900.0, 5.0), (5.0, -900.0), (f32::MAX, 0.0)]
        {
            canvas.disc(at(x, y), 9.0, white, 1.0);
            canvas.ring(at(x, y), 9.0, 2.0, white);
            canvas.line(at(x, y), at(16.0, 8.0), 3.0, white);
            canvas.slab(at(x, y), at(9.0, 4.0), 2.0, 0.7, white, 0.5);
            canvas.text(whole(x).clamp(-99, 999), whole(y).clamp(-99, 999), 3, "Edge?", white);
        }
        canvas.fill(Area(-9, -9, 99, 99), white);
        assert!(picture.y.data.iter().all(|&s| s == 255));
    }

    #[test]
    fn letters_are_where_their_width_says() {
        let mut picture = I420::new(120, 20, Range::Full, Matrix::Bt601);
        Canvas { picture: &mut picture }.text(10, 3, 2, "h_", rgb(255, 255, 255));
        let lit = |x: usize| picture.y.rows().any(|row| row[x] == 255);
        let columns: Vec<usize> = (0..120).filter(|&x| lit(x)).collect();
        assert_eq!((columns[0], columns[columns.len() - 1]), (10, 9 + 22));
        assert_eq!(text_width("h_", 2), 22);
    }
}
