//! The thread that makes the program's sound: mixed once, encoded for each lane that has sound.
//!
//! Sample n of a lane is heard n / 48000 s after the beginning of the lane's clock, like its pictures; where there is no
//! sound there is silence, never a gap. Runs while any lane has sound. Never waits for a destination or a file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media::air::{RATE, SoundEncoder};
use tracing::{error, warn};

use super::audio::Audio;
use super::lane::Lane;
use super::meters::Meters;
use crate::base::clock::{Clock, Monotonic};
use crate::base::error::Result;
use crate::base::tasks::Tasks;
use crate::compose::Outside;
use crate::players::Players;

/// What the thread works with.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) audio: Arc<Audio>,
    /// Where it is told how loud sources are.
    pub(super) outside: Outside,
    /// Those that run, with sound or without.
    pub(super) lanes: Arc<Mutex<Vec<Arc<Lane>>>>,
    /// Whether the thread is there.
    pub(super) running: Arc<AtomicBool>,
    pub(super) players: Players,
    pub(super) meters: Arc<Meters>,
    pub(super) clock: Clock,
}

/// One lane's encoder.
struct Voice {
    lane: Arc<Lane>,
    encoder: SoundEncoder,
}

/// Samples made at once: 10 ms.
const BLOCK: usize = 480;
/// Between two looks at the clock.
const REST: Duration = Duration::from_millis(10);
/// Between two looks at the meters.
const LOOK: Duration = Duration::from_millis(200);
/// The sound of streams is given to the mixer so long before it is due: what the mixer holds, less half of what comes at once, and
/// what is between the mixing of a sample and its time.
const LEAD: Duration = Duration::from_millis(85);
/// Further behind than this, the time in between is left out.
const BEHIND: i64 = 2 * RATE as i64;
/// The encoder's tables and the mixer's stretches.
const STACK: usize = 1 << 20;

impl Work {
    /// Starts the thread unless it is there.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub(super) fn start(&self, tasks: &Tasks) -> Result<()> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let work = self.clone();
        let started = tasks.thread("air-sound", STACK, move || work.run());
        if started.is_err() {
            self.running.store(false, Ordering::Release);
        }
        started
    }

    fn run(self) {
        let _gone = Gone(Arc::clone(&self.running));
        let (begun, mut voices, mut next) = (self.clock.now(), Vec::new(), 0_i64);
        let (mut block, mut looked) = ([[0.0_f32; 2]; BLOCK], begun);
        self.audio.begin(0);
        while let Some(lanes) = self.lanes() {
            let now = self.clock.now();
            let due = samples(now.since(begun));
            if due - next > BEHIND {
                warn!(samples = due - next, "the sound was held up; it goes on from now");
                next = due;
                self.audio.begin(next);
                voices.clear();
            }
            self.keep(&mut voices, &lanes, (begun, next));
            self.hear(now);
            while next + (BLOCK as i64) <= due {
                self.audio.mix(&mut block);
                next += BLOCK as i64;
                voices.retain_mut(|voice| self.encode(voice, &block));
            }
            self.outside.hear(self.audio.heard());
            if now.since(looked) >= LOOK {
                looked = now;
                self.audio.look();
            }
            std::thread::sleep(REST);
        }
        self.audio.end();
        self.outside.hear(BTreeMap::new());
    }

    /// Gives the mixer the sound of streams that layers show.
    fn hear(&self, now: Monotonic) {
        for player in self.players.all() {
            let names = self.audio.of_stream(&player.name);
            if names.is_empty() {
                continue;
            }
            for heard in player.listen(now + LEAD) {
                let number = samples(heard.due.since(Monotonic::default()));
                for name in &names {
                    // It may have been taken away meanwhile.
                    let _ = self.audio.push(name, number, &heard.samples);
                }
            }
        }
    }

    /// The lanes that have sound; `None`, and this ends, when there are none.
    fn lanes(&self) -> Option<Vec<Arc<Lane>>> {
        let lanes = self.lanes.lock().expect("no code that can panic runs under this lock");
        let heard: Vec<_> =
            lanes.iter().filter(|lane| lane.recipe.sound.is_some() && !lane.is_over()).cloned().collect();
        if heard.is_empty() {
            // Under the lock, so that whoever adds a lane afterwards starts another thread.
            self.running.store(false, Ordering::Release);
        }
        (!heard.is_empty()).then_some(heard)
    }

    /// Ends voices whose lane is over, and gives one to each lane that has begun; sample `next` of the mix, which began at
    /// `begun`, is theirs first.
    fn keep(&self, voices: &mut Vec<Voice>, lanes: &[Arc<Lane>], (begun, next): (Monotonic, i64)) {
        voices.retain(|voice| lanes.iter().any(|lane| Arc::ptr_eq(lane, &voice.lane)));
        for lane in lanes {
            let has_voice = voices.iter().any(|voice| Arc::ptr_eq(lane, &voice.lane));
            let (Some((codec, kbps)), Some((from, _)), false) = (lane.recipe.sound, lane.begun(), has_voice)
            else {
                continue;
            };
            let later = samples(from.since(begun)) - samples(begun.since(from));
            match SoundEncoder::open(codec, kbps, next - later) {
                Ok(encoder) => {
                    lane.sound_is(encoder.track());
                    voices.push(Voice { lane: Arc::clone(lane), encoder });
                }
                Err(e) => self.failed(&e),
            }
        }
    }

    /// Whether the voice goes on; another takes its place otherwise.
    fn encode(&self, voice: &mut Voice, block: &[[f32; 2]]) -> bool {
        match voice.encoder.encode(block) {
            Ok(packets) => {
                voice.lane.give(&packets, self.clock.now());
                true
            }
            Err(e) => {
                self.failed(&e);
                false
            }
        }
    }

    fn failed(&self, e: &media::air::Error) {
        error!(error = %e, "the sound can't be encoded; another encoder goes on");
        self.meters.failures.add(1);
    }
}

/// After a panic another thread may be started.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(false, Ordering::Release);
        }
    }
}

/// Samples in so much time.
fn samples(time: Duration) -> i64 {
    i64::try_from(time.as_nanos() * u128::from(RATE) / 1_000_000_000).unwrap_or(i64::MAX)
}
