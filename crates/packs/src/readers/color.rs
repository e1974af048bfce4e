//! Which of some colours fills the box.
//!
//! Called by the session. A sample counts for the colour it is nearest to, if that is near enough.

use pixels::{I420, Quad};

use super::Line;
use crate::gate::colors::{self, Coding, Grid};
use crate::raw;

/// Samples of a box that are looked at, at most, each way.
const SAMPLES: u32 = 48;
/// The most colours to tell apart.
const MOST: usize = 32;

/// The reader.
#[derive(Debug)]
pub struct Color {
    /// What each colour means, and its red, green and blue.
    palette: Vec<(String, [f32; 3])>,
    tolerance: f32,
    share: f32,
}

impl Color {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Color) -> Result<Self, String> {
        if raw.palette.is_empty() || raw.palette.len() > MOST {
            return Err(format!("palette has {} colours; 1 to {MOST} can be", raw.palette.len()));
        }
        if !(0.0..=255.0).contains(&raw.tolerance) || !(0.0..=1.0).contains(&raw.share) {
            return Err("tolerance is 0 to 255 and share 0 to 1".to_owned());
        }
        let colors = raw.palette.iter().map(|(name, color)| {
            colors::parse(color).map(|rgb| (name.clone(), rgb)).map_err(|e| format!("palette.{name}: {e}"))
        });
        let palette = colors.collect::<Result<_, _>>()?;
        Ok(Self { palette, tolerance: raw.tolerance, share: raw.share })
    }

    /// The colour's name and which part of the box has it; `None` when no colour has enough.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "at most some thousand samples")]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<Line> {
        let mut counts = vec![0_u32; self.palette.len()];
        let mut all = 0_u32;
        for_each_rgb(picture, quad, SAMPLES, |_, rgb| {
            let near = self.palette.iter().map(|(_, color)| off(rgb, *color)).enumerate();
            let nearest = near.min_by(|(_, one), (_, other)| one.total_cmp(other));
            if let Some((number, _)) = nearest.filter(|(_, off)| *off <= self.tolerance) {
                counts[number] += 1;
            }
            all += 1;
        })?;
        let (number, count) = counts.into_iter().enumerate().max_by_key(|(_, count)| *count)?;
        let share = count as f32 / all.max(1) as f32;
        (share >= self.share && count > 0)
            .then(|| Line { text: self.palette[number].0.clone(), confidence: share })
    }
}

/// How far apart two colours are: the mean over red, green and blue.
pub(super) fn off(rgb: [f32; 3], color: [f32; 3]) -> f32 {
    rgb.iter().zip(color).map(|(is, should)| (is.clamp(0.0, 255.0) - should).abs()).sum::<f32>() / 3.0
}

/// Calls `see` with the place in the box (0 to 1, across and down) and the red, green and blue of its samples, at most about
/// `most` each way. `None` when the box reaches out of the picture.
#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
pub(super) fn for_each_rgb(
    picture: &I420,
    quad: &Quad,
    most: u32,
    mut see: impl FnMut((f32, f32), [f32; 3]),
) -> Option<()> {
    let coding = Coding::of(picture);
    for (row, (first, end, step)) in Grid::of(&picture.y, quad, most)?.lines() {
        let (luma, cb, cr) = (picture.y.row(row), picture.u.row(row / 2), picture.v.row(row / 2));
        let down = (row as f32 + 0.5 - quad.y) / quad.height;
        let left = quad.x + quad.slant * down.clamp(0.0, 1.0);
        for column in (first..end).step_by(step as usize) {
            let x = column as usize;
            let across = (column as f32 + 0.5 - left) / quad.width;
            see((across, down), coding.rgb(luma[x].into(), cb[x / 2].into(), cr[x / 2].into()));
        }
    }
    Some(())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use pixels::{Matrix, Range, convert};

    /// Boxes of colours on black, in every coding a picture may have.
    pub(crate) fn pictures(boxes: &[([u32; 4], [u8; 3])]) -> Vec<I420> {
        let mut rgb = vec![0; 64 * 48 * 3];
        for ([x, y, width, height], color) in boxes {
            for row in *y..y + height {
                for column in *x..x + width {
                    let at = (row * 64 + column) as usize * 3;
                    rgb[at..at + 3].copy_from_slice(color);
                }
            }
        }
        let mut full = I420::new(64, 48, Range::Full, Matrix::Bt601);
        convert::rgb_to_i420(&rgb, 3, &mut full);
        let mut limited = full.clone();
        convert::to_limited(&mut limited);
        vec![full, limited, bt709(&rgb)]
    }

    /// As HD video codes it.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "codes of colours fit a byte"
    )]
    fn bt709(rgb: &[u8]) -> I420 {
        let mut picture = I420::new(64, 48, Range::Limited, Matrix::Bt709);
        for (at, pixel) in rgb.chunks(3).enumerate() {
            let [r, g, b] = [0, 1, 2].map(|i| f32::from(pixel[i]) / 255.0);
            let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            let (x, y) = (at % 64, u32::try_from(at / 64).unwrap());
            picture.y.row_mut(y)[x] = (16.0 + 219.0 * luma).round() as u8;
            picture.u.row_mut(y / 2)[x / 2] = (128.0 + 224.0 * (b - luma) / 1.8556).round() as u8;
            picture.v.row_mut(y / 2)[x / 2] = (128.0 + 224.0 * (r - luma) / 1.5748).round() as u8;
        }
        picture
    }

    fn reader(share: f32) -> Color {
        let palette = [("red", "#d02020"), ("blue", "#2040d0"), ("white", "#ffffff")];
        let palette = palette.map(|(name, color)| (name.to_owned(), color.to_owned())).into();
        Color::new(&raw::Color { palette, tolerance: 30.0, share }).unwrap()
    }

    const BOX: Quad = Quad { x: 8.0, y: 8.0, width: 32.0, height: 16.0, slant: 0.0 };

    #[test]
    fn the_colour_that_fills_the_box_is_named_in_every_coding() {
        let cases = [
            (&[([8, 8, 32, 16], [210, 30, 30])][..], Some("red"), 1.0),
            (&[([8, 8, 32, 16], [40, 60, 200])], Some("blue"), 1.0),
            (&[([8, 8, 24, 16], [250, 250, 250])], Some("white"), 0.75),
            (&[([8, 8, 12, 16], [210, 30, 30])], None, 0.0),
            (&[([8, 8, 32, 16], [20, 200, 40])], None, 0.0),
            (&[], None, 0.0),
        ];
        for (boxes, want, share) in cases {
            for picture in pictures(boxes) {
                let line = reader(0.5).read(&picture, &BOX);
                let what = format!("{boxes:?} {:?} {:?}", picture.range, picture.matrix);
                assert_eq!(line.as_ref().map(|line| line.text.as_str()), want, "{what}");
                assert!(line.is_none_or(|line| (line.confidence - share).abs() < 0.05), "{what}");
            }
        }
    }

    #[test]
    fn a_box_outside_has_no_colour_and_a_wrong_palette_is_refused() {
        let picture = &pictures(&[([0, 0, 64, 48], [210, 30, 30])])[0];
        for quad in [BOX.moved(40.0, 0.0), BOX.moved(0.0, -30.0), Quad { x: f32::NAN, ..BOX }] {
            assert_eq!(reader(0.5).read(picture, &quad), None, "{quad:?}");
        }
        for (color, tolerance) in [("red", 30.0), ("#12345", 30.0), ("#ffffff", 300.0), ("#ffffff", f32::NAN)]
        {
            let palette = [("a".to_owned(), color.to_owned())].into();
            assert!(
                Color::new(&raw::Color { palette, tolerance, share: 0.5 }).is_err(),
                "{color} {tolerance}"
            );
        }
    }
}
