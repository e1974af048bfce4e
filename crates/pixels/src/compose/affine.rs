//! Pictures turned, scaled and put between pixels.
//!
//! Part of [`Band`]: `over_affine`, and what it shares with `blend`. Works in tiles of two rows, so that each has whole
//! chroma samples and fits the processor's nearest memory. Edges of the picture are as soft as one pixel of the canvas,
//! whatever the scale.

use super::canvas::Band;
use super::geometry::{Affine, Rect};
use super::picture::Picture;
use super::rows;
use super::sampler::{self, Line, WIDE};
use super::sheet;
use super::texels::Level;
use super::tile::{self, Planes, Tile};

/// A picture's samples, where they are to be and how they are found.
pub(super) struct Mapped<'a> {
    near: &'a Level,
    /// The next smaller size, and how much it counts in 256ths.
    far: Option<(&'a Level, u16)>,
    /// How many halvings `near` is.
    halvings: i32,
    /// From the canvas to the picture.
    back: Affine,
    width: f64,
    height: f64,
    /// Pixels of the picture for a pixel of the canvas, straight across its left and right, its top and bottom edges.
    reach: [f64; 2],
}

/// Pixels of a row: those the picture touches, and of these those it covers wholly.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Stretch {
    touched: (i32, i32),
    covered: (i32, i32),
}

impl<'a> Mapped<'a> {
    /// Nothing when there is nothing to be seen.
    pub(super) fn new(picture: &'a Picture, map: &Affine) -> Option<Self> {
        if picture.is_empty() {
            return None;
        }
        let back = map.inverse()?;
        // The longer of the steps to the right and down: what shrinks in one direction only is soft in the other, too.
        let step = back.a.hypot(back.b).max(back.c.hypot(back.d));
        let reach = [back.a.hypot(back.c), back.b.hypot(back.d)];
        let (near, far, halvings) = if step > 1.0 {
            let (whole, part) = (step.log2().floor(), step.log2().fract());
            let smaller = picture.smaller();
            let halvings = count(whole).min(smaller.len());
            let level = |n: usize| if n == 0 { Some(picture.texels()) } else { smaller.get(n - 1) };
            let share = u16::try_from(count(part * 256.0)).unwrap_or(0);
            let far = level(halvings + 1).filter(|_| share > 0).map(|far| (far, share));
            (level(halvings)?, far, i32::try_from(halvings).unwrap_or(0))
        } else {
            (picture.texels(), None, 0)
        };
        let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
        Some(Self { near, far, halvings, back, width, height, reach })
    }

    /// Calls `draw` with each tile of what the picture touches of `area` (even sides), and the pixels of the canvas it is.
    pub(super) fn tiles(&self, area: Rect, mut draw: impl FnMut(Rect, &mut Tile)) {
        let mut tile = [[[0; 4]; WIDE]; 2];
        self.fetch(area);
        for top in (area.top..area.bottom).step_by(2) {
            let stretches = [top, top + 1].map(|y| self.stretch(y, area));
            let touched = stretches.map(|s| s.touched).into_iter().filter(|(from, to)| from < to);
            let Some((from, to)) = touched.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
            else {
                continue;
            };
            let (mut left, right) = (from & !1, (to + 1) & !1);
            while left < right {
                let count = usize::try_from(right - left).unwrap_or(0).min(WIDE);
                for ((y, stretch), row) in (top..).zip(&stretches).zip(&mut tile) {
                    self.row((left, y), count, stretch, row);
                }
                let wide = i32::try_from(count).unwrap_or(0);
                draw(Rect { left, top, right: left + wide, bottom: top + 2 }, &mut tile);
                left += wide;
            }
        }
    }

    /// Has what `area` will show brought nearer.
    fn fetch(&self, area: Rect) {
        let [left, top, right, bottom] = [area.left, area.top, area.right, area.bottom].map(f64::from);
        let size = 0.5_f64.powi(self.halvings);
        let corners = [(left, top), (right, top), (left, bottom), (right, bottom)]
            .map(|(x, y)| self.back.apply(x, y))
            .map(|(u, v)| (u * size, v * size));
        let least = corners.iter().fold((f64::MAX, f64::MAX), |a, b| (a.0.min(b.0), a.1.min(b.1)));
        let most = corners.iter().fold((f64::MIN, f64::MIN), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        self.near.fetch(least, most);
    }

    /// What of row `y` of the canvas, within `area`, the picture touches.
    fn stretch(&self, y: i32, area: Rect) -> Stretch {
        let down = f64::from(y) + 0.5;
        let mut found = Stretch { touched: (area.left, area.right), covered: (area.left, area.right) };
        for (step, start, size, reach) in [
            (self.back.a, self.back.c * down + self.back.e, self.width, self.reach[0]),
            (self.back.b, self.back.d * down + self.back.f, self.height, self.reach[1]),
        ] {
            for (range, edge) in [(&mut found.touched, reach / 2.0), (&mut found.covered, -reach / 2.0)] {
                let (from, to) = solve(step, start, -edge, size + edge);
                *range = (range.0.max(from), range.1.min(to));
            }
        }
        found
    }

    fn row(&self, (left, y): (i32, i32), count: usize, stretch: &Stretch, out: &mut [[u8; 4]; WIDE]) {
        let right = left + i32::try_from(count).unwrap_or(0);
        let touched = (stretch.touched.0.max(left), stretch.touched.1.min(right));
        if touched.0 >= touched.1 {
            out.fill([0; 4]);
            return;
        }
        let at = (f64::from(left) + 0.5, f64::from(y) + 0.5);
        sampler::row(self.near, self.line(at, self.halvings), count, out);
        if let Some((far, share)) = self.far {
            let mut other = [[0; 4]; WIDE];
            sampler::row(far, self.line(at, self.halvings + 1), count, &mut other);
            sampler::between::best(out, &other, share);
        }
        let place = |x: i32| usize::try_from(x - left).unwrap_or(0);
        out[..place(touched.0)].fill([0; 4]);
        out[place(touched.1)..].fill([0; 4]);
        let covered =
            (stretch.covered.0.clamp(touched.0, touched.1), stretch.covered.1.clamp(touched.0, touched.1));
        let edges = if covered.0 < covered.1 {
            [touched.0..covered.0, covered.1..touched.1]
        } else {
            [touched.0..touched.1, 0..0]
        };
        for x in edges.into_iter().flatten() {
            let share = self.coverage(f64::from(x) + 0.5, at.1);
            let pixel = &mut out[place(x)];
            *pixel = pixel.map(|sample| rows::low(rows::div255(u16::from(sample) * share)));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "texels are sampled with the precision of an f32")]
    fn line(&self, (x, y): (f64, f64), halvings: i32) -> Line {
        let size = 0.5_f64.powi(halvings);
        let (u, v) = self.back.apply(x, y);
        Line {
            u: (u * size - 0.5) as f32,
            v: (v * size - 0.5) as f32,
            du: (self.back.a * size) as f32,
            dv: (self.back.b * size) as f32,
        }
    }

    /// How much of the pixel around a point of the canvas the picture covers, 0–255.
    fn coverage(&self, x: f64, y: f64) -> u16 {
        let (u, v) = self.back.apply(x, y);
        let along = |at: f64, size: f64, reach: f64| {
            let side = |inside: f64| (inside / reach + 0.5).clamp(0.0, 1.0);
            (side(at) + side(size - at) - 1.0).max(0.0)
        };
        let share = along(u, self.width, self.reach[0]) * along(v, self.height, self.reach[1]);
        u16::try_from(count((share * 255.0).round())).unwrap_or(255)
    }
}

/// Pixels whose centre `x` has `least <= start + step·x <= most`.
fn solve(step: f64, start: f64, least: f64, most: f64) -> (i32, i32) {
    // So it is with what a picture narrower than a pixel covers wholly.
    if least > most {
        return (0, 0);
    }
    let (one, other) = ((least - start) / step, (most - start) / step);
    let (from, to) = if step == 0.0 || one.is_nan() || other.is_nan() {
        if start < least || start > most {
            return (0, 0);
        }
        (f64::NEG_INFINITY, f64::INFINITY)
    } else {
        (one.min(other), one.max(other))
    };
    (whole((from - 0.5).ceil()), whole((to - 0.5).floor() + 1.0))
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, as is wanted")]
fn whole(n: f64) -> i32 {
    n as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as is wanted"
)]
fn count(n: f64) -> usize {
    n as usize
}

impl Band {
    /// Lays `picture` over what is there, mapped to the canvas by `map`, `opacity` 0–255.
    ///
    /// A map that makes nothing of it, or has a number that is not finite, draws nothing. Allocates only when the picture
    /// was never mapped before ([`Picture::prepare_affine`]).
    pub fn over_affine(&mut self, picture: &Picture, map: &Affine, opacity: u8, clip: Rect) {
        let area = self.clipped(clip).meet(&map.bounds(picture.width(), picture.height()).even());
        if opacity == 0 || area.is_empty() {
            return;
        }
        let Some(mapped) = Mapped::new(picture, map) else { return };
        let mut planes = Planes::default();
        mapped.tiles(area, |place, tile| {
            tile::apart(tile, &mut planes);
            self.lay_tile(place, &planes, opacity);
        });
    }

    fn lay_tile(&mut self, place: Rect, planes: &Planes, opacity: u8) {
        let (Some(whole), Some(half)) = (self.part(place, false), self.part(place, true)) else { return };
        for ((luma, alpha), row) in planes.luma.iter().zip(&planes.alpha).zip(whole.rows()) {
            let count = row.len();
            sheet::lay(&mut self.luma[row.clone()], &luma[..count], &alpha[..count], opacity);
            if let Some([under, _]) = &mut self.alpha {
                sheet::lay(&mut under[row], &alpha[..count], &alpha[..count], opacity);
            }
        }
        for row in half.rows() {
            let count = row.len();
            let alpha = &planes.chroma_alpha[..count];
            for (plane, source) in self.chroma.iter_mut().zip(&planes.chroma) {
                sheet::lay(&mut plane[row.clone()], &source[..count], alpha, opacity);
            }
            if let Some([_, under]) = &mut self.alpha {
                sheet::lay(&mut under[row], alpha, alpha, opacity);
            }
        }
    }
}
