//! How full a bar is.
//!
//! Called by the session. The bar is cut into slices across the way it grows; each is full or not, and the place that most
//! of them agree with is where it ends.

use pixels::{I420, Quad};

use super::color::{for_each_rgb, off};
use crate::gate::colors;
use crate::raw::{self, Direction};

/// Slices of a bar, at most.
const SLICES: usize = 192;
/// Which part of the slices must agree with where it ends; less is no bar.
const AGREE: f32 = 0.8;

/// The reader.
#[derive(Debug)]
pub struct Bar {
    color: [f32; 3],
    tolerance: f32,
    grows: Direction,
}

impl Bar {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Bar) -> Result<Self, String> {
        if !(0.0..=255.0).contains(&raw.tolerance) {
            return Err("tolerance is 0 to 255".to_owned());
        }
        let color = colors::parse(&raw.color).map_err(|e| format!("color: {e}"))?;
        Ok(Self { color, tolerance: raw.tolerance, grows: raw.grows })
    }

    /// 0 to 1, and how sure: the part of the bar that agrees. `None` when the box is not whole in the picture or what is in it
    /// is no bar.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to the slices"
    )]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<(f32, f32)> {
        let length = match self.grows {
            Direction::Right | Direction::Left => quad.width,
            Direction::Up | Direction::Down => quad.height,
        };
        let count = length.clamp(1.0, SLICES as f32) as usize;
        let mut slices = vec![(0_u32, 0_u32); count];
        for_each_rgb(picture, quad, SLICES as u32, |(across, down), rgb| {
            let along = match self.grows {
                Direction::Right => across,
                Direction::Left => 1.0 - across,
                Direction::Down => down,
                Direction::Up => 1.0 - down,
            };
            let slice = &mut slices[((along * count as f32) as usize).min(count - 1)];
            slice.0 += u32::from(off(rgb, self.color) <= self.tolerance);
            slice.1 += 1;
        })?;
        let full: Vec<bool> =
            slices.iter().filter(|(_, all)| *all > 0).map(|(has, all)| has * 2 >= *all).collect();
        let (end, agree) = end(&full);
        let agree = agree as f32 / full.len().max(1) as f32;
        (agree >= AGREE).then(|| (end as f32 / full.len() as f32, agree))
    }
}

/// How many slices are full, and how many agree: those before it that are, those behind it that are not.
fn end(full: &[bool]) -> (usize, usize) {
    let mut agree = full.iter().filter(|full| !**full).count();
    let mut best = (0, agree);
    for (number, full) in full.iter().enumerate() {
        agree = if *full { agree + 1 } else { agree - 1 };
        if agree > best.1 {
            best = (number + 1, agree);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::color::tests::pictures;
    use super::*;

    const BOX: Quad = Quad { x: 10.0, y: 8.0, width: 40.0, height: 6.0, slant: 0.0 };
    const TALL: Quad = Quad { x: 10.0, y: 4.0, width: 6.0, height: 40.0, slant: 0.0 };

    fn reader(grows: Direction) -> Bar {
        Bar::new(&raw::Bar { color: "#30c040".to_owned(), tolerance: 40.0, grows }).unwrap()
    }

    #[test]
    fn a_bar_is_as_full_as_it_is_drawn_whichever_way_it_grows() {
        let green = [50, 190, 60];
        let cases = [
            (Direction::Right, BOX, [10, 8, 30, 6], 0.75),
            (Direction::Right, BOX, [10, 8, 40, 6], 1.0),
            (Direction::Right, BOX, [10, 8, 0, 6], 0.0),
            (Direction::Left, BOX, [40, 8, 10, 6], 0.25),
            (Direction::Down, TALL, [10, 4, 6, 10], 0.25),
            (Direction::Up, TALL, [10, 24, 6, 20], 0.5),
        ];
        for (grows, quad, part, want) in cases {
            for picture in pictures(&[(part, green)]) {
                let (full, sure) = reader(grows).read(&picture, &quad).unwrap();
                assert!((full - want).abs() < 0.04 && sure > 0.9, "{grows:?} {want}: {full} {sure}");
            }
        }
    }

    #[test]
    fn a_gap_is_less_sure_and_stripes_are_no_bar() {
        let green = [50, 190, 60];
        let gap = &pictures(&[([10, 8, 14, 6], green), ([28, 8, 12, 6], green)])[0];
        let (full, sure) = reader(Direction::Right).read(gap, &BOX).unwrap();
        assert!((full - 0.75).abs() < 0.04 && sure < 0.95, "{full} {sure}");
        let stripes: Vec<_> = (0..5).map(|i| ([10 + i * 8, 8, 4, 6], green)).collect();
        assert_eq!(reader(Direction::Right).read(&pictures(&stripes)[0], &BOX), None);
        assert_eq!(reader(Direction::Right).read(gap, &BOX.moved(30.0, 0.0)), None, "reaches out");
        assert!(
            Bar::new(&raw::Bar { color: "green".to_owned(), tolerance: 40.0, grows: Direction::Up }).is_err()
        );
    }
}
