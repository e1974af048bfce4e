//! Contents laid out of texts: cards, chats, clocks, tickers.

use serde_json::{Value, json};

use super::media::{SIDE, asset};
use crate::color::Color;
use crate::read::{
    At, Flag, Inner, List, Maybe, Rule, Said, Schemas, Whole, Within, Word, line, plain, prose, record, words,
};
use crate::style::{MOST_PX, Shadow, TextStyle};

record! {
    /// A picture with lines of text below it: an NFT with its name, collection, creator and price.
    pub struct Card {
        image "image": String = String::new(), asset();
        /// The first is the title. `{{ … }}` in them stands for a value.
        lines "lines": Vec<String> = Vec::new(), List { least: 0, most: 16, each: line(500) };
        width "width": f64 = 480.0, SIDE;
        height "height": f64 = 600.0, SIDE;
        background_color "backgroundColor": Color = Color { r: 16, g: 24, b: 40, a: 230 }, Said;
        border_color "borderColor": Color = Color::WHITE, Said;
        /// px; 0 draws none.
        border_width "borderWidth": f64 = 0.0, Within(0.0, 100.0);
        corner_radius "cornerRadius": f64 = 16.0, Within(0.0, MOST_PX);
        /// px between the edge and what is inside.
        padding "padding": f64 = 20.0, Within(0.0, 1000.0);
        title_style "titleStyle": TextStyle = bold(34.0), Inner;
        line_style "lineStyle": TextStyle = sized(26.0), Inner;
        shadow "shadow": Option<Shadow> = None, Maybe(Inner);
    }
}

words! {
    pub enum Newest {
        Bottom "bottom",
        Top "top",
    }
}

record! {
    /// The messages of `POST /stream/chat`.
    pub struct Chat {
        /// Messages that are kept for it.
        max_messages "maxMessages": i64 = 50, Whole(1, 200);
        width "width": f64 = 480.0, SIDE;
        height "height": f64 = 700.0, SIDE;
        style "style": TextStyle = sized(24.0), Inner;
        author_color "authorColor": Color = Color { r: 255, g: 204, b: 0, a: 255 }, Said;
        /// Behind messages that are highlighted.
        highlight_color "highlightColor": Color = Color { r: 255, g: 204, b: 0, a: 64 }, Said;
        background_color "backgroundColor": Color = Color::CLEAR, Said;
        /// Where new messages come in.
        newest "newest": Newest = Newest::Bottom, Word;
        /// px between messages.
        spacing "spacing": f64 = 8.0, Within(0.0, 500.0);
        padding "padding": f64 = 12.0, Within(0.0, 1000.0);
        /// Seconds a message stays; 0 is until newer ones push it out.
        fade_after "fadeAfter": f64 = 0.0, Within(0.0, 86_400.0);
        /// Seconds its fading takes.
        fade_duration "fadeDuration": f64 = 1.0, Within(0.0, 60.0);
    }
}

record! {
    /// The time of day.
    pub struct Clock {
        /// `yyyy MM dd HH hh mm ss a` stand for numbers, what is in '…' and all other signs for themselves.
        format "format": String = "HH:mm:ss".to_owned(), line(64);
        /// `UTC`, or an offset such as `+02:00`.
        timezone "timezone": String = "UTC".to_owned(), Zone;
        style "style": TextStyle = sized(48.0), Inner;
    }
}

record! {
    /// The time that is left.
    pub struct Countdown {
        /// RFC 3339, such as `2026-01-01T00:00:00Z`.
        to "to": String = String::new(), Moment;
        /// `dd hh mm ss` stand for numbers; the first of them takes what is over.
        format "format": String = "mm:ss".to_owned(), line(64);
        /// Shown in its place once the moment has come; zeros unless it is said.
        when_over "whenOver": Option<String> = None, Maybe(line(200));
        style "style": TextStyle = sized(48.0), Inner;
    }
}

record! {
    /// A line of text that runs through.
    pub struct Ticker {
        text "text": String = String::new(), prose();
        /// px a second to the left; less than 0 runs to the right.
        speed "speed": f64 = 120.0, Within(-5000.0, 5000.0);
        /// As wide as the canvas unless it is said.
        width "width": Option<f64> = None, Maybe(SIDE);
        /// px between the end of the text and its next beginning.
        gap "gap": f64 = 120.0, Within(0.0, MOST_PX);
        /// Whether it comes again once it is through.
        repeat "repeat": bool = true, Flag;
        background_color "backgroundColor": Color = Color::CLEAR, Said;
        style "style": TextStyle = sized(32.0), Inner;
    }
}

fn sized(font_size: f64) -> TextStyle {
    TextStyle { font_size, ..TextStyle::default() }
}

fn bold(font_size: f64) -> TextStyle {
    TextStyle { font_weight: 700, ..sized(font_size) }
}

impl Countdown {
    /// The moment it counts to, in ms since 1970 (UTC).
    #[must_use]
    pub fn to_ms(&self) -> i64 {
        crate::moment::parse(&self.to).unwrap_or_default()
    }
}

impl Clock {
    /// What is added to UTC, in minutes.
    #[must_use]
    pub fn offset_minutes(&self) -> i32 {
        crate::moment::offset_minutes(&self.timezone).unwrap_or_default()
    }
}

/// A moment as RFC 3339 writes it.
struct Moment;

impl Rule<String> for Moment {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "string", "format": "date-time"})
    }

    fn read<'v>(&self, target: &mut String, value: &'v Value, at: &mut At<'v>) {
        plain(40, "a moment").read(target, value, at);
    }

    fn check(&self, target: &String, at: &mut At<'_>) {
        if crate::moment::parse(target).is_none() {
            at.wrong("must be a moment as RFC 3339 writes it: 2026-01-01T00:00:00Z");
        }
    }
}

/// A time zone without a summer.
struct Zone;

impl Rule<String> for Zone {
    fn schema(&self, _schemas: &mut Schemas) -> Value {
        json!({"type": "string", "examples": ["UTC", "+02:00"]})
    }

    fn read<'v>(&self, target: &mut String, value: &'v Value, at: &mut At<'v>) {
        plain(40, "a time zone").read(target, value, at);
    }

    fn check(&self, target: &String, at: &mut At<'_>) {
        if crate::moment::offset_minutes(target).is_none() {
            at.wrong("must be UTC, Z, or an offset from it such as +02:00");
        }
    }
}
