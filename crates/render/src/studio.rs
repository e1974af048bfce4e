//! Where what layers show is drawn: jobs go in, pictures come out.
//!
//! The engine hands a [`Job`] to its [`Studio`] whenever the content of a layer is other than before, and shows the layer's
//! last picture until the new one is there. [`work`] does a job; nothing in it depends on which thread does it.

use std::sync::Arc;

use draw::image::{self, Fit};
use draw::{Bitmap, Drawn, Painter};
use pixels::compose::Picture;
use scene::content::{Chat, Image, Sprite, Ticker};
use scene::{Content, Effect, MaskMode};

use crate::face::finish;
use crate::world::Asset;

/// Bytes that the frames of one sprite may take.
const MOST_MOTION: u64 = 256 << 20;

/// Something to be drawn.
#[derive(Debug)]
pub struct Job {
    /// Comes back with what was made of it.
    pub(crate) ticket: Ticket,
    pub(crate) content: Content,
    /// The files that the content names, in the order of [`Content::sources`].
    pub(crate) files: Vec<Option<Asset>>,
    /// What is written instead of the content's own text: a time, say.
    pub(crate) text: Option<String>,
    pub(crate) messages: Vec<Said>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) mask: Option<(Option<Asset>, MaskMode)>,
}

impl Job {
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// What is to be drawn.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// Which face asked, and for which of its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// A face has the same number as long as it is there, and asks for its pictures in order.
    pub owner: u64,
    pub(crate) number: u64,
}

/// A message of the chat, and how old it is in seconds.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) message: Arc<scene::store::Message>,
    pub(crate) age: f64,
}

/// What came of a job.
#[derive(Debug)]
pub struct Made {
    pub(crate) ticket: Ticket,
    pub(crate) shown: Result<Shown, String>,
}

impl Made {
    /// What comes of a job that could not be done; `why` is for whoever made the layer.
    #[must_use]
    pub fn failed(ticket: Ticket, why: impl Into<String>) -> Self {
        Self { ticket, shown: Err(why.into()) }
    }

    #[must_use]
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }
}

/// The pictures of a layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// All at once, or one after the other where there is a motion.
    pub(crate) parts: Vec<Part>,
    /// The content's box, in px.
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) motion: Option<Motion>,
    /// What is shown instead while the sound that drives it is loud.
    pub(crate) loud: Option<Loud>,
}

/// The second motion of a layer that has two: which part is its first, and when each is shown.
#[derive(Clone, Debug)]
pub(crate) struct Loud {
    pub(crate) first: usize,
    pub(crate) motion: Motion,
}

impl Shown {
    /// Bytes of its pictures.
    pub(crate) fn memory(&self) -> usize {
        self.parts.iter().map(|part| part.picture.memory()).sum()
    }
}

/// A picture and where it stands in the content's box.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) picture: Arc<Picture>,
    pub(crate) left: i32,
    pub(crate) top: i32,
}

/// Which part is shown when.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    /// When each part ends, in ms from the start.
    pub(crate) ends: Vec<f64>,
    /// Whether it goes on for ever.
    pub(crate) looped: bool,
}

impl Motion {
    /// The part that is shown `ms` after the start.
    pub(crate) fn at(&self, ms: f64) -> usize {
        let duration = self.ends.last().copied().unwrap_or(0.0);
        let last = self.ends.len().saturating_sub(1);
        if duration <= 0.0 || (!self.looped && ms >= duration) {
            return last;
        }
        let ms = ms.rem_euclid(duration);
        self.ends.partition_point(|end| *end <= ms).min(last)
    }
}

/// Draws jobs, now or later.
pub trait Studio {
    /// Takes a job. Of jobs for one layer that wait, only the newest need be done.
    fn submit(&mut self, job: Job);

    /// Gives what has been made; may wait for more, as long as its owner thinks right.
    fn collect(&mut self, take: &mut dyn FnMut(Made));
}

/// Draws on the caller's thread, at once.
pub struct Inline {
    painter: Painter,
    made: Vec<Made>,
}

impl Inline {
    #[must_use]
    pub fn new(painter: Painter) -> Self {
        Self { painter, made: Vec::new() }
    }
}

impl Studio for Inline {
    fn submit(&mut self, job: Job) {
        self.made.push(work(&job, &mut self.painter));
    }

    fn collect(&mut self, take: &mut dyn FnMut(Made)) {
        self.made.drain(..).for_each(take);
    }
}

/// Does a job. What can't be drawn comes back as the reason, in words for whoever made the layer.
#[must_use]
pub fn work(job: &Job, painter: &mut Painter) -> Made {
    let shown = draw(job, painter).and_then(|shown| finish::all(shown, job));
    Made { ticket: job.ticket, shown: shown.map(|sketch| sketch.into_shown(painter)) }
}

/// Pictures before they are made ready to be laid.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    pub(crate) drawn: Vec<Drawn>,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) motion: Option<Motion>,
    pub(crate) loud: Option<Loud>,
}

impl Sketch {
    fn of(drawn: Drawn) -> Self {
        Self { width: drawn.width, height: drawn.height, drawn: vec![drawn], ..Self::default() }
    }

    fn into_shown(self, painter: &mut Painter) -> Shown {
        let part = |drawn: Drawn| {
            let picture = Arc::new(Picture::new(&drawn.bitmap));
            painter.spare(drawn.bitmap);
            Part { picture, left: drawn.left, top: drawn.top }
        };
        Shown {
            parts: self.drawn.into_iter().map(part).collect(),
            width: self.width,
            height: self.height,
            motion: self.motion,
            loud: self.loud,
        }
    }
}

fn draw(job: &Job, painter: &mut Painter) -> Result<Sketch, String> {
    let told = |error: draw::Error| error.to_string();
    match &job.content {
        Content::Text(text) => painter.text(text).map(Sketch::of).map_err(told),
        Content::Shape(shape) => painter.shape(shape).map(Sketch::of).map_err(told),
        Content::Image(image) => picture(image, file(job, 0)?).map(Sketch::of),
        Content::Sprite(sprite) => animation(sprite, job),
        Content::Card(card) => {
            let picture = if card.image.is_empty() { None } else { Some(file(job, 0)?) };
            let picture = picture.map(|bytes| image::decode(bytes, None)).transpose().map_err(told)?;
            painter.card(card, picture.as_ref()).map(Sketch::of).map_err(told)
        }
        Content::Chat(chat) => messages(chat, &job.messages, painter).map(Sketch::of),
        Content::Clock(clock) => figures(job, &clock.style, painter),
        Content::Countdown(countdown) => figures(job, &countdown.style, painter),
        Content::Ticker(ticker) => strip(ticker, painter),
        Content::Stream(_) | Content::Video(_) | Content::Group(_) => Ok(Sketch::default()),
    }
}

/// The bytes of the `at`th file that the content names.
fn file(job: &Job, at: usize) -> Result<&[u8], String> {
    match job.files.get(at) {
        Some(Some(asset)) => Ok(&asset.bytes),
        _ => {
            let sources = job.content.sources();
            Err(format!("there is no asset \"{}\"", sources.get(at).copied().unwrap_or_default()))
        }
    }
}

fn figures(job: &Job, style: &scene::style::TextStyle, painter: &mut Painter) -> Result<Sketch, String> {
    let text = job.text.as_deref().unwrap_or_default();
    painter.figures(text, style).map(Sketch::of).map_err(|error| error.to_string())
}

fn messages(chat: &Chat, said: &[Said], painter: &mut Painter) -> Result<Drawn, String> {
    let messages: Vec<_> = said
        .iter()
        .map(|said| draw::chat::Message {
            author: &said.message.author,
            color: None,
            text: &said.message.text,
            highlighted: said.message.highlighted,
            age: said.age,
        })
        .collect();
    painter.chat(chat, &messages).map_err(|error| error.to_string())
}

fn strip(ticker: &Ticker, painter: &mut Painter) -> Result<Sketch, String> {
    let strip = painter.strip(ticker).map_err(|error| error.to_string())?;
    Ok(Sketch { drawn: strip.pieces, width: strip.width, height: strip.height, ..Sketch::default() })
}

fn fit(fit: scene::content::Fit) -> Fit {
    match fit {
        scene::content::Fit::Contain => Fit::Contain,
        scene::content::Fit::Cover => Fit::Cover,
        scene::content::Fit::Fill => Fit::Fill,
    }
}

/// The box of a picture that is `own` px large, where the layer may say one side or both.
fn wanted(
    own: (u32, u32),
    width: Option<f64>,
    height: Option<f64>,
    how: scene::content::Fit,
) -> image::Wanted {
    let (across, down) = (f64::from(own.0.max(1)), f64::from(own.1.max(1)));
    let (width, height) = match (width, height) {
        (None, None) => return None,
        (Some(width), None) => (width, width * down / across),
        (None, Some(height)) => (height * across / down, height),
        (Some(width), Some(height)) => (width, height),
    };
    Some((px(width), px(height), fit(how)))
}

fn picture(image: &Image, bytes: &[u8]) -> Result<Drawn, String> {
    let told = |error: draw::Error| error.to_string();
    let found = image::probe(bytes).map_err(told)?;
    let wanted = wanted((found.width, found.height), image.width, image.height, image.fit);
    let bitmap = image::decode(bytes, wanted).map_err(told)?;
    Ok(boxed(bitmap))
}

fn boxed(bitmap: Bitmap) -> Drawn {
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    Drawn { bitmap, left: 0, top: 0, width, height }
}

/// The state that is shown, or both between which sound switches: each is drawn once, for it may switch many times a second.
fn animation(sprite: &Sprite, job: &Job) -> Result<Sketch, String> {
    let (first, loud) = match &sprite.driven_by {
        None => (&sprite.state, None),
        Some(driver) => (&driver.quiet, Some(&driver.loud)),
    };
    let (mut drawn, motion) = state(sprite, first, job)?;
    let loud = match loud {
        None => None,
        Some(name) => {
            let first = drawn.len();
            let (more, motion) = state(sprite, name, job)?;
            drawn.extend(more);
            Some(Loud { first, motion })
        }
    };
    let (width, height) = drawn.first().map_or((0.0, 0.0), |first| (first.width, first.height));
    Ok(Sketch { drawn, width, height, motion: Some(motion), loud })
}

/// The pictures of one state, and when each is shown.
fn state(sprite: &Sprite, name: &str, job: &Job) -> Result<(Vec<Drawn>, Motion), String> {
    let told = |error: draw::Error| error.to_string();
    let clip = sprite.clip(name);
    let sources = job.content.sources();
    let bytes = |src: &str| {
        let at = sources.iter().position(|known| *known == src).unwrap_or(usize::MAX);
        file(job, at)
    };
    let wanted_of = |bytes: &[u8]| {
        let found = image::probe(bytes).map_err(told)?;
        Ok::<_, String>(wanted((found.width, found.height), sprite.width, sprite.height, sprite.fit))
    };
    let even = |count: usize, looped: bool| Motion {
        ends: (1..=count).map(|n| n as f64 * 1000.0 / clip.fps).collect(),
        looped,
    };
    let (frames, motion) = match (&clip.src, clip.sheet) {
        (Some(src), Some(sheet)) => {
            let whole = image::decode(bytes(src)?, None).map_err(told)?;
            let frames = finish::cut_sheet(&whole, sheet);
            let wanted = frames.first().and_then(|first| {
                wanted((first.width(), first.height()), sprite.width, sprite.height, sprite.fit)
            });
            let fitted = |frame: Bitmap| match wanted {
                Some((width, height, how)) => image::fit(&frame, width, height, how),
                None => frame,
            };
            let frames: Vec<_> = frames.into_iter().map(fitted).collect();
            let motion = even(frames.len(), clip.looped);
            (frames, motion)
        }
        (Some(src), None) => {
            let bytes = bytes(src)?;
            let found = image::frames(bytes, wanted_of(bytes)?, MOST_MOTION).map_err(told)?;
            let frames: Vec<_> = found.frames().iter().map(|frame| (**frame).clone()).collect();
            let delays = image::probe(bytes).map_err(told)?.delays;
            let ends = delays.iter().scan(0.0, |end, delay| {
                *end += f64::from(*delay);
                Some(*end)
            });
            (frames, Motion { ends: ends.collect(), looped: clip.looped && found.plays() != 1 })
        }
        (None, _) => {
            let mut frames = Vec::with_capacity(clip.frames.len());
            for src in &clip.frames {
                let bytes = bytes(src)?;
                frames.push(image::decode(bytes, wanted_of(bytes)?).map_err(told)?);
            }
            let motion = even(frames.len(), clip.looped);
            (frames, motion)
        }
    };
    Ok((frames.into_iter().map(boxed).collect(), motion))
}

/// The nearest whole number of px, at least one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn px(length: f64) -> u32 {
    length.round().clamp(1.0, f64::from(u16::MAX)) as u32
}
