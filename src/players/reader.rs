//! The thread that reads one opened source: its pictures, as they were coded, go to the player's queue; its sound is decoded.
//!
//! What waits to be taken is bounded. A source that comes in its own time is not held up: what does not fit is left out up to the
//! next keyframe, and counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use media::listen::Voice;
use media::live::Error;
use media::tape::{Coded, Tape, Track};

use super::player::Player;
use crate::base::queue::{Bound, Sender, Sent};
use crate::streams::{Pace, Stop};

/// What waits to be decoded: a second or two.
pub(super) const WAITING: Bound = Bound { items: 120, weight: 24 << 20 };
/// Parts of the sound that are kept while nobody listens: what may be read ahead.
const UNHEARD: usize = 400;
const REST: Duration = Duration::from_millis(5);

pub(super) struct Reader {
    pub(super) tape: Tape,
    pub(super) voice: Option<Voice>,
    /// Sound that nobody has listened to yet: it may be read some time before it is due.
    pub(super) unheard: VecDeque<Coded>,
    pub(super) pace: Pace,
    pub(super) coded: Sender<Coded>,
    pub(super) player: Arc<Player>,
    pub(super) stop: Stop,
}

impl Reader {
    /// Until the end, an error, or word to stop.
    pub(super) fn run(mut self) {
        let mut skipping = false;
        let ended = loop {
            let coded = match self.tape.next() {
                Ok(Some(coded)) => coded,
                Ok(None) => break None,
                Err(Error::Interrupted) => break None,
                Err(e) => break Some(e.to_string()),
            };
            if self.stop.is_stopped() {
                break None;
            }
            match coded.track {
                Track::Sound => self.hear(coded),
                Track::Picture if skipping && !coded.is_key() => self.player.left_out(),
                Track::Picture => match self.give(coded) {
                    Some(fits) => skipping = !fits,
                    None => break None,
                },
            }
        };
        if let Some(why) = ended {
            self.player.failed(why);
        }
    }

    fn hear(&mut self, coded: Coded) {
        let Some(voice) = &mut self.voice else { return };
        self.unheard.push_back(coded);
        if !self.player.is_listened_to() {
            let over = self.unheard.len().saturating_sub(UNHEARD);
            self.unheard.drain(..over);
            return;
        }
        for coded in self.unheard.drain(..) {
            // Sound that can't be decoded is silence.
            if let Ok(blocks) = voice.hear(&coded) {
                self.player.hear(blocks);
            }
        }
    }

    /// Whether there was room; `None` when nobody takes any more.
    fn give(&self, coded: Coded) -> Option<bool> {
        while self.pace != Pace::Live && !self.has_room() {
            if self.stop.is_stopped() {
                return None;
            }
            std::thread::sleep(REST);
        }
        let size = coded.size();
        match self.coded.send(coded, size) {
            Sent::Queued | Sent::Displaced(_) => Some(true),
            Sent::Refused => Some(false),
            Sent::Closed => None,
        }
    }

    fn has_room(&self) -> bool {
        let (items, weight) = self.coded.depth();
        items + 1 < WAITING.items && weight < WAITING.weight * 3 / 4 && !self.player.has_sound_enough()
            || items == 0
    }
}
