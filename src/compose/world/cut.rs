//! From a picture of a stream to what a layer shows of it: cut, scaled, worked on; JPEGs are decoded.
//!
//! Pure but for the buffers it keeps. Called by the threads of feeds and by whoever makes a single frame.

use std::sync::Arc;

use pixels::compose::effects::Corners;
use pixels::compose::{self, Crop, Picture};
use pixels::jpeg::Decoder;
use pixels::{I420, Matrix, Plane, Range, View};
use render::{Feed, Want, grade, key};
use scene::Effect;
use scene::content::Fit;

use crate::streams::Frame;

/// What is done to each picture of a source.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::compose) struct Work {
    size: render::Size,
    fit: Fit,
    crop: scene::content::Crop,
    corners: f64,
    effects: Vec<Effect>,
}

/// A picture with its place in the content's box.
#[derive(Debug)]
pub(in crate::compose) struct Piece {
    pub(in crate::compose) picture: Picture,
    pub(in crate::compose) left: i32,
    pub(in crate::compose) top: i32,
    /// The box, in px.
    pub(in crate::compose) size: (f64, f64),
}

impl Piece {
    pub(in crate::compose) fn into_feed(self, version: u64) -> Feed {
        let Self { picture, left, top, size } = self;
        Feed { picture: Some(Arc::new(picture)), left, top, size: Some(size), version, ..Feed::default() }
    }
}

/// Decodes JPEGs.
pub(in crate::compose) struct Sight {
    decoder: Option<Decoder>,
    /// The last one that could be decoded.
    pub(in crate::compose) picture: I420,
}

/// Cuts and scales.
#[derive(Default)]
pub(in crate::compose) struct Cutter(compose::Feed);

impl Work {
    pub(in crate::compose) fn of(want: &Want<'_>) -> Self {
        Self {
            size: want.size,
            fit: want.fit,
            crop: want.crop,
            corners: want.corner_radius,
            effects: want.effects.to_vec(),
        }
    }

    pub(in crate::compose) fn is_of(&self, want: &Want<'_>) -> bool {
        self.effects == want.effects && self.frames_as(want)
    }

    /// Whether all but the effects is the same.
    pub(in crate::compose) fn frames_as(&self, want: &Want<'_>) -> bool {
        (self.size, self.fit, self.crop, self.corners) == (want.size, want.fit, want.crop, want.corner_radius)
    }
}

impl Default for Sight {
    fn default() -> Self {
        Self { decoder: None, picture: I420::new(0, 0, Range::Full, Matrix::Bt601) }
    }
}

impl Sight {
    /// Decodes a frame; whether it could be. If not, there is no picture until the next.
    pub(in crate::compose) fn look(&mut self, frame: &Frame) -> bool {
        if self.decoder.is_none() {
            self.decoder = Decoder::new().ok();
        }
        let Some(decoder) = &mut self.decoder else { return false };
        let decoded = decoder.decode(&frame.jpeg, &frame.header, &mut self.picture).is_ok();
        if !decoded {
            self.picture.reshape(0, 0);
        }
        decoded
    }
}

impl Cutter {
    /// What is shown of `source`. `alpha`, if there is any, has the size of its luma.
    pub(in crate::compose) fn cut(&mut self, source: View<'_>, alpha: Option<&Plane>, work: &Work) -> Piece {
        let (wide, high) = (f64::from(source.width), f64::from(source.height));
        let crop = Crop {
            left: work.crop.x * wide,
            top: work.crop.y * high,
            width: work.crop.width * wide,
            height: work.crop.height * high,
        };
        let (width, height) = box_of(work.size, (crop.width, crop.height));
        let (crop, width, height) = match work.fit {
            Fit::Fill => (crop, width, height),
            Fit::Cover => (crop.covering(width, height), width, height),
            Fit::Contain => {
                let scale = (f64::from(width) / crop.width).min(f64::from(height) / crop.height);
                (crop, side(crop.width * scale), side(crop.height * scale))
            }
        };
        self.0.take(source, alpha, crop, width, height);
        if work.corners > 0.0 {
            self.0.round(Corners(narrow(work.corners)));
        }
        let quick = work.effects.iter().take_while(|effect| self.quickly(effect)).count();
        let mut picture = Picture::default();
        self.0.show(&mut picture);
        let size = (f64::from(width), f64::from(height));
        match &work.effects[quick..] {
            [] => Piece { picture, left: 0, top: 0, size },
            rest => {
                let done = render::live(&picture, rest);
                Piece { picture: done.picture, left: done.left, top: done.top, size }
            }
        }
    }

    /// Does an effect for which there is a kernel on planes; whether there is.
    fn quickly(&mut self, effect: &Effect) -> bool {
        match effect {
            Effect::Color(shift) => self.0.grade(&grade(shift)),
            Effect::ChromaKey(wanted) => self.0.key(&key(wanted)),
            Effect::CornerRadius(corners) => self.0.round(Corners(narrow(corners.radius))),
            _ => return false,
        }
        true
    }
}

fn box_of((width, height): render::Size, (wide, high): (f64, f64)) -> (u32, u32) {
    let (wide, high) = (wide.max(1.0), high.max(1.0));
    let (width, height) = match (width, height) {
        (None, None) => (wide, high),
        (Some(width), None) => (width, width * high / wide),
        (None, Some(height)) => (height * wide / high, height),
        (Some(width), Some(height)) => (width, height),
    };
    (side(width), side(height))
}

#[expect(clippy::cast_possible_truncation, reason = "the scene bounds its numbers far within")]
fn narrow(n: f64) -> f32 {
    n as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what pictures may be"
)]
fn side(length: f64) -> u32 {
    length.round().clamp(1.0, 8192.0) as u32
}
