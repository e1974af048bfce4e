//! PNG pictures as planes, for whoever has a screenshot.

use pixels::convert::rgb_to_i420;
use pixels::{I420, Matrix, Range};

/// The largest side of a picture that is looked at.
pub const MOST_SIDE: u32 = 8192;

/// The planes of a PNG.
///
/// # Errors
/// What is wrong with it, in words.
pub fn from_png(bytes: &[u8]) -> Result<I420, String> {
    let limits = png::Limits { bytes: 512 << 20 };
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| e.to_string())?;
    let (width, height) = (reader.info().width, reader.info().height);
    if width > MOST_SIDE || height > MOST_SIDE {
        return Err(format!("is {width} × {height}; {MOST_SIDE} a side are the most"));
    }
    let size = reader.output_buffer_size().ok_or("is too large")?;
    let mut samples = vec![0; size];
    let shape = reader.next_frame(&mut samples).map_err(|e| e.to_string())?;
    samples.truncate(shape.buffer_size());
    let channels = shape.color_type.samples();
    let mut picture = I420::new(width, height, Range::Full, Matrix::Bt601);
    if channels >= 3 {
        rgb_to_i420(&samples, channels, &mut picture);
    } else {
        let rgb: Vec<u8> = samples.chunks_exact(channels).flat_map(|pixel| [pixel[0]; 3]).collect();
        rgb_to_i420(&rgb, 3, &mut picture);
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(color: png::ColorType, pixels: &[u8], width: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let height = u32::try_from(pixels.len() / color.samples()).unwrap() / width;
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_png_becomes_planes_and_other_bytes_an_error() {
        let white =
            |color: png::ColorType| from_png(&png(color, &vec![255; 4 * 4 * color.samples()], 4)).unwrap();
        for color in [
            png::ColorType::Rgb,
            png::ColorType::Rgba,
            png::ColorType::Grayscale,
            png::ColorType::GrayscaleAlpha,
        ] {
            let picture = white(color);
            assert_eq!(
                (picture.width, picture.height, picture.y.row(3)[3], picture.u.row(1)[1]),
                (4, 4, 255, 128)
            );
        }
        let whole = png(png::ColorType::Rgb, &[7; 300], 10);
        for cut in [0, 8, 30, whole.len() / 2] {
            assert!(from_png(&whole[..cut]).is_err(), "{cut}");
        }
        let wide = png(png::ColorType::Grayscale, &[0; 9000], 9000);
        assert!(from_png(&wide).unwrap_err().contains("the most"));
    }
}
