//! Requests per second per address: a token bucket each, forgotten once full again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use crate::base::clock::Monotonic;

/// Lets `per_second` requests a second through for each address, and twice that in a burst. `None` lets all through.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: Option<f64>,
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Monotonic,
}

impl Rate {
    /// Addresses remembered before full buckets are thrown out.
    const MOST: usize = 10_000;

    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { per_second: per_second.map(f64::from), buckets: Mutex::default() }
    }

    pub(super) fn admit(&self, client: IpAddr, now: Monotonic) -> bool {
        let Some(per_second) = self.per_second else { return true };
        let burst = per_second * 2.0;
        let refilled =
            |bucket: &Bucket| (bucket.tokens + now.since(bucket.at).as_secs_f64() * per_second).min(burst);
        let mut buckets = self.buckets.lock().expect("no code that can panic runs under this lock");
        if buckets.len() >= Self::MOST {
            buckets.retain(|_, bucket| refilled(bucket) < burst);
        }
        let bucket = buckets.entry(client).or_insert(Bucket { tokens: burst, at: now });
        *bucket = Bucket { tokens: refilled(bucket), at: now };
        let admitted = bucket.tokens >= 1.0;
        if admitted {
            bucket.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds_for_each_address_alone() {
        let rate = Rate::new(Some(5));
        let (a, b) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = |ms| Monotonic::from_start(Duration::from_millis(ms));
        assert_eq!((0..20).filter(|_| rate.admit(a, at(0))).count(), 10);
        assert!(rate.admit(b, at(0)));
        assert_eq!((0..20).filter(|_| rate.admit(a, at(1000))).count(), 5);
        assert!((0..1000).all(|_| Rate::new(None).admit(a, at(0))));
    }
}
