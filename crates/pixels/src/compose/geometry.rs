//! Rectangles of whole pixels and affine maps: where on the canvas something is.
//!
//! Called by the compositor and by everything here that draws. Numbers only; never touches a sample.

/// Pixels from `left` up to but not with `right`, from `top` up to but not with `bottom`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
}

impl Rect {
    /// A rectangle by its corner and size. What does not fit `i32` is cut off.
    #[must_use]
    pub fn at(left: i32, top: i32, width: u32, height: u32) -> Self {
        let far = |near: i32, size: u32| i32::try_from(i64::from(near) + i64::from(size)).unwrap_or(i32::MAX);
        Self { left, top, right: far(left, width), bottom: far(top, height) }
    }

    /// Whether there is no pixel in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.left >= self.right || self.top >= self.bottom
    }

    /// What both hold.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        Self {
            left: self.left.max(other.left),
            top: self.top.max(other.top),
            right: self.right.min(other.right),
            bottom: self.bottom.min(other.bottom),
        }
    }

    /// The smallest rectangle that holds both; an empty one adds nothing.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        if self.is_empty() {
            return *other;
        }
        if other.is_empty() {
            return *self;
        }
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// Widened until no chroma sample of a 4:2:0 picture is cut in two.
    #[must_use]
    pub fn even(&self) -> Self {
        let up = |side: i32| side.saturating_add(side & 1);
        Self { left: self.left & !1, top: self.top & !1, right: up(self.right), bottom: up(self.bottom) }
    }

    /// The chroma samples of an [`Rect::even`] rectangle.
    pub(super) fn halved(&self) -> Self {
        Self { left: self.left >> 1, top: self.top >> 1, right: self.right >> 1, bottom: self.bottom >> 1 }
    }

    /// Number of pixels.
    #[must_use]
    pub fn area(&self) -> u64 {
        if self.is_empty() {
            return 0;
        }
        let side = |from: i32, to: i32| u64::try_from(i64::from(to) - i64::from(from)).unwrap_or(0);
        side(self.left, self.right) * side(self.top, self.bottom)
    }
}

/// `x' = a·x + c·y + e`, `y' = b·x + d·y + f`: the letters of CSS's `matrix()`. Pixel centres are at halves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    pub a: f64,
    pub b: f64,
    pub c: f64,
    pub d: f64,
    pub e: f64,
    pub f: f64,
}

impl Affine {
    /// Leaves everything where it is.
    pub const IDENTITY: Self = Self { a: 1.0, b: 0.0, c: 0.0, d: 1.0, e: 0.0, f: 0.0 };

    /// Moves by that many pixels.
    #[must_use]
    pub const fn moved(x: f64, y: f64) -> Self {
        Self { e: x, f: y, ..Self::IDENTITY }
    }

    /// Scales about the origin; negative factors mirror.
    #[must_use]
    pub const fn scaled(x: f64, y: f64) -> Self {
        Self { a: x, d: y, ..Self::IDENTITY }
    }

    /// Turns about the origin, clockwise on the screen.
    #[must_use]
    pub fn turned(degrees: f64) -> Self {
        // Quarters are exact, so that they copy pixels instead of mixing them.
        let (sin, cos) = match degrees.rem_euclid(360.0) {
            0.0 => (0.0, 1.0),
            90.0 => (1.0, 0.0),
            180.0 => (0.0, -1.0),
            270.0 => (-1.0, 0.0),
            other => other.to_radians().sin_cos(),
        };
        Self { a: cos, b: sin, c: -sin, d: cos, ..Self::IDENTITY }
    }

    /// What a layer's transform means: its `anchor` (pixels of the picture) moved to the origin, scaled, turned, and
    /// put at `position`.
    #[must_use]
    pub fn placed(position: (f64, f64), degrees: f64, scale: (f64, f64), anchor: (f64, f64)) -> Self {
        Self::moved(-anchor.0, -anchor.1)
            .then(&Self::scaled(scale.0, scale.1))
            .then(&Self::turned(degrees))
            .then(&Self::moved(position.0, position.1))
    }

    /// First this map, then `next`.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        Self {
            a: next.a * self.a + next.c * self.b,
            b: next.b * self.a + next.d * self.b,
            c: next.a * self.c + next.c * self.d,
            d: next.b * self.c + next.d * self.d,
            e: next.a * self.e + next.c * self.f + next.e,
            f: next.b * self.e + next.d * self.f + next.f,
        }
    }

    /// The way back; nothing when everything falls onto a line, or a number is not finite.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        let det = self.a * self.d - self.b * self.c;
        let back = Self {
            a: self.d / det,
            b: -self.b / det,
            c: -self.c / det,
            d: self.a / det,
            e: (self.c * self.f - self.d * self.e) / det,
            f: (self.b * self.e - self.a * self.f) / det,
        };
        let numbers = [det, self.e, self.f, back.a, back.b, back.c, back.d, back.e, back.f];
        (det != 0.0 && numbers.iter().all(|n| n.is_finite())).then_some(back)
    }

    /// Where a point goes.
    #[must_use]
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f)
    }

    /// The pixels that something of `width` × `height` may touch once mapped, its soft edges included.
    #[must_use]
    pub fn bounds(&self, width: u32, height: u32) -> Rect {
        let (width, height) = (f64::from(width), f64::from(height));
        let corners =
            [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].map(|(x, y)| self.apply(x, y));
        if corners.iter().any(|(x, y)| x.is_nan() || y.is_nan()) {
            return Rect::default();
        }
        let least = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| corners.iter().map(of).fold(f64::NEG_INFINITY, f64::max);
        Rect {
            left: pixel((least(|p| p.0) - 0.5).floor()),
            top: pixel((least(|p| p.1) - 0.5).floor()),
            right: pixel((most(|p| p.0) + 0.5).ceil()),
            bottom: pixel((most(|p| p.1) + 0.5).ceil()),
        }
    }

    /// The whole pixels it moves by, when that is all it does.
    #[must_use]
    pub fn whole_move(&self) -> Option<(i32, i32)> {
        let plain = (self.a, self.b, self.c, self.d) == (1.0, 0.0, 0.0, 1.0);
        let whole = |n: f64| n == n.round() && n.abs() < 1e9;
        (plain && whole(self.e) && whole(self.f)).then(|| (pixel(self.e), pixel(self.f)))
    }
}

/// The nearest `i32`; 0 for what is not a number.
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
fn pixel(n: f64) -> i32 {
    n as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangles_meet_join_and_widen() {
        let one = Rect::at(1, 3, 4, 5);
        assert_eq!(one.even(), Rect { left: 0, top: 2, right: 6, bottom: 8 });
        assert_eq!(Rect::at(-3, -1, 2, 1).even(), Rect { left: -4, top: -2, right: 0, bottom: 0 });
        assert_eq!(one.meet(&Rect::at(3, 0, 9, 4)), Rect { left: 3, top: 3, right: 5, bottom: 4 });
        assert!(one.meet(&Rect::at(5, 3, 4, 5)).is_empty());
        assert_eq!(one.join(&Rect::default()), one);
        assert_eq!(one.join(&Rect::at(9, 9, 1, 1)).area(), 9 * 7);
        assert_eq!(Rect::at(i32::MAX - 1, 0, u32::MAX, 1).area(), 1);
        assert!(!Rect::at(i32::MAX - 2, i32::MAX - 2, 9, 9).even().is_empty());
    }

    #[test]
    fn a_layers_transform_puts_its_anchor_at_its_position() {
        let map = Affine::placed((100.0, 50.0), 90.0, (2.0, 3.0), (10.0, 20.0));
        assert_eq!(map.apply(10.0, 20.0), (100.0, 50.0));
        // One right of the anchor: two pixels after scaling, pointing down after a quarter turn clockwise.
        assert_eq!(map.apply(11.0, 20.0), (100.0, 52.0));
        let back = map.inverse().unwrap();
        let (x, y) = back.apply(100.0, 52.0);
        assert!((x - 11.0).abs() < 1e-9 && (y - 20.0).abs() < 1e-9, "{x} {y}");
        assert_eq!(
            map.bounds(20, 40).meet(&Rect::at(0, 0, 999, 999)),
            Rect { left: 39, top: 29, right: 161, bottom: 71 }
        );
    }

    #[test]
    fn what_cannot_be_turned_back_has_no_inverse() {
        for bad in [
            Affine::scaled(0.0, 1.0),
            Affine::scaled(f64::NAN, 1.0),
            Affine::scaled(f64::INFINITY, 1.0),
            Affine::moved(f64::NAN, 0.0),
            Affine::scaled(1e-320, 1e-320),
        ] {
            assert!(bad.inverse().is_none(), "{bad:?}");
        }
        assert!(Affine::scaled(f64::NAN, 1.0).bounds(9, 9).is_empty());
        assert_eq!(Affine::moved(3.0, -4.0).whole_move(), Some((3, -4)));
        assert_eq!(Affine::moved(3.5, -4.0).whole_move(), None);
        assert_eq!(Affine::turned(360.0).whole_move(), Some((0, 0)));
    }
}
