//! Holds the fill of a buffer whose source counts time a little differently from us.
//!
//! Called by [`super::feed`], once a stretch of mixing. A controller of proportion and sum: critically damped, it takes twenty
//! seconds to follow and has no error left then, and it never changes the pitch by more than can't be heard.

use crate::RATE;

/// By how much of itself the speed may differ: 1.7 cents.
pub(crate) const MOST: f64 = 0.001;
/// Share of the speed for each sample too many.
const PROPORTION: f64 = 1e-6;
/// The same for each sample too many, a second long: the square of half of `PROPORTION * RATE`, by the rate.
const SUM: f64 = PROPORTION * PROPORTION * RATE as f64 / 4.0;
/// Seconds over which the fill is averaged: sound comes in bursts.
const SMOOTH: f64 = 1.0;

#[derive(Clone, Debug)]
pub(crate) struct Hold {
    target: f64,
    fill: Option<f64>,
    sum: f64,
}

impl Hold {
    pub(crate) fn new(target: usize) -> Self {
        Self { target: whole(target), fill: None, sum: 0.0 }
    }

    /// How many samples of the source make one of ours, after `mixed` samples of ours, with `fill` of the source waiting.
    pub(crate) fn speed(&mut self, fill: f64, mixed: usize) -> f64 {
        let seconds = whole(mixed) / f64::from(RATE);
        let known = self.fill.get_or_insert(fill);
        *known += (fill - *known) * (seconds / SMOOTH).min(1.0);
        let excess = *known - self.target;
        let change = PROPORTION * excess + self.sum;
        // What can't be done is not summed up.
        if change.abs() < MOST || change.signum() * excess < 0.0 {
            self.sum = (self.sum + SUM * excess * seconds).clamp(-MOST, MOST);
        }
        1.0 + change.clamp(-MOST, MOST)
    }

    /// The buffer was emptied or refilled: its fill is another, the source's clock is not.
    pub(crate) fn jumped(&mut self) {
        self.fill = None;
    }
}

fn whole(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fill, in ms from the target, over that many seconds with a source that is off by `ppm` and sends every `burst` ms.
    fn simulate(ppm: f64, burst: f64, seconds: u32) -> Vec<f64> {
        let mut hold = Hold::new(4800);
        let (mut fill, mut owed, mut seen) = (4800.0, 0.0, Vec::new());
        for n in 0..seconds * 100 {
            owed += 480.0 * (1.0 + ppm * 1e-6);
            let (now, each) = (f64::from(n) * 10.0, 48.0 * burst);
            if owed >= each {
                fill += owed;
                owed = 0.0;
            }
            fill -= 480.0 * hold.speed(fill, 480);
            if now > 60_000.0 {
                seen.push((fill + owed - 4800.0) / 48.0);
            }
        }
        seen
    }

    #[test]
    fn a_clock_that_is_off_for_an_hour_is_followed_to_within_ten_milliseconds() {
        for ppm in [-200.0, -50.0, 0.0, 50.0, 200.0, 900.0] {
            for burst in [10.0, 21.3] {
                let seen = simulate(ppm, burst, 3600);
                let worst = seen.iter().fold(0.0_f64, |worst, off| worst.max(off.abs()));
                let last = seen.last().unwrap().abs();
                // Bursts alone move the fill by their length.
                let allowed = if ppm.abs() > 500.0 { 30.0 } else { 10.0 + burst };
                assert!(worst <= allowed, "{ppm} ppm, {burst} ms: {worst} ms");
                assert!(last <= 1.0 + burst, "{ppm} ppm, {burst} ms: {last} ms at the end");
            }
        }
    }

    #[test]
    fn the_speed_never_differs_by_more_than_can_be_heard() {
        let mut hold = Hold::new(4800);
        for fill in [0.0, 1e9, -1e9, 4800.0, 1e9, 1e9, 0.0] {
            assert!((hold.speed(fill, 480) - 1.0).abs() <= MOST + 1e-12);
        }
    }
}
