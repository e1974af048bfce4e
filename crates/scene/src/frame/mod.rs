//! The scene at one moment of program time: every layer as it looks, in the order in which it is drawn.
//!
//! [`Frame::evaluate`] is a pure function of the store, the values and the time; what it keeps from call to call is
//! only memory to write into. While nothing but numbers change it allocates nothing. Called once a frame by the
//! compositor; never changes the store.

mod list;
#[cfg(test)]
mod tests;

pub use list::{Drawn, List, Versions};

use crate::color::Color;
use crate::document::Transition;
use crate::store::Store;
use crate::template::{Known, Values};
use crate::transition::Sides;

/// What is drawn at one moment. One buffer is reused for all frames.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    time: f64,
    evaluated: u64,
    background: Color,
    list: List,
    leaving: List,
    turn: Option<Turn>,
}

/// A transition under way.
#[derive(Clone, Debug)]
pub struct Turn {
    pub transition: Transition,
    /// Program time in ms at which it began.
    pub began: f64,
    /// From 0 to 1.
    pub progress: f64,
    pub sides: Sides,
    /// Behind the leaving scene.
    pub background: Color,
}

impl Frame {
    /// Makes this the scene at program time `now` (ms).
    ///
    /// The same store, values and time give the same layers, whatever this was before.
    pub fn evaluate(&mut self, store: &Store, outside: &dyn Values, now: f64) {
        self.time = now;
        self.evaluated += 1;
        self.background = store.canvas().background;
        let known = Known { outside, values: &store.values, now, fps: store.canvas().fps };
        let leaving = store.leaving.as_ref().filter(|leaving| !leaving.is_over(now));
        // What left the stage goes on in the list that drew it, so that nothing of it is made anew.
        let turned = match (&leaving, &self.turn) {
            (Some(leaving), Some(turn)) => turn.began != leaving.entered.at,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if turned {
            std::mem::swap(&mut self.list, &mut self.leaving);
        }
        self.list.evaluate(&store.stage, &known, self.evaluated);
        match leaving {
            Some(leaving) => {
                self.leaving.evaluate(&leaving.stage, &known, self.evaluated);
                let entered = &leaving.entered;
                let progress = entered.transition.progress(now - entered.at);
                let sides = entered.transition.sides(progress);
                match &mut self.turn {
                    Some(turn) if !turned => (turn.progress, turn.sides) = (progress, sides),
                    turn => {
                        *turn = Some(Turn {
                            transition: entered.transition.clone(),
                            began: entered.at,
                            progress,
                            sides,
                            background: leaving.background,
                        });
                    }
                }
            }
            None => {
                if self.turn.take().is_some() {
                    self.leaving = List::default();
                }
            }
        }
    }

    /// Program time in ms.
    #[must_use]
    pub fn time(&self) -> f64 {
        self.time
    }

    /// Which evaluation this is, counted from 1: [`Versions`] are in it.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.evaluated
    }

    #[must_use]
    pub fn background(&self) -> Color {
        self.background
    }

    /// The scene that is on air.
    #[must_use]
    pub fn layers(&self) -> &List {
        &self.list
    }

    /// The scene that leaves and how both are laid, during a transition.
    #[must_use]
    pub fn turn(&self) -> Option<(&Turn, &List)> {
        Some((self.turn.as_ref()?, &self.leaving))
    }
}
