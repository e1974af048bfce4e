//! Draws boards and pictures to read.

use ab_glyph::{Font as _, FontRef, ScaleFont as _};
use pixels::{I420, Matrix, Range, jpeg};

/// A picture of red, green and blue.
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) data: Vec<u8>,
}

/// A font and its name.
pub(crate) struct Font {
    pub(crate) name: &'static str,
    /// Whether the reader of text knows its digits.
    pub(crate) known: bool,
    face: FontRef<'static>,
}

/// Fonts that are free and in a registry.
pub(crate) fn fonts() -> Vec<Font> {
    let font = |name, known, bytes| Font { name, known, face: FontRef::try_from_slice(bytes).unwrap() };
    vec![
        font("sans", true, dejavu::sans::regular()),
        font("sans bold", true, dejavu::sans::bold()),
        font("condensed", true, dejavu::sans_condensed::regular()),
        font("condensed bold", true, dejavu::sans_condensed::bold()),
        font("mono", true, dejavu::sans_mono::regular()),
        font("mono bold", true, dejavu::sans_mono::bold()),
        font("oblique", false, dejavu::sans::bold_oblique()),
        font("serif", false, dejavu::serif::regular()),
        font("serif bold", true, dejavu::serif::bold()),
    ]
}

impl Font {
    /// The scale at which digits are `high` pixels.
    fn scaled(&self, high: f32) -> ab_glyph::PxScaleFont<&FontRef<'static>> {
        let at = |scale: f32| {
            let glyph = self.face.glyph_id('7').with_scale_and_position(scale, ab_glyph::point(0.0, 0.0));
            self.face.outline_glyph(glyph).unwrap().px_bounds().height()
        };
        self.face.as_scaled(high * 1000.0 / at(1000.0))
    }
}

impl Font {
    /// The width of a line whose digits are 1 high.
    pub(crate) fn width(&self, text: &str) -> f32 {
        let face = self.scaled(100.0);
        text.chars().map(|letter| face.h_advance(face.glyph_id(letter))).sum::<f32>() / 100.0
    }
}

impl Canvas {
    pub(crate) fn new(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        let data = rgb.repeat((width * height) as usize);
        Self { width, height, data }
    }

    pub(crate) fn mix(&mut self, x: i64, y: i64, rgb: [u8; 3], part: f32) {
        if x < 0 || y < 0 || x >= i64::from(self.width) || y >= i64::from(self.height) {
            return;
        }
        let at = usize::try_from((y * i64::from(self.width) + x) * 3).unwrap();
        for (to, from) in self.data[at..at + 3].iter_mut().zip(rgb) {
            *to = (f32::from(*to) * (1.0 - part) + f32::from(from) * part).round() as u8;
        }
    }

    pub(crate) fn rectangle(&mut self, [x, y, width, height]: [f32; 4], rgb: [u8; 3]) {
        for row in y.round() as i64..(y + height).round() as i64 {
            for column in x.round() as i64..(x + width).round() as i64 {
                self.mix(column, row, rgb, 1.0);
            }
        }
    }

    /// Digits are `high` pixels, their foot at `foot`; the middle of the line is at `middle`.
    pub(crate) fn text(&mut self, font: &Font, text: &str, high: f32, middle: f32, foot: f32, rgb: [u8; 3]) {
        let face = font.scaled(high);
        let advance = |letter: char| face.h_advance(face.glyph_id(letter));
        let mut x = middle - text.chars().map(advance).sum::<f32>() / 2.0;
        for letter in text.chars() {
            let glyph = face.glyph_id(letter).with_scale_and_position(face.scale(), ab_glyph::point(x, foot));
            if let Some(outline) = face.outline_glyph(glyph) {
                let bounds = outline.px_bounds();
                outline.draw(|across, down, part| {
                    let (x, y) =
                        (bounds.min.x as i64 + i64::from(across), bounds.min.y as i64 + i64::from(down));
                    self.mix(x, y, rgb, part.min(1.0));
                });
            }
            x += advance(letter);
        }
    }

    /// As it comes out of a camera or a codec: noise of up to `noise`, then JPEG of that quality.
    pub(crate) fn coded(&self, quality: u8, noise: usize, dice: &mut Dice) -> I420 {
        let noisy: Vec<u8> = self
            .data
            .iter()
            .map(|sample| {
                let off = i32::try_from(dice.below(noise * 2 + 1)).unwrap() - i32::try_from(noise).unwrap();
                u8::try_from((i32::from(*sample) + off).clamp(0, 255)).unwrap()
            })
            .collect();
        let mut picture = I420::new(self.width, self.height, Range::Full, Matrix::Bt601);
        pixels::convert::rgb_to_i420(&noisy, 3, &mut picture);
        let bytes = jpeg::Encoder::new(quality).unwrap().encode(&picture).unwrap();
        let header = jpeg::inspect(&bytes, 8192).unwrap();
        jpeg::Decoder::new().unwrap().decode(&bytes, &header, &mut picture).unwrap();
        picture
    }
}

/// Numbers that look thrown and are the same each time (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}
