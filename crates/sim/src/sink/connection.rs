//! One publisher's connection, behaved to as the server is told.
//!
//! Called by [`super::serve`]. Ends when the publisher does, when what comes is not RTMP, or when the behaviour wants it.

use std::time::Duration;

use media::rtmp::{Event, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::{Behaviour, Publication, Sink};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

pub(super) async fn run(socket: TcpStream, sink: Sink) {
    let behaviour = sink.0.behaviour.subscribe();
    let server = Server::new();
    let mut connection =
        Connection { socket, server, kept: None, publishing: false, bytes: 0, ended: false, sink };
    connection.ended = connection.talk(behaviour).await.is_ok();
}

struct Connection {
    socket: TcpStream,
    server: Server,
    /// Where its publication is kept.
    kept: Option<usize>,
    publishing: bool,
    bytes: u64,
    /// Whether it came to an end of its own; otherwise it is reset, also when it is dropped from outside.
    ended: bool,
    sink: Sink,
}

/// It is to be reset.
struct Reset;

impl Connection {
    async fn talk(&mut self, mut behaviour: watch::Receiver<Behaviour>) -> Result<(), Reset> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let now = *behaviour.borrow_and_update();
            let reads = match now {
                Behaviour::HalfOpen => false,
                Behaviour::StopReading => !self.publishing,
                _ => true,
            };
            let most = match now {
                Behaviour::Slow(rate) => usize::try_from(rate / 10).unwrap_or(BUFFER).clamp(1, BUFFER),
                Behaviour::ResetAfter(bytes) if self.bytes >= bytes => return Err(Reset),
                Behaviour::ResetAfter(bytes) => {
                    usize::try_from(bytes - self.bytes).unwrap_or(BUFFER).min(BUFFER)
                }
                _ => BUFFER,
            };
            let count = tokio::select! {
                read = self.socket.read(&mut buffer[..most]), if reads => match read {
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(count) => count,
                },
                changed = behaviour.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            self.take(&buffer[..count], now).await?;
            if let Behaviour::Slow(rate) = now {
                tokio::time::sleep(Duration::from_secs_f64(count as f64 / rate.max(1) as f64)).await;
            }
        }
    }

    /// Takes what came, and answers.
    async fn take(&mut self, bytes: &[u8], behaviour: Behaviour) -> Result<(), Reset> {
        self.bytes += bytes.len() as u64;
        self.keep(|publication, total| publication.bytes = total);
        self.server.push(bytes).map_err(|_| Reset)?;
        while let Some(event) = self.server.next().map_err(|_| Reset)? {
            self.event(event, behaviour);
        }
        let out = self.server.output();
        self.socket.write_all(&out).await.map_err(|_| Reset)
    }

    fn event(&mut self, event: Event, behaviour: Behaviour) {
        match event {
            Event::Publish { app, key } => {
                let wrong = self.sink.0.settings.key.as_ref().is_some_and(|right| *right != key);
                if wrong || behaviour == Behaviour::RefusePublish {
                    return self.server.refuse("that key is not known here");
                }
                self.kept = self.sink.begin(app, key);
                self.publishing = true;
                self.server.accept();
            }
            Event::Video { timestamp, video } => self.keep(|kept, _| kept.picture(timestamp, video)),
            Event::Sound { timestamp, sound } => self.keep(|kept, _| kept.sound(timestamp, sound)),
            Event::Finished => {
                self.keep(|kept, _| kept.finished = true);
                self.publishing = false;
            }
        }
    }

    fn keep(&self, change: impl FnOnce(&mut Publication, u64)) {
        let mut all = self.sink.publications();
        if let Some(kept) = self.kept.and_then(|at| all.get_mut(at)) {
            change(kept, self.bytes);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.keep(|kept, _| kept.over = true);
        if !self.ended {
            // What could not be set is an ordinary end, and no harm done.
            let _ = self.socket.set_zero_linger();
        }
    }
}
