//! What is not HLS: RTMP, RTSP, SRT, a video over HTTP, a file. A demuxer stays open on a thread of its own and keeps the
//! newest keyframe.
//!
//! Called by the puller. The thread starts with the first capture and ends when nobody has asked for a while, when the feed
//! is dropped, or when the input ends. Nothing is decoded.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use media::keyframe::Keyframe;
use media::live::Source;
use tokio::sync::watch;
use url::Url;

mod bridge;
mod control;
mod reader;

use super::failure::{Cause, Failure, FailureKind};
use super::flow;
use super::pull::{Captured, Shared};
use crate::base::clock::{MediaTime, Monotonic};
use crate::egress::{self, Request, Trust};
use crate::streams::{Flow, Pace, Stop};
use bridge::Bridge;
use control::Control;
use reader::{Input, Reader};

/// A thread is kept at least so long after the last capture.
const IDLE_AT_LEAST: Duration = Duration::from_secs(30);
/// FFmpeg's demuxers need little.
const STACK_BYTES: usize = 1 << 20;

/// One input that is kept open between captures.
pub(super) struct Feed {
    origin: Origin,
    running: Option<Running>,
    /// Number of the last keyframe taken.
    taken: u64,
    asked: Option<Monotonic>,
}

#[derive(Clone, Debug)]
enum Origin {
    Url { url: Url, trust: Trust },
    Web { url: Url, trust: Trust },
    File(PathBuf),
}

/// What the thread has to say.
#[derive(Clone, Debug, Default)]
struct State {
    /// Counted from 1.
    number: u64,
    newest: Option<Shot>,
    ended: Option<Failure>,
}

/// A keyframe and when it was seen.
#[derive(Clone, Debug)]
struct Shot {
    keyframe: Keyframe,
    media_time: MediaTime,
    media_time_error: Duration,
}

struct Running {
    state: watch::Receiver<State>,
    control: Ender,
}

/// Dropped, it ends what it controls.
struct Ender(Arc<Control>);

impl Drop for Ender {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Feed {
    pub(super) fn url(url: Url, trust: Trust) -> Self {
        Self::new(Origin::Url { url, trust })
    }

    /// A video over HTTP.
    pub(super) fn web(url: Url, trust: Trust) -> Self {
        Self::new(Origin::Web { url, trust })
    }

    pub(super) fn file(path: PathBuf) -> Self {
        Self::new(Origin::File(path))
    }

    fn new(origin: Origin) -> Self {
        Self { origin, running: None, taken: 0, asked: None }
    }

    pub(super) fn host(&self) -> Option<&str> {
        match &self.origin {
            Origin::Url { url, .. } | Origin::Web { url, .. } => url.host_str(),
            Origin::File(_) => None,
        }
    }

    /// The newest keyframe that was not taken yet; waits for one.
    pub(super) async fn newest(&mut self, shared: &Arc<Shared>) -> Result<Captured, Failure> {
        let now = shared.clock.now();
        let pause = self.asked.replace(now).map_or(Duration::ZERO, |last| now.since(last));
        let idle = pause.saturating_mul(3).max(IDLE_AT_LEAST);
        let ended = |running: &Running| running.state.borrow().ended.is_some();
        let running = match self.running.take().filter(|running| !ended(running)) {
            Some(running) => running,
            None => {
                self.taken = 0;
                self.start(shared).await?
            }
        };
        let running = self.running.insert(running);
        running.control.0.asked(now, idle);
        let taken = self.taken;
        let news = |state: &State| state.number > taken || state.ended.is_some();
        let state = match running.state.wait_for(news).await {
            Ok(state) => state.clone(),
            Err(_) => State::default(),
        };
        if let Some(shot) = state.newest.filter(|_| state.number > taken) {
            self.taken = state.number;
            return Ok(captured(shot));
        }
        self.running = None;
        let failure = state.ended.unwrap_or_else(|| Failure::error(Cause::Input, "reading it failed"));
        Err(self.explained(shared, failure).await)
    }

    /// Opened to be read in full until `stop`.
    pub(super) async fn flow(&self, shared: &Arc<Shared>, stop: &Stop) -> Result<Flow, Failure> {
        let control = Arc::new(Control::of(stop));
        let (sources, pace) = match self.input(shared, &control).await? {
            Input::File(path) => (vec![Source::File(path)], Pace::Looped),
            Input::Web { bridge, paced } => {
                let pace = if paced { Pace::Looped } else { Pace::Live };
                let source =
                    if bridge.can_seek() { Source::Seekable(bridge) } else { Source::Reader(bridge) };
                (vec![source], pace)
            }
            Input::Url { url, addresses } => {
                let at = |address| Source::Url { url: url.clone(), address: Some(address) };
                (addresses.into_iter().take(reader::MOST_ADDRESSES).map(at).collect(), Pace::Live)
            }
        };
        Ok(Flow { sources, options: flow::options(), pace })
    }

    /// FFmpeg doesn't tell what it has against a certificate: we do.
    async fn explained(&self, shared: &Shared, failure: Failure) -> Failure {
        match &self.origin {
            Origin::Url { url, trust }
                if url.scheme() == "rtmps" && failure.kind == FailureKind::Error(Cause::Input) =>
            {
                match shared.client.shake_hands(url, *trust).await {
                    Err(e @ egress::Error::Tls { .. }) => Failure::request(&e, "the address", Cause::Input),
                    Ok(()) | Err(_) => failure,
                }
            }
            Origin::Url { .. } | Origin::Web { .. } | Origin::File(_) => failure,
        }
    }

    async fn start(&self, shared: &Arc<Shared>) -> Result<Running, Failure> {
        let Ok(slot) = Arc::clone(&shared.live_slots).try_acquire_owned() else {
            return Err(Failure::error(Cause::Input, "too many inputs are kept open already"));
        };
        let (tell, state) = watch::channel(State::default());
        let control = Ender(Control::new(&shared.tasks));
        let input = self.input(shared, &control.0).await?;
        let reader = Reader { input, control: Arc::clone(&control.0), clock: shared.clock.clone(), tell };
        let work = move || {
            let _slot = slot;
            reader.run();
        };
        let started = shared.tasks.thread("pull-input", STACK_BYTES, work);
        started.map_err(|e| Failure::error(Cause::Input, e.detail().to_owned()))?;
        Ok(Running { state, control })
    }

    async fn input(&self, shared: &Arc<Shared>, control: &Arc<Control>) -> Result<Input, Failure> {
        match &self.origin {
            Origin::File(path) => Ok(Input::File(path.clone())),
            Origin::Url { url, trust } => {
                let host = url.host_str().unwrap_or_default();
                let found = shared.client.resolve(host, *trust).await;
                let found = found.map_err(|e| Failure::request(&e, "the address", Cause::Input))?;
                Ok(Input::Url { url: url.to_string(), addresses: found })
            }
            Origin::Web { url, trust } => {
                let request = Request { range: Some(0..1), ..Request::new(url, *trust, u64::MAX) };
                let failed = |e| Failure::request(&e, "the video", Cause::Input);
                let body = shared.client.get(request).await.and_then(egress::Body::ok).map_err(failed)?;
                let part = body.content_range.filter(|_| body.status == 206);
                let length = part.map_or(body.length.filter(|_| body.status == 200), |part| part.total);
                let bridge = Bridge::new(
                    shared.client.clone(),
                    (body.url.clone(), body.trust),
                    length.filter(|_| part.is_some()),
                    control,
                );
                body.settle().await;
                Ok(Input::Web { bridge: Box::new(bridge), paced: length.is_some() })
            }
        }
    }
}

fn captured(shot: Shot) -> Captured {
    let bytes = shot.keyframe.data.len() as u64;
    Captured {
        media_time: shot.media_time,
        media_time_error: shot.media_time_error,
        fetched_bytes: bytes,
        keyframe_bytes: bytes,
        keyframe: shot.keyframe,
        segment: None,
    }
}
