//! One answer before it is HTTP, and what faults of the transport make of it.
//!
//! Called by the routes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::{Body, Broken, Content};
use crate::dice::Dice;
use crate::fault::{Fault, Scope};
use crate::world::{Channel, Kind, Look, World};

pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    headers: Vec<(HeaderName, String)>,
    content: Content,
    about: Option<(Arc<Channel>, Kind)>,
}

pub(super) const PLAYLIST: &str = "application/vnd.apple.mpegurl";
const HTML: &str = "<!DOCTYPE html><html><head><title>Please wait</title></head><body><h1>Checking your browser\
    </h1><p>This is not what was asked for.</p></body></html>";

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let content = Content::Whole(body.into());
        Self { status, content_type, headers: Vec::new(), content, about: None }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{text}\n"))
    }

    pub(super) fn json(status: u16, value: &impl serde::Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::new(status, "application/json", body),
            Err(e) => Self::text(500, &e.to_string()),
        }
    }

    pub(super) fn html() -> Self {
        Self::new(200, "text/html; charset=utf-8", HTML)
    }

    pub(super) fn playlist(text: String) -> Self {
        Self::new(200, PLAYLIST, text)
    }

    /// With another content; the rest stays.
    pub(super) fn with(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// Says that ranges are understood, and which this is.
    pub(super) fn ranged(mut self, range: Option<(std::ops::Range<usize>, usize)>) -> Self {
        self.headers.push((ACCEPT_RANGES, "bytes".to_owned()));
        if let Some((range, whole)) = range {
            self.status = 206;
            let said = format!("bytes {}-{}/{whole}", range.start, range.end.saturating_sub(1));
            self.headers.push((CONTENT_RANGE, said));
        }
        self
    }

    pub(super) fn unsatisfiable(whole: usize) -> Self {
        let mut reply = Self::text(416, "the range lies outside");
        reply.headers.push((CONTENT_RANGE, format!("bytes */{whole}")));
        reply
    }

    /// Names what the answer is about, counts it, and lets the channel's fault at it.
    pub(super) fn about(mut self, world: &World, channel: &Arc<Channel>, kind: Kind, look: &Look) -> Self {
        let before = channel.counters.asked(kind);
        world.all_counters().asked(kind);
        self.about = Some((Arc::clone(channel), kind));
        match look.acting() {
            Some(fault) => self.struck(world, fault, channel, kind, before),
            None => self,
        }
    }

    fn struck(mut self, world: &World, fault: &Fault, channel: &Channel, kind: Kind, before: u64) -> Self {
        let scope = match kind {
            Kind::Token => Scope::Token,
            Kind::Master => Scope::Master,
            Kind::Playlist => Scope::Playlist,
            Kind::Segment => Scope::Segment,
        };
        match fault {
            Fault::ServerErrors { probability, status, on } if on.includes(scope) => {
                let mut dice = Dice::new(world.settings().seed, &channel.name, before << 3 | kind as u64);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
                let millionths = (probability.clamp(0.0, 1.0) * 1e6) as u64;
                if dice.chance(millionths) {
                    let about = self.about.take();
                    self = Self::text((*status).clamp(400, 599), "an error of the server");
                    self.about = about;
                }
            }
            Fault::Stall { on } if on.includes(scope) => {
                self.content = Content::Stalled(self.content.len().unwrap_or(1_000).max(1));
            }
            Fault::Trickle { on } if on.includes(scope) => {
                self.content = paced(self.content, 1, Duration::from_secs(1));
            }
            Fault::Slow { bytes_per_second, on } if on.includes(scope) => {
                let piece = (*bytes_per_second as usize / 10).max(1);
                self.content = paced(self.content, piece, Duration::from_millis(100));
            }
            Fault::Reset { on } if on.includes(scope) => {
                self.content = match self.content {
                    Content::Whole(bytes) => {
                        Content::Broken { start: bytes.slice(..bytes.len() / 2), said: bytes.len().max(1) }
                    }
                    other => Content::Broken { start: Bytes::new(), said: other.len().unwrap_or(1_000) },
                };
            }
            _ => {}
        }
        self
    }

    pub(super) fn into_response(self, world: &World, broken: &Broken, head: bool) -> Response<Body> {
        if self.status >= 400 {
            let count = |counters: &crate::world::Counters| {
                counters.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            };
            count(world.all_counters());
            if let Some((channel, _)) = &self.about {
                count(&channel.counters);
            }
        }
        if self.status == 206
            && let Some((channel, _)) = &self.about
        {
            channel.counters.ranges.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            world.all_counters().ranges.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        let said = self.content.len();
        let content = if head { Content::Whole(Bytes::new()) } else { self.content };
        let mut response = Response::new(Body::new(content, Arc::clone(broken), world.clone(), self.about));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let (true, Some(said)) = (head, said) {
            headers.insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(said));
        }
        for (name, value) in self.headers {
            headers.insert(name, HeaderValue::try_from(value).expect("digits and slashes"));
        }
        response
    }
}

fn paced(content: Content, piece: usize, pause: Duration) -> Content {
    match content {
        Content::Whole(rest) => Content::Paced { rest, piece, pause },
        other => other,
    }
}
