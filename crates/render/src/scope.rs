//! Layers that are composed by themselves first, and then laid over the rest as one picture: a group that is faded or
//! blended, a layer with another one as its mask, a side of a transition.

use std::sync::Arc;

use pixels::compose::{Bitmap, Canvas, Colour, Picture, Rect, mask};
use scene::{Effect, MaskMode};

use crate::damage::Damage;
use crate::face::effects;
use crate::face::finish::kind;
use crate::plan::Plan;

/// A canvas of its own, kept from frame to frame.
#[derive(Debug)]
pub(crate) struct Scope {
    pub(crate) owner: u64,
    pub(crate) plan: Plan,
    canvas: Canvas,
    damage: Damage,
    ground: Colour,
    /// Taken in turns, for the one shown is still in use when the next is made.
    pictures: [Arc<Picture>; 2],
    pub(crate) version: u64,
    /// Of what was done to the picture afterwards.
    after: u64,
    pub(crate) seen: u64,
}

/// What is done to a scope's picture once it is composed.
pub(crate) struct After<'a> {
    pub(crate) effects: &'a [Effect],
    /// The mask's canvas, and a number for what is on it.
    pub(crate) mask: Option<(&'a Canvas, u64, MaskMode)>,
    /// Another one whenever the effects or the mask's mode are.
    pub(crate) version: u64,
}

impl Scope {
    pub(crate) fn new(owner: u64, width: u32, height: u32) -> Self {
        Self {
            owner,
            plan: Plan::default(),
            canvas: Canvas::clear(width, height, 1),
            damage: Damage::new(width, height),
            ground: Colour::CLEAR,
            pictures: [Arc::default(), Arc::default()],
            version: 0,
            after: 0,
            seen: 0,
        }
    }

    pub(crate) fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// Composes what changed on its canvas; whether anything has.
    pub(crate) fn compose(&mut self, ground: Colour) -> bool {
        self.damage.clear();
        self.plan.compare(&mut self.damage);
        if ground != self.ground || self.version == 0 {
            self.ground = ground;
            self.damage.mark_all();
        }
        if self.damage.is_empty() {
            return false;
        }
        for band in self.canvas.bands() {
            self.plan.compose(band, &self.damage, ground);
        }
        true
    }

    /// Makes the picture, if what it is made of has changed.
    pub(crate) fn finish(&mut self, composed: bool, after: &After<'_>) {
        let number = after.version.wrapping_mul(31).wrapping_add(after.mask.map_or(0, |(_, n, _)| n + 1));
        if !composed && number == self.after {
            return;
        }
        self.after = number;
        self.version += 1;
        self.pictures.swap(0, 1);
        let picture = match Arc::get_mut(&mut self.pictures[0]) {
            Some(picture) => picture,
            None => {
                self.pictures[0] = Arc::default();
                Arc::get_mut(&mut self.pictures[0]).expect("nobody else has it yet")
            }
        };
        if after.effects.is_empty() && after.mask.is_none() {
            picture.group(&self.canvas);
            return;
        }
        let mut bitmap = self.canvas.to_bitmap();
        if let Some((canvas, _, mode)) = after.mask {
            mask(&mut bitmap, &canvas.to_bitmap(), (0, 0), kind(mode));
        }
        picture.redraw(&with_effects(bitmap, after.effects));
    }

    pub(crate) fn picture(&self) -> &Arc<Picture> {
        &self.pictures[0]
    }

    /// All of its canvas.
    pub(crate) fn area(&self) -> Rect {
        Rect::at(0, 0, self.canvas.width(), self.canvas.height())
    }

    pub(crate) fn memory(&self) -> usize {
        let pixels = self.canvas.width() as usize * self.canvas.height() as usize;
        pixels * 3 + self.pictures.iter().map(|picture| picture.memory()).sum::<usize>()
    }
}

/// Effects on a whole canvas keep its size: what they throw over its edges is not seen anyway.
fn with_effects(bitmap: Bitmap, list: &[Effect]) -> Bitmap {
    let (width, height) = (bitmap.width(), bitmap.height());
    let mut drawn =
        draw::Drawn { bitmap, left: 0, top: 0, width: f64::from(width), height: f64::from(height) };
    for effect in list {
        effects::apply(&mut drawn, effect);
    }
    if (drawn.left, drawn.top, drawn.bitmap.width(), drawn.bitmap.height()) == (0, 0, width, height) {
        return drawn.bitmap;
    }
    effects::window(&drawn, (0, 0), (width, height))
}
