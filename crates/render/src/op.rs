//! One thing that is laid over the canvas, and the pixels it touches.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pixels::compose::{Affine, Band, Mode, Picture, Rect};
use scene::BlendMode;

/// Who an op belongs to: the layer's place among the faces, and which of its pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) owner: u64,
    pub(crate) piece: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Op {
    pub(crate) key: Key,
    pub(crate) picture: Arc<Picture>,
    /// Another one for every other picture.
    pub(crate) version: u64,
    pub(crate) map: Affine,
    pub(crate) opacity: u8,
    pub(crate) blend: BlendMode,
    /// Nothing of it is drawn outside.
    pub(crate) clip: Rect,
    /// Set when drawing it failed; who owns it takes it out.
    pub(crate) failed: Arc<AtomicBool>,
}

impl Op {
    /// The pixels it may change.
    pub(crate) fn bounds(&self) -> Rect {
        if self.opacity == 0 || self.picture.is_empty() {
            return Rect::default();
        }
        let whole = match self.map.whole_move() {
            Some((x, y)) => Rect::at(x, y, self.picture.width(), self.picture.height()),
            None => self.map.bounds(self.picture.width(), self.picture.height()),
        };
        whole.meet(&self.clip)
    }

    /// Whether it looks as `other` does.
    pub(crate) fn looks_like(&self, other: &Self) -> bool {
        self.version == other.version
            && self.map == other.map
            && self.opacity == other.opacity
            && self.blend == other.blend
            && self.clip == other.clip
    }

    /// Whether nothing below it is seen anywhere in `area`.
    pub(crate) fn covers(&self, area: Rect) -> bool {
        self.opacity == 255
            && self.blend == BlendMode::Normal
            && self.map.whole_move().is_some()
            && self.picture.is_opaque()
            && self.bounds().meet(&area) == area
    }

    /// Lays it over what `band` shows within `area`.
    pub(crate) fn draw(&self, band: &mut Band, area: Rect) {
        let area = area.meet(&self.clip);
        if area.is_empty() || self.failed.load(Ordering::Relaxed) {
            return;
        }
        let drawn = catch_unwind(AssertUnwindSafe(|| {
            band.blend(&self.picture, &self.map, self.opacity, mode(self.blend), area);
        }));
        if drawn.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
    }
}

fn mode(blend: BlendMode) -> Mode {
    match blend {
        BlendMode::Normal => Mode::Normal,
        BlendMode::Multiply => Mode::Multiply,
        BlendMode::Screen => Mode::Screen,
        BlendMode::Overlay => Mode::Overlay,
        BlendMode::Darken => Mode::Darken,
        BlendMode::Lighten => Mode::Lighten,
        BlendMode::Add => Mode::Add,
    }
}

/// 0 to 255, from 0 to 1.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(crate) fn share(opacity: f64) -> u8 {
    (opacity.clamp(0.0, 1.0) * 255.0).round() as u8
}
