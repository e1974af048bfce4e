//! One pull stream: from what it follows to a keyframe, whenever one is asked for.
//!
//! Called by whoever captures, one capture at a time. Has no task of its own, so that ten thousand of them cost memory only;
//! knows nothing of schedules, and nothing of what becomes of a picture. Between captures it remembers where the stream is,
//! so that a capture that is dropped half-way loses nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use media::keyframe::Keyframe;
use media::m3u8::{Master, Variant};
use tokio::sync::Semaphore;
use url::Url;

use super::failure::{Cause, Failure};
use super::hls::{Hls, SegmentInfo, Stop};
use super::quality::{Quality, pick};
use super::target::{Login, Target};
use super::twitch::{self, Token};
use super::{flow, live, web};
use crate::base::clock::{Clock, MediaTime, Monotonic};
use crate::base::tasks::Tasks;
use crate::egress::{Client, Trust};
use crate::streams::{self, Flow};

/// What all pullers share.
pub struct Shared {
    pub client: Client,
    pub clock: Clock,
    pub tasks: Tasks,
    pub twitch: ArcSwap<twitch::Settings>,
    /// Tokens asked for at once: a start with hundreds of channels must not look like an attack.
    pub(super) token_slots: Semaphore,
    /// The program that knows other sites.
    pub streamlink: PathBuf,
    pub(super) streamlink_slots: Semaphore,
    /// Threads that keep a demuxer open.
    pub(super) live_slots: Arc<Semaphore>,
    /// Servers that ignore `Range`, and when to try them again.
    no_ranges: Mutex<HashMap<String, Monotonic>>,
}

impl Shared {
    const TOKENS: usize = 16;
    const STREAMLINKS: usize = 4;
    const LIVE: usize = 256;
    /// Servers without ranges remembered, and for how long.
    const NO_RANGES: usize = 1024;
    const NO_RANGES_FOR: Duration = Duration::from_secs(600);

    pub fn new(client: Client, clock: Clock, tasks: Tasks, twitch: twitch::Settings) -> Self {
        Self {
            client,
            clock,
            tasks,
            twitch: ArcSwap::from_pointee(twitch),
            token_slots: Semaphore::new(Self::TOKENS),
            streamlink: PathBuf::from("streamlink"),
            streamlink_slots: Semaphore::new(Self::STREAMLINKS),
            live_slots: Arc::new(Semaphore::new(Self::LIVE)),
            no_ranges: Mutex::default(),
        }
    }

    /// Whether the server of `url` may be asked for ranges.
    pub(super) fn ranges_work(&self, url: &Url) -> bool {
        let known = self.no_ranges.lock().expect("no code that can panic runs under this lock");
        if known.is_empty() {
            return true;
        }
        known.get(&url[..url::Position::AfterPort]).is_none_or(|&until| until <= self.clock.now())
    }

    pub(super) fn note_no_ranges(&self, url: &Url) {
        let now = self.clock.now();
        let mut known = self.no_ranges.lock().expect("no code that can panic runs under this lock");
        if known.len() >= Self::NO_RANGES {
            known.retain(|_, until| *until > now);
        }
        if known.len() < Self::NO_RANGES {
            known.insert(url[..url::Position::AfterPort].to_owned(), now + Self::NO_RANGES_FOR);
        }
    }
}

/// One keyframe and where it is from.
#[derive(Clone, Debug)]
pub struct Captured {
    pub keyframe: Keyframe,
    pub media_time: MediaTime,
    pub media_time_error: Duration,
    /// Bytes of segments fetched for it; playlists are in [`Puller::fetched_bytes`].
    pub fetched_bytes: u64,
    /// Of the coded picture.
    pub keyframe_bytes: u64,
    /// `None` for what has no segments.
    pub segment: Option<SegmentInfo>,
}

/// What is known of a stream, for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// The chosen variant's name, e.g. `720p60`.
    pub variant: Option<String>,
    /// Its width and height, as its list says.
    pub size: Option<(u32, u32)>,
    /// Where the bytes come from.
    pub host: Option<String>,
    /// Since the playlist was read.
    pub playlist_age: Option<Duration>,
    /// Since the newest segment was first listed.
    pub segment_age: Option<Duration>,
}

/// Follows one target.
pub struct Puller {
    target: Target,
    trust: Trust,
    shared: Arc<Shared>,
    quality: Quality,
    source: Source,
    /// What the source was resolved from knows better by now.
    stale: bool,
    /// The qualities there are, where there is a choice.
    list: Option<List>,
    token: Option<Token>,
    /// After a renewal failed: not again before this.
    renew_after: Monotonic,
    variant: Option<Variant>,
    fetched: u64,
    stage: &'static str,
}

enum Source {
    Unresolved,
    Hls(Box<Hls>),
    Live(live::Feed),
}

/// A list of qualities and where it is from.
struct List {
    master: Master,
    url: Url,
    trust: Trust,
}

impl Puller {
    /// A renewal that failed is tried again after this.
    const RENEW_AGAIN: Duration = Duration::from_secs(30);

    pub fn new(target: Target, trust: Trust, shared: Arc<Shared>, quality: Quality) -> Self {
        Self {
            target,
            trust,
            shared,
            quality,
            source: Source::Unresolved,
            stale: true,
            list: None,
            token: None,
            renew_after: Monotonic::default(),
            variant: None,
            fetched: 0,
            stage: "",
        }
    }

    /// The newest keyframe, within `deadline` in all. A future that is dropped leaves the puller usable.
    ///
    /// # Errors
    /// A state with a reason; see [`Failure`].
    pub async fn capture(&mut self, deadline: Duration) -> Result<Captured, Failure> {
        self.stage = "beginning";
        let until = self.shared.clock.now() + deadline;
        match tokio::time::timeout(deadline, self.once(until)).await {
            Ok(done) => done,
            Err(_) => {
                let (seconds, stage) = (deadline.as_secs_f64(), self.stage);
                Err(Failure::error(Cause::Timeout, format!("not done within {seconds} s: {stage}")))
            }
        }
    }

    /// Opens what it leads to, to be read in full until `stop`.
    pub(super) async fn open(mut self, stop: &streams::Stop) -> Result<Flow, Failure> {
        self.resolve().await?;
        match self.source {
            Source::Unresolved => Err(Failure::error(Cause::Resolve, "the address leads to no video")),
            Source::Live(feed) => feed.flow(&self.shared, stop).await,
            Source::Hls(mut hls) => {
                let pace = hls.begin(&self.shared).await.map_err(|stop| match stop {
                    Stop::Failure(failure) => failure,
                    Stop::Stale(status) => gone(status),
                })?;
                Ok(flow::segments(*hls, pace, &self.shared, stop))
            }
        }
    }

    /// Since the playlist first named its newest segment; `None` for what has none.
    pub fn playlist_age(&self) -> Option<Duration> {
        match &self.source {
            Source::Hls(hls) => hls.ages(self.shared.clock.now()).segment,
            Source::Unresolved | Source::Live(_) => None,
        }
    }

    /// Whether the playlist should be read before the next capture, so that no segment passes by unseen.
    pub fn is_overdue(&self) -> bool {
        match &self.source {
            Source::Hls(hls) if !self.stale => hls.is_overdue(self.shared.clock.now()),
            Source::Hls(_) | Source::Unresolved | Source::Live(_) => false,
        }
    }

    /// Reads the playlist and fetches nothing else; what is wrong with it is for the next capture to say.
    pub async fn follow(&mut self, deadline: Duration) {
        let Source::Hls(hls) = &mut self.source else { return };
        let read = tokio::time::timeout(deadline, hls.follow(&self.shared, &mut self.fetched)).await;
        if let Ok(Err(Stop::Stale(status))) = read {
            self.forget(status);
        }
    }

    /// Takes effect at the next capture.
    pub fn set_quality(&mut self, quality: Quality) {
        self.stale |= std::mem::replace(&mut self.quality, quality) != quality && self.list.is_some();
    }

    /// The last segments, oldest first; none for what has no segments.
    pub fn segments(&self) -> impl Iterator<Item = &SegmentInfo> {
        let hls = match &self.source {
            Source::Hls(hls) => Some(hls),
            Source::Unresolved | Source::Live(_) => None,
        };
        hls.into_iter().flat_map(|hls| hls.segments())
    }

    /// Bytes of bodies fetched since the start, of playlists and segments, whatever became of them.
    pub fn fetched_bytes(&self) -> u64 {
        self.fetched
    }

    pub fn details(&self) -> Details {
        let mut details = Details {
            variant: self.variant.as_ref().and_then(|variant| variant.name.clone()),
            size: self.variant.as_ref().and_then(|variant| variant.resolution),
            ..Details::default()
        };
        match &self.source {
            Source::Unresolved => {}
            Source::Hls(hls) => {
                let ages = hls.ages(self.shared.clock.now());
                details.host = hls.url().host_str().map(str::to_owned);
                (details.playlist_age, details.segment_age) = (ages.playlist, ages.segment);
            }
            Source::Live(feed) => details.host = feed.host().map(str::to_owned),
        }
        details
    }

    async fn once(&mut self, until: Monotonic) -> Result<Captured, Failure> {
        self.renew().await?;
        let mut renewed = false;
        loop {
            if self.stale {
                self.resolve().await?;
                self.stale = false;
            }
            let stop = match &mut self.source {
                Source::Unresolved => {
                    return Err(Failure::error(Cause::Resolve, "the address leads to no video"));
                }
                Source::Live(feed) => {
                    self.stage = "waiting for a keyframe";
                    let taken = feed.newest(&self.shared).await;
                    self.stale = taken.is_err();
                    return taken;
                }
                Source::Hls(hls) => {
                    match hls.capture(&self.shared, until, &mut self.fetched, &mut self.stage).await {
                        Ok(captured) => return Ok(captured),
                        Err(stop) => stop,
                    }
                }
            };
            match stop {
                Stop::Failure(failure) => return Err(failure),
                Stop::Stale(status) => {
                    self.forget(status);
                    if renewed {
                        return Err(gone(status));
                    }
                    renewed = true;
                }
            }
        }
    }

    /// What was resolved no longer works. What is known of the segments stays: it may be the same broadcast.
    fn forget(&mut self, status: u16) {
        (self.stale, self.list) = (true, None);
        if matches!(status, 401 | 403) {
            self.token = None;
        }
    }

    /// Renews what was resolved before its token ends. Failing that, what there is is used as long as it works.
    async fn renew(&mut self) -> Result<(), Failure> {
        let now = self.shared.clock.now();
        let due = self.token.as_ref().is_some_and(|token| token.renew_at <= now && self.renew_after <= now);
        let (Target::Twitch(login), Source::Hls(_), true) = (&self.target, &self.source, due) else {
            return Ok(());
        };
        let login = login.clone();
        self.renew_after = now + Self::RENEW_AGAIN;
        self.list = None;
        match self.resolve_twitch(&login).await {
            Err(failure) if failure.kind == super::FailureKind::Offline => {
                self.stale = true;
                Err(failure)
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    async fn resolve(&mut self) -> Result<(), Failure> {
        if self.list.is_some() {
            return self.choose();
        }
        match self.target.clone() {
            Target::Twitch(login) => self.resolve_twitch(&login).await,
            Target::Web(url) => {
                let found = web::look(&self.shared, &url, self.trust, self.quality, &mut self.stage).await?;
                match found {
                    web::Found::List { master, url, trust } => {
                        self.list = Some(List { master, url, trust });
                        self.choose()?;
                    }
                    web::Found::Playlist { url, trust } => match &mut self.source {
                        Source::Hls(hls) => hls.move_to(url, trust),
                        source => *source = Source::Hls(Box::new(Hls::new(url, trust, false))),
                    },
                    web::Found::Video { url, trust } => {
                        self.source = Source::Live(live::Feed::web(url, trust));
                    }
                }
                Ok(())
            }
            Target::Live(url) => {
                self.source = Source::Live(live::Feed::url(url, self.trust));
                Ok(())
            }
            Target::File(path) => {
                self.source = Source::Live(live::Feed::file(path));
                Ok(())
            }
        }
    }

    async fn resolve_twitch(&mut self, login: &Login) -> Result<(), Failure> {
        for _ in 0..2 {
            let token = match self.token.clone().filter(|token| self.shared.clock.now() < token.renew_at) {
                Some(token) => token,
                None => {
                    self.stage = "asking for a token";
                    let token = twitch::token(&self.shared, login).await?;
                    self.token.insert(token).clone()
                }
            };
            self.stage = "asking for the list of qualities";
            match twitch::qualities(&self.shared, login, &token).await {
                Ok((master, url, trust)) => {
                    self.list = Some(List { master, url, trust });
                    return self.choose();
                }
                Err(Some(failure)) => return Err(failure),
                Err(None) => self.token = None,
            }
        }
        Err(Failure::error(Cause::Token, format!("Twitch does not take its own token for {login}")))
    }

    /// Chooses among the qualities of the list, and goes on there.
    fn choose(&mut self) -> Result<(), Failure> {
        let list = self.list.as_ref().expect("it was read");
        let Some(variant) = pick(&list.master.variants, self.quality) else {
            return Err(Failure::error(Cause::NoVideo, "there is no quality with a picture"));
        };
        let url = list.url.join(&variant.uri);
        let url = url.map_err(|_| Failure::error(Cause::Resolve, "the list names no address"))?;
        let trust = list.trust.through(&list.url, &url);
        let same = self.variant.as_ref().is_some_and(|old| alike(old, variant));
        self.variant = Some(variant.clone());
        match &mut self.source {
            Source::Hls(hls) if same => hls.move_to(url, trust),
            source => {
                let live = matches!(self.target, Target::Twitch(_));
                *source = Source::Hls(Box::new(Hls::new(url, trust, live)));
            }
        }
        Ok(())
    }
}

/// Whether two lists mean the same quality, though their addresses differ.
fn alike(old: &Variant, new: &Variant) -> bool {
    (&old.name, old.resolution, old.bandwidth) == (&new.name, new.resolution, new.bandwidth)
}

fn gone(status: u16) -> Failure {
    match status {
        404 | 410 => Failure::offline(format!("there is no playlist any more ({status})")),
        _ => Failure::error(Cause::Playlist, format!("the server refuses the video ({status})")),
    }
}
