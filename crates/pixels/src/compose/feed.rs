//! Live feeds made ready for the canvas: cut, scaled, converted, keyed, rounded.
//!
//! Owned by whoever shows a feed, one for each size it is shown at; called for every frame of it. All of it happens in
//! planar 4:2:0; memory is kept from frame to frame, but for the weights of a scaling other than to a half.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::effects::{Corners, Grade, Key};
use super::phases;
use super::picture::Picture;
use super::recode::Recoding;
use super::rows;
use crate::plane::{I420, Lent, Matrix, Plane, Range, View};

/// A part of a picture, in its pixels; it may begin and end between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Crop {
    /// All of a picture of that size.
    #[must_use]
    pub fn whole(width: u32, height: u32) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// The largest part in the middle that has the proportions of `width` × `height`: what `cover` shows.
    #[must_use]
    pub fn covering(self, width: u32, height: u32) -> Self {
        let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let scale = (self.width / width).min(self.height / height);
        let (across, down) = (width * scale, height * scale);
        Self {
            left: self.left + (self.width - across) / 2.0,
            top: self.top + (self.height - down) / 2.0,
            width: across,
            height: down,
        }
    }

    /// Brought within a picture of that size; at least one pixel of it by one.
    fn within(self, width: u32, height: u32) -> Self {
        let side = |start: f64, length: f64, size: u32| {
            let size = f64::from(size);
            let start = if start.is_finite() { start.clamp(0.0, size - 1.0) } else { 0.0 };
            let length = if length.is_nan() { size } else { length };
            (start, length.clamp(1.0, size - start))
        };
        let ((left, width), (top, height)) =
            (side(self.left, self.width, width), side(self.top, self.height, height));
        Self { left, top, width, height }
    }
}

/// One feed at one size.
pub struct Feed {
    resizer: Resizer,
    planes: I420,
    /// Has the luma plane's size while `clear`.
    alpha: Plane,
    clear: bool,
    /// A key's alpha at chroma's size, and a row of it at luma's.
    spare: Plane,
    line: Vec<u8>,
    recoding: Recoding,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            resizer: Resizer::new(),
            planes: I420::new(0, 0, Range::Limited, Matrix::Bt709),
            alpha: Plane::default(),
            clear: false,
            spare: Plane::default(),
            line: Vec::new(),
            recoding: Recoding::default(),
        }
    }
}

impl Feed {
    /// Takes a frame: what `crop` says of `source`, at `width` × `height` (at least 1 × 1), as BT.709 of limited range.
    /// `alpha`, if the feed has any, has the size of `source`'s luma.
    ///
    /// A `source` without pixels gives black.
    pub fn take(&mut self, source: View<'_>, alpha: Option<&Plane>, crop: Crop, width: u32, height: u32) {
        (self.planes.range, self.planes.matrix) = (source.range, source.matrix);
        self.planes.reshape(width.max(1), height.max(1));
        self.clear = false;
        if source.width == 0 || source.height == 0 {
            (self.planes.range, self.planes.matrix) = (Range::Limited, Matrix::Bt709);
            self.planes.blacken();
            return;
        }
        let crop = crop.within(source.width, source.height);
        let half = Crop {
            left: crop.left / 2.0,
            top: crop.top / 2.0,
            width: crop.width / 2.0,
            height: crop.height / 2.0,
        };
        let half = half.within(source.planes[1].width, source.planes[1].height);
        for ((from, to), crop) in
            source.planes.into_iter().zip(self.planes.planes_mut()).zip([crop, half, half])
        {
            scale(&mut self.resizer, from, crop, to);
        }
        if let Some(alpha) =
            alpha.filter(|alpha| (alpha.width, alpha.height) == (source.width, source.height))
        {
            self.alpha.reshape(width.max(1), height.max(1), 255);
            scale(&mut self.resizer, alpha.lend(), crop, &mut self.alpha);
            self.clear = true;
        }
        self.recoding.recode(&mut self.planes);
    }

    /// Changes brightness, contrast, saturation and hue.
    pub fn grade(&mut self, grade: &Grade) {
        grade.planes(&mut self.planes);
    }

    /// Makes the key's colour transparent and takes its tinge off the rest.
    pub fn key(&mut self, key: &Key) {
        let planes = &mut self.planes;
        self.spare.reshape(planes.u.width, planes.u.height, 255);
        for y in 0..planes.u.height {
            key.row(planes.u.row_mut(y), planes.v.row_mut(y), self.spare.row_mut(y));
        }
        self.clear_alpha();
        for y in 0..self.planes.height {
            self.line.resize(self.planes.width as usize, 0);
            phases::widen(|y| self.spare.row(y), self.spare.height, y, &mut self.line);
            rows::premultiply::best(self.alpha.row_mut(y), &self.line);
        }
    }

    /// Rounds the corners.
    pub fn round(&mut self, corners: Corners) {
        self.clear_alpha();
        let alpha = &mut self.alpha;
        corners.each(self.planes.width, self.planes.height, |x, y, share| {
            let sample = &mut alpha.row_mut(y)[x as usize];
            *sample = rows::low(rows::div255(u16::from(*sample) * share));
        });
    }

    /// Makes it what `picture` shows. To be called once after each [`Feed::take`]: the picture takes the planes.
    pub fn show(&mut self, picture: &mut Picture) {
        picture.show(&mut self.planes, self.clear.then_some(&self.alpha));
    }

    /// Has alpha for every pixel from now on.
    fn clear_alpha(&mut self) {
        if !self.clear {
            self.alpha.reshape(self.planes.width, self.planes.height, 255);
            self.alpha.fill(255);
            self.clear = true;
        }
    }
}

/// `crop` of `from` at the size `to` has.
fn scale(resizer: &mut Resizer, from: Lent<'_>, crop: Crop, to: &mut Plane) {
    let whole = [crop.left, crop.top].iter().all(|n| n.fract() == 0.0);
    let times = [crop.width / f64::from(to.width), crop.height / f64::from(to.height)];
    if whole && times == [1.0; 2] {
        let (left, top) = (count(crop.left), count(crop.top));
        for (y, out) in (top..).zip(to.data.chunks_exact_mut(to.width as usize)) {
            let row = from.row(u32::try_from(y).unwrap_or(u32::MAX));
            out.copy_from_slice(&row[left..left + to.width as usize]);
        }
        return;
    }
    if whole && times == [2.0; 2] {
        let (left, top) = (count(crop.left), count(crop.top));
        for (y, out) in (0..).zip(to.data.chunks_exact_mut(to.width as usize)) {
            let at = (top + 2 * y) * from.stride + left;
            let [upper, lower] = [at, at + from.stride].map(|at| &from.data[at..at + 2 * to.width as usize]);
            rows::mean_of_four::best(out, upper, lower);
        }
        return;
    }
    // Padding is beyond the crop, so the rows need no copying.
    let stride = u32::try_from(from.stride).expect("strides of pictures fit");
    let samples = &from.data[..from.stride * from.height as usize];
    let source = TypedImageRef::<U8>::from_buffer(stride, from.height, samples).expect("one byte a sample");
    let mut target =
        TypedImage::<U8>::from_buffer(to.width, to.height, &mut to.data).expect("one byte a sample");
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).crop(
        crop.left,
        crop.top,
        crop.width,
        crop.height,
    );
    resizer.resize_typed(&source, &mut target, &options).expect("the crop is within the picture");
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number within the picture"
)]
fn count(n: f64) -> usize {
    n as usize
}
