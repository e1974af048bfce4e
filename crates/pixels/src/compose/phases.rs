//! Chroma at half the size, for each way a picture's pixels can stand on the canvas's chroma grid, and texels from planes.
//!
//! Called by `picture` when such a form is first needed, or made again. With an odd left corner the first chroma sample
//! covers one column of the picture only, and one without any; it is then half transparent. Everything is the mean of what
//! it covers or lies in the middle of its neighbours, so that colours never move against their shapes.

use super::colour::Texel;
use super::rows;
use super::sheet::Sheet;
use super::texels::{Level, channel};
use crate::plane::Plane;

/// How many columns and rows of a sheet's first chroma samples lie before the picture.
fn before(phase: usize) -> (u32, u32) {
    (u32::from(phase & 1 == 1), u32::from(phase & 2 == 2))
}

/// Chroma samples of a picture's side whose first is preceded by `before` pixels.
fn halves(size: u32, before: u32) -> u32 {
    (size + before).div_ceil(2)
}

/// The picture's rows that lie in row `row` of a sheet: two, or one at an edge.
fn covered(row: u32, before: u32, height: u32) -> [Option<u32>; 2] {
    let inside = |y: Option<u32>| y.filter(|y| *y < height);
    [inside((2 * row).checked_sub(before)), inside((2 * row + 1).checked_sub(before))]
}

/// From texels, which have their own chroma each.
pub(super) fn of_texels(texels: &Level, opaque: bool, phase: usize, sheet: &mut Sheet<2>) {
    let (left, top) = before(phase);
    let (width, height) = (halves(texels.width, left), halves(texels.height, top));
    let whole = opaque && (width * 2, height * 2) == (texels.width, texels.height);
    sheet.reshape(width, height, !whole);
    // Two rows of Cb, Cr and alpha, with room before and after the picture.
    let mut lines: [[Vec<u8>; 3]; 2] =
        std::array::from_fn(|_| std::array::from_fn(|_| vec![0; width as usize * 2]));
    for row in 0..height {
        for (line, y) in lines.iter_mut().zip(covered(row, top, texels.height)) {
            let Some(y) = y else {
                line.iter_mut().for_each(|line| line.fill(0));
                continue;
            };
            for (at, line) in (1..).zip(line) {
                channel::best(&mut line[left as usize..], texels.row(y), at);
            }
        }
        let ([u, v], alpha) = sheet.row_mut(row);
        for (channel, out) in [Some(u), Some(v), alpha].into_iter().enumerate() {
            if let Some(out) = out {
                rows::mean_of_four::best(out, &lines[0][channel], &lines[1][channel]);
            }
        }
    }
    sheet.look();
}

/// From a live feed: chroma 4:2:0 that is not premultiplied, and the luma sheet's alpha, if any.
pub(super) fn of_feed(luma: &Sheet<1>, planes: &[Plane; 2], phase: usize, sheet: &mut Sheet<2>) {
    let (left, top) = before(phase);
    let (width, height) = (halves(luma.width, left), halves(luma.height, top));
    let whole = luma.alpha.is_none() && (width * 2, height * 2) == (luma.width, luma.height);
    sheet.reshape(width, height, !whole);
    let mut alphas = std::mem::take(&mut sheet.spare);
    alphas.iter_mut().for_each(|line| line.resize(width as usize * 2, 0));
    for row in 0..height {
        let (mut colours, alpha) = sheet.row_mut(row);
        for (out, plane) in colours.iter_mut().zip(planes) {
            between(plane, row, (left, top), out);
        }
        let Some(alpha) = alpha else { continue };
        for (line, y) in alphas.iter_mut().zip(covered(row, top, luma.height)) {
            line.fill(0);
            let inside = &mut line[left as usize..][..luma.width as usize];
            match (y, &luma.alpha) {
                (Some(y), Some(alpha)) => {
                    inside.copy_from_slice(&alpha[y as usize * luma.width as usize..][..luma.width as usize]);
                }
                (Some(_), None) => inside.fill(255),
                (None, _) => {}
            }
        }
        rows::mean_of_four::best(alpha, &alphas[0], &alphas[1]);
        colours.into_iter().for_each(|colour| rows::premultiply::best(colour, alpha));
    }
    sheet.spare = alphas;
    sheet.look();
}

/// Row `row` of a chroma plane moved by a half sample where the picture starts in the middle of one.
fn between(plane: &Plane, row: u32, (left, top): (u32, u32), out: &mut [u8]) {
    let last = plane.height - 1;
    let [upper, lower] = [row.saturating_sub(top), row].map(|y| plane.row(y.min(last)));
    if left == 0 {
        rows::mean_of_rows::best(out, [upper, lower, upper, lower]);
        return;
    }
    // The first and the last lie at the edge, where there is a neighbour on one side only.
    let count = out.len();
    let inner = count.min(upper.len()) - 1;
    rows::mean_of_rows::best(&mut out[1..=inner], [upper, lower, &upper[1..], &lower[1..]]);
    let mean = |x: usize| rows::low((u16::from(upper[x]) + u16::from(lower[x])).div_ceil(2));
    out[0] = mean(0);
    if count > upper.len() {
        out[count - 1] = mean(upper.len() - 1);
    }
}

/// From a group's chroma of phase 0, premultiplied; the group's sides are even.
pub(super) fn of_group(even: &Sheet<2>, phase: usize, sheet: &mut Sheet<2>) {
    let (left, top) = before(phase);
    let (width, height) = (even.width + left, even.height + top);
    sheet.reshape(width, height, true);
    // Room for nothing on both sides.
    let mut lines = std::mem::take(&mut sheet.spare);
    for line in &mut lines {
        line.clear();
        line.resize(even.width as usize + 2, 0);
    }
    for row in 0..height {
        let ([u, v], alpha) = sheet.row_mut(row);
        let sources = [Some(&even.planes[0]), Some(&even.planes[1]), even.alpha.as_ref()];
        for (source, out) in sources.into_iter().zip([Some(u), Some(v), alpha]) {
            let Some(out) = out else { continue };
            for (line, y) in lines.iter_mut().zip([row.checked_sub(top), Some(row)]) {
                let inside = &mut line[1..=even.width as usize];
                match (y.filter(|y| *y < even.height), source) {
                    (Some(y), Some(source)) => {
                        inside.copy_from_slice(
                            &source[y as usize * even.width as usize..][..even.width as usize],
                        );
                    }
                    (Some(_), None) => inside.fill(255),
                    (None, _) => inside.fill(0),
                }
            }
            let (shift, [upper, lower]) = (1 - left as usize, &lines);
            rows::mean_of_rows::best(out, [&upper[shift..], &lower[shift..], &upper[1..], &lower[1..]]);
        }
    }
    sheet.spare = lines;
    sheet.look();
}

/// Texels of a feed: chroma brought to the luma plane's size, each sample between its four nearest.
pub(super) fn texels_of_feed(luma: &Sheet<1>, planes: &[Plane; 2], texels: &mut Level) {
    texels.reshape(luma.width, luma.height);
    let mut spare = std::mem::take(&mut texels.spare);
    let [u, v, _] = &mut spare;
    let mut wide = [u, v];
    wide.iter_mut().for_each(|line| line.resize(luma.width as usize, 0));
    for y in 0..luma.height {
        for (plane, wide) in planes.iter().zip(&mut wide) {
            widen(|y| plane.row(y), plane.height, y, wide);
        }
        let [u, v] = &mut wide;
        let row = y as usize * luma.width as usize..(y as usize + 1) * luma.width as usize;
        match &luma.alpha {
            None => write(texels, y, &luma.planes[0][row], [u, v], std::iter::repeat(&255)),
            Some(alpha) => {
                rows::premultiply::best(u, &alpha[row.clone()]);
                rows::premultiply::best(v, &alpha[row.clone()]);
                write(texels, y, &luma.planes[0][row.clone()], [u, v], alpha[row].iter());
            }
        }
    }
    texels.spare = spare;
}

/// Texels of a group, whose chroma is premultiplied by alpha of its own.
pub(super) fn texels_of_group(luma: &Sheet<1>, chroma: &Sheet<2>, texels: &mut Level) {
    texels.reshape(luma.width, luma.height);
    let width = luma.width as usize;
    let mut wide = std::mem::take(&mut texels.spare);
    wide.iter_mut().for_each(|line| line.resize(width, 0));
    wide[2].fill(255);
    for y in 0..luma.height {
        let sources = [Some(&chroma.planes[0]), Some(&chroma.planes[1]), chroma.alpha.as_ref()];
        for (source, wide) in sources.into_iter().zip(&mut wide) {
            if let Some(source) = source {
                let row = |y: u32| &source[(y * chroma.width) as usize..][..chroma.width as usize];
                widen(row, chroma.height, y, wide);
            }
        }
        let row = y as usize * width..(y as usize + 1) * width;
        let [u, v, own] = &mut wide;
        let alpha = luma.alpha.as_ref().map(|alpha| &alpha[row.clone()]);
        // Chroma's own alpha, four pixels' mean, is not the pixel's: bring its samples to the pixel's.
        for (x, own) in own.iter().enumerate() {
            let alpha = alpha.map_or(255, |alpha| alpha[x]);
            for sample in [&mut u[x], &mut v[x]] {
                let (part, of, own) = (u32::from(*sample), u32::from(alpha), u32::from(*own).max(1));
                *sample = ((part * of + own / 2) / own).min(of).to_le_bytes()[0];
            }
        }
        match alpha {
            None => write(texels, y, &luma.planes[0][row], [u, v], std::iter::repeat(&255)),
            Some(alpha) => write(texels, y, &luma.planes[0][row.clone()], [u, v], alpha.iter()),
        }
    }
    texels.spare = wide;
}

fn write<'a>(
    texels: &mut Level,
    y: u32,
    luma: &[u8],
    [u, v]: [&Vec<u8>; 2],
    alpha: impl Iterator<Item = &'a u8>,
) {
    let codes = luma.iter().zip(u).zip(v).zip(alpha);
    texels.write_row(y, codes.map(|(((y, u), v), alpha)| -> Texel { [*y, *u, *v, *alpha] }));
}

/// Row `y` of a plane of half the size brought to full size: three parts of the nearest, one of the next.
pub(super) fn widen<'a>(row: impl Fn(u32) -> &'a [u8], height: u32, y: u32, out: &mut [u8]) {
    let near = (y / 2).min(height - 1);
    let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(height - 1) };
    let (near, far) = (row(near), row(far));
    let last = near.len() - 1;
    let down = |x: usize| 3 * u16::from(near[x]) + u16::from(far[x]);
    for (x, pair) in out.chunks_mut(2).enumerate() {
        let (left, here, right) = (down(x.saturating_sub(1)), down(x.min(last)), down((x + 1).min(last)));
        pair[0] = rows::low((3 * here + left + 8) >> 4);
        if let Some(out) = pair.get_mut(1) {
            *out = rows::low((3 * here + right + 8) >> 4);
        }
    }
}
