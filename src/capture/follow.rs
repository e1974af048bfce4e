//! Keeps up with playlists between captures that lie far apart, so that every segment is known.
//!
//! A stream captured every few seconds needs nothing of this: its captures read the playlist often enough.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use super::Captures;
use super::pull::Pull;

impl Captures {
    /// Time between two looks.
    const LOOK_EVERY: Duration = Duration::from_secs(2);
    /// Playlists read at the same time.
    const AT_ONCE: usize = 16;

    /// Follows until `stopping`.
    pub(super) async fn follow(self, stopping: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Self::LOOK_EVERY) => {}
                () = stopping.cancelled() => return,
            }
            let pulls: Vec<Arc<Pull>> = self.0.lock().by_name.values().cloned().collect();
            let deadline = self.0.settings().timeout;
            let all =
                futures_util::stream::iter(pulls).for_each_concurrent(Self::AT_ONCE, |pull| async move {
                    // Whoever holds it captures, which reads the playlist too.
                    let Ok(mut held) = pull.puller.try_lock() else { return };
                    if let Some(kit) = held.as_mut().filter(|kit| kit.puller.is_overdue()) {
                        kit.puller.follow(deadline).await;
                    }
                });
            tokio::select! {
                () = all => {}
                () = stopping.cancelled() => return,
            }
        }
    }
}
