//! Names to addresses, kept for a short while.
//!
//! Asked by the connector only. A lookup runs in the operating system, on a blocking thread, and can't be cancelled: so
//! few run at once, one name is asked for once, and a name that failed is not asked for again at once.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

use crate::base::clock::{Clock, Monotonic};

/// How long a lookup's answer is used.
const FOUND_FOR: Duration = Duration::from_secs(30);
const FAILED_FOR: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 64;
/// Names remembered.
const MOST: usize = 4096;

/// Cheap to clone; clones share what they know.
#[derive(Clone)]
pub(super) struct Names(Arc<Inner>);

struct Inner {
    clock: Clock,
    known: Mutex<HashMap<String, Entry>>,
    slots: Arc<Semaphore>,
    system: System,
}

/// Who knows names: the operating system, or a table in tests.
pub(super) enum System {
    Real,
    #[cfg(test)]
    Table(Table),
}

#[cfg(test)]
pub(super) type Table = Box<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

#[derive(Clone)]
struct Entry {
    asked: Monotonic,
    answer: Arc<OnceCell<Vec<IpAddr>>>,
}

impl Names {
    pub(super) fn new(clock: Clock, system: System) -> Self {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        Self(Arc::new(Inner { clock, known: Mutex::default(), slots, system }))
    }

    /// The addresses of `host`, best first; none when there is no such name.
    pub(super) async fn look_up(&self, host: &str) -> Vec<IpAddr> {
        let entry = self.entry(host);
        entry.answer.get_or_init(|| self.ask(host)).await.clone()
    }

    fn entry(&self, host: &str) -> Entry {
        let now = self.0.clock.now();
        let mut known = self.0.known.lock().expect("no code that can panic runs under this lock");
        if let Some(entry) = known.get(host).filter(|entry| entry.fresh(now)) {
            return entry.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, entry| entry.fresh(now));
        }
        if known.len() >= MOST {
            known.clear();
        }
        let entry = Entry { asked: now, answer: Arc::default() };
        known.insert(host.to_owned(), entry.clone());
        entry
    }

    async fn ask(&self, host: &str) -> Vec<IpAddr> {
        match &self.0.system {
            System::Real => {}
            #[cfg(test)]
            System::Table(table) => return table(host),
        }
        let slot = Arc::clone(&self.0.slots).acquire_owned().await.expect("it is never closed");
        let host = host.to_owned();
        let lookup = tokio::task::spawn_blocking(move || {
            // Held by the lookup, not by who waits for it: a caller that gives up does not end it.
            let _slot = slot;
            let found = (host.as_str(), 0).to_socket_addrs();
            found.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>()).unwrap_or_default()
        });
        lookup.await.unwrap_or_default()
    }
}

impl Entry {
    fn fresh(&self, now: Monotonic) -> bool {
        let failed = self.answer.get().is_some_and(Vec::is_empty);
        now.since(self.asked) < if failed { FAILED_FOR } else { FOUND_FOR }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_again_when_its_answer_is_old_and_sooner_when_it_failed() {
        let clock = Clock::simulated("2026-01-01T00:00:00Z".parse().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let names = Names::new(
            clock.clone(),
            System::Table(Box::new(move |host| {
                count.fetch_add(1, Ordering::Relaxed);
                if host == "a" { vec![IpAddr::from([8, 8, 8, 8])] } else { Vec::new() }
            })),
        );
        for (host, wait, times) in
            [("a", 0, 1), ("a", 29, 1), ("a", 1, 2), ("b", 0, 3), ("b", 4, 3), ("b", 1, 4), ("a", 0, 4)]
        {
            clock.advance(Duration::from_secs(wait));
            names.look_up(host).await;
            assert_eq!(asked.load(Ordering::Relaxed), times, "{host} after {wait} s");
        }
    }
}
