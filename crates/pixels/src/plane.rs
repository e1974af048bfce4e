//! Planes of 8-bit samples and the planar 4:2:0 picture made of three of them.
//!
//! Owns the layout rules (stride, chroma size of odd pictures) that every other module and the `media` crate
//! rely on. Never converts a sample: colour and range changes are in [`crate::convert`].

/// One plane of 8-bit samples, row after row, top row first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plane {
    /// At least `stride * height` bytes; a row's samples come first, its padding after them.
    pub data: Vec<u8>,
    /// Bytes from one row's start to the next one's, at least `width`.
    pub stride: usize,
    /// Samples in a row.
    pub width: u32,
    /// Number of rows.
    pub height: u32,
}

impl Plane {
    /// A plane without padding (`stride == width`), every sample equal to `fill`.
    #[must_use]
    pub fn new(width: u32, height: u32, fill: u8) -> Self {
        let mut plane = Self::default();
        plane.reshape(width, height, fill);
        plane
    }

    /// The samples of row `y`, without padding.
    ///
    /// # Panics
    /// If `y` is not less than `height`, or `data` is shorter than the plane's shape says.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u8] {
        assert!(y < self.height, "row {y} of a plane {} high", self.height);
        let start = y as usize * self.stride;
        &self.data[start..start + self.width as usize]
    }

    /// The samples of row `y`, without padding, for writing.
    ///
    /// # Panics
    /// As [`Plane::row`].
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        assert!(y < self.height, "row {y} of a plane {} high", self.height);
        let start = y as usize * self.stride;
        &mut self.data[start..start + self.width as usize]
    }

    /// All rows, top first, without padding.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.height).map(|y| self.row(y))
    }

    /// Gives the plane another size without padding, keeping the allocation when it is large enough.
    ///
    /// When the size changes every sample becomes `fill`; when it does not, the samples stay as they are.
    pub fn reshape(&mut self, width: u32, height: u32, fill: u8) {
        if (self.width, self.height, self.stride) == (width, height, width as usize) {
            return;
        }
        (self.width, self.height, self.stride) = (width, height, width as usize);
        self.data.clear();
        self.data.resize(width as usize * height as usize, fill);
    }

    /// Makes every sample, padding included, equal to `value`.
    pub fn fill(&mut self, value: u8) {
        self.data.fill(value);
    }
}

/// Which codes stand for black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// Luma 0–255, chroma 128 ± 127: JPEG (JFIF 1.02, page 3).
    Full,
    /// Luma 16–235, chroma 16–240: television (ITU-R BT.601-7, table 3).
    Limited,
}

impl Range {
    /// The luma code of black.
    #[must_use]
    pub const fn black(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Limited => 16,
        }
    }
}

/// Which luma weights the picture was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601: Kr 0.299, Kb 0.114. What JPEG means.
    Bt601,
    /// ITU-R BT.709: Kr 0.2126, Kb 0.0722. What HD video means.
    Bt709,
}

/// A planar 4:2:0 picture that knows its range and matrix.
///
/// Each chroma plane is `ceil(width / 2)` × `ceil(height / 2)`, so odd luma sizes are allowed. Chroma samples
/// lie in the middle of their 2×2 luma samples horizontally and vertically, as in JPEG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I420 {
    pub width: u32,
    pub height: u32,
    pub y: Plane,
    pub u: Plane,
    pub v: Plane,
    pub range: Range,
    pub matrix: Matrix,
}

/// The chroma code of no colour, in both ranges.
pub const NEUTRAL: u8 = 128;

impl I420 {
    /// A black picture of `width` × `height` pixels.
    #[must_use]
    pub fn new(width: u32, height: u32, range: Range, matrix: Matrix) -> Self {
        let (across, down) = Self::chroma_size(width, height);
        Self {
            width,
            height,
            y: Plane::new(width, height, range.black()),
            u: Plane::new(across, down, NEUTRAL),
            v: Plane::new(across, down, NEUTRAL),
            range,
            matrix,
        }
    }

    /// Gives the picture another size, keeping the allocations when they are large enough.
    ///
    /// A plane whose size changes becomes black (neutral for chroma); one whose size stays keeps its samples,
    /// so a caller that does not overwrite every sample wants [`I420::blacken`] too.
    pub fn reshape(&mut self, width: u32, height: u32) {
        let (across, down) = Self::chroma_size(width, height);
        (self.width, self.height) = (width, height);
        self.y.reshape(width, height, self.range.black());
        self.u.reshape(across, down, NEUTRAL);
        self.v.reshape(across, down, NEUTRAL);
    }

    /// Makes the whole picture black.
    pub fn blacken(&mut self) {
        self.y.fill(self.range.black());
        self.u.fill(NEUTRAL);
        self.v.fill(NEUTRAL);
    }

    /// Size of each chroma plane of a picture of `width` × `height`: halves, rounded up.
    #[must_use]
    pub const fn chroma_size(width: u32, height: u32) -> (u32, u32) {
        (width.div_ceil(2), height.div_ceil(2))
    }

    /// The three planes in the order Y, U (Cb), V (Cr).
    #[must_use]
    pub fn planes(&self) -> [&Plane; 3] {
        [&self.y, &self.u, &self.v]
    }

    /// The three planes in the order Y, U (Cb), V (Cr), for writing.
    pub fn planes_mut(&mut self) -> [&mut Plane; 3] {
        [&mut self.y, &mut self.u, &mut self.v]
    }
}

/// One plane of a picture that somebody else owns, laid out as a [`Plane`] is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lent<'a> {
    /// At least `stride * height` bytes.
    pub data: &'a [u8],
    pub stride: usize,
    pub width: u32,
    pub height: u32,
}

/// A picture that somebody else owns: a decoder's, an [`I420`].
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub width: u32,
    pub height: u32,
    /// Y, U (Cb), V (Cr); the sizes are those of an [`I420`].
    pub planes: [Lent<'a>; 3],
    pub range: Range,
    pub matrix: Matrix,
}

impl<'a> Lent<'a> {
    /// The samples of row `y`, without padding.
    ///
    /// # Panics
    /// As [`Plane::row`].
    #[must_use]
    pub fn row(&self, y: u32) -> &'a [u8] {
        assert!(y < self.height, "row {y} of a plane {} high", self.height);
        let start = y as usize * self.stride;
        &self.data[start..start + self.width as usize]
    }
}

impl Plane {
    #[must_use]
    pub fn lend(&self) -> Lent<'_> {
        Lent { data: &self.data, stride: self.stride, width: self.width, height: self.height }
    }
}

impl I420 {
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View {
            width: self.width,
            height: self.height,
            planes: self.planes().map(Plane::lend),
            range: self.range,
            matrix: self.matrix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chroma_of_odd_pictures_is_rounded_up() {
        for (width, height, expected) in
            [(1, 1, (1, 1)), (2, 2, (1, 1)), (3, 2, (2, 1)), (641, 481, (321, 241))]
        {
            let picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
            assert_eq!((picture.u.width, picture.u.height), expected, "{width}x{height}");
            assert_eq!(picture.v, picture.u);
            assert!(picture.y.data.iter().all(|&luma| luma == 16));
            assert!(picture.u.data.iter().all(|&chroma| chroma == NEUTRAL));
        }
    }

    #[test]
    fn reshaping_to_a_smaller_size_and_back_keeps_the_allocation() {
        let mut picture = I420::new(640, 480, Range::Full, Matrix::Bt601);
        let before = picture.y.data.as_ptr();
        picture.reshape(321, 33);
        assert_eq!(
            (picture.y.stride, picture.y.height, picture.u.width, picture.v.height),
            (321, 33, 161, 17)
        );
        picture.reshape(640, 480);
        assert_eq!(picture.y.data.as_ptr(), before);
        assert_eq!(picture.y.data.len(), 640 * 480);
    }

    #[test]
    fn rows_leave_the_padding_out() {
        let mut plane = Plane { data: vec![9; 8 * 3], stride: 8, width: 5, height: 3 };
        plane.row_mut(1).fill(1);
        assert_eq!(plane.row(1), [1; 5]);
        assert_eq!(plane.data[8..16], [1, 1, 1, 1, 1, 9, 9, 9]);
        assert_eq!(plane.rows().len(), 3);
    }
}
