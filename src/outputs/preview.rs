//! The program with its sound for a browser: one endless fragmented MP4 a viewer, from the encode that is on air.
//!
//! A viewer is a queue of its lane like any destination, with a thread of its own that cuts what comes into parts of a fifth of a
//! second. One that is too slow misses whole groups of pictures, and disturbs nobody. Called by `desk` for the API.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use media::air::{Segmenter, SoundCodec, VideoCodec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lane::Lane;
use super::queue::{Queue, Taken};
use crate::base::error::{Error, Kind, Result};
use crate::base::tasks::Tasks;

/// Viewers at the same time.
const MOST: usize = 8;
/// Parts that wait for a viewer's socket.
const WAITING: usize = 4;
/// How long a part is.
const PART_MS: u32 = 200;
const LOOK: Duration = Duration::from_millis(100);
const STACK: usize = 256 << 10;

/// Counts viewers.
#[derive(Clone, Default)]
pub(super) struct Viewers(Arc<AtomicUsize>);

/// One of them; when dropped, it is gone.
struct Viewer(Arc<AtomicUsize>);

impl Drop for Viewer {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whether browsers play what the lane makes.
pub(super) fn is_playable(lane: &Lane) -> bool {
    let recipe = &lane.recipe;
    recipe.video == VideoCodec::H264 && recipe.sound.is_none_or(|(codec, _)| codec == SoundCodec::Aac)
}

impl Viewers {
    /// Room for one more.
    fn enter(&self) -> Option<Viewer> {
        let room = |count| (count < MOST).then_some(count + 1);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok()?;
        Some(Viewer(Arc::clone(&self.0)))
    }

    /// Parts of the program, from the next keyframe on, until nobody takes them or the lane is over. `queue` is attached to it.
    ///
    /// # Errors
    /// `Unavailable` when there are too many viewers.
    pub(super) fn watch(
        &self,
        lane: Arc<Lane>,
        queue: Arc<Queue>,
        tasks: &Tasks,
    ) -> Result<mpsc::Receiver<Bytes>> {
        let Some(viewer) = self.enter() else {
            lane.detach(&queue);
            let detail = format!("{MOST} viewers watch with sound already");
            return Err(Error::new(Kind::Unavailable, detail).retry_after(Duration::from_secs(5)));
        };
        let (parts, watched) = mpsc::channel(WAITING);
        let stop = tasks.stopping();
        let own = Arc::clone(&lane);
        let started = tasks.thread("air-preview", STACK, move || {
            let _viewer = viewer;
            cut(&own, &queue, &parts, &stop);
            own.detach(&queue);
        });
        started.map(|()| watched)
    }
}

/// Cuts packets into parts until somebody has had enough.
fn cut(lane: &Lane, queue: &Queue, parts: &mpsc::Sender<Bytes>, stop: &CancellationToken) {
    let over = || stop.is_cancelled() || lane.is_over() || parts.is_closed();
    let tracks = loop {
        match lane.tracks() {
            Some(tracks) => break tracks,
            None if over() => return,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let Ok(mut segmenter) = Segmenter::parts(&tracks, PART_MS) else { return };
    queue.open();
    lane.want_keyframe();
    if parts.blocking_send(segmenter.init()).is_err() {
        return;
    }
    while !over() {
        match queue.take(LOOK) {
            Taken::Packet(packet) => {
                let part = segmenter.push(&packet);
                if part.is_some_and(|part| parts.blocking_send(part.data).is_err()) {
                    return;
                }
            }
            Taken::Empty => {}
            Taken::Renew | Taken::Ended => return,
        }
    }
}
