//! Who feeds a stream just now.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::clock::Monotonic;

/// One that feeds a stream, as far as it can be told from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// A long-lived connection, by a number of its own.
    Connection(u64),
    /// Single posts from an address: two programs on one machine look like one.
    Address(IpAddr),
}

/// The publishers of the last seconds. Bounded: beyond [`Publishers::MOST`] the one heard of longest ago is forgotten.
#[derive(Debug, Default)]
pub(super) struct Publishers(Vec<(Publisher, Monotonic)>);

impl Publishers {
    const MOST: usize = 16;
    const FORGOTTEN_AFTER: Duration = Duration::from_secs(5);

    pub(super) fn heard(&mut self, from: Publisher, now: Monotonic) {
        if let Some((_, last)) = self.0.iter_mut().find(|(publisher, _)| *publisher == from) {
            *last = now;
            return;
        }
        self.0.retain(|(_, last)| now.since(*last) < Self::FORGOTTEN_AFTER);
        if self.0.len() == Self::MOST {
            let oldest = (0..Self::MOST).min_by_key(|&i| self.0[i].1).expect("there are MOST of them");
            self.0.swap_remove(oldest);
        }
        self.0.push((from, now));
    }

    pub(super) fn count(&self, now: Monotonic) -> usize {
        self.0.iter().filter(|(_, last)| now.since(*last) < Self::FORGOTTEN_AFTER).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_are_counted_while_they_are_heard_of() {
        let at = |s| Monotonic::from_start(Duration::from_secs(s));
        let mut publishers = Publishers::default();
        publishers.heard(Publisher::Connection(1), at(0));
        publishers.heard(Publisher::Connection(2), at(1));
        publishers.heard(Publisher::Connection(1), at(4));
        assert_eq!(publishers.count(at(5)), 2);
        assert_eq!(publishers.count(at(7)), 1);
        for i in 0..100 {
            publishers.heard(Publisher::Connection(i), at(8));
        }
        assert_eq!(publishers.count(at(8)), Publishers::MOST);
    }
}
