//! The picture that is composed, in bands that workers draw at the same time.
//!
//! Owned by the compositor, kept from frame to frame: what nothing changed is never touched. A band owns its rows, so it
//! can be lent or given to a worker and no lock is needed. Drawing never allocates.
//!
//! All operations take a `clip`, in pixels of the canvas. It is widened to even pixels first ([`Rect::even`]), so that no
//! chroma sample is drawn in part: draw everything that touches the widened rectangle.

use super::bitmap::Bitmap;
use super::colour::{self, Texel};
use super::geometry::Rect;
use super::picture::{Picture, phase};
use super::rows;
use super::sheet::Sheet;
use crate::plane::{I420, Matrix, NEUTRAL, Range};

/// A colour of the canvas: premultiplied BT.709 codes of limited range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub(super) Texel);

impl Colour {
    /// Nothing at all.
    pub const CLEAR: Self = Self([0; 4]);
    /// Opaque black.
    pub const BLACK: Self = Self([16, NEUTRAL, NEUTRAL, 255]);

    /// Of sRGB red, green, blue and alpha that is apart from them, as colours are written.
    #[must_use]
    pub fn of_rgba([r, g, b, a]: [u8; 4]) -> Self {
        let [r, g, b] = [r, g, b].map(|c| crate::convert::div255(u16::from(c) * u16::from(a)));
        Self(colour::texel([r, g, b, a]))
    }
}

/// All bands of a picture of even size.
#[derive(Clone, Debug)]
pub struct Canvas {
    width: u32,
    height: u32,
    bands: Vec<Band>,
}

/// Some rows of a canvas.
#[derive(Clone, Debug, Default)]
pub struct Band {
    width: u32,
    /// Even.
    top: u32,
    /// Even.
    height: u32,
    /// Y; Cb and Cr.
    pub(super) luma: Vec<u8>,
    pub(super) chroma: [Vec<u8>; 2],
    /// At luma's and at chroma's size; nothing on a canvas that is always opaque.
    pub(super) alpha: Option<[Vec<u8>; 2]>,
}

impl Canvas {
    /// An opaque black canvas, for what is sent out. Odd sizes are rounded up; `bands` is at least 1.
    #[must_use]
    pub fn new(width: u32, height: u32, bands: u32) -> Self {
        Self::made(width, height, bands, false)
    }

    /// A transparent canvas, for a group that is laid over others as one. Sizes as in [`Canvas::new`].
    #[must_use]
    pub fn clear(width: u32, height: u32, bands: u32) -> Self {
        Self::made(width, height, bands, true)
    }

    fn made(width: u32, height: u32, bands: u32, clear: bool) -> Self {
        let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        let rows = (height / 2).div_ceil(bands.max(1)).max(1) * 2;
        let tops = (0..height).step_by(rows as usize);
        let bands = tops.map(|top| Band::new(width, top, rows.min(height - top), clear)).collect();
        Self { width, height, bands }
    }

    /// Pixels in a row; even.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows; even.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The bands, from the top; as many as were asked for, or fewer where there are too few rows.
    pub fn bands(&mut self) -> &mut Vec<Band> {
        &mut self.bands
    }

    /// The bands to look at.
    #[must_use]
    pub fn as_bands(&self) -> &[Band] {
        &self.bands
    }

    /// Copies what lies within `clip` to `out`, which has the canvas's size. Alpha is left out: what is not opaque counts
    /// as being over black.
    ///
    /// # Panics
    /// If `out` has another size, or is not BT.709 of limited range.
    pub fn copy_to(&self, clip: Rect, out: &mut I420) {
        assert_eq!((out.width, out.height), (self.width, self.height), "a picture of the canvas's size");
        assert_eq!((out.matrix, out.range), (Matrix::Bt709, Range::Limited), "the canvas's matrix and range");
        for band in &self.bands {
            band.copy_to(clip, out);
        }
    }

    /// The canvas as sRGB, premultiplied; each pixel has its chroma sample's colour.
    #[must_use]
    pub fn to_bitmap(&self) -> Bitmap {
        let mut out = Bitmap::new(self.width, self.height);
        for band in &self.bands {
            for row in 0..band.height {
                let target = out.row_mut(band.top + row);
                for (x, pixel) in target.chunks_exact_mut(4).enumerate() {
                    pixel.copy_from_slice(&band.pixel(x, row as usize));
                }
            }
        }
        out
    }

    /// Its planes as those of a picture.
    pub(super) fn sheets(&self, luma: &mut Sheet<1>, chroma: &mut Sheet<2>) {
        let clear = self.bands.iter().any(|band| band.alpha.is_some());
        luma.reshape(self.width, self.height, clear);
        chroma.reshape(self.width / 2, self.height / 2, clear);
        for band in &self.bands {
            let whole = (band.top * self.width) as usize..((band.top + band.height) * self.width) as usize;
            let half = whole.start / 4..whole.end / 4;
            luma.planes[0][whole.clone()].copy_from_slice(&band.luma);
            for (out, plane) in chroma.planes.iter_mut().zip(&band.chroma) {
                out[half.clone()].copy_from_slice(plane);
            }
            for (out, part, of) in [(&mut luma.alpha, whole, 0), (&mut chroma.alpha, half, 1)] {
                if let (Some(out), Some(alpha)) = (out, &band.alpha) {
                    out[part].copy_from_slice(&alpha[of]);
                }
            }
        }
        luma.look();
        chroma.look();
    }
}

/// Where rows of a plane of a band are: `columns` of `rows`, in a plane `width` wide.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) width: usize,
    pub(super) left: usize,
    pub(super) right: usize,
    pub(super) top: usize,
    pub(super) bottom: usize,
}

impl Part {
    pub(super) fn rows(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (width, left, right) = (self.width, self.left, self.right);
        (self.top..self.bottom).map(move |row| row * width + left..row * width + right)
    }
}

impl Band {
    fn new(width: u32, top: u32, height: u32, clear: bool) -> Self {
        let (whole, half) = (width as usize * height as usize, width as usize * height as usize / 4);
        let Colour([y, u, v, _]) = if clear { Colour::CLEAR } else { Colour::BLACK };
        Self {
            width,
            top,
            height,
            luma: vec![y; whole],
            chroma: [vec![u; half], vec![v; half]],
            alpha: clear.then(|| [vec![0; whole], vec![0; half]]),
        }
    }

    /// The pixels of the canvas it holds.
    #[must_use]
    pub fn area(&self) -> Rect {
        let top = i32::try_from(self.top).unwrap_or(i32::MAX);
        Rect::at(0, top, self.width, self.height)
    }

    /// What of `clip`, made even, lies in this band.
    pub(super) fn clipped(&self, clip: Rect) -> Rect {
        clip.even().meet(&self.area())
    }

    /// The part of the luma plane, or with `half` of the chroma planes, that a rectangle within the band is.
    pub(super) fn part(&self, area: Rect, half: bool) -> Option<Part> {
        if area.is_empty() {
            return None;
        }
        let (area, width, top) = match half {
            false => (area, self.width, self.top),
            true => (area.halved(), self.width / 2, self.top / 2),
        };
        let side = |side: i32| usize::try_from(side).expect("within the band");
        let (top, width) = (top as usize, width as usize);
        Some(Part {
            width,
            left: side(area.left),
            right: side(area.right),
            top: side(area.top) - top,
            bottom: side(area.bottom) - top,
        })
    }

    /// Gives everything within `clip` one colour, whatever was there. On a canvas that is always opaque a colour that is
    /// not counts as being over black.
    pub fn fill(&mut self, clip: Rect, colour: Colour) {
        let Colour([mut y, mut u, mut v, a]) = colour;
        if self.alpha.is_none() && a < 255 {
            let Colour(black) = Colour::BLACK;
            for (sample, black) in [&mut y, &mut u, &mut v].into_iter().zip(black) {
                let mut under = [black];
                rows::over::portable(&mut under, &[*sample], &[a]);
                [*sample] = under;
            }
        }
        let area = self.clipped(clip);
        for half in [false, true] {
            let Some(part) = self.part(area, half) else { return };
            for row in part.rows() {
                if half {
                    self.chroma[0][row.clone()].fill(u);
                    self.chroma[1][row.clone()].fill(v);
                } else {
                    self.luma[row.clone()].fill(y);
                }
                if let Some(alpha) = &mut self.alpha {
                    alpha[usize::from(half)][row].fill(a);
                }
            }
        }
    }

    /// Lays `picture` over what is there, its corner at `x`, `y`, `opacity` 0–255. What is opaque is copied.
    ///
    /// Allocates only when the picture was never laid at such a place before ([`Picture::prepare`]).
    pub fn over(&mut self, picture: &Picture, x: i32, y: i32, opacity: u8, clip: Rect) {
        if picture.is_empty() || opacity == 0 {
            return;
        }
        let whole = Rect::at(x, y, picture.width(), picture.height());
        let area = self.clipped(clip);
        let inside = area.meet(&whole);
        if let Some(part) = self.part(inside, false) {
            let luma = picture.luma();
            let from = between(x, inside.left);
            for (row, line) in (between(y, inside.top)..).zip(part.rows()) {
                let under = self.alpha.as_mut().map(|[alpha, _]| &mut alpha[line.clone()]);
                let to = from + narrow(line.len());
                luma.lay_row((row, from, to), opacity, [&mut self.luma[line]], under);
            }
        }
        let chroma = picture.chroma(phase(x, y));
        let inside = area.meet(&Rect::at(x & !1, y & !1, chroma.width * 2, chroma.height * 2));
        if let Some(part) = self.part(inside, true) {
            let from = between(x & !1, inside.left) / 2;
            for (row, line) in (between(y & !1, inside.top) / 2..).zip(part.rows()) {
                let under = self.alpha.as_mut().map(|[_, alpha]| &mut alpha[line.clone()]);
                let to = from + narrow(line.len());
                let [u, v] = &mut self.chroma;
                chroma.lay_row((row, from, to), opacity, [&mut u[line.clone()], &mut v[line]], under);
            }
        }
    }

    /// Makes it, within `clip`, what `one` and `other` are between them: all `one` at a `share` of 0, all `other` at 255.
    ///
    /// # Panics
    /// If the three are not the same rows of canvases of one size and kind.
    pub fn crossfade(&mut self, one: &Self, other: &Self, share: u8, clip: Rect) {
        assert!(self.alike(one) && self.alike(other), "bands of the same rows");
        self.rows_from([one, other], clip, |target, [one, other]| {
            rows::fade::best(target, one, other, share)
        });
    }

    /// Copies what lies within `clip` from the same rows of another canvas.
    ///
    /// # Panics
    /// If they are not the same rows of canvases of one size and kind.
    pub fn copy(&mut self, from: &Self, clip: Rect) {
        assert!(self.alike(from), "bands of the same rows");
        self.rows_from([from], clip, |target, [from]| target.copy_from_slice(from));
    }

    /// Copies what lies within `clip` to the same place of `out`, which has the canvas's width and at least its rows.
    ///
    /// # Panics
    /// If it has not.
    pub fn copy_to(&self, clip: Rect, out: &mut I420) {
        let area = self.clipped(clip);
        for (half, planes) in [(false, [&self.luma].as_slice()), (true, &[&self.chroma[0], &self.chroma[1]])]
        {
            let Some(part) = self.part(area, half) else { return };
            let first = if half { self.top / 2 } else { self.top } + narrow(part.top);
            let targets = if half { [Some(&mut out.u), Some(&mut out.v)] } else { [Some(&mut out.y), None] };
            for (plane, target) in planes.iter().zip(targets.into_iter().flatten()) {
                for (y, row) in (first..).zip(part.rows()) {
                    target.row_mut(y)[part.left..part.right].copy_from_slice(&plane[row]);
                }
            }
        }
    }

    fn alike(&self, other: &Self) -> bool {
        (self.width, self.top, self.height, self.alpha.is_some())
            == (other.width, other.top, other.height, other.alpha.is_some())
    }

    /// Makes each row of each plane within `clip` from the same rows of others.
    fn rows_from<const N: usize>(
        &mut self,
        others: [&Self; N],
        clip: Rect,
        make: impl Fn(&mut [u8], [&[u8]; N]),
    ) {
        let area = self.clipped(clip);
        for half in [false, true] {
            let Some(part) = self.part(area, half) else { return };
            for row in part.rows() {
                if half {
                    for (channel, plane) in self.chroma.iter_mut().enumerate() {
                        make(&mut plane[row.clone()], others.map(|band| &band.chroma[channel][row.clone()]));
                    }
                } else {
                    make(&mut self.luma[row.clone()], others.map(|band| &band.luma[row.clone()]));
                }
                if let Some(alpha) = &mut self.alpha {
                    let sources = others.map(|band| {
                        &band.alpha.as_ref().expect("bands of one kind")[usize::from(half)][row.clone()]
                    });
                    make(&mut alpha[usize::from(half)][row.clone()], sources);
                }
            }
        }
    }

    /// A pixel as premultiplied sRGB; `row` counts from the band's top.
    fn pixel(&self, x: usize, row: usize) -> [u8; 4] {
        let (whole, half) = (row * self.width as usize + x, row / 2 * (self.width as usize / 2) + x / 2);
        let (alpha, own) =
            self.alpha.as_ref().map_or((255, 255), |[luma, chroma]| (luma[whole], chroma[half]));
        // Chroma has its own alpha; what counts is the pixel's.
        let share = if own == 0 { 0.0 } else { f32::from(alpha) / f32::from(own) };
        let [u, v] = [0, 1].map(|channel: usize| f32::from(self.chroma[channel][half]) * share);
        let alpha = f32::from(alpha);
        let [r, g, b] = colour::rgb([f32::from(self.luma[whole]), u, v, alpha]).map(|c| c.min(alpha));
        [r, g, b, alpha].map(colour::byte)
    }
}

/// How far right (or below) of `from` a place within it is.
fn between(from: i32, to: i32) -> u32 {
    u32::try_from(i64::from(to) - i64::from(from)).expect("within the picture")
}

fn narrow(n: usize) -> u32 {
    u32::try_from(n).expect("sides of pictures fit")
}
