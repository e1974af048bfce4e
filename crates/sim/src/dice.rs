//! Chance that repeats: the same seed and name roll the same numbers on every machine.
//!
//! Called by the world for phases, tokens and random faults. Pure.

/// A sequence of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The sequence of `name` for the purpose of `salt`.
    pub(crate) fn new(seed: u64, name: &str, salt: u64) -> Self {
        let start = name.bytes().fold(seed ^ salt.rotate_left(32), |hash, byte| mix(hash ^ u64::from(byte)));
        Self(start)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From `range.start` up to but without `range.end`.
    pub(crate) fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        range.start + self.roll() % (range.end - range.start).max(1)
    }

    /// From 0 up to but without 1.
    pub(crate) fn part(&mut self) -> f32 {
        let [high, low, ..] = self.roll().to_be_bytes();
        f32::from(u16::from_be_bytes([high, low])) / 65536.0
    }

    /// From `from` up to but without `to`.
    pub(crate) fn between(&mut self, from: f32, to: f32) -> f32 {
        from + self.part() * (to - from)
    }

    /// One of `all`, which are some.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.within(0..all.len() as u64)).expect("an index")]
    }

    /// True `millionths` times in a million.
    pub(crate) fn chance(&mut self, millionths: u64) -> bool {
        self.within(0..1_000_000) < millionths
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
