//! Tickers: a line of text drawn once, and where it stands at a time.
//!
//! Called for ticker layers: [`Painter::strip`] when the text changed, [`places`] for every frame. A long line is drawn in
//! pieces, of which a frame needs few.

use scene::content::Ticker;
use vello_cpu::kurbo::Rect;

use crate::canvas::Extent;
use crate::drawn::cut;
use crate::painter::Painter;
use crate::text::glyphs;
use crate::text::layout::{Block, Cut, lay_out};
use crate::{Drawn, Error, shadow};

/// Widest piece, in px.
const PIECE: i32 = 2048;
/// Most pieces of a strip: over a hundred full screens.
const MAX_PIECES: usize = 128;

/// A line of text, drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Strip {
    /// From left to right; each with its place on the strip. They do not overlap.
    pub pieces: Vec<Drawn>,
    /// The box of the whole line, in px.
    pub width: f64,
    pub height: f64,
}

impl Painter {
    /// Draws the text of a ticker. Lines are joined into one.
    ///
    /// # Errors
    /// As [`Painter::text`]; [`Error::TooLarge`] for a line that would run for minutes.
    pub fn strip(&mut self, ticker: &Ticker) -> Result<Strip, Error> {
        self.draw("ticker", |desk| {
            let line = ticker.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let style = &ticker.style;
            let block = Block { text: &line, style, spans: &[], figures: false, cut: Cut::default() };
            let laid = lay_out(desk, &block)?;
            let area = Rect::new(0.0, 0.0, laid.width, laid.height);
            let ink = glyphs::reach(&desk.layout, area, style);
            let reach = shadow::reach(ink, style.shadow.as_ref());
            let margin = (ink.x0 - reach.x0).max(reach.x1 - ink.x1).ceil().max(0.0);
            let (from, to) = (px(reach.x0.floor()), px(reach.x1.ceil()));
            let mut pieces = Vec::new();
            let starts = (from..to).step_by(PIECE.unsigned_abs() as usize);
            if starts.len() > MAX_PIECES {
                let (width, height) = (from.abs_diff(to), px(laid.height).unsigned_abs());
                return Err(Error::TooLarge { what: "ticker", width, height });
            }
            for start in starts {
                let end = (start + PIECE).min(to);
                // A shadow comes from what stands beside the piece, too.
                let seen = Rect::new(f64::from(start) - margin, reach.y0, f64::from(end) + margin, reach.y1);
                let extent = Extent::of("ticker", seen)?;
                desk.canvas.begin(extent);
                glyphs::draw(desk, style, &[], area);
                let mut bitmap = desk.canvas.finish(extent);
                if let Some(below) = &style.shadow {
                    shadow::cast(&mut bitmap, below);
                }
                let skipped = start.abs_diff(extent.left);
                let part = (skipped as usize, 0, start.abs_diff(end) as usize, extent.height as usize);
                let place = Extent { left: start, width: start.abs_diff(end), ..extent };
                let piece = Drawn::new(cut(&bitmap, part, Vec::new()), place, laid.width, laid.height)
                    .trimmed(&mut desk.canvas);
                pieces.extend((piece.bitmap.width() > 0).then_some(piece));
            }
            Ok(Strip { pieces, width: laid.width, height: laid.height })
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "text is bounded, and larger numbers are clamped")]
fn px(length: f64) -> i32 {
    length.clamp(-1e9, 1e9) as i32
}

/// Where the left edge of each copy of a strip that can be seen stands, in px from the left of a box `width` px wide,
/// `ms` after the ticker began. Never more than 256.
///
/// The first copy comes in at the edge; those that follow keep the gap.
pub fn places(ticker: &Ticker, strip: f64, width: f64, ms: f64) -> impl Iterator<Item = f64> + use<> {
    const MOST: usize = 256;
    /// A strip of nothing still takes this much room, or there would be copies without end.
    const LEAST: f64 = 16.0;
    let period = (strip + ticker.gap).max(LEAST);
    let run = (ticker.speed.abs() * ms / 1000.0).max(0.0);
    // How far the foremost copy that can still be seen has come from where it began.
    let gone = if ticker.repeat { ((run - width - strip) / period).ceil().max(0.0) } else { 0.0 };
    let first = run - gone * period;
    let copies = if ticker.repeat { MOST } else { 1 };
    let to_the_left = ticker.speed >= 0.0;
    (0..copies)
        .map(move |copy| first - f64::from(u16::try_from(copy).unwrap_or(u16::MAX)) * period)
        .take_while(|run| *run > 0.0)
        .filter(move |run| *run < width + strip)
        .map(move |run| if to_the_left { width - run } else { run - strip })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(speed: f64, repeat: bool, ms: f64) -> Vec<f64> {
        let ticker = Ticker { speed, repeat, gap: 50.0, ..Ticker::default() };
        places(&ticker, 200.0, 500.0, ms).collect()
    }

    #[test]
    fn copies_follow_each_other_at_the_gap() {
        assert!(at(100.0, true, 0.0).is_empty());
        assert_eq!(at(100.0, true, 1000.0), [400.0]);
        assert_eq!(at(100.0, true, 2600.0), [240.0, 490.0]);
        assert_eq!(at(100.0, true, 6000.0), [-100.0, 150.0, 400.0]);
        assert_eq!(at(100.0, true, 7000.0), [50.0, 300.0]);
        assert_eq!(at(-100.0, true, 2600.0), [60.0, -190.0]);
    }

    #[test]
    fn without_repeating_it_is_through_once() {
        assert_eq!(at(100.0, false, 6000.0), [-100.0]);
        assert!(at(100.0, false, 7000.0).is_empty());
        assert!(at(100.0, false, 1e12).is_empty());
    }

    #[test]
    fn it_runs_evenly_for_days_and_never_leaves_the_box_empty() {
        for second in [10.0, 1000.0, 86_400.0, 864_000.0] {
            let before = at(120.0, true, second * 1000.0);
            let after = at(120.0, true, second * 1000.0 + 100.0);
            assert!(!before.is_empty());
            let moved = |x: &f64| after.iter().any(|y| (x - 12.0 - y).abs() < 1e-3);
            assert!(before.iter().filter(|x| **x > -180.0).all(moved), "{before:?} {after:?}");
        }
        let ticker = Ticker { gap: 0.0, ..Ticker::default() };
        assert!(places(&ticker, 0.0, 8192.0, 1e9).count() <= 256);
    }
}
