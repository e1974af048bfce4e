//! The thread of one publisher: its H.264 becomes pictures, each picture a JPEG, each JPEG a frame of its stream.
//!
//! What it can't keep up with is left out before it gets here, by whole groups. It ends when its connection does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use media::decode::{self, StreamDecoder};
use pixels::jpeg::Encoder;
use pixels::{I420, Matrix, Range};
use tokio_util::sync::CancellationToken;

use super::{Figures, Rtmp};
use crate::base::clock::{Clock, MediaTime};
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{self, Bound, Full, Received, Receiver, Sender};
use crate::sources::push::Push;
use crate::streams::{Publisher, StreamName};

/// One coded picture.
pub(super) struct Unit {
    /// Before a keyframe: what the decoder must know from now on.
    pub(super) config: Option<Bytes>,
    /// When it is to be shown, in milliseconds from an arbitrary start.
    pub(super) time: i64,
    pub(super) data: Bytes,
}

/// Why the thread has ended before its connection.
#[derive(Clone, Default)]
pub(super) struct Failed(CancellationToken, Arc<Mutex<Option<Error>>>);

/// Waits for it, if there is a thread.
pub(super) async fn failure(failed: Option<Failed>) -> Error {
    let Some(Failed(ended, why)) = failed else { return std::future::pending().await };
    ended.cancelled().await;
    let why = why.lock().expect("no code that can panic runs under this lock").take();
    why.unwrap_or_else(|| Error::new(Kind::Internal, "decoding has failed"))
}

pub(super) struct Coder {
    name: StreamName,
    push: Push,
    from: Publisher,
    figures: Figures,
    clock: Clock,
    max_side: u16,
    encoder: Encoder,
    decoder: Option<StreamDecoder>,
    picture: I420,
    anchor: Option<(i64, Timestamp)>,
    /// Units in a row that made no picture because they were damaged.
    damaged: u32,
}

impl Coder {
    /// Two seconds of 30 a second: a queue that is longer only makes the picture older.
    const WAITING: Bound = Bound { items: 60, weight: 24 << 20 };
    const STACK_BYTES: usize = 2 << 20;
    /// Of libjpeg's scale: hard to tell from what was coded.
    const QUALITY: u8 = 85;
    /// So many damaged in a row, and it is no video.
    const HOPELESS: u32 = 300;
    /// How far the publisher's clock may be from ours before its times begin anew.
    const DRIFT: SignedDuration = SignedDuration::from_secs(1);

    /// A thread for a stream's pictures, and how to reach it.
    pub(super) fn start(name: StreamName, rtmp: &Rtmp) -> Result<(Sender<Unit>, Failed)> {
        let parts = &rtmp.0.parts;
        let encoder = Encoder::new(Self::QUALITY).map_err(|e| Error::internal("no JPEG encoder", e))?;
        let coder = Self {
            push: parts.push.clone(),
            from: parts.push.connection(),
            figures: rtmp.figures().clone(),
            clock: parts.clock.clone(),
            max_side: parts.push.limits().max_side,
            encoder,
            decoder: None,
            picture: I420::new(2, 2, Range::Limited, Matrix::Bt709),
            anchor: None,
            damaged: 0,
            name,
        };
        let dropped = rtmp.figures().dropped.clone();
        let (units, inbox) = queue::bounded(Self::WAITING, Full::DropNewest, dropped);
        let failed = Failed::default();
        let (thread, told) = (format!("rtmp-{}", coder.name), failed.clone());
        parts.tasks.thread(&thread, Self::STACK_BYTES, move || {
            // Also when it panics.
            let _ended = told.0.clone().drop_guard();
            if let Err(e) = coder.run(&inbox) {
                *told.1.lock().expect("no code that can panic runs under this lock") = Some(e);
            }
        })?;
        Ok((units, failed))
    }

    fn run(mut self, inbox: &Receiver<Unit>) -> Result<()> {
        loop {
            match inbox.receive(Duration::from_secs(1)) {
                Received::Item(unit) => self.unit(unit)?,
                Received::Empty => {}
                Received::Closed => {
                    if let Some(mut decoder) = self.decoder.take()
                        && decoder.finish().is_ok()
                    {
                        self.pictures(&mut decoder)?;
                    }
                    return Ok(());
                }
            }
        }
    }

    fn unit(&mut self, unit: Unit) -> Result<()> {
        if let Some(config) = &unit.config {
            let decoder = StreamDecoder::h264(config, self.max_side).map_err(|e| unusable(&e))?;
            if let Some(mut old) = self.decoder.replace(decoder)
                && old.finish().is_ok()
            {
                self.pictures(&mut old)?;
            }
        }
        let Some(mut decoder) = self.decoder.take() else {
            return self.hurt(&decode::Error::Empty);
        };
        let decoded = match decoder.send(&unit.data, unit.time) {
            Ok(()) => self.pictures(&mut decoder),
            Err(e) => self.hurt(&e),
        };
        self.decoder = Some(decoder);
        decoded
    }

    /// Publishes every picture the decoder has.
    fn pictures(&mut self, decoder: &mut StreamDecoder) -> Result<()> {
        loop {
            let mut picture =
                std::mem::replace(&mut self.picture, I420::new(2, 2, Range::Limited, Matrix::Bt709));
            let received = decoder.receive(&mut picture);
            self.picture = picture;
            match received {
                Ok(None) => return Ok(()),
                Ok(Some(time)) => self.publish(time)?,
                Err(e) => return self.hurt(&e),
            }
        }
    }

    fn publish(&mut self, time: i64) -> Result<()> {
        self.damaged = 0;
        let jpeg =
            self.encoder.encode(&self.picture).map_err(|e| Error::internal("no JPEG can be made", e))?;
        let source_time = self.source_time(time);
        match self.push.accept(&self.name, jpeg.into(), source_time, self.from) {
            Ok(_) => self.figures.pictures.add(1),
            // This one was too rich for the limit; the next may not be.
            Err(e) if e.kind() == Kind::TooLarge => self.figures.damaged.add(1),
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// When the publisher showed it: its own steps from the moment the first came, as long as they keep up with our clock.
    fn source_time(&mut self, time: i64) -> Option<MediaTime> {
        let now = self.clock.wall().0;
        let (first, anchor) = *self.anchor.get_or_insert((time, now));
        let since = SignedDuration::from_millis(time.saturating_sub(first));
        let shown = anchor.checked_add(since).ok();
        let near = shown.filter(|shown| now.duration_since(*shown).abs() <= Self::DRIFT);
        if near.is_none() {
            self.anchor = Some((time, now));
        }
        Some(MediaTime(near.unwrap_or(now)))
    }

    fn hurt(&mut self, e: &decode::Error) -> Result<()> {
        self.figures.damaged.add(1);
        self.damaged += 1;
        if self.damaged >= Self::HOPELESS { Err(unusable(e)) } else { Ok(()) }
    }
}

fn unusable(e: &decode::Error) -> Error {
    Error::new(Kind::Malformed, format!("its video can't be decoded: {e}"))
}
