//! Planes of one size that share one alpha, and how their rows are laid over others.
//!
//! A picture is a sheet of one plane (luma) and one of two (chroma) for each way its pixels can stand on the chroma grid.
//! Called by `picture` and `canvas`. Never allocates when its rows are used.

use super::rows;
use super::spans::{Kind, Spans};

/// `N` planes of premultiplied samples, rows without padding.
#[derive(Clone, Debug)]
pub(super) struct Sheet<const N: usize> {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) planes: [Vec<u8>; N],
    /// One for each sample of a plane; nothing when all of it is opaque.
    pub(super) alpha: Option<Vec<u8>>,
    spans: Spans,
    /// Rows that making it again can use.
    pub(super) spare: [Vec<u8>; 2],
}

impl<const N: usize> Default for Sheet<N> {
    fn default() -> Self {
        let planes = std::array::from_fn(|_| Vec::new());
        Self { width: 0, height: 0, planes, alpha: None, spans: Spans::default(), spare: Default::default() }
    }
}

impl<const N: usize> Sheet<N> {
    /// Gives it another size and no defined samples; alpha's room too when `clear` (not opaque).
    pub(super) fn reshape(&mut self, width: u32, height: u32, clear: bool) {
        (self.width, self.height) = (width, height);
        let samples = width as usize * height as usize;
        self.planes.iter_mut().for_each(|plane| plane.resize(samples, 0));
        match (&mut self.alpha, clear) {
            (Some(alpha), true) => alpha.resize(samples, 0),
            (None, true) => self.alpha = Some(vec![0; samples]),
            (_, false) => self.alpha = None,
        }
    }

    /// Bytes of memory its samples take.
    pub(super) fn memory(&self) -> usize {
        self.planes.iter().chain(&self.alpha).map(Vec::len).sum()
    }

    /// To be called when alpha's samples are all written.
    pub(super) fn look(&mut self) {
        if let Some(alpha) = &self.alpha {
            self.spans.look(alpha, self.width);
        }
    }

    /// Samples of row `y`, plane by plane, for writing, and alpha's.
    pub(super) fn row_mut(&mut self, y: u32) -> ([&mut [u8]; N], Option<&mut [u8]>) {
        let range = y as usize * self.width as usize..(y as usize + 1) * self.width as usize;
        let planes = self.planes.each_mut().map(|plane| &mut plane[range.clone()]);
        (planes, self.alpha.as_mut().map(|alpha| &mut alpha[range]))
    }

    /// Lays samples `from..to` of row `y` over `targets` (one row for each plane) and over `alpha`, the target's own, if
    /// it has one. Each is `to - from` long.
    pub(super) fn lay_row(
        &self,
        (y, from, to): (u32, u32, u32),
        opacity: u8,
        mut targets: [&mut [u8]; N],
        mut under: Option<&mut [u8]>,
    ) {
        let start = y as usize * self.width as usize;
        let Some(alpha) = &self.alpha else {
            let row = start + from as usize..start + to as usize;
            for (target, plane) in targets.iter_mut().zip(&self.planes) {
                cover(target, &plane[row.clone()], opacity);
            }
            if let Some(under) = under {
                raise(under, opacity);
            }
            return;
        };
        for span in self.spans.of(y, from, to) {
            let row = start + span.from as usize..start + span.to as usize;
            let part = (span.from - from) as usize..(span.to - from) as usize;
            for (target, plane) in targets.iter_mut().zip(&self.planes) {
                let (target, source) = (&mut target[part.clone()], &plane[row.clone()]);
                match span.kind {
                    Kind::Opaque => cover(target, source, opacity),
                    Kind::Mixed => lay(target, source, &alpha[row.clone()], opacity),
                }
            }
            if let Some(under) = &mut under {
                let under = &mut under[part];
                match span.kind {
                    Kind::Opaque => raise(under, opacity),
                    Kind::Mixed => lay(under, &alpha[row.clone()], &alpha[row], opacity),
                }
            }
        }
    }
}

/// A row with alpha over another.
#[inline]
pub(super) fn lay(target: &mut [u8], source: &[u8], alpha: &[u8], opacity: u8) {
    if opacity == 255 {
        rows::over::best(target, source, alpha);
    } else {
        rows::over_faded::best(target, source, alpha, opacity);
    }
}

/// A row without alpha over another.
#[inline]
fn cover(target: &mut [u8], source: &[u8], opacity: u8) {
    if opacity == 255 {
        target.copy_from_slice(source);
    } else {
        rows::mix::best(target, source, opacity);
    }
}

/// What becomes of alpha under something opaque.
fn raise(under: &mut [u8], opacity: u8) {
    let opacity = u16::from(opacity);
    for alpha in under {
        *alpha = rows::low(opacity + rows::div255(u16::from(*alpha) * (255 - opacity)));
    }
}
