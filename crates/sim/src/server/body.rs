//! Bodies of answers: bytes at once, or as a bad server sends them.
//!
//! Called by the routes; hyper polls them. Counts what it hands out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use crate::world::{Channel, Kind, World};

/// What a body is made of.
pub(super) enum Content {
    Whole(Bytes),
    /// Pieces made when they are wanted; the length is not said.
    Made(Box<dyn FnMut() -> Option<Bytes> + Send>),
    /// The length is said, the bytes never come.
    Stalled(usize),
    /// So many bytes, again after each pause.
    Paced {
        rest: Bytes,
        piece: usize,
        pause: Duration,
    },
    /// These bytes of so many, then the connection breaks.
    Broken {
        start: Bytes,
        said: usize,
    },
    /// What there is of a segment in the making at each moment; the length is not said. `ready` says how many
    /// bytes there are.
    Growing {
        whole: Bytes,
        sent: usize,
        ready: Box<dyn Fn() -> usize + Send>,
    },
}

impl Content {
    /// Bytes that will be said to come; `None` when that isn't known.
    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Whole(bytes) => Some(bytes.len()),
            Self::Made(_) | Self::Growing { .. } => None,
            Self::Stalled(said) | Self::Broken { said, .. } => Some(*said),
            Self::Paced { rest, .. } => Some(rest.len()),
        }
    }
}

/// The connection's last word: set, it ends with RST.
pub(super) type Broken = Arc<AtomicBool>;

#[derive(Debug, thiserror::Error)]
#[error("broken off on purpose")]
pub(super) struct BrokenOff;

pub(super) struct Body {
    content: Content,
    broken: Broken,
    timer: Option<Pin<Box<Sleep>>>,
    world: World,
    about: Option<(Arc<Channel>, Kind)>,
}

/// How often a growing body looks whether there is more.
const GROWTH: Duration = Duration::from_millis(50);

impl Body {
    pub(super) fn new(
        content: Content,
        broken: Broken,
        world: World,
        about: Option<(Arc<Channel>, Kind)>,
    ) -> Self {
        Self { content, broken, timer: None, world, about }
    }

    fn count(&self, bytes: usize) {
        let kind = self.about.as_ref().map(|(_, kind)| *kind);
        self.world.all_counters().sent(kind, bytes);
        if let Some((channel, _)) = &self.about {
            channel.counters.sent(kind, bytes);
        }
    }

    fn wait(&mut self, pause: Duration, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(pause)));
        ready!(timer.as_mut().poll(context));
        self.timer = None;
        Poll::Ready(())
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        match &mut self.content {
            Content::Whole(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)))
            }
            Content::Made(next) => Poll::Ready(next().map(Ok)),
            Content::Stalled(0) => Poll::Ready(None),
            Content::Stalled(_) => Poll::Pending,
            Content::Paced { rest, pause, .. } => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                let pause = *pause;
                ready!(self.wait(pause, context));
                let Content::Paced { rest, piece, .. } = &mut self.content else {
                    unreachable!("looked above")
                };
                let piece = (*piece).min(rest.len());
                Poll::Ready(Some(Ok(rest.split_to(piece))))
            }
            Content::Broken { start, .. } => {
                if !start.is_empty() {
                    return Poll::Ready(Some(Ok(std::mem::take(start))));
                }
                // The bytes before must have gone out before the connection does.
                ready!(self.wait(GROWTH, context));
                self.broken.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(BrokenOff)))
            }
            Content::Growing { .. } => self.grown(context),
        }
    }

    fn grown(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BrokenOff>>> {
        loop {
            let Content::Growing { whole, sent, ready } = &mut self.content else {
                unreachable!("called for nothing else")
            };
            if *sent == whole.len() {
                return Poll::Ready(None);
            }
            let there = ready().min(whole.len());
            if there > *sent {
                let piece = whole.slice(*sent..there);
                *sent = there;
                return Poll::Ready(Some(Ok(piece)));
            }
            ready!(self.wait(GROWTH, context));
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let next = ready!(self.next(context));
        if let Some(Ok(bytes)) = &next {
            self.count(bytes.len());
        }
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.content.len() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.content.len().map_or_else(SizeHint::default, |len| SizeHint::with_exact(len as u64))
    }
}
