//! Compares what was drawn with a picture that somebody has looked at.
//!
//! The pictures are in `tests/golden`. `UPDATE_GOLDEN=1 cargo test -p draw` writes them anew; look at them before they are
//! committed. Where they differ, both and where they do are saved, and the message says where.

use std::path::{Path, PathBuf};

use draw::{Bitmap, Drawn};
use image::{Rgb, RgbImage};

/// Most that a colour may differ by: the instructions of one processor round otherwise than those of another.
const TOLERANCE: u8 = 6;
/// Part of the pixels, in thousandths, that may differ by more: an edge that falls on the other side of a sample.
const STRAY: usize = 2;
/// Room around what was drawn.
const MARGIN: i32 = 24;

/// What was drawn, in its box, on a chequered ground.
pub(crate) fn shown(drawn: &Drawn) -> RgbImage {
    let bitmap = &drawn.bitmap;
    let (box_width, box_height) = (drawn.width.ceil() as i32, drawn.height.ceil() as i32);
    // Not by the bitmap: whether a shadow's faintest pixel counts would change the picture's size.
    let (left, top, right, bottom) = (-MARGIN, -MARGIN, box_width + MARGIN, box_height + MARGIN);
    RgbImage::from_fn((right - left) as u32, (bottom - top) as u32, |x, y| {
        let (x, y) = (x as i32 + left, y as i32 + top);
        let inside = (0..box_width).contains(&x) && (0..box_height).contains(&y);
        let light = (x.div_euclid(16) + y.div_euclid(16)) % 2 == 0;
        let ground = match (inside, light) {
            (true, true) => 70,
            (true, false) => 90,
            (false, _) => 40,
        };
        let (column, row) = (x - drawn.left, y - drawn.top);
        let there =
            (0..bitmap.width() as i32).contains(&column) && (0..bitmap.height() as i32).contains(&row);
        let pixel = if there { bitmap.pixel(column as u32, row as u32) } else { [0; 4] };
        let through = |colour: u8| {
            let ground = (ground * (255 - u32::from(pixel[3])) + 127) / 255;
            (u32::from(colour) + ground).min(255) as u8
        };
        Rgb([through(pixel[0]), through(pixel[1]), through(pixel[2])])
    })
}

/// Compares `drawn` with `tests/golden/<name>.png`.
pub(crate) fn check(name: &str, drawn: &Drawn) {
    let actual = shown(drawn);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.png"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        actual.save(&golden).unwrap();
        return;
    }
    let Ok(expected) = image::open(&golden) else {
        panic!("{} is missing: UPDATE_GOLDEN=1 makes it", golden.display())
    };
    let expected = expected.into_rgb8();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (was, is) = (folder.join(format!("{name}-expected.png")), folder.join(format!("{name}-actual.png")));
    let fail = |why: String| {
        actual.save(&is).unwrap();
        expected.save(&was).unwrap();
        panic!("{name}: {why}\nexpected {}\nactual   {}", was.display(), is.display())
    };
    if actual.dimensions() != expected.dimensions() {
        fail(format!("{:?} pixels instead of {:?}", actual.dimensions(), expected.dimensions()));
    }
    let far = |(a, b): &(&Rgb<u8>, &Rgb<u8>)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > TOLERANCE);
    let strays = actual.pixels().zip(expected.pixels()).filter(far).count();
    let most = actual.pixels().len() * STRAY / 1000;
    if strays > most {
        fail(format!("{strays} pixels differ by more than {TOLERANCE}; {most} may"));
    }
}

#[test]
fn a_picture_that_differs_is_told() {
    let drawn = |colour: u8| Drawn {
        bitmap: Bitmap::filled(64, 64, [colour, colour, colour, 255]),
        left: 0,
        top: 0,
        width: 64.0,
        height: 64.0,
    };
    assert_ne!(shown(&drawn(10)), shown(&drawn(20)));
}
