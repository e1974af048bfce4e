//! What was in the boxes that a pack read: samples copied out of the decoded picture while it is there, so that an event can show
//! what its rule saw without anything being decoded again.
//!
//! Called by the reader for each picture that a pack accepted; `events` codes those of an event. Copies rows and nothing else.

use std::sync::Arc;

use pixels::{I420, Plane, Quad};

/// One box of a picture, upright, with a little of what is around it.
#[derive(Clone, Debug)]
pub struct Crop {
    /// The region's id (`score`), or that of one of its slots (`heroes.3`).
    pub name: Arc<str>,
    pub picture: I420,
}

/// All boxes of a picture. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Crops(Arc<[Crop]>);

impl Crops {
    /// Boxes of one picture.
    const MOST: usize = 64;
    /// Samples of one box's luma; a larger one is as well seen on the picture itself.
    const MOST_SAMPLES: u64 = 1 << 17;
    /// Bytes of all boxes of a picture.
    const MOST_BYTES: usize = 1 << 20;

    /// What `boxes` hold of `picture`. Left out is what lies outside, is too large, or there is no room for.
    #[must_use]
    pub fn cut(picture: &I420, boxes: &[(Arc<str>, Quad)]) -> Self {
        let (mut crops, mut bytes) = (Vec::with_capacity(boxes.len().min(Self::MOST)), 0);
        for (number, (id, quad)) in boxes.iter().enumerate() {
            let same = |other: &&(Arc<str>, Quad)| other.0 == *id;
            let slot = boxes[..number].iter().filter(same).count();
            let alone = slot == 0 && !boxes[number + 1..].iter().any(|other| same(&other));
            let Some(area) = Area::around(quad, picture.width, picture.height) else { continue };
            if u64::from(area.width) * u64::from(area.height) > Self::MOST_SAMPLES {
                continue;
            }
            let crop = area.cut(picture);
            bytes += size(&crop);
            if crops.len() == Self::MOST || bytes > Self::MOST_BYTES {
                break;
            }
            let name = if alone { Arc::clone(id) } else { format!("{id}.{slot}").into() };
            crops.push(Crop { name, picture: crop });
        }
        Self(crops.into())
    }

    /// Those that show any of these values: a region's crop shows all that is read of it.
    pub fn showing<'a>(&'a self, values: &'a [String]) -> impl Iterator<Item = &'a Crop> {
        self.0.iter().filter(move |crop| values.iter().any(|value| shows(&crop.name, value)))
    }

    pub fn bytes(&self) -> usize {
        self.0.iter().map(|crop| size(&crop.picture)).sum()
    }
}

/// Whether a value is read of the box of that name: `score.home` of `score`, `heroes.3` of `heroes.3`.
fn shows(name: &str, value: &str) -> bool {
    value.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn size(picture: &I420) -> usize {
    picture.planes().into_iter().map(|plane| plane.data.len()).sum()
}

/// Whole pixels, an even number of them from an even one on.
struct Area {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Area {
    /// The upright box around a leaning one, and a fifth of its height more at each side; `None` when nothing of it is in a picture of
    /// that size.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "clamped to the picture's sides; what is no number becomes 0"
    )]
    fn around(quad: &Quad, width: u32, height: u32) -> Option<Self> {
        let (across, down) = ((width & !1) as f32, (height & !1) as f32);
        let more = quad.height * 0.2;
        let (left, right) = (quad.x + quad.slant.min(0.0), quad.x + quad.width + quad.slant.max(0.0));
        let even = |from: f32, most: f32| (from.clamp(0.0, most) as u32) & !1;
        let (left, top) = (even(left - more, across), even(quad.y - more, down));
        let right = even(right + more + 1.0, across);
        let bottom = even(quad.y + quad.height + more + 1.0, down);
        let area = Self { left, top, width: right.saturating_sub(left), height: bottom.saturating_sub(top) };
        (area.width > 0 && area.height > 0).then_some(area)
    }

    fn cut(&self, picture: &I420) -> I420 {
        let mut crop = I420::new(self.width, self.height, picture.range, picture.matrix);
        let half =
            Self { left: self.left / 2, top: self.top / 2, width: self.width / 2, height: self.height / 2 };
        for ((from, to), area) in
            picture.planes().into_iter().zip(crop.planes_mut()).zip([self, &half, &half])
        {
            area.copy(from, to);
        }
        crop
    }

    fn copy(&self, from: &Plane, to: &mut Plane) {
        let (left, width) = (self.left as usize, self.width as usize);
        for row in 0..self.height {
            to.row_mut(row)[..width].copy_from_slice(&from.row(self.top + row)[left..left + width]);
        }
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Matrix, Range};

    use super::*;

    fn quad(x: f32, y: f32, width: f32, height: f32) -> Quad {
        Quad { x, y, width, height, slant: 0.0 }
    }

    /// Each sample says where it is.
    fn picture(width: u32, height: u32) -> I420 {
        let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
        for plane in picture.planes_mut() {
            for y in 0..plane.height {
                let at = |x: usize| u8::try_from((x + 3 * y as usize) % 251).unwrap();
                plane.row_mut(y).iter_mut().enumerate().for_each(|(x, sample)| *sample = at(x));
            }
        }
        picture
    }

    #[test]
    fn crops_hold_what_was_in_their_boxes_and_are_named_by_region_and_slot() {
        let boxes: Vec<(Arc<str>, Quad)> = [
            ("score", quad(20.0, 10.0, 30.0, 10.0)),
            ("heroes", quad(60.0, 10.0, 10.0, 10.0)),
            ("heroes", quad(75.0, 10.0, 10.0, 10.0)),
            ("outside", quad(500.0, 10.0, 10.0, 10.0)),
            ("nothing", quad(f32::NAN, 10.0, f32::NAN, 10.0)),
        ]
        .map(|(id, quad)| (Arc::from(id), quad))
        .into();
        let picture = picture(101, 61);
        let crops = Crops::cut(&picture, &boxes);
        let names: Vec<&str> = crops.0.iter().map(|crop| &*crop.name).collect();
        assert_eq!(names, ["score", "heroes.0", "heroes.1"]);
        let score = &crops.0[0].picture;
        // A fifth of the height more at each side, on even pixels.
        assert_eq!((score.width, score.height), (34, 14));
        assert_eq!(score.y.row(13)[33], picture.y.row(21)[51]);
        assert_eq!(score.u.row(6)[16], picture.u.row(10)[25]);
        let shown = |values: &[&str]| -> Vec<String> {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            crops.showing(&values).map(|crop| crop.name.to_string()).collect()
        };
        assert_eq!(shown(&["score.home", "clock"]), ["score"]);
        assert_eq!(shown(&["heroes.1"]), ["heroes.1"]);
        assert!(shown(&["scores", "heroes.10", ""]).is_empty());
    }

    #[test]
    fn crops_are_bounded_however_many_and_large_the_boxes_are() {
        let picture = picture(2000, 1000);
        let large = vec![(Arc::from("all"), quad(0.0, 0.0, 2000.0, 1000.0))];
        assert_eq!(Crops::cut(&picture, &large).bytes(), 0);
        let many = vec![(Arc::from("slot"), quad(0.0, 0.0, 300.0, 300.0)); 1000];
        let crops = Crops::cut(&picture, &many);
        assert!(crops.0.len() > 3 && crops.bytes() <= Crops::MOST_BYTES, "{}", crops.bytes());
        let small = vec![(Arc::from("slot"), quad(0.0, 0.0, 4.0, 4.0)); 1000];
        assert_eq!(Crops::cut(&picture, &small).0.len(), Crops::MOST);
    }
}
