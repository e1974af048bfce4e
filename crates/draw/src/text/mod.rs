//! Text: any script, in both directions, with strokes, shadows, gradients.
//!
//! Called for text layers, and by cards, chats and tickers. [`Painter::text`] lays text out (`layout`), then draws its glyphs
//! (`glyphs`). Letters take no part of pixels into account when they are placed: baselines stand on whole pixels.

pub(crate) mod glyphs;
pub(crate) mod layout;

use scene::content::TextContent;
use vello_cpu::kurbo::Rect;

use crate::canvas::Extent;
use crate::painter::{Desk, Painter};
use crate::{Drawn, Error, shadow};
use layout::{Block, Cut, lay_out};

impl Painter {
    /// Draws text.
    ///
    /// The box is as high as its lines and as wide as the widest of them; with a `maxWidth` and an alignment other than
    /// to the left it is `maxWidth` wide. A stroke is drawn below the letters. Control characters are left out.
    ///
    /// # Errors
    /// [`Error::TooMany`] characters, [`Error::TooLarge`], [`Error::Failed`].
    pub fn text(&mut self, content: &TextContent) -> Result<Drawn, Error> {
        self.draw("text", |desk| {
            let block = Block {
                text: &content.text,
                style: &content.style,
                spans: &[],
                figures: false,
                cut: Cut {
                    width: content.max_width,
                    lines: content.max_lines.and_then(|lines| usize::try_from(lines).ok()),
                    wrap: content.wrap,
                    ellipsis: content.ellipsis,
                },
            };
            draw_block(desk, &block)
        })
    }

    /// Draws one line of text whose figures are all of one width where the font has such: clocks and countdowns.
    ///
    /// # Errors
    /// As [`Painter::text`].
    pub fn figures(&mut self, text: &str, style: &scene::style::TextStyle) -> Result<Drawn, Error> {
        self.draw("text", |desk| {
            draw_block(desk, &Block { text, style, spans: &[], figures: true, cut: Cut::default() })
        })
    }
}

/// Draws a block of text on its own.
fn draw_block(desk: &mut Desk, block: &Block<'_>) -> Result<Drawn, Error> {
    let laid = lay_out(desk, block)?;
    let style = block.style;
    let area = Rect::new(0.0, 0.0, laid.width, laid.height);
    let ink = glyphs::reach(&desk.layout, area, style);
    let extent = Extent::of("text", shadow::reach(ink, style.shadow.as_ref()))?;
    desk.canvas.begin(extent);
    glyphs::draw(desk, style, &[], area);
    let mut bitmap = desk.canvas.finish(extent);
    if let Some(below) = &style.shadow {
        shadow::cast(&mut bitmap, below);
    }
    Ok(Drawn::new(bitmap, extent, laid.width, laid.height).trimmed(&mut desk.canvas))
}
