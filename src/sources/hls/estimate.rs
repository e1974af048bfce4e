//! How many bytes of a segment to ask for, learnt from what its forerunners needed. Pure.

use std::collections::VecDeque;

/// Learns one stream's sizes.
#[derive(Clone, Debug, Default)]
pub(super) struct Estimate {
    needed: VecDeque<u64>,
}

impl Estimate {
    const REMEMBERED: usize = 16;
    /// Asked for while nothing is known: most keyframes of 720p are smaller.
    const UNKNOWN: u64 = 96 << 10;
    const LEAST_STEP: u64 = 4 << 10;

    /// Bytes to ask for at first: enough for six of the last ten. A request more costs less than bytes that nobody needs.
    pub(super) fn first(&self) -> u64 {
        if self.needed.is_empty() {
            return Self::UNKNOWN;
        }
        let mut sizes: Vec<_> = self.needed.iter().copied().collect();
        sizes.sort_unstable();
        sizes[(sizes.len() - 1) * 6 / 10]
    }

    /// Bytes to ask for next, `have` being too few.
    pub(super) fn step(&self, have: u64) -> u64 {
        (have / 10).max(Self::LEAST_STEP)
    }

    /// So many bytes were needed.
    pub(super) fn learn(&mut self, needed: u64) {
        if self.needed.len() == Self::REMEMBERED {
            self.needed.pop_front();
        }
        self.needed.push_back(needed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes asked for, in all, for a keyframe that needs `needed`; and in how many requests.
    fn ask(estimate: &Estimate, needed: u64) -> (u64, u32) {
        let (mut have, mut requests) = (estimate.first(), 1);
        while have < needed {
            have += estimate.step(have);
            requests += 1;
        }
        (have, requests)
    }

    #[test]
    fn little_more_is_asked_for_than_is_needed_however_sizes_vary() {
        for spread in [0, 5, 15, 40] {
            let mut estimate = Estimate::default();
            let (mut asked, mut needed, mut requests) = (0, 0, 0);
            // A small generator: sizes around 60,000 bytes, up to `spread` percent off.
            let mut state = 1u64;
            for round in 0..1000 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let percent = 100 - spread + (state >> 33) % (2 * spread + 1);
                let size = 60_000 * percent / 100;
                let (bytes, times) = ask(&estimate, size);
                estimate.learn(size);
                if round > 0 {
                    asked += bytes;
                    needed += size;
                    requests += times;
                }
            }
            let over = asked * 100 / needed;
            assert!(over <= if spread <= 15 { 108 } else { 118 }, "{spread}: {over} %");
            assert!(requests < if spread <= 15 { 1700 } else { 2800 }, "{spread}: {requests} requests");
        }
    }

    #[test]
    fn a_stream_that_needs_more_or_less_than_before_is_followed() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.first(), Estimate::UNKNOWN);
        for size in [20_000, 200_000, 5_000] {
            (0..Estimate::REMEMBERED).for_each(|_| estimate.learn(size));
            assert_eq!(estimate.first(), size);
        }
    }
}
