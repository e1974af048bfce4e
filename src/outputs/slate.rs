//! What is sent when there is nothing to show: a plain picture that is not black, so that nobody takes it for a failure.

use pixels::{I420, Matrix, Range};

/// Luma at the top and at the bottom; chroma of a dark blue.
const LUMA: (u32, u32) = (72, 40);
const BLUE: (u8, u8) = (140, 120);

/// A slate of that size, as the compositor makes its pictures.
pub(super) fn draw(width: u32, height: u32) -> I420 {
    let mut picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
    for y in 0..height {
        let (top, bottom) = LUMA;
        let luma = top - (top - bottom) * y / height.max(1);
        picture.y.row_mut(y).fill(u8::try_from(luma).unwrap_or(u8::MAX));
    }
    picture.u.fill(BLUE.0);
    picture.v.fill(BLUE.1);
    // Three bars in the middle, as a sign that waits.
    let (bar, gap) = ((width / 60).max(2), (width / 30).max(4));
    let tall = height / 8;
    for number in 0..3 {
        let left = (width / 2 + number * gap).saturating_sub(gap + bar / 2);
        for y in (height - tall) / 2..(height + tall) / 2 {
            let row = picture.y.row_mut(y);
            let (from, to) = (left as usize, ((left + bar) as usize).min(row.len()));
            row[from.min(to)..to].fill(180);
        }
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slate_is_never_black_whatever_its_size() {
        for (width, height) in [(16, 16), (640, 360), (1080, 1920), (1920, 1080)] {
            let slate = draw(width, height);
            assert!(slate.y.data.iter().all(|luma| (30..=235).contains(luma)), "{width}x{height}");
            assert!(slate.y.data.contains(&180));
        }
    }
}
