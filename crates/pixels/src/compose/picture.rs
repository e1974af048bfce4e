//! What a layer shows, ready to be laid over a canvas.
//!
//! Made by the compositor from what was drawn ([`Bitmap`]), from a live feed's planes, or from a finished group's canvas;
//! read by every worker that draws a band. Forms that not every use needs are made on first use and kept: chroma for each
//! way the picture's pixels can stand on the canvas's chroma grid, texels for turning and scaling.

use std::sync::OnceLock;

use super::bitmap::Bitmap;
use super::canvas::Canvas;
use super::phases;
use super::sheet::Sheet;
use super::texels::{Level, channel};
use crate::plane::{I420, Matrix, Plane, Range};

/// Premultiplied BT.709 codes of limited range, with alpha.
#[derive(Debug, Default)]
pub struct Picture {
    width: u32,
    height: u32,
    source: Source,
    luma: OnceLock<Sheet<1>>,
    /// By [`phase`].
    chroma: [OnceLock<Sheet<2>>; 4],
    texels: OnceLock<Level>,
    smaller: OnceLock<Vec<Level>>,
}

/// What the rest is made from.
#[derive(Debug, Default)]
enum Source {
    /// The texels, each with its own chroma.
    #[default]
    Texels,
    /// The luma sheet, and chroma as it came: 4:2:0, not premultiplied.
    Feed([Plane; 2]),
    /// The luma sheet and the chroma of phase 0, both premultiplied.
    Group,
}

/// Which of the four ways a picture whose corner is at `x`, `y` stands on the chroma grid.
#[inline]
pub(super) fn phase(x: i32, y: i32) -> usize {
    usize::from(x & 1 == 1) + 2 * usize::from(y & 1 == 1)
}

impl Picture {
    /// The picture of what was drawn.
    #[must_use]
    pub fn new(bitmap: &Bitmap) -> Self {
        let mut made = Self::default();
        made.redraw(bitmap);
        made
    }

    /// Makes it the picture of `bitmap`, keeping what memory it has.
    pub fn redraw(&mut self, bitmap: &Bitmap) {
        (self.width, self.height) = (bitmap.width(), bitmap.height());
        self.source = Source::Texels;
        if self.is_empty() {
            self.forget();
            return;
        }
        let mut texels = self.texels.take().unwrap_or_default();
        texels.reshape(self.width, self.height);
        for y in 0..self.height {
            texels.write_pixels(y, bitmap.row(y).as_chunks().0);
        }
        self.texels = OnceLock::from(texels);
        let luma = self.luma.take();
        if let Some(mut sheet) = luma {
            self.luma_of_texels(&mut sheet);
            self.luma = OnceLock::from(sheet);
        }
        self.renew();
    }

    /// Makes it the picture of a live feed, whose planes it takes; `feed` is left with the ones shown before, for the next.
    ///
    /// `alpha`, if any, has the luma plane's size; the feed's codes are not premultiplied by it. The feed is BT.709 of
    /// limited range (see [`super::feed`]).
    ///
    /// # Panics
    /// If the feed has another matrix or range, or alpha another size.
    pub fn show(&mut self, feed: &mut I420, alpha: Option<&Plane>) {
        assert_eq!(
            (feed.matrix, feed.range),
            (Matrix::Bt709, Range::Limited),
            "the canvas's matrix and range"
        );
        (self.width, self.height) = (feed.width, feed.height);
        if self.is_empty() {
            self.forget();
            return;
        }
        let mut chroma = match std::mem::take(&mut self.source) {
            Source::Feed(planes) => planes,
            Source::Texels | Source::Group => {
                self.forget();
                Default::default()
            }
        };
        let mut luma = self.luma.take().unwrap_or_default();
        luma.reshape(self.width, self.height, alpha.is_some());
        swap_plane(&mut feed.y, &mut luma.planes[0]);
        let [u, v] = &mut chroma;
        std::mem::swap(u, &mut feed.u);
        std::mem::swap(v, &mut feed.v);
        if let Some(alpha) = alpha {
            assert_eq!(
                (alpha.width, alpha.height),
                (self.width, self.height),
                "alpha of the luma plane's size"
            );
            for y in 0..self.height {
                let ([row], Some(under)) = luma.row_mut(y) else { unreachable!("alpha was asked for") };
                under.copy_from_slice(alpha.row(y));
                super::rows::premultiply::best(row, under);
            }
        }
        luma.look();
        self.luma = OnceLock::from(luma);
        self.source = Source::Feed(chroma);
        if let Some(mut texels) = self.texels.take() {
            self.texels_of_planes(&mut texels);
            self.texels = OnceLock::from(texels);
        }
        self.renew();
    }

    /// Makes it the picture of what was drawn on a canvas: a group, to be laid over others as one.
    pub fn group(&mut self, canvas: &Canvas) {
        (self.width, self.height) = (canvas.width(), canvas.height());
        if self.is_empty() {
            self.forget();
            return;
        }
        self.source = Source::Group;
        let mut luma = self.luma.take().unwrap_or_default();
        let mut chroma = self.chroma[0].take().unwrap_or_default();
        canvas.sheets(&mut luma, &mut chroma);
        self.luma = OnceLock::from(luma);
        self.chroma[0] = OnceLock::from(chroma);
        if let Some(mut texels) = self.texels.take() {
            self.texels_of_planes(&mut texels);
            self.texels = OnceLock::from(texels);
        }
        self.renew();
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Whether nothing shines through it anywhere.
    #[must_use]
    pub fn is_opaque(&self) -> bool {
        !self.is_empty() && self.luma().alpha.is_none()
    }

    /// Makes now what laying it with its corner at `x`, `y` needs, so that the first time costs no more than the next.
    pub fn prepare(&self, x: i32, y: i32) {
        if !self.is_empty() {
            self.luma();
            self.chroma(phase(x, y));
        }
    }

    /// Makes now what turning and scaling it needs.
    pub fn prepare_affine(&self) {
        if !self.is_empty() {
            self.texels();
            self.smaller();
        }
    }

    /// Bytes of memory it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        let sheets = self.luma.get().map_or(0, Sheet::memory)
            + self.chroma.iter().filter_map(OnceLock::get).map(Sheet::memory).sum::<usize>();
        let levels = self.texels.get().into_iter().chain(self.smaller.get().into_iter().flatten());
        let feed = if let Source::Feed(planes) = &self.source {
            planes.iter().map(|p| p.data.len()).sum()
        } else {
            0
        };
        sheets + feed + levels.map(|level| level.texels().len() * 4).sum::<usize>()
    }

    pub(super) fn luma(&self) -> &Sheet<1> {
        self.luma.get_or_init(|| {
            let mut sheet = Sheet::default();
            self.luma_of_texels(&mut sheet);
            sheet
        })
    }

    /// Chroma for a way of standing on the grid ([`phase`]).
    pub(super) fn chroma(&self, phase: usize) -> &Sheet<2> {
        self.chroma[phase].get_or_init(|| {
            let mut sheet = Sheet::default();
            self.chroma_of(phase, &mut sheet);
            sheet
        })
    }

    pub(super) fn texels(&self) -> &Level {
        self.texels.get_or_init(|| {
            let mut texels = Level::default();
            self.texels_of_planes(&mut texels);
            texels
        })
    }

    /// The texels at a half, a quarter … of the size.
    pub(super) fn smaller(&self) -> &[Level] {
        self.smaller.get_or_init(|| {
            let mut chain = Vec::new();
            self.texels().chain(&mut chain);
            chain
        })
    }

    /// Makes again, in the memory they have, those forms that were in use and hang on others.
    fn renew(&mut self) {
        for phase in 0..4 {
            if phase == 0 && matches!(self.source, Source::Group) {
                continue;
            }
            if let Some(mut sheet) = self.chroma[phase].take() {
                self.chroma_of(phase, &mut sheet);
                self.chroma[phase] = OnceLock::from(sheet);
            }
        }
        if let Some(mut chain) = self.smaller.take() {
            self.texels().chain(&mut chain);
            self.smaller = OnceLock::from(chain);
        }
    }

    fn forget(&mut self) {
        *self = Self { width: self.width, height: self.height, ..Self::default() };
    }

    fn luma_of_texels(&self, sheet: &mut Sheet<1>) {
        let texels = self.texels();
        let clear = (0..self.height).any(|y| texels.row(y).iter().any(|texel| texel[3] != i8::MAX));
        sheet.reshape(self.width, self.height, clear);
        for y in 0..self.height {
            let ([row], alpha) = sheet.row_mut(y);
            channel::best(row, texels.row(y), 0);
            if let Some(alpha) = alpha {
                channel::best(alpha, texels.row(y), 3);
            }
        }
        sheet.look();
    }

    fn chroma_of(&self, phase: usize, sheet: &mut Sheet<2>) {
        match &self.source {
            Source::Texels => phases::of_texels(self.texels(), self.luma().alpha.is_none(), phase, sheet),
            Source::Feed(planes) => phases::of_feed(self.luma(), planes, phase, sheet),
            Source::Group => phases::of_group(self.chroma(0), phase, sheet),
        }
    }

    fn texels_of_planes(&self, texels: &mut Level) {
        match &self.source {
            Source::Texels => {}
            Source::Feed(planes) => phases::texels_of_feed(self.luma(), planes, texels),
            Source::Group => phases::texels_of_group(self.luma(), self.chroma(0), texels),
        }
    }
}

/// Gives `target` the samples of `plane`, and `plane` the memory `target` had.
fn swap_plane(plane: &mut Plane, target: &mut Vec<u8>) {
    let wanted = plane.width as usize * plane.height as usize;
    if plane.stride == plane.width as usize && plane.data.len() == wanted {
        std::mem::swap(&mut plane.data, target);
        return;
    }
    for (y, out) in (0..plane.height).zip(target.chunks_exact_mut(plane.width as usize)) {
        out.copy_from_slice(plane.row(y));
    }
}
