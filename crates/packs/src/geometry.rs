//! Where a box of a pack lies in a picture of any size and shape.
//!
//! A pack's boxes are in pixels of its reference picture, or in fractions of the frame when it has none. A screen says
//! what its boxes hold on to when a frame is wider or narrower than that.

use pixels::Quad;

use crate::raw;

pub use crate::raw::Pin;

/// How a screen's boxes become pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layout {
    /// Width and height of the picture that the boxes were drawn on; 1 × 1 for fractions.
    pub reference: (f32, f32),
    pub pin: Pin,
}

/// How a whole HUD is moved from where the pack says it is, in pixels of the reference: a captured window with a title, a
/// broadcast that shrank the game.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    pub x: f32,
    pub y: f32,
    /// About the pin's point on the upper edge.
    pub scale: f32,
}

impl Shift {
    pub const NONE: Self = Self { x: 0.0, y: 0.0, scale: 1.0 };
}

/// A box in the units of its pack, with others for frames of other shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    pub area: Area,
    /// The first whose shapes a frame has is taken instead.
    pub others: Vec<(Aspects, Area)>,
}

/// A box in the units of its pack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
    pub slant: f32,
}

/// Shapes of frames: width divided by height, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aspects {
    pub least: f32,
    pub most: f32,
}

impl Aspects {
    /// Whether a frame of that size has such a shape.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub fn hold(&self, width: u32, height: u32) -> bool {
        let aspect = width as f32 / height.max(1) as f32;
        aspect >= self.least && aspect <= self.most
    }
}

impl From<[f32; 2]> for Aspects {
    fn from([least, most]: [f32; 2]) -> Self {
        Self { least, most }
    }
}

impl Area {
    /// A raw box, which is checked by then.
    #[must_use]
    pub const fn new([x, y, width, height]: raw::Area, slant: f32) -> Self {
        Self { x, y, width, height, slant }
    }
}

impl Spot {
    /// The box for frames of that size.
    #[must_use]
    pub fn area(&self, width: u32, height: u32) -> &Area {
        self.others
            .iter()
            .find(|(aspects, _)| aspects.hold(width, height))
            .map_or(&self.area, |(_, area)| area)
    }
}

impl Layout {
    /// Pixels of a frame of that size to one unit of the pack, across and down.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub fn units(&self, width: u32, height: u32) -> (f32, f32) {
        let down = height as f32 / self.reference.1;
        match self.pin {
            Pin::Stretch => (width as f32 / self.reference.0, down),
            Pin::Left | Pin::Center | Pin::Right => (down, down),
        }
    }

    /// The column that keeps its place, in units.
    #[must_use]
    pub fn pinned(&self) -> f32 {
        match self.pin {
            Pin::Left | Pin::Stretch => 0.0,
            Pin::Center => self.reference.0 / 2.0,
            Pin::Right => self.reference.0,
        }
    }

    /// Where a box lies in a frame of that size.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub fn place(&self, area: &Area, width: u32, height: u32, shift: Shift) -> Quad {
        let (across, down) = self.units(width, height);
        let pin = self.pinned();
        let origin = match self.pin {
            Pin::Left | Pin::Stretch => 0.0,
            Pin::Center => width as f32 / 2.0,
            Pin::Right => width as f32,
        };
        Quad {
            x: origin + ((area.x - pin) * shift.scale + shift.x) * across,
            y: (area.y * shift.scale + shift.y) * down,
            width: area.width * shift.scale * across,
            height: area.height * shift.scale * down,
            slant: area.slant * shift.scale * across,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_keeps_its_place_at_every_size_and_shape() {
        let area = Area { x: 548.0, y: 5.0, width: 60.0, height: 35.0, slant: 5.0 };
        let place = |pin, width, height, shift| {
            let quad = Layout { reference: (1920.0, 1080.0), pin }.place(&area, width, height, shift);
            (quad.x, quad.y, quad.width, quad.height)
        };
        assert_eq!(place(Pin::Center, 1920, 1080, Shift::NONE), (548.0, 5.0, 60.0, 35.0));
        assert_eq!(place(Pin::Center, 960, 540, Shift::NONE), (274.0, 2.5, 30.0, 17.5));
        // 21:9: as far from the centre as before.
        assert_eq!(place(Pin::Center, 2520, 1080, Shift::NONE), (848.0, 5.0, 60.0, 35.0));
        assert_eq!(place(Pin::Left, 2520, 1080, Shift::NONE), (548.0, 5.0, 60.0, 35.0));
        assert_eq!(place(Pin::Right, 2520, 1080, Shift::NONE), (1148.0, 5.0, 60.0, 35.0));
        assert_eq!(place(Pin::Stretch, 960, 1080, Shift::NONE), (274.0, 5.0, 30.0, 35.0));
        let shift = Shift { x: 10.0, y: 30.0, scale: 0.5 };
        assert_eq!(place(Pin::Center, 1920, 1080, shift), (764.0, 32.5, 30.0, 17.5));
    }

    #[test]
    fn a_box_for_another_shape_is_taken_for_it() {
        let area = |x| Area { x, y: 0.0, width: 1.0, height: 1.0, slant: 0.0 };
        let wide = Aspects { least: 2.0, most: 4.0 };
        let spot = Spot { area: area(1.0), others: vec![(wide, area(2.0))] };
        assert_eq!(spot.area(1920, 1080).x, 1.0);
        assert_eq!(spot.area(2560, 1080).x, 2.0);
        assert_eq!(spot.area(100, 0).x, 1.0);
    }
}
