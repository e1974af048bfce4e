//! What some boxes showed, to know whether they still do.

use pixels::{I420, Plane, Quad};

/// The samples of the boxes at the last read.
#[derive(Default)]
pub(super) struct Seen {
    samples: Vec<u8>,
    boxes: Vec<(usize, usize, usize, usize)>,
}

impl Seen {
    /// How far a sample may be off without having changed: what a codec does to a still picture.
    const NOISE: u8 = 10;
    /// How many of a thousand samples may be further off.
    const PART: usize = 4;

    /// Whether the boxes show what they showed when this last said no.
    pub(super) fn unchanged(&mut self, picture: &I420, quads: &[Quad]) -> bool {
        let boxes: Vec<_> = quads.iter().map(|quad| bounds(&picture.y, quad)).collect();
        if boxes == self.boxes && !self.samples.is_empty() && self.same(&picture.y) {
            return true;
        }
        self.samples.clear();
        for (left, top, right, bottom) in &boxes {
            for y in *top..*bottom {
                self.samples.extend_from_slice(&line(&picture.y, y)[*left..*right]);
            }
        }
        self.boxes = boxes;
        false
    }

    fn same(&self, plane: &Plane) -> bool {
        let mut before = self.samples.as_slice();
        for (left, top, right, bottom) in &self.boxes {
            let most = (right - left) * (bottom - top) * Self::PART / 1000;
            let mut off = 0;
            for y in *top..*bottom {
                let now = &line(plane, y)[*left..*right];
                let (here, rest) = before.split_at(now.len());
                before = rest;
                off += here.iter().zip(now).filter(|(a, b)| a.abs_diff(**b) > Self::NOISE).count();
                if off > most {
                    return false;
                }
            }
        }
        true
    }
}

fn line(plane: &Plane, y: usize) -> &[u8] {
    plane.row(u32::try_from(y).unwrap_or(u32::MAX))
}

/// The upright box around a leaning one, inside the plane: left, top, right, bottom.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "negative becomes 0, the rest is bounded"
)]
fn bounds(plane: &Plane, quad: &Quad) -> (usize, usize, usize, usize) {
    let (width, height) = (plane.width as usize, plane.height as usize);
    let left = quad.x.min(quad.x + quad.slant).floor() as usize;
    let right = (quad.x + quad.width + quad.slant.max(0.0)).ceil() as usize;
    let (top, bottom) = (quad.y.floor() as usize, (quad.y + quad.height).ceil() as usize);
    let (left, top) = (left.min(width), top.min(height));
    (left, top, right.clamp(left, width), bottom.clamp(top, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixels::{Matrix, Range};

    #[test]
    fn noise_is_no_change_and_a_digit_is() {
        let mut picture = I420::new(200, 100, Range::Full, Matrix::Bt709);
        let quads = [Quad { x: 10.0, y: 10.0, width: 60.0, height: 20.0, slant: 0.0 }];
        let mut seen = Seen::default();
        assert!(!seen.unchanged(&picture, &quads));
        assert!(seen.unchanged(&picture, &quads));
        for y in 0..100 {
            picture
                .y
                .row_mut(y)
                .iter_mut()
                .enumerate()
                .for_each(|(x, sample)| *sample = u8::from(x % 3 == 0) * 8);
        }
        assert!(seen.unchanged(&picture, &quads), "what a codec does");
        // Outside the box anything may happen.
        picture.y.row_mut(50).fill(255);
        assert!(seen.unchanged(&picture, &quads));
        for y in 12..18 {
            picture.y.row_mut(y)[20..22].fill(255);
        }
        assert!(!seen.unchanged(&picture, &quads));
        assert!(seen.unchanged(&picture, &quads));
        let moved = [quads[0].moved(1.0, 0.0)];
        assert!(!seen.unchanged(&picture, &moved));
        // A box outside the picture has nothing to compare, so it is read.
        let outside = [quads[0].moved(1000.0, 0.0)];
        assert!(!seen.unchanged(&picture, &outside) && !seen.unchanged(&picture, &outside));
    }
}
