//! What is laid over the canvas this time, against the last time: which parts have changed, and how they are composed.

use pixels::compose::{Band, Colour, Rect};

use crate::damage::Damage;
use crate::op::Op;

/// Ops from below to above, with those of the frame before.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) ops: Vec<Op>,
    before: Vec<Op>,
}

impl Plan {
    /// Begins a new frame: what was planned becomes what was before.
    pub(crate) fn begin(&mut self) {
        std::mem::swap(&mut self.ops, &mut self.before);
        self.ops.clear();
    }

    /// Marks what looks other than in the frame before.
    ///
    /// Walks both lists at once. What stands in both in the same order is compared; whatever else was or is there is
    /// marked wholly, so that outside the marks the same things lie on each other in the same order.
    pub(crate) fn compare(&self, damage: &mut Damage) {
        let (mut new, mut old) = (self.ops.iter().peekable(), self.before.iter().peekable());
        loop {
            match (new.peek(), old.peek()) {
                (Some(a), Some(b)) if a.key == b.key => {
                    if !a.looks_like(b) {
                        damage.mark(a.bounds());
                        damage.mark(b.bounds());
                    }
                    new.next();
                    old.next();
                }
                (Some(a), Some(b)) => {
                    let (stays, comes) = (has(&self.ops, b), has(&self.before, a));
                    if !comes || stays {
                        damage.mark(a.bounds());
                        new.next();
                    }
                    if !stays || comes {
                        damage.mark(b.bounds());
                        old.next();
                    }
                }
                (Some(a), None) => {
                    damage.mark(a.bounds());
                    new.next();
                }
                (None, Some(b)) => {
                    damage.mark(b.bounds());
                    old.next();
                }
                (None, None) => return,
            }
        }
    }

    /// What composing so many marked pixels takes, as pixels that are laid where they lie: at most so many.
    pub(crate) fn work(&self, marked: u64) -> u64 {
        /// What is turned, scaled or between pixels is resampled.
        const RESAMPLED: u64 = 8;
        let of = |op: &Op| {
            let times = if op.map.whole_move().is_some() { 1 } else { RESAMPLED };
            op.bounds().area().min(marked) * times
        };
        marked + self.ops.iter().map(of).sum::<u64>()
    }

    /// Composes what is marked of a band's rows, over `ground`.
    pub(crate) fn compose(&self, band: &mut Band, damage: &Damage, ground: Colour) {
        let rows = band.area();
        let (top, bottom) = (rows.top.unsigned_abs(), rows.bottom.unsigned_abs());
        damage.areas(top, bottom, |area| compose(&self.ops, band, area, ground));
    }
}

fn has(ops: &[Op], op: &Op) -> bool {
    ops.iter().any(|other| other.key == op.key)
}

/// Composes one rectangle.
fn compose(ops: &[Op], band: &mut Band, area: Rect, ground: Colour) {
    let lowest = ops.iter().rposition(|op| op.covers(area));
    if lowest.is_none() {
        band.fill(area, ground);
    }
    for op in &ops[lowest.unwrap_or(0)..] {
        let touched = op.bounds().meet(&area);
        if !touched.is_empty() {
            op.draw(band, area);
        }
    }
}
