//! One connection: bytes between the socket and the protocol, pictures to the thread that decodes them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use media::rtmp::{Event, Server, Video};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::coder::{self, Coder, Unit};
use super::mirror::Mirror;
use super::{Publishing, Rtmp};
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::{Sender, Sent};
use crate::streams::{StreamName, Supplied};

/// From the first byte, or the end of one publishing, to the next publishing.
const GREETING: Duration = Duration::from_secs(10);
/// A publisher that sends nothing for so long has vanished.
const SILENCE: Duration = Duration::from_secs(30);
/// A peer that does not take our few bytes in this time takes none.
const WRITING: Duration = Duration::from_secs(10);
const READ_BYTES: usize = 64 << 10;

/// Serves it to its end; the error is why it could not go on.
pub(super) async fn run(mut socket: TcpStream, rtmp: &Rtmp, stop: CancellationToken) -> Result<()> {
    let mut connection = Connection { server: Server::new(), rtmp, publisher: None };
    let ended = connection.converse(&mut socket, &stop).await;
    if let Err(why) = &ended {
        connection.server.refuse(why.detail());
        // It may be gone; that is no further trouble.
        let _ = timeout(WRITING, socket.write_all(&connection.server.output())).await;
        let _ = timeout(WRITING, socket.shutdown()).await;
    }
    ended
}

struct Connection<'a> {
    server: Server,
    rtmp: &'a Rtmp,
    publisher: Option<Publisher>,
}

/// What a connection publishes.
struct Publisher {
    name: StreamName,
    units: Sender<Unit>,
    /// Cancelled by the thread when it can't go on.
    failed: coder::Failed,
    /// What the decoder must know before the next keyframe.
    config: Option<Bytes>,
    /// Whether what comes before the next keyframe is of no use, and whether that is our doing.
    skipping: bool,
    overrun: bool,
    clock: Unwrapped,
    mirror: Arc<Mirror>,
    _supplied: Supplied,
    _counted: Publishing,
}

impl Connection<'_> {
    async fn converse(&mut self, socket: &mut TcpStream, stop: &CancellationToken) -> Result<()> {
        let mut buffer = vec![0; READ_BYTES];
        let mut greeting = Box::pin(tokio::time::sleep(GREETING));
        loop {
            let idle = self.publisher.is_none();
            let failed = self.publisher.as_ref().map(|publisher| publisher.failed.clone());
            let read = tokio::select! {
                read = timeout(SILENCE, socket.read(&mut buffer)) => read,
                () = greeting.as_mut(), if idle => {
                    return Err(Error::new(Kind::Timeout, "it did not publish in time"));
                }
                why = coder::failure(failed), if !idle => return Err(why),
                () = stop.cancelled() => return Ok(()),
            };
            let bytes = match read {
                Err(_) => return Err(Error::new(Kind::Timeout, "nothing came any more")),
                // A publisher that is killed resets the connection: that is an end like any other.
                Ok(Err(_)) | Ok(Ok(0)) => return Ok(()),
                Ok(Ok(bytes)) => bytes,
            };
            self.rtmp.figures().received_bytes.add(bytes as u64);
            self.server.push(&buffer[..bytes]).map_err(|e| wrong(&e))?;
            while let Some(event) = self.server.next().map_err(|e| wrong(&e))? {
                self.event(event)?;
            }
            if !idle && self.publisher.is_none() {
                greeting = Box::pin(tokio::time::sleep(GREETING));
            }
            let out = self.server.output();
            if !out.is_empty() && !matches!(timeout(WRITING, socket.write_all(&out)).await, Ok(Ok(()))) {
                return Err(Error::new(Kind::Timeout, "it takes no answer"));
            }
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        match event {
            Event::Publish { app, key } => {
                self.publisher = Some(self.begin(&app, &key)?);
                self.server.accept();
            }
            Event::Video { timestamp, video } => {
                if let Some(publisher) = &mut self.publisher {
                    publisher.mirror.video(timestamp, &video);
                    publisher.video(timestamp, video, self.rtmp);
                }
            }
            Event::Sound { timestamp, sound } => {
                if let Some(publisher) = &mut self.publisher {
                    publisher.mirror.sound(timestamp, &sound);
                }
            }
            Event::Finished => self.publisher = None,
        }
        Ok(())
    }

    fn begin(&self, app: &str, key: &str) -> Result<Publisher> {
        let parts = &self.rtmp.0.parts;
        if app != "live" {
            return Err(Error::invalid(
                "app",
                "publish to rtmp://<host>/live with the stream's name as the key",
            ));
        }
        let (name, query) = key.split_once('?').unwrap_or((key, ""));
        let offered = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == "key");
        let name = StreamName::parse(name)?;
        parts.auth.may_publish(name.as_str(), offered.map(|(_, key)| key)).map_err(|e| match e.kind() {
            Kind::Unauthorized => {
                Error::new(e.kind(), "publishing needs a key: use <name>?key=<key> as stream key")
            }
            _ => e,
        })?;
        let full = || Error::new(Kind::Unavailable, "too many publish by RTMP already");
        let counted = self.rtmp.publish().ok_or_else(full)?;
        let (units, failed) = Coder::start(name.clone(), self.rtmp)?;
        info!(stream = %name, "publishing by RTMP begins");
        let mirror = Mirror::new(self.rtmp.figures().dropped.clone(), self.rtmp.figures().connections.get());
        let supply = Arc::<Mirror>::clone(&mirror);
        let supplied = parts.supplies.offer(name.clone(), supply);
        Ok(Publisher {
            name,
            units,
            failed,
            config: None,
            skipping: true,
            overrun: false,
            clock: Unwrapped::default(),
            mirror,
            _supplied: supplied,
            _counted: counted,
        })
    }
}

impl Publisher {
    fn video(&mut self, timestamp: u32, video: Video, rtmp: &Rtmp) {
        let (keyframe, composition, data) = match video {
            Video::Config(config) => {
                self.config = Some(config);
                return;
            }
            Video::Unit { keyframe, composition, data } => (keyframe, composition, data),
        };
        let time = self.clock.unwrap(timestamp) + i64::from(composition);
        if self.skipping && !keyframe {
            rtmp.figures().dropped.add(u64::from(self.overrun));
            return;
        }
        let (config, weight) = (self.config.clone().filter(|_| keyframe), data.len());
        let configured = config.is_some();
        match self.units.send(Unit { config, time, data }, weight) {
            Sent::Queued | Sent::Displaced(_) => {
                (self.skipping, self.overrun) = (false, false);
                if configured {
                    self.config = None;
                }
            }
            // The decoder can't do without it: nothing more until the next keyframe.
            Sent::Refused => (self.skipping, self.overrun) = (true, true),
            Sent::Closed => self.skipping = true,
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        info!(stream = %self.name, "publishing by RTMP ends");
    }
}

fn wrong(e: &media::rtmp::Error) -> Error {
    Error::new(Kind::Malformed, e.to_string())
}

/// Timestamps that go on where 32 bits begin again.
#[derive(Clone, Copy, Debug, Default)]
struct Unwrapped {
    last: Option<u32>,
    time: i64,
}

impl Unwrapped {
    fn unwrap(&mut self, timestamp: u32) -> i64 {
        let step = timestamp.wrapping_sub(self.last.unwrap_or(timestamp)).cast_signed();
        self.last = Some(timestamp);
        self.time += i64::from(step);
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_timestamps_begin_again_and_may_step_back() {
        let mut clock = Unwrapped::default();
        let times = [u32::MAX - 10, u32::MAX, 9, 49, 29].map(|timestamp| clock.unwrap(timestamp));
        assert_eq!(times, [0, 10, 20, 60, 40]);
    }
}
