//! Whether a screen is there at all, and where.
//!
//! Looked at before anything is read, so it is cheap: a few boxes of samples, no OCR, no set of pictures. Where the HUD was
//! last is tried first; the whole window is searched in steps that no box can slip through, then closer around the best.

pub(crate) mod colors;
mod signs;

use pixels::I420;

use crate::files::Files;
use crate::geometry::{Layout, Shift};
use crate::raw;

use signs::Sign;

/// The most places that are looked at in a window, however large.
const PLACES: f32 = 1024.0;
/// How far below its limit a sign may be between two steps of the search.
const SLACK: f32 = 0.15;
/// How much better another place must be than the one the pack names, and how many pixels off that is: less for less. One of
/// another size at most so many times as much.
const BETTER: (f32, f32, f32) = (0.05, 4.0, 4.0);

/// The signs of a screen.
#[derive(Debug)]
pub struct Gate {
    signs: Vec<Sign>,
    need: usize,
    /// Left, right, up and down, in units of the boxes.
    search: [f32; 4],
    scales: Vec<f32>,
    /// The least width and height of a box, in units.
    finest: (f32, f32),
    /// How far from the pin the outermost box is, in units.
    reach: f32,
}

impl Gate {
    /// # Errors
    /// The path under the gate (`signs[0].color`) and what is wrong.
    pub fn new(raw: &raw::Gate, layout: Layout, files: &dyn Files) -> Result<Self, (String, String)> {
        let wrong = |path: &str, message: String| Err((path.to_owned(), message));
        let count = raw.signs.len();
        if count == 0 || count > 64 {
            return wrong("signs", format!("has {count} signs; 1 to 64 can be"));
        }
        let need = raw.need.unwrap_or(count);
        if need == 0 || need > count {
            return wrong("need", format!("is {need} of {count} signs"));
        }
        let (across, down) = layout.reference;
        let [left, right, up, below] = raw.search;
        let far = |shift: f32, side: f32| !(0.0..=side).contains(&shift);
        if far(left, across) || far(right, across) || far(up, down) || far(below, down) {
            return wrong(
                "search",
                "is how far left, right, up and down, each 0 to the frame's side".to_owned(),
            );
        }
        if raw.scales.is_empty()
            || raw.scales.len() > 16
            || raw.scales.iter().any(|scale| !(0.1..=4.0).contains(scale))
        {
            return wrong("scales", "are 1 to 16 numbers from 0.1 to 4".to_owned());
        }
        let mut signs = Vec::with_capacity(count);
        for (number, sign) in raw.signs.iter().enumerate() {
            let sign = Sign::new(sign, files);
            signs.push(sign.map_err(|(key, message)| (format!("signs[{number}].{key}"), message))?);
        }
        let sides = || signs.iter().flat_map(Sign::areas);
        let least = |side: fn(&crate::geometry::Area) -> f32| sides().map(side).fold(f32::MAX, f32::min);
        let finest = (least(|area| area.width), least(|area| area.height));
        let pin = layout.pinned();
        let reach = sides().map(|area| (area.x - pin).abs().max((area.x + area.width - pin).abs()));
        let reach = reach.fold(0.0, f32::max);
        Ok(Self { signs, need, search: raw.search, scales: raw.scales.clone(), finest, reach })
    }

    /// The least and the most of the scales, and a little around several: all between can be, too.
    fn between(&self) -> (f32, f32) {
        let end = |pick: fn(f32, f32) -> f32| self.scales.iter().copied().fold(self.scales[0], pick);
        let around = if self.scales.len() > 1 { AROUND } else { 0.0 };
        (end(f32::min) - around, end(f32::max) + around)
    }

    /// Where the HUD is; `None` when it is not there. `last` is where it was, which is tried first.
    #[must_use]
    pub fn find(&self, picture: &I420, layout: Layout, last: Option<Shift>) -> Option<Shift> {
        let look = Look { gate: self, picture, layout };
        if let Some(last) = last
            && look.fit(last, 0.0).is_some()
        {
            return Some(last);
        }
        let (shift, fit) = look.everywhere()?;
        let (shift, _) = look.closer(shift, fit);
        look.fit(shift, 0.0).map(|_| shift)
    }
}

/// How far beyond its scales a HUD of several may be.
const AROUND: f32 = 0.012;

/// A gate before a picture.
struct Look<'a> {
    gate: &'a Gate,
    picture: &'a I420,
    layout: Layout,
}

impl Look<'_> {
    /// How well the signs fit with the HUD moved so; `None` when fewer are there than are needed, each being allowed to be
    /// `slack` below its limit.
    fn fit(&self, shift: Shift, slack: f32) -> Option<f32> {
        let Gate { signs, need, .. } = self.gate;
        let (mut sum, mut there) = (0.0, 0);
        for (number, sign) in signs.iter().enumerate() {
            let strength = sign.strength(self.picture, self.layout, shift, slack);
            there += usize::from(strength >= -slack);
            sum += strength.clamp(-1.0, 1.0);
            if there + (signs.len() - number - 1) < *need {
                return None;
            }
        }
        let (across, down) = self.layout.units(self.picture.width, self.picture.height);
        // What a title pushes down is as much smaller.
        let size = if self.gate.scales.len() > 1 { shift.scale - self.under_a_title(shift.y) } else { 0.0 };
        let part = |pixels: f32, most: f32| (pixels.abs() / BETTER.1).min(most);
        let off = part((shift.x * across).hypot(shift.y * down), 1.0);
        Some(sum - BETTER.0 * (off + part(size * self.gate.reach * across, BETTER.2)))
    }

    /// The size of a HUD that a window's title has pushed down so far: as much smaller as there is less room for it.
    fn under_a_title(&self, down: f32) -> f32 {
        1.0 - down / self.layout.reference.1
    }

    /// The scales that are looked at so far down: those of the pack, but that under a title for one that is nearly the same.
    fn scales(&self, down: f32) -> impl Iterator<Item = f32> {
        let (least, most) = self.gate.between();
        let titled = self.under_a_title(down).clamp(least, most);
        self.gate
            .scales
            .iter()
            .map(move |scale| if (scale - titled).abs() < AROUND { titled } else { *scale })
    }

    /// The place in the window where the signs fit best, as far as steps tell; the pack's own when none is much better.
    fn everywhere(&self) -> Option<(Shift, f32)> {
        let [left, right, up, down] = self.gate.search;
        let (step_x, step_y) = self.steps();
        let mut best: Option<(Shift, f32)> = None;
        for y in steps(up, down, step_y) {
            for scale in self.scales(y) {
                for x in steps(left, right, step_x) {
                    let shift = Shift { x, y, scale };
                    if let Some(fit) = self.fit(shift, SLACK)
                        && best.is_none_or(|(_, other)| fit > other)
                    {
                        best = Some((shift, fit));
                    }
                }
            }
        }
        best
    }

    /// The steps of the search, in units: a fraction of the smallest box, but at least a pixel, and not too many.
    fn steps(&self) -> (f32, f32) {
        let [left, right, up, down] = self.gate.search;
        let (across, below) = self.layout.units(self.picture.width, self.picture.height);
        let (width, height) = self.gate.finest;
        let (x, y) = ((width / 4.0).max(1.0 / across), (height / 2.0).max(1.0 / below));
        let count = (1.0 + (left + right) / x) * (1.0 + (up + down) / y);
        let wider = (count / PLACES).max(1.0).sqrt();
        (x * wider, y * wider)
    }

    /// The best place around one, in ever smaller steps down to half a pixel.
    fn closer(&self, from: Shift, fit: f32) -> (Shift, f32) {
        let [left, right, up, down] = self.gate.search;
        let (across, below) = self.layout.units(self.picture.width, self.picture.height);
        let (mut step_x, mut step_y) = self.steps();
        let mut best = (from, fit);
        // As much larger or smaller as moves the outermost box by a step.
        let (least, most) = self.gate.between();
        let reach = self.gate.reach.max(1.0);
        while step_x * across > 0.5 || step_y * below > 0.5 {
            (step_x, step_y) = ((step_x / 2.0).max(0.5 / across), (step_y / 2.0).max(0.5 / below));
            let middle = best.0;
            for (x, y, size) in [
                (-1.0, 0.0, 0.0),
                (1.0, 0.0, 0.0),
                (0.0, -1.0, 0.0),
                (0.0, 1.0, 0.0),
                (0.0, 0.0, -1.0),
                (0.0, 0.0, 1.0),
            ] {
                let shift = Shift {
                    x: (middle.x + x * step_x).clamp(-left, right),
                    y: (middle.y + y * step_y).clamp(-up, down),
                    scale: (middle.scale + size * step_x / reach).clamp(least, most),
                };
                if shift != middle
                    && let Some(fit) = self.fit(shift, SLACK)
                    && fit > best.1
                {
                    best = (shift, fit);
                }
            }
            if step_x * across <= 0.5 && step_y * below <= 0.5 {
                break;
            }
        }
        best
    }
}

/// From `-before` to `after` by `step`, zero being one of them.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "at most PLACES of them")]
fn steps(before: f32, after: f32, step: f32) -> impl Iterator<Item = f32> {
    let (first, last) = ((before / step).floor() as i32, (after / step).floor() as i32);
    (-first..=last).map(move |number| number as f32 * step)
}

#[cfg(test)]
mod tests;
