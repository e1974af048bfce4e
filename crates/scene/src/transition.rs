//! Transitions between scenes: what each side's picture is like when a part of the time has passed.
//!
//! The renderer draws the leaving scene and over it the entering one, each finished picture as a [`Side`] says; nothing
//! else is to be known of a transition. Pure functions of progress.

use crate::document::{Toward, Transition, TransitionKind};

/// How the finished picture of a scene is laid on the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Side {
    /// 0 is not there.
    pub opacity: f64,
    /// To the right and down, in canvas widths and heights.
    pub offset: (f64, f64),
    /// About the canvas's middle.
    pub scale: f64,
    /// The part of the canvas that it is drawn in: left, top, right, bottom, from 0 to 1.
    pub clip: [f64; 4],
}

impl Side {
    /// As it is without a transition.
    pub const WHOLE: Self = Self { opacity: 1.0, offset: (0.0, 0.0), scale: 1.0, clip: [0.0, 0.0, 1.0, 1.0] };
    /// Not there.
    pub const GONE: Self = Self { opacity: 0.0, ..Self::WHOLE };
}

/// Both sides at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sides {
    /// Drawn first.
    pub leaving: Side,
    /// Drawn over it.
    pub entering: Side,
}

impl Transition {
    /// How far it is, from 0 to 1, `since` ms after it began; without easing.
    #[must_use]
    pub fn progress(&self, since: f64) -> f64 {
        if self.is_cut() { 1.0 } else { (since / self.duration).clamp(0.0, 1.0) }
    }

    /// Both sides at `progress` (0 to 1).
    #[must_use]
    pub fn sides(&self, progress: f64) -> Sides {
        let whole = |entering| Sides { leaving: Side::WHOLE, entering };
        if progress >= 1.0 {
            return Sides { leaving: Side::GONE, entering: Side::WHOLE };
        }
        let part = self.easing.at(progress);
        match self.kind {
            TransitionKind::Cut => Sides { leaving: Side::GONE, entering: Side::WHOLE },
            TransitionKind::Fade => whole(Side { opacity: part.clamp(0.0, 1.0), ..Side::WHOLE }),
            TransitionKind::Slide => {
                let (x, y) = self.direction.unit();
                let at = |along: f64| Side { offset: (x * along, y * along), ..Side::WHOLE };
                Sides { leaving: at(part), entering: at(part - 1.0) }
            }
            TransitionKind::Wipe => {
                let part = part.clamp(0.0, 1.0);
                let clip = match self.direction {
                    Toward::Right => [0.0, 0.0, part, 1.0],
                    Toward::Left => [1.0 - part, 0.0, 1.0, 1.0],
                    Toward::Down => [0.0, 0.0, 1.0, part],
                    Toward::Up => [0.0, 1.0 - part, 1.0, 1.0],
                };
                whole(Side { clip, ..Side::WHOLE })
            }
            TransitionKind::Scale => whole(Side { scale: part.max(0.0), ..Side::WHOLE }),
            // The video hides the cut; its time goes evenly.
            TransitionKind::Stinger if progress < 0.5 => whole(Side::GONE),
            TransitionKind::Stinger => Sides { leaving: Side::GONE, entering: Side::WHOLE },
        }
    }
}

impl Toward {
    fn unit(self) -> (f64, f64) {
        match self {
            Self::Left => (-1.0, 0.0),
            Self::Right => (1.0, 0.0),
            Self::Up => (0.0, -1.0),
            Self::Down => (0.0, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [TransitionKind; 6] = [
        TransitionKind::Cut,
        TransitionKind::Fade,
        TransitionKind::Slide,
        TransitionKind::Wipe,
        TransitionKind::Scale,
        TransitionKind::Stinger,
    ];

    /// What is seen of the leaving and the entering scene: opacity and area, roughly.
    fn shares(sides: &Sides) -> (bool, bool) {
        let seen = |side: &Side| {
            let [left, top, right, bottom] = side.clip;
            side.opacity * side.scale * (right - left) * (bottom - top) > 0.0
                && side.offset.0.abs() < 1.0
                && side.offset.1.abs() < 1.0
        };
        (seen(&sides.leaving), seen(&sides.entering))
    }

    #[test]
    fn every_transition_begins_with_the_old_scene_and_ends_with_the_new_one() {
        for kind in KINDS {
            for direction in [Toward::Left, Toward::Right, Toward::Up, Toward::Down] {
                let transition = Transition { kind, direction, ..Transition::default() };
                let begins = shares(&transition.sides(0.0));
                assert_eq!(begins, (kind != TransitionKind::Cut, kind == TransitionKind::Cut), "{kind:?}");
                let end = transition.sides(1.0);
                assert_eq!(end, Sides { leaving: Side::GONE, entering: Side::WHOLE }, "{kind:?}");
            }
        }
    }

    #[test]
    fn the_sides_are_where_they_should_be_half_way() {
        let half = |kind, direction| Transition { kind, direction, ..Transition::default() }.sides(0.5);
        assert_eq!(half(TransitionKind::Fade, Toward::Left).entering.opacity, 0.5);
        let slide = half(TransitionKind::Slide, Toward::Left);
        assert_eq!((slide.leaving.offset, slide.entering.offset), ((-0.5, 0.0), (0.5, 0.0)));
        let slide = half(TransitionKind::Slide, Toward::Down);
        assert_eq!((slide.leaving.offset, slide.entering.offset), ((0.0, 0.5), (0.0, -0.5)));
        assert_eq!(half(TransitionKind::Wipe, Toward::Left).entering.clip, [0.5, 0.0, 1.0, 1.0]);
        assert_eq!(half(TransitionKind::Scale, Toward::Left).entering.scale, 0.5);
        assert_eq!(half(TransitionKind::Stinger, Toward::Left).leaving, Side::GONE);
    }
}
