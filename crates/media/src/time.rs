//! Media time in ticks of 1/90000 s, and its conversion to and from durations.
//!
//! Called wherever a time enters or leaves a file. Every conversion takes an **absolute** time and rounds to
//! nearest: an error is at most half a tick and doesn't grow. Never add converted gaps to each other.

use std::time::Duration;

/// Ticks in a second: the clock of MPEG systems (ISO/IEC 13818-1, 2.4.2), exact for 24, 25, 30, 50 and 60
/// frames a second and for multiples of 1/90 ms.
pub const TIMESCALE: u32 = 90_000;

const NANOS: u128 = 1_000_000_000;

/// Ticks of a time since some start. Saturates after six million years.
#[must_use]
pub fn ticks(time: Duration) -> u64 {
    rescale(time.as_nanos(), u128::from(TIMESCALE), NANOS)
}

/// The time of `ticks`, to the nanosecond.
#[must_use]
pub fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(rescale(u128::from(ticks), NANOS, u128::from(TIMESCALE)))
}

/// Ticks of a time in microseconds.
#[must_use]
pub fn ticks_of_micros(micros: u64) -> u64 {
    rescale(u128::from(micros), u128::from(TIMESCALE), 1_000_000)
}

/// The time of `ticks` in microseconds.
#[must_use]
pub fn micros(ticks: u64) -> u64 {
    rescale(u128::from(ticks), 1_000_000, u128::from(TIMESCALE))
}

/// `value * to / from`, to nearest, halves up, saturating.
fn rescale(value: u128, to: u128, from: u128) -> u64 {
    let scaled = value.saturating_mul(to).saturating_add(from / 2) / from;
    u64::try_from(scaled).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_round_to_nearest() {
        for (nanos, expected) in [(0, 0), (5_555, 0), (5_556, 1), (11_111, 1), (1_000_000_000, 90_000)] {
            assert_eq!(ticks(Duration::from_nanos(nanos)), expected, "{nanos} ns");
        }
        assert_eq!(ticks_of_micros(33_333), 3_000);
        assert_eq!(micros(1), 11);
        assert_eq!(duration(1), Duration::from_nanos(11_111));
        assert_eq!(ticks(Duration::MAX), u64::MAX);
    }

    #[test]
    fn a_month_of_ticks_comes_back_exact() {
        for ticks_in in (0..233_280_000_000u64).step_by(7_777_777_777) {
            assert_eq!(ticks(duration(ticks_in)), ticks_in);
            assert!(ticks_of_micros(micros(ticks_in)).abs_diff(ticks_in) <= 1);
        }
    }
}
