//! The rasteriser: paths and glyphs in paints, into pixels.
//!
//! Owned by a painter, one for each thread, and used again for everything that thread draws. Knows paints and outlines,
//! not what they stand for.

use std::sync::Arc;

use pixels::compose::{Bitmap, PIXEL};
use scene::style::{Gradient, GradientKind, LineCap, LineJoin};
use vello_cpu::color::{AlphaColor, Srgb};
use vello_cpu::kurbo::{Affine, BezPath, Cap, Join, Point, Rect, Stroke, Vec2};
use vello_cpu::peniko::{Gradient as Ramp, ImageBrush, ImageSampler};
use vello_cpu::{ImageSource, PaintType, PixelMetadata, Pixmap, PixmapMut, RenderContext, Resources};

use crate::{Error, MAX_PIXELS, MAX_SIDE};

/// How far the corner of a mitred join may reach, in widths of its line.
pub(crate) const MITER: f64 = 4.0;

/// Whole pixels that something to be drawn covers, around the origin of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Extent {
    /// The pixels that `rect` touches.
    ///
    /// # Errors
    /// [`Error::TooLarge`], with `what` it is, for more than is allowed.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    pub(crate) fn of(what: &'static str, rect: Rect) -> Result<Self, Error> {
        const FAR: f64 = 1e8;
        let whole = |at: f64| if at.is_finite() { at.clamp(-FAR, FAR) } else { 0.0 };
        let (left, top) = (whole(rect.x0.floor()), whole(rect.y0.floor()));
        let width = (whole(rect.x1.ceil()) - left).max(1.0) as u32;
        let height = (whole(rect.y1.ceil()) - top).max(1.0) as u32;
        if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(Error::TooLarge { what, width, height });
        }
        Ok(Self { left: left as i32, top: top as i32, width, height })
    }

    fn size(self) -> (u16, u16) {
        let side = |length: u32| u16::try_from(length).expect("no side is above the largest allowed");
        (side(self.width), side(self.height))
    }
}

/// Draws one thing after another.
pub(crate) struct Canvas {
    context: RenderContext,
    resources: Resources,
    /// Memory of bitmaps that nobody needs any more: fresh memory costs as much again as drawing a line of text into it.
    spares: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Canvas").finish_non_exhaustive()
    }
}

impl Canvas {
    /// Of a whole that was drawn and of the part that is used.
    const SPARES: usize = 2;
    /// Bytes that are kept for another bitmap.
    const MOST_SPARE: usize = 4 << 20;

    pub(crate) fn new() -> Self {
        Self { context: RenderContext::new(1, 1), resources: Resources::new(), spares: Vec::new() }
    }

    /// Begins anew: what is drawn now is in px from the content's origin.
    pub(crate) fn begin(&mut self, extent: Extent) {
        let (width, height) = extent.size();
        self.context.reset_and_resize(width, height);
        self.move_to(extent, Vec2::ZERO);
    }

    /// What is drawn from now on is moved by `offset` px.
    pub(crate) fn move_to(&mut self, extent: Extent, offset: Vec2) {
        let origin = Vec2::new(-f64::from(extent.left), -f64::from(extent.top));
        self.context.set_transform(Affine::translate(origin + offset));
    }

    /// The pixels of all that was drawn since [`Canvas::begin`].
    pub(crate) fn finish(&mut self, extent: Extent) -> Bitmap {
        let (width, height) = extent.size();
        let mut data = self.memory();
        // What it held does not matter: every pixel is written.
        data.resize(extent.width as usize * extent.height as usize * PIXEL, 0);
        let target = PixmapMut::new(width, height, &mut data).expect("it has four bytes a pixel");
        self.context.flush();
        self.context.render(target, &mut self.resources);
        Bitmap::from_premultiplied(extent.width, extent.height, data).expect("it has four bytes a pixel")
    }

    /// Takes a bitmap's memory for the next one.
    pub(crate) fn spare(&mut self, bitmap: Bitmap) {
        let data = bitmap.into_data();
        if data.capacity() <= Self::MOST_SPARE && self.spares.len() < Self::SPARES {
            self.spares.push(data);
        }
    }

    /// Memory for a bitmap, whatever it holds.
    pub(crate) fn memory(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_default()
    }

    /// What paths and glyphs are painted with from now on: `gradient` over `area`, or `colour`.
    pub(crate) fn paint(&mut self, colour: scene::Color, gradient: Option<&Gradient>, area: Rect) {
        self.context.reset_paint_transform();
        let Some(gradient) = gradient else {
            self.context.set_paint(solid(colour));
            return;
        };
        let (ramp, transform) = ramp(gradient, area);
        self.context.set_paint_transform(transform);
        self.context.set_paint(ramp);
    }

    pub(crate) fn fill(&mut self, path: &BezPath) {
        self.context.fill_path(path);
    }

    pub(crate) fn stroke(&mut self, path: &BezPath, stroke: Stroke) {
        self.context.set_stroke(stroke);
        self.context.stroke_path(path);
    }

    /// Draws a picture into `path`, its top left pixel at `at`.
    pub(crate) fn picture(&mut self, picture: Bitmap, at: Point, path: &BezPath) {
        let side = |length: u32| u16::try_from(length).unwrap_or(u16::MAX);
        let (width, height) = (side(picture.width()), side(picture.height()));
        let metadata = PixelMetadata { may_have_transparency: true, ..PixelMetadata::default() };
        let mut data = picture.into_data();
        data.shrink_to_fit();
        let image = ImageSource::Pixmap(Arc::new(Pixmap::from_parts(data, width, height, metadata)));
        self.context.set_paint_transform(Affine::translate(at.to_vec2()));
        self.context.set_paint(PaintType::Image(ImageBrush { image, sampler: ImageSampler::default() }));
        self.context.fill_path(path);
        self.context.reset_paint_transform();
    }

    /// All until [`Canvas::unfade`] is drawn together, at `opacity` (0 to 1).
    pub(crate) fn fade(&mut self, opacity: f32) {
        self.context.push_opacity_layer(opacity.clamp(0.0, 1.0));
    }

    pub(crate) fn unfade(&mut self) {
        self.context.pop_layer();
    }

    /// Nothing outside `area` is drawn until [`Canvas::unclip`].
    pub(crate) fn clip(&mut self, area: Rect) {
        self.context.push_clip_rect(&area);
    }

    pub(crate) fn unclip(&mut self) {
        self.context.pop_clip();
    }

    /// The rasteriser and what it keeps, for glyphs.
    pub(crate) fn parts(&mut self) -> (&mut RenderContext, &mut Resources) {
        (&mut self.context, &mut self.resources)
    }
}

fn solid(colour: scene::Color) -> AlphaColor<Srgb> {
    AlphaColor::from_rgba8(colour.r, colour.g, colour.b, colour.a)
}

/// A gradient over `area`, and what takes it there.
#[expect(clippy::cast_possible_truncation, reason = "offsets are from 0 to 1")]
fn ramp(gradient: &Gradient, area: Rect) -> (Ramp, Affine) {
    let stops: Vec<_> = gradient.colors.iter().map(|stop| (stop.offset as f32, solid(stop.color))).collect();
    let centre = area.center();
    match gradient.kind {
        GradientKind::Linear => {
            // CSS Images 3, 3.1: the line is as long as makes the corners take the first and last colour.
            let (sin, cos) = gradient.angle.to_radians().sin_cos();
            let half = (area.width() * sin.abs() + area.height() * cos.abs()) / 2.0;
            let reach = Vec2::new(sin, -cos) * half;
            (Ramp::new_linear(centre - reach, centre + reach).with_stops(&*stops), Affine::IDENTITY)
        }
        GradientKind::Radial => {
            // An ellipse of the box's proportions through its corners.
            let (across, down) = (area.width().max(1e-3), area.height().max(1e-3));
            let half = std::f64::consts::FRAC_1_SQRT_2;
            let there =
                Affine::translate(centre.to_vec2()) * Affine::scale_non_uniform(across * half, down * half);
            (Ramp::new_radial((0.0, 0.0), 1.0).with_stops(&*stops), there)
        }
    }
}

/// A line of a shape.
pub(crate) fn stroke(width: f64, cap: LineCap, join: LineJoin) -> Stroke {
    let cap = match cap {
        LineCap::Butt => Cap::Butt,
        LineCap::Round => Cap::Round,
        LineCap::Square => Cap::Square,
    };
    let join = match join {
        LineJoin::Miter => Join::Miter,
        LineJoin::Round => Join::Round,
        LineJoin::Bevel => Join::Bevel,
    };
    Stroke::new(width).with_caps(cap).with_join(join).with_miter_limit(MITER)
}
