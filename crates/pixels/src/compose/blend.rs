//! Blend modes other than `normal`: multiply, screen, overlay, darken, lighten, add.
//!
//! Part of [`Band`]. They are not linear, so they can't be done with codes: each small piece is brought to sRGB, blended
//! as W3C's Compositing and Blending Level 1 says (sections 9 and 10), and brought back. What the picture does not touch
//! stays as it is, to the byte.

use super::affine::Mapped;
use super::canvas::Band;
use super::colour::{self, byte};
use super::geometry::{Affine, Rect};
use super::picture::Picture;
use super::sampler::WIDE;
use super::simd::dispatched;
use super::tile::{Planes, Tile};

/// How a layer's colours meet those below.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// One over the other.
    #[default]
    Normal,
    /// The product: never lighter.
    Multiply,
    /// The product of the opposites: never darker.
    Screen,
    /// Multiply where it is dark below, screen where it is light.
    Overlay,
    /// The darker of the two, channel by channel.
    Darken,
    /// The lighter of the two, channel by channel.
    Lighten,
    /// The sum (`plus-lighter`).
    Add,
}

impl Band {
    /// As [`Band::over_affine`], with a blend mode.
    pub fn blend(&mut self, picture: &Picture, map: &Affine, opacity: u8, mode: Mode, clip: Rect) {
        if mode == Mode::Normal {
            match map.whole_move() {
                Some((x, y)) => self.over(picture, x, y, opacity, clip),
                None => self.over_affine(picture, map, opacity, clip),
            }
            return;
        }
        let area = self.clipped(clip).meet(&map.bounds(picture.width(), picture.height()).even());
        if opacity == 0 || area.is_empty() {
            return;
        }
        let Some(mapped) = Mapped::new(picture, map) else { return };
        let mut planes = Planes::default();
        mapped.tiles(area, |place, tile| {
            let blank = |row: &[[u8; 4]; WIDE]| row.iter().all(|texel| texel[3] == 0);
            if !tile.iter().all(blank) {
                self.take_tile(place, &mut planes);
                blended::best(tile, opacity, mode, &mut planes);
                self.put_tile(place, &planes);
            }
        });
    }

    /// Copies what is there to a tile; alpha is 255 on a canvas without.
    fn take_tile(&self, place: Rect, planes: &mut Planes) {
        let (Some(whole), Some(half)) = (self.part(place, false), self.part(place, true)) else { return };
        for (row, line) in whole.rows().enumerate() {
            planes.luma[row][..line.len()].copy_from_slice(&self.luma[line.clone()]);
            match &self.alpha {
                Some([alpha, _]) => planes.alpha[row][..line.len()].copy_from_slice(&alpha[line]),
                None => planes.alpha[row].fill(255),
            }
        }
        for line in half.rows() {
            for (out, plane) in planes.chroma.iter_mut().zip(&self.chroma) {
                out[..line.len()].copy_from_slice(&plane[line.clone()]);
            }
            match &self.alpha {
                Some([_, alpha]) => planes.chroma_alpha[..line.len()].copy_from_slice(&alpha[line]),
                None => planes.chroma_alpha.fill(255),
            }
        }
    }

    fn put_tile(&mut self, place: Rect, planes: &Planes) {
        let (Some(whole), Some(half)) = (self.part(place, false), self.part(place, true)) else { return };
        for (row, line) in whole.rows().enumerate() {
            self.luma[line.clone()].copy_from_slice(&planes.luma[row][..line.len()]);
            if let Some([alpha, _]) = &mut self.alpha {
                alpha[line.clone()].copy_from_slice(&planes.alpha[row][..line.len()]);
            }
        }
        for line in half.rows() {
            for (plane, from) in self.chroma.iter_mut().zip(&planes.chroma) {
                plane[line.clone()].copy_from_slice(&from[..line.len()]);
            }
            if let Some([_, alpha]) = &mut self.alpha {
                alpha[line.clone()].copy_from_slice(&planes.chroma_alpha[..line.len()]);
            }
        }
    }
}

dispatched! {
    /// Blends a tile into what is below it.
    fn blended(tile: &Tile, opacity: u8, mode: Mode, under: &mut Planes) {
        match mode {
            Mode::Normal => each(tile, opacity, under, |s, d, sa, _| s + d * (1.0 - sa)),
            Mode::Multiply => each(tile, opacity, under, |s, d, sa, da| s * d + s * (1.0 - da) + d * (1.0 - sa)),
            Mode::Screen => each(tile, opacity, under, |s, d, _, _| s + d - s * d),
            Mode::Overlay => each(tile, opacity, under, |s, d, sa, da| {
                let dark = 2.0 * s * d;
                let light = sa * da - 2.0 * (da - d) * (sa - s);
                (if 2.0 * d <= da { dark } else { light }) + s * (1.0 - da) + d * (1.0 - sa)
            }),
            Mode::Darken => each(tile, opacity, under, |s, d, sa, da| {
                (s * da).min(d * sa) + s * (1.0 - da) + d * (1.0 - sa)
            }),
            Mode::Lighten => each(tile, opacity, under, |s, d, sa, da| {
                (s * da).max(d * sa) + s * (1.0 - da) + d * (1.0 - sa)
            }),
            Mode::Add => each(tile, opacity, under, |s, d, _, _| s + d),
        }
    }
}

/// Makes of each pixel's premultiplied channels (source's, target's, their alphas; 0–1) the blended one.
#[inline(always)]
fn each(tile: &Tile, opacity: u8, under: &mut Planes, mix: impl Fn(f32, f32, f32, f32) -> f32) {
    let scale = f32::from(opacity) / 255.0;
    let mut sums = [[0.0_f32; WIDE / 2]; 3];
    let mut touched = [false; WIDE / 2];
    for (row, texels) in tile.iter().enumerate() {
        for (x, texel) in texels.iter().enumerate() {
            let half = x / 2;
            let alpha = f32::from(under.alpha[row][x]);
            let own = f32::from(under.chroma_alpha[half]);
            // Chroma below is premultiplied by its own alpha; what counts is the pixel's.
            let share = if own > 0.0 { alpha / own } else { 0.0 };
            let [u, v] = [0, 1].map(|channel: usize| f32::from(under.chroma[channel][half]) * share);
            let below = colour::rgb([f32::from(under.luma[row][x]), u, v, alpha]);
            let source = texel.map(|sample| f32::from(sample) * scale);
            let above = colour::rgb(source);
            let (sa, da) = (source[3] / 255.0, alpha / 255.0);
            let made_alpha = sa + da - sa * da;
            let mut made = [0.0; 3];
            for ((made, s), d) in made.iter_mut().zip(above).zip(below) {
                let (s, d) = ((s / 255.0).max(0.0).min(sa), (d / 255.0).max(0.0).min(da));
                *made = mix(s, d, sa, da).max(0.0).min(made_alpha) * 255.0;
            }
            let alpha = if sa > 0.0 { made_alpha * 255.0 } else { alpha };
            let codes = colour::codes(made, alpha);
            let codes = if sa > 0.0 { codes } else { [f32::from(under.luma[row][x]), u, v] };
            under.luma[row][x] = byte(codes[0]);
            under.alpha[row][x] = byte(alpha);
            sums[0][half] += codes[1];
            sums[1][half] += codes[2];
            sums[2][half] += alpha;
            touched[half] |= sa > 0.0;
        }
    }
    for (half, touched) in touched.iter().enumerate() {
        if *touched {
            under.chroma[0][half] = byte(sums[0][half] / 4.0);
            under.chroma[1][half] = byte(sums[1][half] / 4.0);
            under.chroma_alpha[half] = byte(sums[2][half] / 4.0);
        }
    }
}
