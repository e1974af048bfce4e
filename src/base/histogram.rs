//! Counts by size: how long things took, how late they were.
//!
//! Adding is two atomic additions; reading is for metrics only and may see one addition half done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Durations in buckets.
#[derive(Debug)]
pub struct Histogram {
    /// Upper ends, in seconds, rising.
    bounds: &'static [f64],
    /// One more than there are bounds.
    buckets: Box<[AtomicU64]>,
    sum_micros: AtomicU64,
}

/// What a [`Histogram`] held at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub bounds: &'static [f64],
    /// Not cumulative; the last counts what is above every bound.
    pub buckets: Vec<u64>,
    pub sum_seconds: f64,
}

impl Histogram {
    pub fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum_micros: AtomicU64::new(0) }
    }

    pub fn add(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound).unwrap_or(self.bounds.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub fn read(&self) -> Snapshot {
        Snapshot {
            bounds: self.bounds,
            buckets: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            sum_seconds: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_in_the_first_bucket_it_fits() {
        let histogram = Histogram::new(&[0.1, 1.0]);
        for ms in [50, 100, 101, 1000, 5000] {
            histogram.add(Duration::from_millis(ms));
        }
        let read = histogram.read();
        assert_eq!(read.buckets, [2, 2, 1]);
        assert!((read.sum_seconds - 6.251).abs() < 1e-9);
    }
}
