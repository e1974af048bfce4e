//! Viewers: read an MJPEG answer at full speed and know each whole frame by its stamp.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Outcome;
use super::pictures::{MARK, STAMP};
use super::push::name;

/// Stands after each whole frame.
const DELIMITER: &[u8] = b"\r\n--frame";

/// One viewer; clones are the same.
#[derive(Clone)]
pub(crate) struct Watcher(Rc<Inner>);

struct Inner {
    address: SocketAddr,
    stream: u32,
    room: Room,
    frames: Cell<u64>,
    bytes: Cell<u64>,
    /// Frames that never came although a later one did.
    missed: Cell<u64>,
    last: Cell<Option<u64>>,
    /// Numbers of whole frames and when each was there, if anyone wants to know.
    seen: RefCell<Option<Vec<(u64, Instant)>>>,
}

/// Memory all viewers of the thread read into, one after the other.
#[derive(Clone)]
pub(crate) struct Room(Rc<RefCell<Vec<u8>>>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(vec![0; 1 << 18])))
    }
}

/// Where a viewer is within the answer.
#[derive(Clone, Copy)]
enum At {
    BeforeStamp,
    InFrame(u64),
}

impl Watcher {
    /// `times`: remember when each frame came.
    pub(crate) fn new(address: SocketAddr, stream: u32, room: &Room, times: bool) -> Self {
        let (frames, bytes, missed, last) = Default::default();
        let (room, seen) = (room.clone(), RefCell::new(times.then(Vec::new)));
        Self(Rc::new(Inner { address, stream, room, frames, bytes, missed, last, seen }))
    }

    /// Whole frames so far.
    pub(crate) fn frames(&self) -> u64 {
        self.0.frames.get()
    }

    /// Bytes so far, all that came over the socket.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.get()
    }

    pub(crate) fn missed(&self) -> u64 {
        self.0.missed.get()
    }

    pub(crate) fn take_seen(&self) -> Vec<(u64, Instant)> {
        self.0.seen.borrow_mut().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Watches until the server ends the answer. Waits for the stream to be there.
    pub(crate) async fn run(self) -> Outcome<()> {
        let inner = &self.0;
        let (mark, delimiter) = (Finder::new(MARK), Finder::new(DELIMITER));
        let socket = ask(inner.address, inner.stream).await?;
        let (mut at, mut left) = (At::BeforeStamp, Vec::new());
        loop {
            socket.readable().await?;
            let mut room = inner.room.0.borrow_mut();
            room[..left.len()].copy_from_slice(&left);
            let read = match socket.try_read(&mut room[left.len()..]) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => continue,
                Err(e) => return Err(e.into()),
            };
            inner.bytes.set(inner.bytes.get() + read as u64);
            let filled = left.len() + read;
            let rest = inner.look(&room[..filled], &mut at, &mark, &delimiter)?;
            left.clear();
            left.extend_from_slice(&room[filled - rest..filled]);
        }
    }
}

impl Inner {
    /// Finds what is whole in `bytes`; how many bytes at the end must be looked at again with what follows.
    fn look(
        &self,
        mut bytes: &[u8],
        at: &mut At,
        mark: &Finder<'_>,
        delimiter: &Finder<'_>,
    ) -> Outcome<usize> {
        loop {
            match *at {
                At::BeforeStamp => match mark.find(bytes) {
                    Some(found) if bytes.len() >= found + STAMP => {
                        let (_, number) = stamp(&bytes[found..]);
                        *at = At::InFrame(number);
                        bytes = &bytes[found + STAMP..];
                    }
                    Some(found) => return Ok(bytes.len() - found),
                    None => return Ok(bytes.len().min(MARK.len() - 1)),
                },
                At::InFrame(number) => match delimiter.find(bytes) {
                    Some(found) => {
                        self.whole(number)?;
                        *at = At::BeforeStamp;
                        bytes = &bytes[found + DELIMITER.len()..];
                    }
                    None => return Ok(bytes.len().min(DELIMITER.len() - 1)),
                },
            }
        }
    }

    fn whole(&self, number: u64) -> Outcome<()> {
        if let Some(last) = self.last.get() {
            if number <= last {
                return Err(format!("frame {number} came after {last}").into());
            }
            self.missed.set(self.missed.get() + number - last - 1);
        }
        self.last.set(Some(number));
        self.frames.set(self.frames.get() + 1);
        if let Some(seen) = &mut *self.seen.borrow_mut() {
            seen.push((number, Instant::now()));
        }
        Ok(())
    }
}

/// The stream and the frame's number of a stamp.
fn stamp(bytes: &[u8]) -> (u32, u64) {
    let numbers = &bytes[MARK.len()..STAMP];
    let (stream, number) = numbers.split_first_chunk::<4>().expect("a stamp has 12 bytes after its mark");
    let number = number.first_chunk().expect("8 of them are the frame's");
    (u32::from_be_bytes(*stream), u64::from_be_bytes(*number))
}

/// A connection whose request to watch has been answered with 200.
pub(crate) async fn ask(address: SocketAddr, stream: u32) -> Outcome<TcpStream> {
    for _ in 0..200 {
        let mut socket = TcpStream::connect(address).await?;
        let request = format!("GET /stream/{} HTTP/1.1\r\nHost: bench\r\n\r\n", name(stream));
        socket.write_all(request.as_bytes()).await?;
        let mut status = [0; 12];
        socket.read_exact(&mut status).await?;
        match &status[9..] {
            b"200" => return Ok(socket),
            // Nobody has pushed yet.
            b"404" => tokio::time::sleep(Duration::from_millis(25)).await,
            other => return Err(format!("a viewer was answered {}", String::from_utf8_lossy(other)).into()),
        }
    }
    Err("the stream to watch does not exist after 5 s".into())
}
