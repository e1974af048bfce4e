//! The picture with the boxes that were looked at, as a PNG.

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
        let is = |name: &str| name == &**id || name.strip_prefix(&**id).is_some_and(|rest| rest.starts_with('.'));
        let read = outcome.reading.as_ref().is_some_and(|reading| reading.values.keys().any(|name| is(name)));
        canvas.outline(quad, if read { READ } else { NOT_READ });
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
}
