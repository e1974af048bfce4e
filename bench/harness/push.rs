//! Publishers: one POST a frame on a raster that does not drift, over a connection that is kept where the server keeps it.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Outcome, pictures};

/// One publisher; clones are the same.
#[derive(Clone)]
pub(crate) struct Pusher(Rc<Inner>);

struct Inner {
    address: SocketAddr,
    stream: u32,
    frames: Vec<Bytes>,
    kind: Kind,
    /// When each frame's first byte was written, by its number.
    sent: RefCell<Vec<Instant>>,
    taken: Cell<u64>,
}

/// How a frame is carried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Jpeg,
    /// `multipart/form-data` with a field `frame`.
    Form,
}

impl Pusher {
    pub(crate) fn new(address: SocketAddr, stream: u32, frames: &[Bytes], kind: Kind) -> Self {
        let (sent, taken) = Default::default();
        Self(Rc::new(Inner { address, stream, frames: frames.to_vec(), kind, sent, taken }))
    }

    /// Frames the server has said it took.
    pub(crate) fn taken(&self) -> u64 {
        self.0.taken.get()
    }

    pub(crate) fn sent_at(&self, number: u64) -> Option<Instant> {
        self.0.sent.borrow().get(usize::try_from(number).ok()?).copied()
    }

    /// Pushes `fps` frames a second, the first after `delay`, until `most` are sent.
    pub(crate) async fn run(self, fps: f64, delay: Duration, most: u64) -> Outcome<()> {
        let inner = &self.0;
        let mut kept = None;
        let (mut request, mut answer) = (Vec::new(), vec![0; 4096]);
        let start = tokio::time::Instant::now() + delay;
        for number in 0..most {
            tokio::time::sleep_until(start + Duration::from_secs(1).div_f64(fps) * u32::try_from(number)?)
                .await;
            inner.request(number, &mut request);
            inner.sent.borrow_mut().push(Instant::now());
            let mut socket = match kept.take() {
                Some(socket) => socket,
                None => connect(inner.address).await?,
            };
            socket.write_all(&request).await?;
            let keep = accepted(&mut socket, &mut answer).await?;
            kept = keep.then_some(socket);
            inner.taken.set(inner.taken.get() + 1);
        }
        Ok(())
    }
}

impl Inner {
    fn request(&self, number: u64, out: &mut Vec<u8>) {
        const BEFORE: &str = "--bench\r\nContent-Disposition: form-data; name=\"frame\"; filename=\"f.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
        const AFTER: &str = "\r\n--bench--\r\n";
        let at = usize::try_from(number).unwrap_or(0) % self.frames.len();
        let jpeg = &self.frames[at];
        let (content_type, before, after) = match self.kind {
            Kind::Jpeg => ("image/jpeg", "", ""),
            Kind::Form => ("multipart/form-data; boundary=bench", BEFORE, AFTER),
        };
        let length = jpeg.len() + pictures::stamp_bytes() + before.len() + after.len();
        out.clear();
        out.extend_from_slice(
            format!(
                "POST /publish/{} HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{before}",
                name(self.stream)
            )
            .as_bytes(),
        );
        pictures::stamped(jpeg, self.stream, number, out);
        out.extend_from_slice(after.as_bytes());
    }
}

/// What the stream of that number is called.
pub(crate) fn name(stream: u32) -> String {
    format!("bench-{stream:02}")
}

async fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Reads one whole answer; whether the connection stays. An error unless it is 200.
async fn accepted(socket: &mut TcpStream, buffer: &mut [u8]) -> Outcome<bool> {
    let mut filled = 0;
    loop {
        let read = socket.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Err("the server closed a publisher's connection".into());
        }
        filled += read;
        let text = String::from_utf8_lossy(&buffer[..filled]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() < length.ok_or("an answer without a length")? {
            continue;
        }
        let status = head.split(' ').nth(1).unwrap_or_default();
        let keep = !head.lines().any(|line| line.eq_ignore_ascii_case("connection: close"));
        return if status == "200" { Ok(keep) } else { Err(format!("a frame was refused: {text}").into()) };
    }
}
