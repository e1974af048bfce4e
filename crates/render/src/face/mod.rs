//! What one layer shows: its pictures, which are drawn again only when something about them is other than before.

pub(crate) mod effects;
pub(crate) mod finish;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pixels::compose::{Affine, Rect};
use scene::content::{Chat, Lost, Sprite, StreamPicture, Ticker};
use scene::frame::{Drawn, Versions};
use scene::store::Message;
use scene::{Content, Layer, Store};

use crate::op::{Key, Op, share};
use crate::studio::{Job, Made, Said, Shown, Studio, Ticket};
use crate::world::{Feed, Source, Want, World};

const FAILED: &str = "drawing it failed; it is left out until it shows something else";

/// What a face is drawn from, as numbers: as long as they are the same, so is the face.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Basis {
    content: u64,
    effects: u64,
    /// Of the files it shows.
    files: u64,
    /// What of it follows from the time: a clock's second, how far messages have faded.
    time: u64,
}

/// The pictures of a layer.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) owner: u64,
    basis: Basis,
    asked: u64,
    /// The newest that came.
    taken: u64,
    shown: Shown,
    /// Another one whenever `shown` is.
    version: u64,
    feed: Feed,
    /// Why the newest picture could not be drawn.
    pub(crate) error: Option<String>,
    failed: Arc<AtomicBool>,
    /// The layer with which it failed in a way that nobody foresaw.
    gave_up: Option<Versions>,
    /// Program time until which the sound that drives it counts as loud.
    loud_until: f64,
    /// The frame it was last seen in.
    pub(crate) seen: u64,
}

/// What a face is told when a frame begins.
pub(crate) struct Moment<'a> {
    pub(crate) world: &'a dyn World,
    /// Program time in ms.
    pub(crate) now: f64,
    /// Messages of the chat, oldest first.
    pub(crate) store: &'a Store,
    /// Width of the canvas in px.
    pub(crate) width: f64,
}

impl Face {
    pub(crate) fn new(owner: u64) -> Self {
        Self {
            owner,
            basis: Basis::default(),
            asked: 0,
            taken: 0,
            shown: Shown::default(),
            version: 0,
            feed: Feed::default(),
            error: None,
            failed: Arc::default(),
            gave_up: None,
            loud_until: f64::NEG_INFINITY,
            seen: 0,
        }
    }

    /// Asks for what has to be drawn anew.
    pub(crate) fn look(&mut self, drawn: &Drawn<'_>, moment: &Moment<'_>, studio: &mut dyn Studio) {
        let layer = drawn.layer;
        match &layer.content {
            Content::Group(_) => {}
            Content::Stream(stream) => {
                let feed = moment.world.feed(&Want {
                    owner: self.owner,
                    source: Source::Stream(&stream.name),
                    size: (stream.width, stream.height),
                    fit: stream.fit,
                    crop: stream.crop,
                    corner_radius: stream.corner_radius,
                    effects: &layer.effects,
                });
                self.tune(feed);
                self.slate(stream, moment, studio);
            }
            Content::Video(video) => {
                let feed = moment.world.feed(&Want {
                    owner: self.owner,
                    source: Source::Video {
                        src: &video.src,
                        looped: video.looped,
                        alpha: video.alpha,
                        at: moment.now - video.start_at.unwrap_or(0.0),
                    },
                    size: (video.width, video.height),
                    fit: video.fit,
                    crop: scene::content::Crop::default(),
                    corner_radius: 0.0,
                    effects: &layer.effects,
                });
                self.tune(feed);
            }
            content => {
                if let Content::Sprite(sprite) = content {
                    self.listen(sprite, moment);
                }
                self.redraw(layer, drawn.versions, moment, studio);
            }
        }
        if self.failed.load(Ordering::Relaxed) && self.error.is_none() {
            self.error = Some(FAILED.to_owned());
        }
    }

    /// Hears whether what drives the sprite is loud.
    fn listen(&mut self, sprite: &Sprite, moment: &Moment<'_>) {
        let Some(driver) = &sprite.driven_by else { return };
        let level = moment.world.level(&driver.source);
        if level > 0.0 && level >= driver.threshold {
            self.loud_until = moment.now + driver.hold;
        }
    }

    /// Takes what its source shows now. A picture that failed to be laid is not tried again, the next one is.
    fn tune(&mut self, feed: Feed) {
        let anew = feed.version != self.feed.version;
        if anew && self.failed.load(Ordering::Relaxed) {
            self.failed = Arc::default();
        }
        if feed.trouble != self.feed.trouble || (anew && self.error.is_some()) {
            self.error = feed.trouble.map(str::to_owned);
        }
        self.feed = feed;
    }

    /// Whether it is left alone until the layer is another.
    pub(crate) fn gave_up(&self, versions: Versions) -> bool {
        self.gave_up == Some(versions)
    }

    /// Something about it went wrong in a way that nobody foresaw.
    pub(crate) fn fail(&mut self, versions: Versions) {
        self.gave_up = Some(versions);
        self.failed.store(true, Ordering::Relaxed);
        self.error.get_or_insert_with(|| FAILED.to_owned());
    }

    fn redraw(&mut self, layer: &Layer, versions: Versions, moment: &Moment<'_>, studio: &mut dyn Studio) {
        let mut files = 0_u64;
        each_source(layer, &mut |src| {
            let version = moment.world.asset(src).map_or(0, |asset| asset.version + 1);
            files = files.wrapping_mul(0x100_0000_01b3).wrapping_add(version);
        });
        let time = time_key(&layer.content, moment);
        let basis = Basis { content: versions.content, effects: versions.effects, files, time };
        if basis == self.basis && self.asked > 0 {
            return;
        }
        self.basis = basis;
        self.asked += 1;
        studio.submit(Job {
            ticket: Ticket { owner: self.owner, number: self.asked },
            content: layer.content.clone(),
            files: layer.content.sources().iter().map(|src| moment.world.asset(src)).collect(),
            text: time_text(&layer.content, moment),
            messages: said(&layer.content, moment),
            effects: layer.effects.clone(),
            mask: layer
                .mask
                .as_ref()
                .and_then(|mask| mask.src.as_ref().map(|src| (moment.world.asset(src), mask.mode))),
        });
    }

    /// Has the picture drawn that stands for a lost stream.
    fn slate(&mut self, stream: &StreamPicture, moment: &Moment<'_>, studio: &mut dyn Studio) {
        let Some(src) = stream.when_lost.slate.as_ref() else { return };
        if !self.is_lost(stream) {
            return;
        }
        let asset = moment.world.asset(src);
        let basis = Basis { files: asset.as_ref().map_or(0, |asset| asset.version + 1), ..Basis::default() };
        if basis == self.basis && self.asked > 0 {
            return;
        }
        self.basis = basis;
        self.asked += 1;
        let content = Content::Image(scene::content::Image {
            src: src.clone(),
            width: stream.width,
            height: stream.height,
            fit: stream.fit,
        });
        studio.submit(Job {
            ticket: Ticket { owner: self.owner, number: self.asked },
            content,
            files: vec![asset],
            text: None,
            messages: Vec::new(),
            effects: Vec::new(),
            mask: None,
        });
    }

    fn is_lost(&self, stream: &StreamPicture) -> bool {
        self.feed.picture.is_none() || self.feed.age > stream.when_lost.after * 1000.0
    }

    /// Takes what was made for it; what was overtaken by something newer only as long as that is not there.
    ///
    /// Its pictures may take `room` bytes.
    pub(crate) fn take(&mut self, made: Made, room: usize) {
        if made.ticket.number < self.taken {
            return;
        }
        self.taken = made.ticket.number;
        let shown = made.shown.and_then(|shown| {
            let bytes = shown.memory();
            let full = || format!("its pictures would take {bytes} bytes: there is room for {room}");
            (bytes <= room).then_some(shown).ok_or_else(full)
        });
        match shown {
            Ok(shown) => {
                self.shown = shown;
                self.error = None;
                self.failed = Arc::default();
            }
            // The last picture stays.
            Err(why) => self.error = Some(why),
        }
        self.version += 1;
    }

    /// The content's box, in px.
    pub(crate) fn size(&self, layer: &Layer, canvas: (f64, f64)) -> (f64, f64) {
        match &layer.content {
            Content::Group(_) => canvas,
            Content::Ticker(ticker) => (ticker.width.unwrap_or(canvas.0), self.shown.height),
            Content::Stream(stream) if !(self.is_lost(stream) && stream.when_lost.show == Lost::Slate) => {
                self.feed_size()
            }
            Content::Video(_) => self.feed_size(),
            _ => (self.shown.width, self.shown.height),
        }
    }

    /// Bytes of its pictures.
    pub(crate) fn memory(&self) -> usize {
        self.shown.memory()
    }

    fn feed_size(&self) -> (f64, f64) {
        let of = |picture: &Arc<pixels::compose::Picture>| {
            (f64::from(picture.width()), f64::from(picture.height()))
        };
        self.feed.picture.as_ref().map_or((0.0, 0.0), |picture| self.feed.size.unwrap_or_else(|| of(picture)))
    }

    /// Calls `lay` with each picture that is to be laid now. `map` takes the content's box to where it is drawn.
    pub(crate) fn lay(
        &self,
        layer: &Layer,
        moment: &Moment<'_>,
        (map, opacity, clip): (&Affine, f64, Rect),
        lay: &mut dyn FnMut(Op),
    ) {
        let mut put = |piece: usize, picture: &Arc<pixels::compose::Picture>, version, map: Affine, clip| {
            lay(Op {
                key: Key { owner: self.owner, piece: u32::try_from(piece).unwrap_or(u32::MAX) },
                picture: Arc::clone(picture),
                version,
                map: settled(map),
                opacity: share(opacity),
                blend: layer.blend_mode,
                clip,
                failed: Arc::clone(&self.failed),
            });
        };
        let around = || Affine::moved(f64::from(self.feed.left), f64::from(self.feed.top)).then(map);
        // A picture of the face and one of the feed are never of the same version.
        let own = self.version * 2;
        let mut part = |at: usize, piece: usize, moved: f64, clip| {
            if let Some(part) = self.shown.parts.get(at) {
                let map = Affine::moved(f64::from(part.left) + moved, f64::from(part.top)).then(map);
                put(piece, &part.picture, own + ((at as u64) << 32), map, clip);
            }
        };
        match &layer.content {
            Content::Stream(stream) if self.is_lost(stream) => match stream.when_lost.show {
                Lost::Hide => {}
                Lost::Slate => part(0, 0, 0.0, clip),
                Lost::Hold => {
                    if let Some(picture) = &self.feed.picture {
                        put(0, picture, self.feed.version * 2 + 1, around(), clip);
                    }
                }
            },
            Content::Stream(_) | Content::Video(_) => {
                if let Some(picture) = &self.feed.picture {
                    put(0, picture, self.feed.version * 2 + 1, around(), clip);
                }
            }
            Content::Ticker(ticker) => self.ticker(ticker, moment, map, clip, &mut part),
            Content::Sprite(_) => {
                let loud = self.shown.loud.as_ref().filter(|_| moment.now <= self.loud_until);
                let at = match (loud, &self.shown.motion) {
                    (Some(loud), _) => loud.first + loud.motion.at(moment.now),
                    (None, Some(motion)) => motion.at(moment.now),
                    (None, None) => 0,
                };
                part(at, 0, 0.0, clip);
            }
            _ => (0..self.shown.parts.len()).for_each(|at| part(at, at, 0.0, clip)),
        }
    }

    fn ticker(
        &self,
        ticker: &Ticker,
        moment: &Moment<'_>,
        map: &Affine,
        clip: Rect,
        part: &mut dyn FnMut(usize, usize, f64, Rect),
    ) {
        let width = ticker.width.unwrap_or(moment.width);
        // Upright boxes cut what runs out of them; a turned one shows it to its bounds.
        let inside = map.bounds(px(width), px(self.shown.height)).meet(&clip);
        let places = draw::ticker::places(ticker, self.shown.width, width, moment.now);
        for (copy, left) in places.enumerate() {
            for at in 0..self.shown.parts.len() {
                part(at, copy * self.shown.parts.len() + at, left, inside);
            }
        }
    }
}

/// Moves to whole pixels what is a hair from them, so that it is copied instead of mixed.
fn settled(map: Affine) -> Affine {
    const HAIR: f64 = 1.0 / 512.0;
    let near = |n: f64| if (n - n.round()).abs() < HAIR { n.round() } else { n };
    if (map.a, map.b, map.c, map.d) == (1.0, 0.0, 0.0, 1.0) {
        Affine { e: near(map.e), f: near(map.f), ..map }
    } else {
        map
    }
}

/// Calls `each` with every file the layer's picture is made of, without allocating where there is none or one.
fn each_source(layer: &Layer, each: &mut dyn FnMut(&str)) {
    match &layer.content {
        Content::Image(image) => each(&image.src),
        Content::Card(card) if !card.image.is_empty() => each(&card.image),
        Content::Sprite(_) => layer.content.sources().into_iter().for_each(&mut *each),
        _ => {}
    }
    if let Some(src) = layer.mask.as_ref().and_then(|mask| mask.src.as_ref()) {
        each(src);
    }
}

/// The time as far as the content shows it.
fn time_key(content: &Content, moment: &Moment<'_>) -> u64 {
    let seconds = |ms: i64| ms.div_euclid(1000).cast_unsigned();
    match content {
        Content::Clock(_) => seconds(moment.world.wall()),
        Content::Countdown(countdown) => {
            // As it is said: a second that has begun counts as whole.
            seconds((countdown.to_ms().saturating_sub(moment.world.wall())).clamp(0, i64::MAX - 999) + 999)
        }
        Content::Chat(chat) => chat_key(chat, moment),
        _ => 0,
    }
}

fn time_text(content: &Content, moment: &Moment<'_>) -> Option<String> {
    match content {
        Content::Clock(clock) => Some(draw::clock::time_of_day(clock, moment.world.wall())),
        Content::Countdown(countdown) => Some(draw::clock::time_left(countdown, moment.world.wall())),
        _ => None,
    }
}

/// Seconds since a message came.
fn age(message: &Message, now: f64) -> f64 {
    ((now - message.at) / 1000.0).max(0.0)
}

fn chat_key(chat: &Chat, moment: &Moment<'_>) -> u64 {
    let mut key = 0xcbf2_9ce4_8422_2325_u64;
    for message in moment.store.chat() {
        let left = draw::chat::opacity(chat, age(message, moment.now));
        for part in [message.at.to_bits(), u64::from(share(f64::from(left))), message.text.len() as u64] {
            key = (key ^ part).wrapping_mul(0x100_0000_01b3);
        }
    }
    key
}

fn said(content: &Content, moment: &Moment<'_>) -> Vec<Said> {
    let Content::Chat(_) = content else { return Vec::new() };
    let said = |message: &Arc<Message>| Said { message: Arc::clone(message), age: age(message, moment.now) };
    moment.store.chat().map(said).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn px(length: f64) -> u32 {
    length.ceil().clamp(0.0, f64::from(u16::MAX)) as u32
}
