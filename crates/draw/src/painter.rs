//! The one that draws: what a worker of the compositor owns.
//!
//! Holds the rasteriser and the scratch memory of text layout, which are used again for everything its thread draws; the
//! fonts are shared. If a library panics, all that is thrown away and made anew, so that nothing half-done is left.

use parley::{FontContext, Layout, LayoutContext};

use crate::Bitmap;
use crate::canvas::Canvas;
use crate::seam::guarded;
use crate::{Error, Fonts};

/// Draws contents, one after the other. One for each thread.
pub struct Painter {
    fonts: Fonts,
    pub(crate) desk: Desk,
}

/// What drawing needs and changes.
pub(crate) struct Desk {
    pub(crate) canvas: Canvas,
    pub(crate) fonts: FontContext,
    pub(crate) layouts: LayoutContext<Ink>,
    /// A layout to be used again.
    pub(crate) layout: Layout<Ink>,
}

/// Which of the colours of a text a letter is painted in: the number of its span.
pub(crate) type Ink = u8;

impl std::fmt::Debug for Painter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Painter").field("fonts", &self.fonts).finish_non_exhaustive()
    }
}

impl Painter {
    /// A painter that draws text in `fonts`, and in what is added to them later.
    #[must_use]
    pub fn new(fonts: &Fonts) -> Self {
        Self { fonts: fonts.clone(), desk: Desk::new(fonts) }
    }

    /// Takes the memory of what was drawn and is not needed any more, for what is drawn next.
    pub fn spare(&mut self, bitmap: Bitmap) {
        self.desk.canvas.spare(bitmap);
    }

    /// Draws with the desk; a panic there becomes an error, and the desk is cleared.
    pub(crate) fn draw<T>(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&mut Desk) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let desk = &mut self.desk;
        let result = guarded(what, || work(desk));
        if matches!(result, Err(Error::Failed { .. })) {
            self.desk = Desk::new(&self.fonts);
        }
        result
    }
}

impl Desk {
    fn new(fonts: &Fonts) -> Self {
        Self {
            canvas: Canvas::new(),
            fonts: fonts.context(),
            layouts: LayoutContext::new(),
            layout: Layout::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_what_was_drawn_before() {
        let fonts = Fonts::new();
        let text = |text: &str| scene::content::TextContent { text: text.to_owned(), ..Default::default() };
        let mut used = Painter::new(&fonts);
        for words in ["WWWWW\nMMMMM", "i", "", "WiM", ".\n\n.", "two words"] {
            let fresh = Painter::new(&fonts).text(&text(words)).unwrap();
            assert_eq!(used.text(&text(words)).unwrap(), fresh, "{words}");
        }
    }

    #[test]
    fn a_painter_goes_on_after_a_panic() {
        let mut painter = Painter::new(&Fonts::new());
        let failed = painter.draw::<()>("text", |desk| {
            desk.canvas.fade(0.5);
            panic!("a glyph without end")
        });
        assert!(matches!(failed, Err(Error::Failed { what: "text", .. })));
        let text = scene::content::TextContent { text: "still here".to_owned(), ..Default::default() };
        assert!(painter.text(&text).unwrap().bitmap.width() > 50);
    }
}
