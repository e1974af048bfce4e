//! A number that goes to another in a straight line, sample by sample.

/// Begins where it is told and ends exactly at its target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    from: f32,
    to: f32,
    /// Samples since it began, and until it ends.
    at: u32,
    length: u32,
}

impl Ramp {
    pub(crate) const fn resting(value: f32) -> Self {
        Self { from: value, to: value, at: 0, length: 0 }
    }

    /// Goes from where it is to `to`, which the `length`th sample from now has.
    pub(crate) fn go(&mut self, to: f32, length: usize) {
        let from = self.value();
        *self = Self { from, to, at: 0, length: u32::try_from(length).unwrap_or(u32::MAX) };
    }

    fn value(&self) -> f32 {
        if self.at >= self.length {
            return self.to;
        }
        let part = f64::from(self.at) / f64::from(self.length);
        narrow(f64::from(self.from) + (f64::from(self.to) - f64::from(self.from)) * part)
    }

    pub(crate) fn next(&mut self) -> f32 {
        if self.at < self.length {
            self.at += 1;
        }
        self.value()
    }

    /// Whether it is there.
    pub(crate) fn rests(&self) -> bool {
        self.at >= self.length
    }

    pub(crate) fn target(&self) -> f32 {
        self.to
    }
}

/// To the nearest `f32`.
#[expect(clippy::cast_possible_truncation, reason = "rounding is what is wanted")]
pub(crate) fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_straight_and_ends_where_it_was_told() {
        let mut ramp = Ramp::resting(1.0);
        ramp.go(0.0, 4);
        assert_eq!([0; 6].map(|_| ramp.next()), [0.75, 0.5, 0.25, 0.0, 0.0, 0.0]);
        ramp.go(1.0, 4);
        assert_eq!([0; 2].map(|_| ramp.next()), [0.25, 0.5]);
        // From where it is, not from where it wanted to be.
        ramp.go(0.0, 2);
        assert_eq!([0; 2].map(|_| ramp.next()), [0.25, 0.0]);
        assert!(ramp.rests());
        ramp.go(0.3, 0);
        assert_eq!(ramp.next(), 0.3);
    }
}
