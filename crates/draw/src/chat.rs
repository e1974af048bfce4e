//! Chats: the newest messages, one above the other.
//!
//! Called for chat layers whenever a message came or one is fading. How old messages are is given; which are still to be
//! drawn anew follows from [`opacity`].

use scene::Color;
use scene::content::{Chat, Newest};
use vello_cpu::kurbo::{Rect, Vec2};

use crate::canvas::Extent;
use crate::painter::{Desk, Painter};
use crate::shape::rounded;
use crate::text::glyphs;
use crate::text::layout::{Block, Cut, Laid, Span, lay_out};
use crate::{Drawn, Error};

/// Most characters of a message and its author; what is longer is cut off.
const MAX_CHARACTERS: usize = 1000;

/// A message of a chat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message<'a> {
    /// Written before the text; nothing is when it is empty.
    pub author: &'a str,
    /// The author's colour, if it is not the chat's.
    pub color: Option<Color>,
    pub text: &'a str,
    pub highlighted: bool,
    /// Seconds since it came.
    pub age: f64,
}

/// How much is left of a message that came `age` seconds ago: 1 at first, 0 once it has faded.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "from 0 to 1")]
pub fn opacity(chat: &Chat, age: f64) -> f32 {
    if chat.fade_after <= 0.0 || age <= chat.fade_after {
        return 1.0;
    }
    let over = age - chat.fade_after;
    if over >= chat.fade_duration { 0.0 } else { (1.0 - over / chat.fade_duration) as f32 }
}

impl Painter {
    /// Draws the newest of `messages` (oldest first) that find room; the oldest drawn is cut at the box's edge.
    ///
    /// # Errors
    /// As [`Painter::text`].
    pub fn chat(&mut self, chat: &Chat, messages: &[Message<'_>]) -> Result<Drawn, Error> {
        self.draw("chat", |desk| {
            let board = Rect::new(0.0, 0.0, chat.width, chat.height);
            let extent = Extent::of("chat", board)?;
            desk.canvas.begin(extent);
            if chat.background_color.a > 0 {
                desk.canvas.paint(chat.background_color, None, board);
                desk.canvas.fill(&rounded(board, 0.0));
            }
            let inner = board.inset(-chat.padding.min(chat.width.min(chat.height) / 2.0));
            desk.canvas.clip(board.intersect(inner.inflate(chat.padding, 0.0)));
            let most = usize::try_from(chat.max_messages).unwrap_or(usize::MAX);
            let mut edge = if chat.newest == Newest::Bottom { inner.y1 } else { inner.y0 };
            for message in messages.iter().rev().take(most) {
                let left = opacity(chat, message.age);
                if left <= 0.0 {
                    continue;
                }
                let line = Line::new(chat, message);
                let laid = lay_out(desk, &line.block(chat, inner.width()))?;
                let height = laid.height.ceil();
                let top = if chat.newest == Newest::Bottom { edge - height } else { edge };
                let place = Rect::new(inner.x0, top, inner.x1, top + height);
                line.draw(desk, chat, (extent, place, laid), left);
                desk.canvas.move_to(extent, Vec2::ZERO);
                let step = height + chat.spacing;
                edge += if chat.newest == Newest::Bottom { -step } else { step };
                if edge <= inner.y0 - 0.5 && chat.newest == Newest::Bottom || edge >= inner.y1 + 0.5 {
                    break;
                }
            }
            desk.canvas.unclip();
            Ok(Drawn::new(desk.canvas.finish(extent), extent, chat.width, chat.height)
                .trimmed(&mut desk.canvas))
        })
    }
}

/// A message as one text, its author in front.
struct Line {
    text: String,
    author: [Span; 1],
    highlighted: bool,
}

impl Line {
    fn new(chat: &Chat, message: &Message<'_>) -> Self {
        let tame = |text: &str| -> String {
            text.chars().take(MAX_CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect()
        };
        let author = tame(message.author.trim());
        let (end, text) = if author.is_empty() {
            (0, tame(message.text))
        } else {
            // The mark keeps an author who writes from right to left from taking the text along.
            (author.len(), format!("{author}\u{200e}: {}", tame(message.text)))
        };
        let author = [Span { range: 0..end, color: message.color.unwrap_or(chat.author_color), bold: true }];
        Self { text, author, highlighted: message.highlighted }
    }

    fn block<'a>(&'a self, chat: &'a Chat, width: f64) -> Block<'a> {
        Block {
            text: &self.text,
            style: &chat.style,
            spans: &self.author,
            figures: false,
            cut: Cut { width: Some(width), lines: None, wrap: true, ellipsis: false },
        }
    }

    fn draw(&self, desk: &mut Desk, chat: &Chat, (extent, place, laid): (Extent, Rect, Laid), opacity: f32) {
        let faded = opacity < 1.0;
        if faded {
            desk.canvas.fade(opacity);
        }
        if self.highlighted && chat.highlight_color.a > 0 {
            let (across, down) = (chat.padding.min(8.0), chat.spacing.min(8.0) / 2.0);
            let behind = place.inflate(across, down);
            desk.canvas.paint(chat.highlight_color, None, behind);
            desk.canvas.fill(&rounded(behind, 6.0));
        }
        desk.canvas.move_to(extent, Vec2::new(place.x0, place.y0));
        let area = Rect::new(0.0, 0.0, laid.width, laid.height);
        glyphs::draw(desk, &chat.style, &self.author, area);
        if faded {
            desk.canvas.unfade();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_fade_after_their_time() {
        let chat = Chat { fade_after: 10.0, fade_duration: 2.0, ..Chat::default() };
        for (age, want) in [(0.0, 1.0), (10.0, 1.0), (11.0, 0.5), (12.0, 0.0), (1e9, 0.0)] {
            assert!((opacity(&chat, age) - want).abs() < 1e-6, "{age}");
        }
        let stays = Chat { fade_after: 0.0, ..Chat::default() };
        assert!((opacity(&stays, 1e9) - 1.0).abs() < 1e-6);
        let at_once = Chat { fade_after: 1.0, fade_duration: 0.0, ..Chat::default() };
        assert!(opacity(&at_once, 1.1) < 1e-6);
    }
}
