//! Colours of a pack as a picture codes them, and samples of boxes.

use pixels::{I420, Matrix, Plane, Quad, Range};

/// `#rrggbb`
///
/// # Errors
/// That it is not one.
pub(crate) fn parse(text: &str) -> Result<[f32; 3], String> {
    let wrong = || format!("{text:?} is not a colour like #ff8000");
    let digits =
        text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii()).ok_or_else(wrong)?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map(f32::from).map_err(|_| wrong());
    Ok([part(0)?, part(2)?, part(4)?])
}

/// What turns a picture's codes into red, green and blue, and back.
#[derive(Clone, Copy)]
pub(crate) struct Coding {
    kr: f32,
    kb: f32,
    black: f32,
    luma: f32,
    chroma: f32,
}

impl Coding {
    pub(crate) fn of(picture: &I420) -> Self {
        let (kr, kb) = match picture.matrix {
            Matrix::Bt601 => (0.299, 0.114),
            Matrix::Bt709 => (0.2126, 0.0722),
        };
        let (luma, chroma) = match picture.range {
            Range::Full => (1.0, 1.0),
            Range::Limited => (255.0 / 219.0, 255.0 / 224.0),
        };
        Self { kr, kb, black: f32::from(picture.range.black()), luma, chroma }
    }

    /// Brightness from 0 (black) to 255 (white) of a luma code, or of a mean of them.
    pub(crate) fn bright(self, luma: f32) -> f32 {
        (luma - self.black) * self.luma
    }

    /// How much of a difference of brightness one of luma codes is.
    pub(crate) fn contrast(self, difference: f32) -> f32 {
        difference * self.luma
    }

    /// Red, green and blue of the three codes, 0 to 255 when they are of a colour.
    pub(crate) fn rgb(self, luma: f32, cb: f32, cr: f32) -> [f32; 3] {
        let (luma, cb, cr) = (self.bright(luma), (cb - 128.0) * self.chroma, (cr - 128.0) * self.chroma);
        let (red, blue) = (luma + 2.0 * (1.0 - self.kr) * cr, luma + 2.0 * (1.0 - self.kb) * cb);
        let green = (luma - self.kr * red - self.kb * blue) / (1.0 - self.kr - self.kb);
        [red, green, blue]
    }

    /// How far off grey the codes of a colour are, towards blue and towards red.
    pub(crate) fn hue(self, [red, green, blue]: [f32; 3]) -> (f32, f32) {
        let luma = self.kr * red + self.kb * blue + (1.0 - self.kr - self.kb) * green;
        (
            (blue - luma) / (2.0 * (1.0 - self.kb)) / self.chroma,
            (red - luma) / (2.0 * (1.0 - self.kr)) / self.chroma,
        )
    }
}

/// The samples of a box in a plane: those whose middle is inside, at least one, at most about `most` each way.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    quad: Quad,
    rows: (u32, u32, u32),
    most: u32,
    width: u32,
}

impl Grid {
    /// `None` when the box reaches out of the plane by more than a sample.
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub(crate) fn of(plane: &Plane, quad: &Quad, most: u32) -> Option<Self> {
        let Quad { x, y, width, height, slant } = *quad;
        let (left, right) = (x.min(x + slant), (x + width).max(x + width + slant));
        let (columns, rows) = (plane.width as f32, plane.height as f32);
        // NaN is inside of nothing.
        let inside = left >= -1.0 && y >= -1.0 && right <= columns + 1.0 && y + height <= rows + 1.0;
        if !inside || plane.width == 0 || plane.height == 0 {
            return None;
        }
        Some(Self { quad: *quad, rows: spread(y, y + height, plane.height, most), most, width: plane.width })
    }

    /// Rows with their first and last column and the step between columns.
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    pub(crate) fn lines(self) -> impl Iterator<Item = (u32, (u32, u32, u32))> {
        let (first, end, step) = self.rows;
        let upright = spread(self.quad.x, self.quad.x + self.quad.width, self.width, self.most);
        (first..end).step_by(step as usize).map(move |row| {
            if self.quad.slant == 0.0 {
                return (row, upright);
            }
            let part = (row as f32 + 0.5 - self.quad.y) / self.quad.height;
            let left = self.quad.x + self.quad.slant * part.clamp(0.0, 1.0);
            (row, spread(left, left + self.quad.width, self.width, self.most))
        })
    }

    /// The samples of one plane.
    pub(crate) fn samples(self, plane: &Plane) -> impl Iterator<Item = u8> {
        self.lines().flat_map(move |(row, (first, end, step))| {
            plane.row(row)[first as usize..end as usize].iter().step_by(step as usize).copied()
        })
    }

    /// The mean of one plane's samples.
    pub(crate) fn mean(self, plane: &Plane) -> f32 {
        self.means([plane])[0]
    }

    /// The means of the samples of planes of one size.
    #[expect(clippy::cast_precision_loss, reason = "at most some thousand bytes")]
    pub(crate) fn means<const N: usize>(self, planes: [&Plane; N]) -> [f32; N] {
        let (mut sums, mut count) = ([0_u32; N], 0_u32);
        for (row, (first, end, step)) in self.lines() {
            count += (end - first).div_ceil(step);
            for (sum, plane) in sums.iter_mut().zip(planes) {
                let line = &plane.row(row)[first as usize..end as usize];
                *sum += match step {
                    1 => line.iter().map(|sample| u32::from(*sample)).sum::<u32>(),
                    step => line.iter().step_by(step as usize).map(|sample| u32::from(*sample)).sum::<u32>(),
                };
            }
        }
        sums.map(|sum| sum as f32 / count.max(1) as f32)
    }
}

/// The samples whose middle is between two edges: first, one past the last, and the step that leaves at most `most`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "clamped to the plane"
)]
fn spread(from: f32, to: f32, size: u32, most: u32) -> (u32, u32, u32) {
    let edge = |at: f32| (at - 0.5).ceil().clamp(0.0, size as f32) as u32;
    let (mut first, mut end) = (edge(from), edge(to));
    if end <= first {
        first = (f32::midpoint(from, to).floor().clamp(0.0, size as f32 - 1.0)) as u32;
        end = first + 1;
    }
    (first, end, (end - first).div_ceil(most))
}
