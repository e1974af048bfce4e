//! What we fetch, opened to be shown in full: every picture, and the sound.
//!
//! `capture` offers one for each pull stream, `players` open it while somebody shows the stream. Resolves anew each time, so
//! that what has moved is found where it is now; nothing is shared with captures but the client.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Error, Read};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use media::live::{Options, Source};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::failure::{Cause, Failure};
use super::hls::Hls;
use super::pull::{Puller, Shared};
use super::quality::Quality;
use super::target::Target;
use crate::egress::{self, Trust};
use crate::streams::{Flow, Pace, Stop, Supply};

/// A pull stream in full.
pub struct Full {
    pub target: Target,
    pub trust: Trust,
    pub quality: Quality,
    pub shared: Arc<Shared>,
}

/// All of opening but the reading.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pieces of segments that wait to be read; each is at most what is read from a socket at once.
const PIECES: usize = 48;

impl Supply for Full {
    fn open(&self, stop: Stop) -> BoxFuture<'_, Result<Flow, String>> {
        async move {
            let puller = Puller::new(self.target.clone(), self.trust, Arc::clone(&self.shared), self.quality);
            let opened = tokio::select! {
                opened = tokio::time::timeout(PATIENCE, puller.open(&stop)) => opened,
                () = stop.cancel.cancelled() => return Err("told to stop".to_owned()),
            };
            let late = || Failure::error(Cause::Timeout, "it does not answer".to_owned());
            opened.unwrap_or_else(|_| Err(late())).map_err(|failure| failure.reason)
        }
        .boxed()
    }

    fn mark(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.target, self.trust, self.quality).hash(&mut hasher);
        hasher.finish()
    }
}

/// How FFmpeg is told to open it.
pub(super) fn options() -> Options {
    Options { authorities: egress::authorities(), sound: true, ..Options::default() }
}

/// The segments of `hls`, whose playlist was read, as one stream of bytes.
pub(super) fn segments(hls: Hls, pace: Pace, shared: &Arc<Shared>, stop: &Stop) -> Flow {
    let (out, pieces) = mpsc::channel(PIECES);
    let (playing, cancel) = (hls.play(Arc::clone(shared), out), stop.cancel.clone());
    shared.tasks.spawn("playlist played", async move {
        tokio::select! {
            () = playing => {}
            () = cancel.cancelled() => {}
        }
    });
    let pipe = Pipe { pieces, pending: Bytes::new(), stop: stop.clone(), runtime: Handle::current() };
    Flow { sources: vec![Source::Reader(Box::new(pipe))], options: options(), pace }
}

/// What a task gives, as something that can be read on a thread outside the runtime.
struct Pipe {
    pieces: mpsc::Receiver<Bytes>,
    pending: Bytes,
    stop: Stop,
    runtime: Handle,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.pending.is_empty() {
            let next = match self.pieces.try_recv() {
                Ok(piece) => Some(piece),
                Err(_) => self.runtime.block_on(async {
                    tokio::select! {
                        next = self.pieces.recv() => Ok(next),
                        // FFmpeg's readers repeat what was merely interrupted.
                        () = self.stop.cancel.cancelled() => Err(Error::other("told to stop")),
                    }
                })?,
            };
            match next {
                Some(piece) => self.pending = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.pending.len());
        self.pending.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
