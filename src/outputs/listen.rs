//! Files that are heard: each source has a thread that decodes its file ahead of the mixer.
//!
//! Called by `desk`, which compares ten times a second what should be heard with what is read. A file that can't be read is a
//! reason that is shown, and silence.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use media::listen::Listener;
use tracing::warn;

use super::audio::Audio;
use crate::base::tasks::Tasks;

/// The threads that read.
#[derive(Default)]
pub(super) struct Readers {
    running: Mutex<Running>,
    failures: Arc<Mutex<BTreeMap<String, String>>>,
}

#[derive(Default)]
struct Running {
    /// Of [`Audio`], when the threads were started.
    changes: u64,
    stops: Vec<Arc<AtomicBool>>,
}

/// One file.
struct Reader {
    name: String,
    path: PathBuf,
    repeat: bool,
    audio: Arc<Audio>,
    stop: Arc<AtomicBool>,
}

/// Samples that wait for the mixer.
const AHEAD: usize = 48_000;
/// Before the first is heard.
const LEAD: i64 = 4800;
const REST: Duration = Duration::from_millis(50);
/// FFmpeg's decoders.
const STACK: usize = 1 << 20;

impl Readers {
    /// Starts and ends threads, if anything has changed. `file` says where an asset lies.
    pub(super) fn settle(&self, audio: &Arc<Audio>, file: impl Fn(&str) -> Option<PathBuf>, tasks: &Tasks) {
        let changes = audio.changes();
        let mut running = self.running();
        if running.changes == changes {
            return;
        }
        running.changes = changes;
        running.stops.drain(..).for_each(|stop| stop.store(true, Ordering::Release));
        lock(&self.failures).clear();
        if !audio.is_mixing() {
            return;
        }
        for (name, source) in audio.sources() {
            let Some(src) = source.src() else { continue };
            let Some(path) = file(src) else {
                lock(&self.failures).insert(name, format!("there is no asset '{src}'"));
                continue;
            };
            let stop = Arc::<AtomicBool>::default();
            running.stops.push(Arc::clone(&stop));
            let audio = Arc::clone(audio);
            let reader = Reader { name: name.clone(), path, repeat: source.repeat, audio, stop };
            let failures = Arc::clone(&self.failures);
            let started = tasks.thread("air-listen", STACK, move || {
                if let Err(why) = reader.run() {
                    warn!(source = reader.name, why, "a sound can't be read");
                    lock(&failures).insert(reader.name, why);
                }
            });
            if let Err(e) = started {
                lock(&self.failures).insert(name, e.detail().to_owned());
            }
        }
    }

    /// All threads end.
    pub(super) fn end(&self) {
        self.running().stops.drain(..).for_each(|stop| stop.store(true, Ordering::Release));
    }

    /// Why a source is not heard.
    pub(super) fn failures(&self) -> BTreeMap<String, String> {
        lock(&self.failures).clone()
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.end();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no code that can panic runs under this lock")
}

impl Reader {
    /// Until the end of the file, or until it is told to stop.
    fn run(&self) -> Result<(), String> {
        let Some((next, _)) = self.audio.waiting(&self.name) else { return Ok(()) };
        let mut base = next + LEAD;
        loop {
            let end = self.once(&self.path, base)?;
            if !self.repeat || self.stopped() {
                return Ok(());
            }
            if end == base {
                return Err("there is no sound in it".to_owned());
            }
            base = end;
        }
    }

    /// The whole file, its first sample heard at `base`; where it ends.
    fn once(&self, path: &Path, base: i64) -> Result<i64, String> {
        let mut listener = Listener::open(path, Arc::clone(&self.stop)).map_err(|e| e.to_string())?;
        let start = listener.start();
        let mut end = base;
        while let Some(block) = listener.next().map_err(|e| e.to_string())? {
            let number = base + block.number - start;
            end = end.max(number + i64::try_from(block.samples.len()).unwrap_or(0));
            let Some(mut waiting) = self.audio.push(&self.name, number, &block.samples) else {
                return Ok(end);
            };
            while waiting > AHEAD && !self.stopped() {
                std::thread::sleep(REST);
                waiting = self.audio.waiting(&self.name).map_or(0, |(_, waiting)| waiting);
            }
            if self.stopped() {
                break;
            }
        }
        Ok(end)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
