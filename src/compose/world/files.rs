//! Files that layers show, in memory: what is asked for is there some frames later, and goes when nobody has asked for a while.
//!
//! Asked by the frame clock, which never waits; read by a task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::warn;

use super::super::assets::Assets;
use crate::base::clock::{Clock, Monotonic};
use crate::base::queue::Counter;

/// Files that nobody asked for so long go, if there are many.
const LEFT_ALONE: Duration = Duration::from_secs(30);
/// As long as they have no more bytes than this together, they stay.
const KEPT_BYTES: usize = 64 << 20;
/// Bytes of all of them.
const MOST_BYTES: usize = 1 << 30;
/// Files that are missing are looked for again this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Files {
    loaded: ArcSwap<BTreeMap<String, Loaded>>,
    asked: Mutex<BTreeSet<String>>,
    clock: Clock,
    /// Times a file that there should be could not be had.
    pub(super) unread: Counter,
}

#[derive(Clone)]
struct Loaded {
    asset: render::Asset,
    path: PathBuf,
    /// When it was asked for last, in ms.
    asked: Arc<AtomicU64>,
}

impl Files {
    pub(super) fn new(clock: Clock) -> Self {
        Self { loaded: ArcSwap::default(), asked: Mutex::default(), clock, unread: Counter::default() }
    }

    /// `None` when it is not there (yet).
    pub(super) fn get(&self, src: &str) -> Option<render::Asset> {
        if let Some(known) = self.loaded.load().get(src) {
            known.asked.store(self.now(), Ordering::Relaxed);
            return Some(known.asset.clone());
        }
        if let Ok(mut asked) = self.asked.try_lock()
            && !asked.contains(src)
        {
            asked.insert(src.to_owned());
        }
        None
    }

    /// Whether there are others than when `known` was taken, which is brought up to date.
    pub(super) fn renew(&self, known: &mut usize) -> bool {
        let newest = Arc::as_ptr(&self.loaded.load()).addr();
        std::mem::replace(known, newest) != newest
    }

    pub(super) fn bytes(&self) -> usize {
        self.loaded.load().values().map(|file| file.asset.bytes.len()).sum()
    }

    /// Brings files that are asked for into memory, for ever.
    pub(super) async fn run(&self, assets: &Assets) {
        let (mut version, mut missing) = (0, BTreeMap::<String, Monotonic>::new());
        loop {
            tokio::time::sleep(PAUSE).await;
            self.tidy(assets);
            let now = self.clock.now();
            missing.retain(|_, since| now.since(*since) < LOOK_AGAIN);
            let Ok(asked) = self.asked.lock().map(|mut asked| std::mem::take(&mut *asked)) else { return };
            for id in asked {
                if missing.contains_key(&id) {
                    continue;
                }
                version += 1;
                if !self.read(&id, assets, version).await {
                    missing.insert(id, now);
                }
            }
        }
    }

    /// Whether it could be read.
    async fn read(&self, id: &str, assets: &Assets, version: u64) -> bool {
        let Some((asset, path)) = assets.file(id) else { return false };
        let size = usize::try_from(asset.size_bytes).unwrap_or(usize::MAX);
        if self.bytes().saturating_add(size) > MOST_BYTES {
            self.unread.add(1);
            warn!(asset = id, "there is no room in memory for one more file that layers show");
            return false;
        }
        let bytes = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            Err(e) => {
                self.unread.add(1);
                warn!(asset = id, error = %e, "a file that layers show can't be read");
                return false;
            }
        };
        let mut loaded = (*self.loaded.load_full()).clone();
        let asset = render::Asset { bytes: bytes.into(), version };
        loaded.insert(id.to_owned(), Loaded { asset, path, asked: Arc::new(AtomicU64::new(self.now())) });
        self.loaded.store(Arc::new(loaded));
        true
    }

    fn tidy(&self, assets: &Assets) {
        let (now, left) = (self.now(), u64::try_from(LEFT_ALONE.as_millis()).unwrap_or(u64::MAX));
        let many = self.bytes() > KEPT_BYTES;
        let stays = |(id, file): &(&String, &Loaded)| {
            let wanted = !many || now.saturating_sub(file.asked.load(Ordering::Relaxed)) < left;
            // What was taken away, or replaced by another file, is asked for anew.
            wanted && assets.file(id).is_some_and(|(_, path)| path == file.path)
        };
        let loaded = self.loaded.load();
        if !loaded.iter().all(|file| stays(&file)) {
            let kept = loaded.iter().filter(stays);
            self.loaded.store(Arc::new(kept.map(|(id, file)| (id.clone(), file.clone())).collect()));
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.clock.now().since_start().as_millis()).unwrap_or(u64::MAX)
    }
}
