//! The kinds of signs a screen is known by, and how strongly each is there.

use pixels::correlate::{dot, flat};
use pixels::{I420, Quad, sample};

use super::colors::{Coding, Grid, parse};
use crate::files::{Files, stays_inside};
use crate::geometry::{Area, Layout, Shift};
use crate::raw;
use crate::readers::templates::luma;

/// The most samples of a box each way: what a sign says is a mean, which more would not change.
const SAMPLES: u32 = 24;
/// Columns and rows at which a sign's picture is compared.
const PATCH: (u32, u32) = (32, 16);
/// How far off grey a box must be to have its hue for certain, in codes of chroma.
const COLORED: f32 = 6.0;
/// How much more alike a rival's hues may be: what coarse coding does to them.
const RIVAL: f32 = 0.05;
/// How much the strength of colours counts beside their hue.
const FILLED: f32 = 0.3;

/// One sign, checked.
#[derive(Debug)]
pub(super) enum Sign {
    Color { area: Area, color: [f32; 3], tolerance: f32, share: f32 },
    Luma { area: Area, mean: Option<[f32; 2]>, spread: Option<[f32; 2]> },
    Edge { halves: [Area; 2], contrast: f32 },
    Image { area: Area, patch: Vec<f32>, score: f32 },
    Hues { spots: Vec<Spot>, rivals: Vec<Spot>, score: f32 },
}

/// A box of a known hue.
#[derive(Debug)]
pub(super) struct Spot {
    area: Area,
    /// Where it may be instead.
    other: Option<Area>,
    color: [f32; 3],
}

impl Sign {
    /// # Errors
    /// The key that is wrong, and what is wrong with it.
    pub(super) fn new(raw: &raw::Sign, files: &dyn Files) -> Result<Self, (String, String)> {
        let colored = |key: &str, text: &str| parse(text).map_err(|message| (key.to_owned(), message));
        let part = |key: &str, number: f32| match (0.0..=1.0).contains(&number) {
            true => Ok(number),
            false => Err((key.to_owned(), format!("is {number}; 0 to 1 can be"))),
        };
        match raw {
            raw::Sign::Color { area, slant, color, tolerance, share } => Ok(Self::Color {
                area: Area::new(*area, *slant),
                color: colored("color", color)?,
                tolerance: *tolerance,
                share: part("share", *share)?,
            }),
            raw::Sign::Luma { area, slant, mean, spread } => {
                if mean.is_none() && spread.is_none() {
                    return Err((
                        "mean".to_owned(),
                        "a sign of brightness has a mean, a spread or both".to_owned(),
                    ));
                }
                Ok(Self::Luma { area: Area::new(*area, *slant), mean: *mean, spread: *spread })
            }
            raw::Sign::Edge { area, slant, along, contrast } => {
                if !contrast.is_finite() || *contrast == 0.0 {
                    return Err(("contrast".to_owned(), "is above 0, or below it for darker".to_owned()));
                }
                Ok(Self::Edge { halves: halves(&Area::new(*area, *slant), *along), contrast: *contrast })
            }
            raw::Sign::Image { area, slant, image, score } => {
                let patch = image_patch(image, files).map_err(|message| ("image".to_owned(), message))?;
                Ok(Self::Image { area: Area::new(*area, *slant), patch, score: part("score", *score)? })
            }
            raw::Sign::Hues { spots, rather_than, score } => {
                if spots.len() < 2 || spots.len() > 64 || rather_than.len() > 64 {
                    let message = format!("has {} boxes; 2 to 64 can be", spots.len().max(rather_than.len()));
                    return Err(("spots".to_owned(), message));
                }
                let rivals = checked("rather_than", rather_than)?;
                Ok(Self::Hues { spots: checked("spots", spots)?, rivals, score: part("score", *score)? })
            }
        }
    }

    /// The boxes that are looked at.
    pub(super) fn areas(&self) -> impl Iterator<Item = &Area> {
        let (one, halves, spots) = match self {
            Self::Color { area, .. } | Self::Luma { area, .. } | Self::Image { area, .. } => {
                (Some(area), &[][..], &[][..])
            }
            Self::Edge { halves, .. } => (None, &halves[..], &[][..]),
            Self::Hues { spots, .. } => (None, &[][..], &spots[..]),
        };
        one.into_iter().chain(halves).chain(spots.iter().map(|spot| &spot.area))
    }

    /// How far above its limit the sign is with the HUD moved so: 0 just there, below not there. Looking may end early when
    /// it must come out below `-slack`.
    pub(super) fn strength(&self, picture: &I420, layout: Layout, shift: Shift, slack: f32) -> f32 {
        let place = |area: &Area| layout.place(area, picture.width, picture.height, shift);
        let coding = Coding::of(picture);
        let strength = match self {
            Self::Color { area, color, tolerance, share } => {
                colored(picture, coding, &place(area), *color, *tolerance).map(|part| part - share)
            }
            Self::Luma { area, mean, spread } => lit(picture, coding, &place(area)).map(|(is, mixed)| {
                // A unit of strength is a quarter of all brightness there is.
                let within = |value: f32, limits: &Option<[f32; 2]>| {
                    limits.map_or(1.0, |[least, most]| (value - least).min(most - value) / 64.0)
                };
                within(is, mean).min(within(mixed, spread))
            }),
            Self::Edge { halves: [before, after], contrast } => {
                let bright = |area| Some(Grid::of(&picture.y, &place(area), SAMPLES)?.mean(&picture.y));
                let difference =
                    bright(after).zip(bright(before)).map(|(after, before)| coding.contrast(after - before));
                difference.map(|difference| difference / contrast - 1.0)
            }
            Self::Image { area, patch, score } => {
                alike(picture, &place(area), patch).map(|alike| alike - score)
            }
            Self::Hues { spots, rivals, score } => {
                let alike = hues(picture, coding, spots, place, *score, slack);
                // A rival stands where its own pack says, too, whatever else looks like this one nearby.
                let home = |area: &Area| {
                    let home = Shift { scale: shift.scale, ..Shift::NONE };
                    layout.place(area, picture.width, picture.height, home)
                };
                let beaten = |alike: &f32| {
                    let rival =
                        |place: &dyn Fn(&Area) -> Quad| hues(picture, coding, rivals, place, 1.0, 2.0);
                    rivals.is_empty()
                        || [rival(&place), rival(&home)]
                            .into_iter()
                            .flatten()
                            .all(|rival| rival <= alike + RIVAL)
                };
                alike.filter(beaten).map(|alike| alike - score)
            }
        };
        strength.filter(|strength| strength.is_finite()).unwrap_or(-1.0)
    }
}

fn checked(key: &str, raw: &[raw::Spot]) -> Result<Vec<Spot>, (String, String)> {
    let spot = |(number, spot): (usize, &raw::Spot)| {
        let color = parse(&spot.color).map_err(|message| (format!("{key}[{number}].color"), message))?;
        let other = spot.other.map(|other| Area::new(other, spot.slant));
        Ok(Spot { area: Area::new(spot.area, spot.slant), other, color })
    };
    raw.iter().enumerate().map(spot).collect()
}

/// The two sides of the edge along the middle of a box.
fn halves(area: &Area, along: raw::Along) -> [Area; 2] {
    let Area { x, y, width, height, slant } = *area;
    match along {
        raw::Along::Vertical => {
            let half = Area { width: width / 2.0, ..*area };
            [half, Area { x: x + width / 2.0, ..half }]
        }
        raw::Along::Horizontal => {
            let half = Area { height: height / 2.0, slant: slant / 2.0, ..*area };
            [half, Area { x: x + slant / 2.0, y: y + height / 2.0, ..half }]
        }
    }
}

fn image_patch(name: &str, files: &dyn Files) -> Result<Vec<f32>, String> {
    if !stays_inside(name) {
        return Err(format!("{name:?} must be a name inside the pack's folder"));
    }
    let picture = files.read(name).and_then(|bytes| luma(&bytes)).map_err(|e| format!("{name}: {e}"))?;
    let mut patch = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    let whole =
        Quad { x: 0.0, y: 0.0, width: picture.width as f32, height: picture.height as f32, slant: 0.0 };
    sample(&picture, &whole, PATCH.0, PATCH.1, &mut patch);
    match flat(&mut patch) < 1.0 {
        true => Err(format!("{name}: is all of one brightness, which nothing can be told by")),
        false => Ok(patch),
    }
}

/// Which part of the box has the colour.
#[expect(clippy::cast_precision_loss, reason = "at most some thousand samples")]
fn colored(picture: &I420, coding: Coding, quad: &Quad, color: [f32; 3], tolerance: f32) -> Option<f32> {
    let grid = Grid::of(&picture.y, quad, SAMPLES)?;
    let (mut has, mut all) = (0_u32, 0_u32);
    for (row, (first, end, step)) in grid.lines() {
        let (luma, cb, cr) = (picture.y.row(row), picture.u.row(row / 2), picture.v.row(row / 2));
        for x in (first as usize..end as usize).step_by(step as usize) {
            let rgb = coding.rgb(luma[x].into(), cb[x / 2].into(), cr[x / 2].into());
            let off: f32 =
                rgb.iter().zip(color).map(|(is, should)| (is.clamp(0.0, 255.0) - should).abs()).sum();
            has += u32::from(off <= 3.0 * tolerance);
            all += 1;
        }
    }
    Some(has as f32 / all.max(1) as f32)
}

/// Mean and standard deviation of the box's brightness.
#[expect(clippy::cast_precision_loss, reason = "at most some thousand samples")]
fn lit(picture: &I420, coding: Coding, quad: &Quad) -> Option<(f32, f32)> {
    let (mut sum, mut squares, mut count) = (0.0_f32, 0.0_f32, 0_u32);
    for sample in Grid::of(&picture.y, quad, SAMPLES)?.samples(&picture.y) {
        let sample = f32::from(sample);
        (sum, squares, count) = (sum + sample, squares + sample * sample, count + 1);
    }
    let mean = sum / count as f32;
    let deviation = (squares / count as f32 - mean * mean).max(0.0).sqrt();
    Some((coding.bright(mean), coding.contrast(deviation)))
}

/// How alike box and patch are.
fn alike(picture: &I420, quad: &Quad, patch: &[f32]) -> Option<f32> {
    Grid::of(&picture.y, quad, SAMPLES)?;
    let mut samples = Vec::with_capacity(patch.len());
    sample(&picture.y, quad, PATCH.0, PATCH.1, &mut samples);
    (flat(&mut samples) > 0.0).then(|| dot(&samples, patch))
}

/// How far the boxes' hues are those of the spots, on the average of all: the cosine between them, less where there is
/// hardly any colour. Above `limit` the colours' strength counts a little, too: it is greatest where the boxes are filled.
/// Ends as soon as nothing above `limit - slack` can come of it.
#[expect(clippy::cast_precision_loss, reason = "at most 64 spots")]
fn hues(
    picture: &I420,
    coding: Coding,
    spots: &[Spot],
    place: impl Fn(&Area) -> Quad,
    limit: f32,
    slack: f32,
) -> Option<f32> {
    let count = spots.len() as f32;
    let (mut sum, mut filled) = (0.0, 0.0);
    for (number, spot) in spots.iter().enumerate() {
        let (blue, red) = coding.hue(spot.color);
        let length = blue.hypot(red).max(f32::EPSILON);
        let one = |area: &Area| {
            let quad = place(area).halved();
            let grid = Grid::of(&picture.u, &quad, SAMPLES)?;
            let [cb, cr] = grid.means([&picture.u, &picture.v]).map(|mean| mean - 128.0);
            let along = (cb * blue + cr * red) / length;
            Some((along / cb.hypot(cr).max(COLORED), along / length))
        };
        let other = spot.other.as_ref().and_then(one);
        let best = one(&spot.area).into_iter().chain(other).max_by(|one, other| one.0.total_cmp(&other.0));
        let (alike, full) = best.unwrap_or((-1.0, 0.0));
        sum += alike;
        filled += full.clamp(0.0, 1.0);
        let left = count - number as f32 - 1.0;
        if sum + left < (limit - slack) * count {
            return None;
        }
    }
    let alike = sum / count;
    Some(if alike >= limit { alike + FILLED * filled / count } else { alike })
}
