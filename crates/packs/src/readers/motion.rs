//! Which part of the box changed since the last picture.
//!
//! Called by the session with each picture. Looks at means of small cells, so that a codec's noise is no motion.

use pixels::{I420, Plane, Quad};

use super::crop;
use crate::gate::colors::Coding;
use crate::raw;

/// Cells that are compared, at most, each way.
const CELLS: f32 = 32.0;

/// The reader.
#[derive(Debug)]
pub struct Motion {
    threshold: f32,
}

/// What the box showed last.
#[derive(Debug, Default)]
pub struct Memory {
    last: Option<(Quad, Plane)>,
}

impl Motion {
    #[must_use]
    pub fn new(raw: &raw::Motion) -> Self {
        Self { threshold: f32::from(raw.threshold) }
    }

    /// 0 to 1; `None` for the first picture, or when the box lies elsewhere than before or not whole in the picture.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to some cells"
    )]
    pub fn read(&self, picture: &I420, quad: &Quad, memory: &mut Memory) -> Option<f32> {
        if !quad.inside(picture.width, picture.height) {
            memory.last = None;
            return None;
        }
        // Two samples a cell at the least.
        let cells = |side: f32| (side / 2.0).clamp(1.0, CELLS) as u32;
        let now = crop::upright(&picture.y, quad, cells(quad.width), cells(quad.height));
        let coding = Coding::of(picture);
        let changed = memory.last.as_ref().filter(|(place, _)| place == quad).map(|(_, before)| {
            let pairs = before.data.iter().zip(&now.data);
            let far = pairs.filter(|(a, b)| coding.contrast(f32::from(a.abs_diff(**b))) > self.threshold);
            far.count() as f32 / now.data.len() as f32
        });
        memory.last = Some((*quad, now));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixels::{Matrix, Range};

    const BOX: Quad = Quad { x: 4.0, y: 4.0, width: 40.0, height: 20.0, slant: 0.0 };

    #[test]
    fn what_changed_is_a_part_of_the_box_and_noise_is_none() {
        for range in [Range::Full, Range::Limited] {
            let motion = Motion::new(&raw::Motion { threshold: 25 });
            let mut memory = Memory::default();
            let mut picture = I420::new(64, 48, range, Matrix::Bt709);
            picture.y.fill(80);
            assert_eq!(motion.read(&picture, &BOX, &mut memory), None, "the first");
            for y in 0..48 {
                for (x, sample) in picture.y.row_mut(y).iter_mut().enumerate() {
                    *sample = if x % 2 == 0 { 70 } else { 90 };
                }
            }
            assert_eq!(motion.read(&picture, &BOX, &mut memory), Some(0.0), "noise");
            for y in 4..24 {
                picture.y.row_mut(y)[4..14].fill(200);
            }
            let part = motion.read(&picture, &BOX, &mut memory).unwrap();
            assert!((part - 0.25).abs() < 0.06, "{part}");
            assert_eq!(motion.read(&picture, &BOX, &mut memory), Some(0.0), "as before");
            assert_eq!(motion.read(&picture, &BOX.moved(1.0, 0.0), &mut memory), None, "elsewhere");
            assert_eq!(motion.read(&picture, &BOX.moved(40.0, 0.0), &mut memory), None, "not whole");
        }
    }
}
