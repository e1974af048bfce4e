//! What some boxes showed, to know whether they still do.

use pixels::{I420, Plane, Quad};

/// The samples of the boxes at the last read.
#[derive(Default)]
pub(super) struct Seen {
    samples: Vec<u8>,
    boxes: Vec<(usize, usize, usize, usize)>,
    /// How far a sample may be off without having changed.
    noise: u8,
    /// Pictures since that showed the same.
    same: u32,
}

impl Seen {
    /// What a codec does to a still picture.
    const NOISE: u8 = 10;
    /// A board that is seen through a little changes with what is behind it; letters and portraits change by more than this part
    /// of their contrast.
    const CONTRAST: u8 = 6;
    /// Whatever it looks like, so often it is read again: a change too small to be seen is not missed for ever.
    const AGAIN: u32 = 10;
    /// How many of a thousand samples may be further off.
    const PART: usize = 4;

    /// Whether the boxes show what they showed when this last said no.
    pub(super) fn unchanged(&mut self, picture: &I420, quads: &[Quad]) -> bool {
        let boxes: Vec<_> = quads.iter().map(|quad| bounds(&picture.y, quad)).collect();
        let whole = boxes == self.boxes && !self.samples.is_empty() && self.same < Self::AGAIN;
        if whole && self.shows_the_same(&picture.y) {
            self.same += 1;
            return true;
        }
        self.samples.clear();
        for (left, top, right, bottom) in &boxes {
            for y in *top..*bottom {
                self.samples.extend_from_slice(&line(&picture.y, y)[*left..*right]);
            }
        }
        self.noise = (contrast(&self.samples) / Self::CONTRAST).max(Self::NOISE);
        self.boxes = boxes;
        self.same = 0;
        false
    }

    fn shows_the_same(&self, plane: &Plane) -> bool {
        let mut before = self.samples.as_slice();
        for (left, top, right, bottom) in &self.boxes {
            let most = (right - left) * (bottom - top) * Self::PART / 1000;
            let mut off = 0;
            for y in *top..*bottom {
                let now = &line(plane, y)[*left..*right];
                let (here, rest) = before.split_at(now.len());
                before = rest;
                off += here.iter().zip(now).filter(|(a, b)| a.abs_diff(**b) > self.noise).count();
                if off > most {
                    return false;
                }
            }
        }
        true
    }
}

/// From the darkest to the brightest, without the twentieth at either end.
fn contrast(samples: &[u8]) -> u8 {
    let mut counts = [0_usize; 256];
    samples.iter().for_each(|sample| counts[usize::from(*sample)] += 1);
    let end = samples.len() / 20;
    let (mut dark, mut bright, mut seen) = (None, 0, 0);
    for (level, count) in (0..=255_u8).zip(counts) {
        seen += count;
        if seen > end {
            dark = dark.or(Some(level));
        }
        if count > 0 && seen - count < samples.len() - end {
            bright = level;
        }
    }
    bright.saturating_sub(dark.unwrap_or(bright))
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
    fn what_shines_through_a_board_is_no_change_and_another_digit_is() {
        let mut board = I420::new(200, 60, Range::Full, Matrix::Bt709);
        board.y.fill(40);
        for y in 20..40 {
            board.y.row_mut(y)[60..100].fill(230);
        }
        let quads = [Quad { x: 50.0, y: 15.0, width: 60.0, height: 30.0, slant: 0.0 }];
        let mut seen = Seen::default();
        assert!(!seen.unchanged(&board, &quads));
        board.y.data.iter_mut().for_each(|sample| *sample += 20);
        assert!(seen.unchanged(&board, &quads));
        for y in 26..30 {
            board.y.row_mut(y)[70..76].fill(60);
        }
        assert!(!seen.unchanged(&board, &quads));
    }

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
        // Once in a while it is read whatever it shows.
        let mut read = 0;
        for _ in 0..22 {
            read += u32::from(!seen.unchanged(&picture, &moved));
        }
        assert_eq!(read, 2);
        // A box outside the picture has nothing to compare, so it is read.
        let outside = [quads[0].moved(1000.0, 0.0)];
        assert!(!seen.unchanged(&picture, &outside) && !seen.unchanged(&picture, &outside));
    }
}
