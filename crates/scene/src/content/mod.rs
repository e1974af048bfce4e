//! What a layer shows: one record for each `kind`.

mod media;
mod panel;
mod shape;
mod text;

pub use media::{
    Crop, Fit, Image, LevelDriver, Lost, Sheet, Sprite, SpriteClip, StreamPicture, Video, WhenLost,
};
pub use panel::{Card, Chat, Clock, Countdown, Newest, Ticker};
pub use shape::{Circle, Ellipse, Line, PathShape, Polygon, Rectangle, Shape};
pub use text::TextContent;

use crate::read::{choice, record};

choice! {
    /// What a layer shows.
    pub enum Content by "kind" {
        Image(Image) "image",
        Sprite(Sprite) "sprite",
        Video(Video) "video",
        Stream(StreamPicture) "stream",
        Text(TextContent) "text",
        Shape(Shape) "shape",
        Card(Card) "card",
        Chat(Chat) "chat",
        Clock(Clock) "clock",
        Countdown(Countdown) "countdown",
        Ticker(Ticker) "ticker",
        /// Holds the layers that name it as their parent.
        Group(Group) "group",
    }
}

record! {
    /// A group has no picture of its own: its box is the canvas.
    #[derive(Copy)]
    pub struct Group {
    }
}

impl Content {
    /// The texts in which `{{ … }}` stands for a value, with their names below `content`.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (TextAt, &String)> {
        let (one, many): (Option<&String>, &[String]) = match self {
            Self::Text(text) => (Some(&text.text), &[]),
            Self::Ticker(ticker) => (Some(&ticker.text), &[]),
            Self::Card(card) => (None, &card.lines),
            _ => (None, &[]),
        };
        let many = many.iter().enumerate().map(|(index, line)| (TextAt::Line(index), line));
        one.map(|text| (TextAt::Text, text)).into_iter().chain(many)
    }

    /// The text that `texts` named so.
    pub(crate) fn text_mut(&mut self, at: TextAt) -> Option<&mut String> {
        match (self, at) {
            (Self::Text(text), TextAt::Text) => Some(&mut text.text),
            (Self::Ticker(ticker), TextAt::Text) => Some(&mut ticker.text),
            (Self::Card(card), TextAt::Line(index)) => card.lines.get_mut(index),
            (Self::Sprite(sprite), TextAt::State) => Some(&mut sprite.state),
            _ => None,
        }
    }

    /// Whether `text` may stand there: a sprite has no other states than its own.
    pub(crate) fn takes(&self, at: TextAt, text: &str) -> bool {
        match (self, at) {
            (Self::Sprite(sprite), TextAt::State) => sprite.states.contains_key(text),
            _ => true,
        }
    }

    /// Ids of assets, or paths beside the scene file, that it shows.
    pub fn sources(&self) -> Vec<&str> {
        match self {
            Self::Image(image) => vec![&image.src],
            Self::Video(video) => vec![&video.src],
            Self::Card(card) if !card.image.is_empty() => vec![&card.image],
            Self::Stream(stream) => stream.when_lost.slate.as_deref().into_iter().collect(),
            Self::Sprite(sprite) => sprite.sources(),
            _ => Vec::new(),
        }
    }
}

/// Which of a content's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextAt {
    /// `content.text`.
    Text,
    /// `content.lines.<n>`.
    Line(usize),
    /// `content.state`, of a sprite.
    State,
}
