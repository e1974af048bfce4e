//! Spots of ink that hang together, and which of them are the letters of a line.
//!
//! Called by the readers of text. Pure; its work is bounded by the samples of the crop.

use pixels::Plane;

/// A spot of ink, its last row and column not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) right: u32,
    pub(super) bottom: u32,
    pub(super) area: u32,
}

impl Blob {
    pub(super) fn width(&self) -> u32 {
        self.right - self.left
    }

    pub(super) fn height(&self) -> u32 {
        self.bottom - self.top
    }
}

/// The letters of a line: where they stand, and which samples are theirs.
pub(super) struct Letters {
    /// From left to right.
    pub(super) blobs: Vec<Blob>,
    /// The rows between which tall letters stand.
    pub(super) top: u32,
    pub(super) bottom: u32,
    /// What is brighter is ink.
    pub(super) level: u8,
    /// Whether the crop's edge goes through one, so that it may be another than it looks like.
    pub(super) cut: bool,
}

impl Letters {
    /// Finds them in a crop of ink and takes the ink of everything else away. `None` when nothing is like letters.
    ///
    /// What is brighter than `level` is ink.
    pub(super) fn find(ink: &mut Plane, level: u8) -> Option<Self> {
        let (labels, blobs) = label(ink, level);
        let tall: Vec<&Blob> = blobs.iter().filter(|blob| like_a_letter(blob, ink)).collect();
        let (top, bottom) = rows(&tall)?;
        let high = bottom - top;
        let inside = |blob: &Blob| {
            // Room for marks above capitals and for tails below; what reaches the edge is more likely a frame.
            let slack = if cut(blob, ink) { high.div_ceil(6) } else { high.div_ceil(3) };
            blob.top + slack >= top && blob.bottom <= bottom + slack
        };
        let grain = |blob: &Blob| blob.width() * 10 < high && blob.height() * 10 < high;
        let letter = |blob: &Blob| inside(blob) && !grain(blob) && blob.width() < high * 4;
        let near = |blob: &Blob| {
            blobs.iter().any(|other| {
                let gap = other.left.saturating_sub(blob.right).max(blob.left.saturating_sub(other.right));
                letter(other) && !cut(other, ink) && gap * 4 <= high
            })
        };
        // What the box cuts may be the rest of a letter; what lies in a corner, or far from the others, is not.
        let rest = |blob: &Blob| {
            let level = blob.top > 0 && blob.bottom < ink.height;
            blob.height() * 10 >= high * 6 || (level && near(blob))
        };
        let keep: Vec<bool> =
            blobs.iter().map(|blob| letter(blob) && (!cut(blob, ink) || rest(blob))).collect();
        rub_out(ink, &labels, &keep);
        let mut letters: Vec<Blob> =
            blobs.into_iter().zip(keep).filter_map(|(blob, keep)| keep.then_some(blob)).collect();
        letters.sort_by_key(|blob| blob.left);
        let cut = letters.iter().any(|blob| cut(blob, ink));
        (!letters.is_empty()).then_some(Self { blobs: letters, top, bottom, level, cut })
    }

    /// The columns of letters that stand beside each other: what is above another is part of it.
    pub(super) fn columns(&self) -> Vec<(u32, u32)> {
        let mut columns: Vec<(u32, u32)> = Vec::new();
        for blob in &self.blobs {
            match columns.last_mut() {
                Some((_, right)) if blob.left < *right => *right = blob.right.max(*right),
                _ => columns.push((blob.left, blob.right)),
            }
        }
        columns
    }

    /// The letters alone, with `border` around them and wide gaps made narrow, on a ground of 0.
    pub(super) fn line(&self, ink: &Plane, border: u32) -> Plane {
        const SOFT: u32 = 2;
        let top =
            self.blobs.iter().map(|blob| blob.top).min().unwrap_or(0).min(self.top).saturating_sub(SOFT);
        let lowest = self.blobs.iter().map(|blob| blob.bottom).max().unwrap_or(0).max(self.bottom);
        let bottom = (lowest + SOFT).min(ink.height);
        let widest = (self.bottom - self.top) * 2 / 5;
        let mut pieces = Vec::new();
        let (mut at, mut before) = (border, None::<u32>);
        for (left, right) in self.columns() {
            let gap = before.map_or(0, |before| (left - before).min(widest));
            pieces.push((left, right, at + gap));
            at += gap + right - left;
            before = Some(right);
        }
        let mut line = Plane::new(at + border, bottom - top + 2 * border, 0);
        for (left, right, at) in pieces {
            let (from, to) = (left.saturating_sub(SOFT), (right + SOFT).min(ink.width));
            for y in top..bottom {
                let row = line.row_mut(y - top + border);
                let start = (at + from).saturating_sub(left) as usize;
                let piece = &ink.row(y)[from as usize..to as usize];
                row[start..].iter_mut().zip(piece).for_each(|(to, from)| *to = (*to).max(*from));
            }
        }
        line
    }
}

/// Tall enough for a letter, no line, no frame, and not cut off by the box.
fn like_a_letter(blob: &Blob, ink: &Plane) -> bool {
    let (width, height) = (blob.width(), blob.height());
    let solid = blob.area * 12 >= width * height;
    height * 10 >= ink.height * 3 && width <= height * 3 && height <= width * 9 && solid && !cut(blob, ink)
}

/// Whether it reaches the crop's edge.
fn cut(blob: &Blob, ink: &Plane) -> bool {
    blob.left == 0 || blob.right == ink.width || blob.top == 0 || blob.bottom == ink.height
}

/// The rows most tall blobs stand between.
fn rows(tall: &[&Blob]) -> Option<(u32, u32)> {
    let highest = tall.iter().map(|blob| blob.height()).max()?;
    let usual = tall.iter().filter(|blob| blob.height() * 10 >= highest * 6);
    let (mut tops, mut bottoms): (Vec<u32>, Vec<u32>) = usual.map(|blob| (blob.top, blob.bottom)).unzip();
    tops.sort_unstable();
    bottoms.sort_unstable();
    let part = tops.len() / 5;
    Some((*tops.get(part)?, *bottoms.get(bottoms.len() - 1 - part)?))
}

/// Takes away the ink that is no kept blob's, but for the soft edge around those.
fn rub_out(ink: &mut Plane, labels: &[u32], keep: &[bool]) {
    const EDGE: usize = 2;
    let (width, height) = (ink.width as usize, ink.height as usize);
    let mine =
        |label: u32| usize::try_from(label).ok().and_then(|l| l.checked_sub(1)).is_some_and(|l| keep[l]);
    let mut near = vec![false; width * height];
    for y in 0..height {
        for x in 0..width {
            if mine(labels[y * width + x]) {
                for row in y.saturating_sub(EDGE)..(y + EDGE + 1).min(height) {
                    near[row * width + x.saturating_sub(EDGE)..row * width + (x + EDGE + 1).min(width)]
                        .fill(true);
                }
            }
        }
    }
    for ((sample, near), label) in ink.data.iter_mut().zip(near).zip(labels) {
        if !near || (*label > 0 && !mine(*label)) {
            *sample = 0;
        }
    }
}

/// Numbers the spots above `level`, from 1; 0 is no ink. Neighbours may be diagonal.
fn label(ink: &Plane, level: u8) -> (Vec<u32>, Vec<Blob>) {
    let width = ink.width as usize;
    let mut labels = vec![0; ink.data.len()];
    let mut blobs = Vec::new();
    let mut open = Vec::new();
    for start in 0..ink.data.len() {
        if labels[start] != 0 || ink.data[start] <= level {
            continue;
        }
        let number = u32::try_from(blobs.len() + 1).unwrap_or(u32::MAX);
        let mut blob = Blob { left: u32::MAX, top: u32::MAX, right: 0, bottom: 0, area: 0 };
        labels[start] = number;
        open.push(start);
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            let (column, row) = (u32::try_from(x).unwrap_or(0), u32::try_from(y).unwrap_or(0));
            blob.left = blob.left.min(column);
            blob.right = blob.right.max(column + 1);
            blob.top = blob.top.min(row);
            blob.bottom = blob.bottom.max(row + 1);
            blob.area += 1;
            for y in y.saturating_sub(1)..(y + 2).min(ink.height as usize) {
                for x in x.saturating_sub(1)..(x + 2).min(width) {
                    let next = y * width + x;
                    if labels[next] == 0 && ink.data[next] > level {
                        labels[next] = number;
                        open.push(next);
                    }
                }
            }
        }
        blobs.push(blob);
    }
    (labels, blobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(boxes: &[[usize; 4]]) -> Plane {
        let mut plane = Plane::new(100, 40, 0);
        for [x, y, width, height] in boxes {
            for row in *y..y + height {
                plane.row_mut(u32::try_from(row).unwrap())[*x..x + width].fill(255);
            }
        }
        plane
    }

    #[test]
    fn letters_stay_and_the_rest_goes() {
        // Two letters, a colon, a frame's edge, a grain, a corner.
        let boxes = [[20, 10, 10, 20], [50, 10, 10, 20], [38, 12, 4, 4], [38, 24, 4, 4]];
        let clutter = [[0, 0, 3, 40], [70, 20, 1, 1], [96, 0, 4, 5]];
        let mut plane = ink(&[&boxes[..], &clutter[..]].concat());
        let letters = Letters::find(&mut plane, 127).unwrap();
        assert_eq!((letters.top, letters.bottom, letters.cut), (10, 30, false));
        assert_eq!(letters.columns(), [(20, 30), (38, 42), (50, 60)]);
        assert_eq!(plane, ink(&boxes));
        // The gap between the last two is 8, as much as may be; nothing is lost of any.
        let line = letters.line(&plane, 5);
        let sum = |plane: &Plane| plane.data.iter().map(|sample| u32::from(*sample)).sum::<u32>();
        assert_eq!(sum(&line), sum(&plane));
        assert_eq!((line.width, line.height), (5 + 10 + 8 + 4 + 8 + 10 + 5, 20 + 4 + 10));
    }

    #[test]
    fn a_letter_at_the_edge_is_cut_and_too_little_is_none() {
        let mut plane = ink(&[[0, 10, 5, 20], [9, 10, 10, 20], [30, 10, 10, 20]]);
        assert!(Letters::find(&mut plane, 127).unwrap().cut);
        // The foot of a letter whose stem is outside.
        let mut plane = ink(&[[0, 26, 4, 4], [7, 10, 10, 20]]);
        assert!(Letters::find(&mut plane, 127).unwrap().cut);
        for nothing in [&[][..], &[[0, 0, 100, 40]], &[[40, 20, 3, 3]], &[[0, 18, 100, 3]]] {
            assert!(Letters::find(&mut ink(nothing), 127).is_none(), "{nothing:?}");
        }
    }
}
