//! The shapes of digits that `text` knows are what the fonts draw.

use std::path::Path;

use crate::draw::{Canvas, fonts};

const KNOWN: &str = "0123456789:-.1";
const CELL: (u32, u32) = (40, 48);

/// With `UPDATE_EXAMPLES=1` it is written anew.
#[test]
fn the_picture_of_digits_is_drawn_from_free_fonts() {
    let fonts: Vec<_> = fonts().into_iter().filter(|font| font.known).collect();
    let across = CELL.0 * u32::try_from(KNOWN.len()).unwrap();
    let mut canvas = Canvas::new(across, CELL.1 * u32::try_from(fonts.len()).unwrap(), [0; 3]);
    for (row, font) in fonts.iter().enumerate() {
        for (column, letter) in KNOWN.chars().enumerate() {
            let middle = (column as f32 + 0.5) * CELL.0 as f32;
            let foot = row as f32 * CELL.1 as f32 + 44.0;
            canvas.text(font, &letter.to_string(), 40.0, middle, foot, [255; 3]);
            if column == KNOWN.len() - 1 {
                take_foot(&mut canvas, column as u32 * CELL.0, row as u32 * CELL.1);
            }
        }
    }
    let grey: Vec<u8> = canvas.data.chunks(3).map(|rgb| rgb[0]).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/readers/numerals.png");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        let mut encoder =
            png::Encoder::new(std::fs::File::create(&path).unwrap(), canvas.width, canvas.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&grey).unwrap();
    }
    let mut reader =
        png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&path).unwrap())).read_info().unwrap();
    let mut kept = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut kept).unwrap();
    assert_eq!(kept.len(), grey.len());
    // Another machine may round otherwise.
    assert!(kept.iter().zip(&grey).all(|(kept, drawn)| kept.abs_diff(*drawn) <= 2));
}

/// Leaves of the lowest part of a cell what is below the stem of its middle.
fn take_foot(canvas: &mut Canvas, left: u32, top: u32) {
    let at = |x: u32, y: u32| (y * canvas.width + x) as usize * 3;
    let stem: Vec<bool> = (left..left + CELL.0).map(|x| canvas.data[at(x, top + 30)] > 0).collect();
    for y in top + 33..top + CELL.1 {
        for (x, stem) in (left..).zip(&stem) {
            let at = (y * canvas.width + x) as usize * 3;
            if !stem {
                canvas.data[at..at + 3].fill(0);
            }
        }
    }
}
