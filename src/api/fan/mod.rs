//! One task per watched stream writes each frame to every viewer's socket.
//!
//! Waking each viewer's own task for each frame costs as much again as the writing, so viewers hand their sockets over (see
//! `socket`). With many viewers a frame is put into memory pages once, and the kernel sends those to each of them without a
//! copy. A viewer whose socket is full is passed over until there is room, and then gets the newest frame.
//!
//! Nothing here waits for a viewer.

mod packet;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, oneshot};

use self::packet::Packet;
use super::socket::Socket;
use crate::base::tasks::Tasks;
use crate::streams::{DELIMITER, Frame, Lookout, Stream, Viewer};

/// The fans of all streams that are watched. Cheap to clone.
#[derive(Clone)]
pub(super) struct Fans {
    tasks: Tasks,
    /// By the address of the stream, which the fan's task keeps alive.
    open: Arc<Mutex<HashMap<usize, Arc<Fan>>>>,
}

/// What is shared with a fan's task.
#[derive(Default)]
struct Fan {
    /// Viewers who have come since the task last looked.
    arrived: Mutex<Vec<Seat>>,
    /// Someone has come or left.
    changed: Notify,
}

/// A viewer whose socket is lent.
struct Seat {
    viewer: Viewer,
    socket: Socket,
    /// Its answer is gone: the connection has ended.
    gone: Arc<AtomicBool>,
    /// Told when the stream has ended and the last chunk is whole; dropped when the socket failed.
    ended: oneshot::Sender<()>,
    /// What of a frame is still to be written.
    rest: Option<(Arc<Packet>, usize)>,
    /// Waits until its socket has room.
    full: bool,
}

impl Fans {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { tasks, open: Arc::default() }
    }

    /// The answer to `viewer`, whose connection has `socket`: frames in chunks of HTTP/1.1, until the stream ends.
    pub(super) fn answer(&self, viewer: Viewer, socket: Socket) -> Body {
        Body::new(Answer {
            fans: self.clone(),
            socket,
            gone: Arc::default(),
            at: At::Beginning(Some(viewer)),
        })
    }

    /// Gives the viewer to its stream's fan, which is begun if need be.
    fn seat(&self, seat: Seat) -> Arc<Fan> {
        let stream = Arc::clone(seat.viewer.stream());
        let mut begun = None;
        let mut open = self.open();
        let fan = Arc::clone(open.entry(Arc::as_ptr(&stream) as usize).or_insert_with(|| {
            let fan = Arc::new(Fan::default());
            begun = Some(Task::new(self.clone(), Arc::clone(&fan), stream));
            fan
        }));
        // Within the lock: a fan that closes looks here once more.
        fan.arrived().push(seat);
        drop(open);
        fan.changed.notify_one();
        if let Some(task) = begun {
            self.tasks.spawn("fan", task.run());
        }
        fan
    }

    fn open(&self) -> MutexGuard<'_, HashMap<usize, Arc<Fan>>> {
        self.open.lock().expect("no code that can panic runs under this lock")
    }
}

impl Fan {
    fn arrived(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.arrived.lock().expect("no code that can panic runs under this lock")
    }
}

struct Task {
    fans: Fans,
    fan: Arc<Fan>,
    stream: Arc<Stream>,
    lookout: Lookout,
    seats: BTreeMap<u64, Seat>,
    next_seat: u64,
    /// One for each seat that is full.
    waiting: FuturesUnordered<BoxFuture<'static, u64>>,
    newest: Option<Arc<Packet>>,
    ended: bool,
}

impl Task {
    /// Viewers written to before other tasks get their turn: half a millisecond.
    const AT_ONCE: usize = 64;

    fn new(fans: Fans, fan: Arc<Fan>, stream: Arc<Stream>) -> Self {
        let lookout = stream.lookout();
        let (seats, waiting) = (BTreeMap::new(), FuturesUnordered::new());
        Self { fans, fan, stream, lookout, seats, next_seat: 0, waiting, newest: None, ended: false }
    }

    async fn run(mut self) {
        let fan = Arc::clone(&self.fan);
        loop {
            tokio::select! {
                frame = self.lookout.next(), if !self.ended => match frame {
                    Some(frame) => self.show(&frame).await,
                    None => self.end(),
                },
                () = fan.changed.notified() => self.come_and_go(),
                Some(id) = self.waiting.next(), if !self.waiting.is_empty() => {
                    if let Some(seat) = self.seats.get_mut(&id) {
                        seat.full = false;
                    }
                    self.serve(id);
                }
            }
            if self.seats.is_empty() && self.close() {
                return;
            }
        }
    }

    /// Ends the fan if nobody has come meanwhile.
    fn close(&self) -> bool {
        let mut open = self.fans.open();
        let empty = self.fan.arrived().is_empty();
        if empty {
            self.leave(&mut open);
        }
        empty
    }

    fn leave(&self, open: &mut HashMap<usize, Arc<Fan>>) {
        let key = Arc::as_ptr(&self.stream) as usize;
        if open.get(&key).is_some_and(|fan| Arc::ptr_eq(fan, &self.fan)) {
            open.remove(&key);
        }
    }

    async fn show(&mut self, frame: &Arc<Frame>) {
        self.newest = Some(Arc::new(Packet::new(frame, self.seats.len())));
        let seats: Vec<u64> = self.seats.keys().copied().collect();
        for (turn, some) in seats.chunks(Self::AT_ONCE).enumerate() {
            if turn > 0 {
                tokio::task::yield_now().await;
            }
            some.iter().for_each(|&id| self.serve(id));
        }
    }

    fn end(&mut self) {
        (self.ended, self.newest) = (true, None);
        let seats: Vec<u64> = self.seats.keys().copied().collect();
        seats.into_iter().for_each(|id| self.serve(id));
    }

    fn come_and_go(&mut self) {
        self.seats.retain(|_, seat| !seat.gone.load(Ordering::Acquire));
        let arrived = std::mem::take(&mut *self.fan.arrived());
        for seat in arrived {
            let id = self.next_seat;
            self.next_seat += 1;
            self.seats.insert(id, seat);
            self.serve(id);
        }
    }

    /// Writes to that viewer what it has not seen, as far as its socket takes it.
    fn serve(&mut self, id: u64) {
        let Some(seat) = self.seats.get_mut(&id) else { return };
        if seat.full {
            return;
        }
        let written = seat.write(self.newest.as_ref());
        match written {
            Ok(Written::All) if !self.ended => {}
            Ok(Written::All) => {
                if let Some(seat) = self.seats.remove(&id) {
                    seat.socket.give_back();
                    // The answer may be gone already.
                    let _ = seat.ended.send(());
                }
            }
            Ok(Written::Some) => {
                seat.full = true;
                let socket = seat.socket.clone();
                self.waiting.push(Box::pin(async move {
                    socket.writable().await;
                    id
                }));
            }
            Err(_) => drop(self.seats.remove(&id)),
        }
    }
}

impl Drop for Task {
    /// After a panic: whoever comes next gets a new fan, and whoever was here sees its answer break off.
    fn drop(&mut self) {
        let mut open = self.fans.open();
        self.leave(&mut open);
        self.fan.arrived().clear();
    }
}

enum Written {
    All,
    Some,
}

impl Seat {
    /// Writes the rest of a frame, then the newest if it has not been seen.
    fn write(&mut self, newest: Option<&Arc<Packet>>) -> io::Result<Written> {
        loop {
            let (packet, from) = match self.rest.take() {
                Some(rest) => rest,
                None => match newest.filter(|packet| packet.frame.sequence > self.viewer.seen()) {
                    Some(packet) => (Arc::clone(packet), 0),
                    None => return Ok(Written::All),
                },
            };
            match self.socket.try_write(|tcp| packet.write(tcp, from)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    if from == 0 {
                        self.viewer.took(&packet.frame);
                    }
                    if from + written < packet.len() {
                        self.rest = Some((packet, from + written));
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    // Not begun: there may be a newer one when there is room.
                    self.rest = (from > 0).then_some((packet, from));
                    return Ok(Written::Some);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {
                    self.rest = (from > 0).then_some((packet, from));
                }
                Err(e) => return Err(e),
            }
        }
    }
}

/// The body that hyper sees: the first delimiter, then nothing until the stream has ended.
struct Answer {
    fans: Fans,
    socket: Socket,
    gone: Arc<AtomicBool>,
    at: At,
}

enum At {
    /// Holds the viewer until its socket is asked for.
    Beginning(Option<Viewer>),
    Asking(Option<Viewer>),
    Lent {
        ended: oneshot::Receiver<()>,
        fan: Arc<Mutex<Option<Arc<Fan>>>>,
    },
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<http_body::Frame<Bytes>>>> {
        let this = &mut *self;
        loop {
            match &mut this.at {
                At::Beginning(viewer) => {
                    this.at = At::Asking(viewer.take());
                    let first = http_body::Frame::data(Bytes::from_static(DELIMITER));
                    return Poll::Ready(Some(Ok(first)));
                }
                At::Asking(viewer) => {
                    let viewer = viewer.take().expect("it is taken once, here");
                    this.at = this.lend(viewer);
                }
                At::Lent { ended, .. } => {
                    return Pin::new(ended).poll(context).map(|ended| match ended {
                        Ok(()) => None,
                        Err(_) => Some(Err(io::ErrorKind::BrokenPipe.into())),
                    });
                }
            }
        }
    }
}

impl Answer {
    fn lend(&self, viewer: Viewer) -> At {
        let (sender, ended) = oneshot::channel();
        let seat = Seat {
            viewer,
            socket: self.socket.clone(),
            gone: Arc::clone(&self.gone),
            ended: sender,
            rest: None,
            full: false,
        };
        let fan = Arc::new(Mutex::new(None));
        let (fans, joined) = (self.fans.clone(), Arc::clone(&fan));
        self.socket.lend(move || {
            let fan = fans.seat(seat);
            *joined.lock().expect("no code that can panic runs under this lock") = Some(fan);
        });
        At::Lent { ended, fan }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
        self.socket.take_back();
        if let At::Lent { fan, .. } = &self.at
            && let Some(fan) = &*fan.lock().expect("no code that can panic runs under this lock")
        {
            fan.changed.notify_one();
        }
    }
}
