//! Where all pictures of a stream and its sound can be had, as they were coded.
//!
//! Offered by `sources` and `capture` for streams that have more than the frames in the hub, taken by `players` while somebody
//! shows one. Nothing is read until then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use media::live::{Options, Source};
use tokio_util::sync::CancellationToken;

use super::name::StreamName;

/// Opens a stream's source for one reader.
pub trait Supply: Send + Sync {
    /// Connects. What comes of it is read on a thread outside the runtime, until `stop`.
    ///
    /// # Errors
    /// Why there is nothing, for people; without secrets.
    fn open(&self, stop: Stop) -> BoxFuture<'_, Result<Flow, String>>;

    /// Another one for another source.
    fn mark(&self) -> u64;
}

/// What was opened.
pub struct Flow {
    /// One after the other is tried until one opens.
    pub sources: Vec<Source>,
    pub options: Options,
    pub pace: Pace,
}

/// How bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// In their own time.
    Live,
    /// As soon as they are taken; what reads them has to keep the time.
    Held,
    /// The same; and what is at its end begins again.
    Looped,
}

/// Ends a reader's connection, wherever it waits.
#[derive(Clone, Debug)]
pub struct Stop {
    /// FFmpeg looks at it while it blocks.
    pub interrupt: Arc<AtomicBool>,
    /// For what waits on the runtime.
    pub cancel: CancellationToken,
}

impl Stop {
    /// One that ends with `above`, as far as it waits on the runtime.
    pub fn within(above: &CancellationToken) -> Self {
        Self { interrupt: Arc::default(), cancel: above.child_token() }
    }

    pub fn stop(&self) {
        self.interrupt.store(true, Ordering::Release);
        self.cancel.cancel();
    }

    pub fn is_stopped(&self) -> bool {
        self.interrupt.load(Ordering::Acquire) || self.cancel.is_cancelled()
    }
}

/// The supplies of all streams that have one. Cheap to clone; clones are the same.
#[derive(Clone, Default)]
pub struct Supplies(Arc<Inner>);

#[derive(Default)]
struct Inner {
    map: ArcSwap<BTreeMap<StreamName, Arc<dyn Supply>>>,
    changing: Mutex<()>,
    find: OnceLock<Find>,
}

/// Makes the supply of a stream, if it can have one.
type Find = Box<dyn Fn(&str) -> Option<Arc<dyn Supply>> + Send + Sync>;

/// Takes a supply away again when it is dropped.
pub struct Supplied {
    supplies: Supplies,
    name: StreamName,
    supply: Arc<dyn Supply>,
}

impl Supplies {
    pub fn get(&self, name: &str) -> Option<Arc<dyn Supply>> {
        let offered = self.0.map.load().get(name).cloned();
        offered.or_else(|| self.0.find.get()?(name))
    }

    /// Says how supplies are found that nobody has offered. Once: there may be many thousands of such streams.
    pub fn found_by(&self, find: impl Fn(&str) -> Option<Arc<dyn Supply>> + Send + Sync + 'static) {
        let unset = self.0.find.set(Box::new(find)).is_ok();
        debug_assert!(unset, "one owner knows the rest");
    }

    /// Offers a supply for the stream of that name, in the place of one there was.
    #[must_use]
    pub fn offer(&self, name: StreamName, supply: Arc<dyn Supply>) -> Supplied {
        self.change(|map| drop(map.insert(name.clone(), Arc::clone(&supply))));
        Supplied { supplies: self.clone(), name, supply }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<StreamName, Arc<dyn Supply>>)) {
        let _changing = self.0.changing.lock().expect("no code that can panic runs under this lock");
        let mut map = BTreeMap::clone(&self.0.map.load());
        change(&mut map);
        self.0.map.store(Arc::new(map));
    }
}

impl Drop for Supplied {
    fn drop(&mut self) {
        self.supplies.change(|map| {
            if map.get(&self.name).is_some_and(|there| Arc::ptr_eq(there, &self.supply)) {
                map.remove(&self.name);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    struct Nothing;

    impl Supply for Nothing {
        fn open(&self, _stop: Stop) -> BoxFuture<'_, Result<Flow, String>> {
            async { Err("nothing".to_owned()) }.boxed()
        }

        fn mark(&self) -> u64 {
            7
        }
    }

    #[test]
    fn a_supply_is_there_as_long_as_it_is_offered_and_a_newer_one_stays() {
        let supplies = Supplies::default();
        let name = StreamName::parse("cam").unwrap();
        let first = supplies.offer(name.clone(), Arc::new(Nothing));
        assert!(supplies.get("cam").is_some() && supplies.get("other").is_none());
        let second = supplies.offer(name, Arc::new(Nothing));
        drop(first);
        assert!(supplies.get("cam").is_some(), "another has taken its place");
        drop(second);
        assert!(supplies.get("cam").is_none());
        supplies.found_by(|name| (name == "far").then(|| -> Arc<dyn Supply> { Arc::new(Nothing) }));
        assert!(supplies.get("far").is_some() && supplies.get("cam").is_none());
    }
}
