//! Cards: a picture with lines of text below it, on a board with round corners.
//!
//! Called for card layers, with the picture already decoded, or without one while it is not there.

use pixels::compose::Bitmap;
use scene::content::Card;
use scene::style::TextStyle;
use vello_cpu::kurbo::{Point, Rect, Vec2};

use crate::canvas::{Extent, stroke};
use crate::image::{Fit, fit};
use crate::painter::{Desk, Painter};
use crate::shape::rounded;
use crate::text::glyphs;
use crate::text::layout::{Block, Cut, lay_out};
use crate::{Drawn, Error, shadow};

/// Least height of a picture, in px; where less is left, none is drawn.
const LEAST_PICTURE: f64 = 4.0;

impl Painter {
    /// Draws a card. `picture` covers the part of the board above the lines; each line is cut with an ellipsis.
    ///
    /// # Errors
    /// As [`Painter::text`].
    pub fn card(&mut self, card: &Card, picture: Option<&Bitmap>) -> Result<Drawn, Error> {
        self.draw("card", |desk| {
            let board = Rect::new(0.0, 0.0, card.width, card.height);
            let framed = board.inflate(card.border_width / 2.0, card.border_width / 2.0);
            let extent = Extent::of("card", shadow::reach(framed, card.shadow.as_ref()))?;
            desk.canvas.begin(extent);
            let outline = rounded(board, card.corner_radius);
            if card.background_color.a > 0 {
                desk.canvas.paint(card.background_color, None, board);
                desk.canvas.fill(&outline);
            }
            let inner = board.inset(-card.padding.min(card.width.min(card.height) / 2.0));
            let lines = Lines::measure(desk, card, inner.width())?;
            let from = (inner.y1 - lines.height).max(inner.y0);
            let gap = if lines.height > 0.0 { card.padding * 0.75 } else { 0.0 };
            let shown = Rect::new(inner.x0, inner.y0, inner.x1, from - gap);
            if let Some(picture) = picture
                && shown.height() >= LEAST_PICTURE
            {
                draw_picture(desk, picture, shown, (card.corner_radius - card.padding / 2.0).max(0.0));
            }
            desk.canvas.clip(inner);
            lines.draw(desk, card, extent, (inner, from))?;
            desk.canvas.unclip();
            desk.canvas.move_to(extent, Vec2::ZERO);
            if card.border_width > 0.0 && card.border_color.a > 0 {
                desk.canvas.paint(card.border_color, None, board);
                let line =
                    stroke(card.border_width, scene::style::LineCap::Butt, scene::style::LineJoin::Miter);
                desk.canvas.stroke(&outline, line);
            }
            let mut bitmap = desk.canvas.finish(extent);
            if let Some(below) = &card.shadow {
                shadow::cast(&mut bitmap, below);
            }
            Ok(Drawn::new(bitmap, extent, card.width, card.height).trimmed(&mut desk.canvas))
        })
    }
}

/// Draws a picture so that it covers `area`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sides of a card are bounded")]
fn draw_picture(desk: &mut Desk, picture: &Bitmap, area: Rect, radius: f64) {
    let whole = Rect::new(area.x0.floor(), area.y0.floor(), area.x1.ceil(), area.y1.ceil());
    let sized = fit(picture, whole.width() as u32, whole.height() as u32, Fit::Cover);
    desk.canvas.picture(sized, Point::new(whole.x0, whole.y0), &rounded(area, radius));
}

/// The lines of a card, measured.
struct Lines {
    heights: Vec<f64>,
    height: f64,
}

impl Lines {
    fn measure(desk: &mut Desk, card: &Card, width: f64) -> Result<Self, Error> {
        let mut heights = Vec::with_capacity(card.lines.len());
        for (index, line) in card.lines.iter().enumerate() {
            heights.push(lay_out(desk, &block(card, index, line, width))?.height);
        }
        let height = heights.iter().sum();
        Ok(Self { heights, height })
    }

    /// Draws the lines in `inner`, the first at `from`.
    fn draw(
        &self,
        desk: &mut Desk,
        card: &Card,
        extent: Extent,
        (inner, from): (Rect, f64),
    ) -> Result<(), Error> {
        let mut y = from.round();
        for (index, (line, height)) in card.lines.iter().zip(&self.heights).enumerate() {
            if y >= inner.y1 {
                break;
            }
            let laid = lay_out(desk, &block(card, index, line, inner.width()))?;
            let left = match style(card, index).align {
                scene::style::Align::Left | scene::style::Align::Start => inner.x0,
                _ => inner.x0 + (inner.width() - laid.width).max(0.0) / 2.0,
            };
            desk.canvas.move_to(extent, Vec2::new(left, y));
            glyphs::draw(desk, style(card, index), &[], Rect::new(0.0, 0.0, laid.width, laid.height));
            y += height;
        }
        Ok(())
    }
}

fn style(card: &Card, index: usize) -> &TextStyle {
    if index == 0 { &card.title_style } else { &card.line_style }
}

fn block<'a>(card: &'a Card, index: usize, line: &'a str, width: f64) -> Block<'a> {
    Block {
        text: line,
        style: style(card, index),
        spans: &[],
        figures: false,
        cut: Cut { width: Some(width), lines: Some(1), wrap: false, ellipsis: true },
    }
}
