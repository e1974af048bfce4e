//! What drawing makes: pixels of red, green, blue and alpha, before they are turned into planes.
//!
//! Made by whoever draws text, shapes and images; read by [`super::Picture`] and changed by the effects. Nothing here
//! blends or converts.

/// Pixels of four bytes, R, G, B, A, row after row without padding, top row first.
///
/// Colours are sRGB and premultiplied: each is at most its pixel's alpha, and no colour at all where alpha is 0. Whatever
/// reads a bitmap bears pixels that break this (they come out too bright), but nothing here makes such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bitmap {
    width: u32,
    height: u32,
    data: Vec<u8>,
}

/// Bytes of a pixel.
pub const PIXEL: usize = 4;

impl Bitmap {
    /// A bitmap of that many pixels, all transparent. The caller bounds the size.
    #[must_use]
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, data: vec![0; length(width, height)] }
    }

    /// A bitmap of one colour, premultiplied.
    #[must_use]
    pub fn filled(width: u32, height: u32, colour: [u8; PIXEL]) -> Self {
        Self { width, height, data: colour.repeat(width as usize * height as usize) }
    }

    /// A bitmap of premultiplied pixels; nothing when `data` is not `4 * width * height` bytes.
    #[must_use]
    pub fn from_premultiplied(width: u32, height: u32, data: Vec<u8>) -> Option<Self> {
        (data.len() == length(width, height)).then_some(Self { width, height, data })
    }

    /// A bitmap of pixels as image files hold them, colours apart from alpha; nothing when `data` is not
    /// `4 * width * height` bytes. Rounds to nearest.
    #[must_use]
    pub fn from_straight(width: u32, height: u32, data: Vec<u8>) -> Option<Self> {
        let mut made = Self::from_premultiplied(width, height, data)?;
        for pixel in made.data.chunks_exact_mut(PIXEL).filter(|pixel| pixel[3] < 255) {
            let alpha = u16::from(pixel[3]);
            pixel[..3]
                .iter_mut()
                .for_each(|colour| *colour = crate::convert::div255(u16::from(*colour) * alpha));
        }
        Some(made)
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

    /// All bytes: `4 * width * height`.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// All bytes, for drawing.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The bytes, to be used again.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The bytes of row `y`.
    ///
    /// # Panics
    /// If `y` is not less than the height.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u8] {
        assert!(y < self.height, "row {y} of a bitmap {} high", self.height);
        let pitch = self.width as usize * PIXEL;
        &self.data[y as usize * pitch..][..pitch]
    }

    /// The bytes of row `y`, for drawing.
    ///
    /// # Panics
    /// As [`Bitmap::row`].
    pub fn row_mut(&mut self, y: u32) -> &mut [u8] {
        assert!(y < self.height, "row {y} of a bitmap {} high", self.height);
        let pitch = self.width as usize * PIXEL;
        &mut self.data[y as usize * pitch..][..pitch]
    }

    /// The pixel at column `x` of row `y`.
    ///
    /// # Panics
    /// If it is outside.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; PIXEL] {
        let row = self.row(y);
        let at = x as usize * PIXEL;
        row[at..at + PIXEL].try_into().expect("four bytes were asked for")
    }
}

fn length(width: u32, height: u32) -> usize {
    width as usize * height as usize * PIXEL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_number_of_bytes_makes_a_bitmap() {
        for (width, height, bytes, good) in
            [(3, 2, 24, true), (3, 2, 23, false), (3, 2, 25, false), (0, 9, 0, true), (0, 9, 4, false)]
        {
            assert_eq!(Bitmap::from_premultiplied(width, height, vec![0; bytes]).is_some(), good, "{bytes}");
            assert_eq!(Bitmap::from_straight(width, height, vec![0; bytes]).is_some(), good, "{bytes}");
        }
    }

    #[test]
    fn colours_are_multiplied_by_alpha_and_rounded() {
        let made = Bitmap::from_straight(3, 1, vec![255, 128, 1, 128, 9, 8, 7, 0, 1, 2, 3, 255]).unwrap();
        assert_eq!(made.pixel(0, 0), [128, 64, 1, 128]);
        assert_eq!(made.pixel(1, 0), [0; 4]);
        assert_eq!(made.pixel(2, 0), [1, 2, 3, 255]);
    }

    #[test]
    fn rows_and_pixels_are_where_they_were_put() {
        let mut made = Bitmap::new(2, 3);
        made.row_mut(1)[4..].copy_from_slice(&[1, 2, 3, 4]);
        assert_eq!(made.pixel(1, 1), [1, 2, 3, 4]);
        assert_eq!(made.data()[12..16], [1, 2, 3, 4]);
        assert_eq!(Bitmap::filled(2, 2, [5, 6, 7, 8]).into_data(), [5, 6, 7, 8].repeat(4));
    }
}
