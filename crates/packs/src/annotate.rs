//! The picture with the boxes that were looked at, and below each what was read, as a PNG.

use pixels::{I420, Matrix, Quad, Range};

use crate::session::Outcome;

/// Boxes of what was read are green, of what was not red.
const READ: [u8; 3] = [40, 230, 90];
const NOT_READ: [u8; 3] = [255, 60, 60];

/// `picture` with the boxes of `outcome` drawn on it.
#[must_use]
pub fn png(picture: &I420, outcome: &Outcome) -> Vec<u8> {
    let mut canvas = Canvas { pixels: rgb(picture), width: picture.width, height: picture.height };
    for (id, quad) in &outcome.boxes {
        let is =
            |name: &str| name == &**id || name.strip_prefix(&**id).is_some_and(|rest| rest.starts_with('.'));
        let read = outcome.reading.as_ref().is_some_and(|reading| reading.values.keys().any(|name| is(name)));
        canvas.outline(quad, if read { READ } else { NOT_READ });
        if let Some(reading) = &outcome.reading {
            let values = reading.values.iter().filter(|(name, _)| is(name));
            let text: Vec<String> = values
                .map(|(name, read)| match name.strip_prefix(&**id).and_then(|rest| rest.strip_prefix('.')) {
                    Some(part) => format!("{part} {}", read.value),
                    None => read.value.to_string(),
                })
                .collect();
            // A list's slots are too many for one line.
            if text.len() <= 3 {
                canvas.text(&text.join(" "), quad.x + quad.slant, quad.y + quad.height + 2.0);
            }
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width.max(1), picture.height.max(1));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&canvas.pixels));
    // Writing to memory fails for a picture without pixels only.
    if written.is_err() {
        bytes.clear();
    }
    bytes
}

/// Five rows of three, the left one the highest bit.
const LETTERS: [(char, [u8; 5]); 41] = [
    ('0', [0b111, 0b101, 0b101, 0b101, 0b111]),
    ('1', [0b010, 0b110, 0b010, 0b010, 0b111]),
    ('2', [0b111, 0b001, 0b111, 0b100, 0b111]),
    ('3', [0b111, 0b001, 0b111, 0b001, 0b111]),
    ('4', [0b101, 0b101, 0b111, 0b001, 0b001]),
    ('5', [0b111, 0b100, 0b111, 0b001, 0b111]),
    ('6', [0b111, 0b100, 0b111, 0b101, 0b111]),
    ('7', [0b111, 0b001, 0b001, 0b001, 0b001]),
    ('8', [0b111, 0b101, 0b111, 0b101, 0b111]),
    ('9', [0b111, 0b101, 0b111, 0b001, 0b111]),
    (':', [0b000, 0b010, 0b000, 0b010, 0b000]),
    ('-', [0b000, 0b000, 0b111, 0b000, 0b000]),
    ('.', [0b000, 0b000, 0b000, 0b000, 0b010]),
    (' ', [0b000, 0b000, 0b000, 0b000, 0b000]),
    ('A', [0b010, 0b101, 0b111, 0b101, 0b101]),
    ('B', [0b110, 0b101, 0b110, 0b101, 0b110]),
    ('C', [0b011, 0b100, 0b100, 0b100, 0b011]),
    ('D', [0b110, 0b101, 0b101, 0b101, 0b110]),
    ('E', [0b111, 0b100, 0b110, 0b100, 0b111]),
    ('F', [0b111, 0b100, 0b110, 0b100, 0b100]),
    ('G', [0b011, 0b100, 0b101, 0b101, 0b011]),
    ('H', [0b101, 0b101, 0b111, 0b101, 0b101]),
    ('I', [0b111, 0b010, 0b010, 0b010, 0b111]),
    ('J', [0b001, 0b001, 0b001, 0b101, 0b010]),
    ('K', [0b101, 0b101, 0b110, 0b101, 0b101]),
    ('L', [0b100, 0b100, 0b100, 0b100, 0b111]),
    ('M', [0b101, 0b111, 0b111, 0b101, 0b101]),
    ('N', [0b110, 0b101, 0b101, 0b101, 0b101]),
    ('O', [0b010, 0b101, 0b101, 0b101, 0b010]),
    ('P', [0b110, 0b101, 0b110, 0b100, 0b100]),
    ('Q', [0b010, 0b101, 0b101, 0b110, 0b011]),
    ('R', [0b110, 0b101, 0b110, 0b101, 0b101]),
    ('S', [0b011, 0b100, 0b010, 0b001, 0b110]),
    ('T', [0b111, 0b010, 0b010, 0b010, 0b010]),
    ('U', [0b101, 0b101, 0b101, 0b101, 0b111]),
    ('V', [0b101, 0b101, 0b101, 0b101, 0b010]),
    ('W', [0b101, 0b101, 0b111, 0b111, 0b101]),
    ('X', [0b101, 0b101, 0b010, 0b101, 0b101]),
    ('Y', [0b101, 0b101, 0b010, 0b010, 0b010]),
    ('Z', [0b111, 0b001, 0b010, 0b100, 0b111]),
    ('_', [0b000, 0b000, 0b000, 0b000, 0b111]),
];
const DOT: [u8; 5] = [0, 0, 0b010, 0, 0];

struct Canvas {
    pixels: Vec<u8>,
    width: u32,
    height: u32,
}

impl Canvas {
    fn outline(&mut self, quad: &Quad, color: [u8; 3]) {
        let (x, y, slant) = (quad.x, quad.y, quad.slant);
        let corners = [
            (x, y),
            (x + quad.width, y),
            (x + quad.width + slant, y + quad.height),
            (x + slant, y + quad.height),
        ];
        for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
            self.line(*from, *to, color);
        }
    }

    /// Digits, marks and capitals (others as a dot) on black, as far as the picture goes.
    #[expect(clippy::cast_possible_truncation, reason = "places in a picture; far outside is outside")]
    fn text(&mut self, text: &str, x: f32, y: f32) {
        let size = i64::from(self.height / 720 + 1);
        let (x, y) = (x as i64, y as i64);
        for (number, letter) in (0..64).zip(text.to_uppercase().chars()) {
            let rows = LETTERS.iter().find(|(known, _)| *known == letter).map_or(DOT, |(_, rows)| *rows);
            for (row, bits) in (-1..6).zip(std::iter::once(0).chain(rows).chain(std::iter::once(0))) {
                for column in -1..3 {
                    let ink = column >= 0 && bits & (4 >> column) != 0;
                    let color = if ink { READ } else { [0; 3] };
                    self.block(x + (number * 4 + column) * size, y + row * size, size, color);
                }
            }
        }
    }

    fn block(&mut self, x: i64, y: i64, size: i64, color: [u8; 3]) {
        for row in y..y + size {
            for column in x..x + size {
                let inside = (0..i64::from(self.width)).contains(&column)
                    && (0..i64::from(self.height)).contains(&row);
                let place = usize::try_from(3 * (row * i64::from(self.width) + column)).unwrap_or(usize::MAX);
                if let Some(pixel) =
                    inside.then(|| self.pixels.get_mut(place..place.saturating_add(3))).flatten()
                {
                    pixel.copy_from_slice(&color);
                }
            }
        }
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "kept inside the picture")]
    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    fn line(&mut self, from: (f32, f32), to: (f32, f32), color: [u8; 3]) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).clamp(1.0, 20_000.0);
        let mut step = 0.0;
        while step <= steps {
            let at = |a: f32, b: f32| a + (b - a) * step / steps;
            let x = at(from.0, to.0).round().clamp(0.0, self.width as f32 - 1.0) as usize;
            let y = at(from.1, to.1).round().clamp(0.0, self.height as f32 - 1.0) as usize;
            let place = 3 * (y * self.width as usize + x);
            if let Some(pixel) = self.pixels.get_mut(place..place + 3) {
                pixel.copy_from_slice(&color);
            }
            step += 1.0;
        }
    }
}

/// Red, green and blue of every pixel.
fn rgb(picture: &I420) -> Vec<u8> {
    let (kr, kb) = match picture.matrix {
        Matrix::Bt601 => (0.299_f32, 0.114_f32),
        Matrix::Bt709 => (0.2126, 0.0722),
    };
    let (black, luma, chroma) = match picture.range {
        Range::Full => (0.0, 1.0, 1.0),
        Range::Limited => (16.0, 255.0 / 219.0, 255.0 / 224.0),
    };
    let mut out = Vec::with_capacity(3 * picture.width as usize * picture.height as usize);
    for y in 0..picture.height {
        let (row, u, v) = (picture.y.row(y), picture.u.row(y / 2), picture.v.row(y / 2));
        for (x, sample) in row.iter().enumerate() {
            let y = (f32::from(*sample) - black) * luma;
            let (cb, cr) = ((f32::from(u[x / 2]) - 128.0) * chroma, (f32::from(v[x / 2]) - 128.0) * chroma);
            let (red, blue) = (y + 2.0 * (1.0 - kr) * cr, y + 2.0 * (1.0 - kb) * cb);
            let green = (y - kr * red - kb * blue) / (1.0 - kr - kb);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
            out.extend([red, green, blue].map(|c| (c + 0.5).clamp(0.0, 255.0) as u8));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::from_png;

    #[test]
    fn boxes_are_drawn_and_the_rest_stays() {
        let mut picture = I420::new(64, 48, Range::Limited, Matrix::Bt709);
        picture.y.fill(235);
        let quad = Quad { x: 10.0, y: 10.0, width: 20.0, height: 10.0, slant: 4.0 };
        let outside = Quad { x: -50.0, y: 900.0, width: 1e9, height: 10.0, slant: 0.0 };
        let outcome =
            Outcome { boxes: vec![("clock".into(), quad), ("far".into(), outside)], ..Outcome::default() };
        let drawn = from_png(&png(&picture, &outcome)).unwrap();
        assert_eq!((drawn.width, drawn.height, drawn.y.row(0)[0]), (64, 48, 255));
        assert!(drawn.y.row(10)[20] < 200 && drawn.y.row(20)[20] < 200);
        assert_eq!(drawn.y.row(15)[22], 255);
    }

    #[test]
    fn what_was_read_stands_below_its_box_and_may_leave_the_picture() {
        use crate::value::{Read, Reading, Value};
        let mut picture = I420::new(64, 48, Range::Full, Matrix::Bt601);
        picture.y.fill(128);
        let quad = Quad { x: 10.0, y: 10.0, width: 20.0, height: 10.0, slant: 0.0 };
        let low = Quad { x: 50.0, y: 36.0, width: 12.0, height: 10.0, slant: 0.0 };
        let read = |text: &str| Read { value: Value::Text(text.into()), confidence: 1.0 };
        let values = [("clock".into(), read("11:11")), ("name".into(), read("LONGER THAN FITS"))].into();
        let reading = Reading { pack: "p".into(), pack_version: "1".into(), screen: "s".into(), values };
        let boxes = vec![("clock".into(), quad), ("name".into(), low)];
        let outcome = Outcome { boxes, reading: Some(reading), ..Outcome::default() };
        let drawn = from_png(&png(&picture, &outcome)).unwrap();
        // The stem of the first 1, and the ground beside it.
        assert!(drawn.y.row(24)[11] > 100 && drawn.y.row(24)[10] < 60, "{:?}", &drawn.y.row(24)[8..20]);
        assert_eq!(drawn.y.row(40)[5], 128);
    }
}
