//! Effects on drawn pictures: how far they reach over a picture's edges, and which kernel does them.

use draw::{Bitmap, Drawn};
use pixels::compose::effects::{self, Corners, Grade, Grown, Key};
use pixels::compose::{Canvas, PIXEL, Picture, Rect};
use scene::effect::{ChromaKey, ColorShift, Effect};

/// Does one effect. What reaches over the edges makes the picture larger; its box stays.
pub(crate) fn apply(drawn: &mut Drawn, effect: &Effect) {
    let bitmap = &mut drawn.bitmap;
    match effect {
        Effect::Blur(blur) => grow(drawn, |bitmap| effects::blur(bitmap, narrow(blur.radius))),
        Effect::Shadow(shadow) => {
            let by = (narrow(shadow.offset_x), narrow(shadow.offset_y));
            grow(drawn, |bitmap| effects::shadow(bitmap, rgba(shadow.color), narrow(shadow.blur), by));
        }
        Effect::Glow(glow) => {
            grow(drawn, |bitmap| effects::glow(bitmap, rgba(glow.color), narrow(glow.radius)))
        }
        Effect::Color(shift) => grade(shift).bitmap(bitmap),
        Effect::ChromaKey(wanted) => key(wanted).bitmap(bitmap),
        Effect::Tint(tint) => {
            let [r, g, b, _] = rgba(tint.color);
            effects::tint(bitmap, [r, g, b], narrow(tint.amount));
        }
        Effect::CornerRadius(corners) => Corners(narrow(corners.radius)).bitmap(bitmap),
        Effect::Pixelate(squares) => effects::pixelate(bitmap, whole(squares.size)),
        // On a GPU only.
        Effect::Shader(_) => {}
    }
}

/// A live picture with effects on it, and where its corner is then.
#[derive(Debug)]
pub struct Finished {
    pub picture: Picture,
    pub left: i32,
    pub top: i32,
}

/// Does effects on a live picture, as on one that was drawn.
#[must_use]
pub fn live(picture: &Picture, list: &[Effect]) -> Finished {
    let (width, height) = (picture.width(), picture.height());
    let mut canvas = Canvas::clear(width, height, 1);
    for band in canvas.bands() {
        band.over(picture, 0, 0, 255, Rect::at(0, 0, width, height));
    }
    let (wide, high) = (f64::from(width), f64::from(height));
    // A canvas has even sides.
    let even = Drawn { bitmap: canvas.to_bitmap(), left: 0, top: 0, width: wide, height: high };
    let bitmap = window(&even, (0, 0), (width, height));
    let mut drawn = Drawn { bitmap, ..even };
    for effect in list {
        apply(&mut drawn, effect);
    }
    Finished { picture: Picture::new(&drawn.bitmap), left: drawn.left, top: drawn.top }
}

fn grow(drawn: &mut Drawn, effect: impl FnOnce(&Bitmap) -> Grown) {
    let Grown { bitmap, left, top } = effect(&drawn.bitmap);
    let back = |at: i32, by: u32| at.saturating_sub(i32::try_from(by).unwrap_or(i32::MAX));
    (drawn.left, drawn.top) = (back(drawn.left, left), back(drawn.top, top));
    drawn.bitmap = bitmap;
}

/// The kernel of an effect `color`.
///
/// A factor before the contrast is a steeper contrast and a shift: `(y·f − ½)·c + ½ = y·fc − ½·fc + ½ + ½c(f − 1)`.
#[must_use]
pub fn grade(shift: &ColorShift) -> Grade {
    Grade {
        brightness: narrow(0.5 * shift.contrast * (shift.brightness - 1.0)),
        contrast: narrow(shift.brightness * shift.contrast),
        saturation: narrow(shift.saturation),
        hue: narrow(shift.hue),
    }
}

/// The kernel of an effect `chromaKey`.
#[must_use]
pub fn key(wanted: &ChromaKey) -> Key {
    let [r, g, b, _] = rgba(wanted.color);
    Key {
        color: [r, g, b],
        similarity: narrow(wanted.similarity),
        smoothness: narrow(wanted.smoothness),
        spill: narrow(wanted.spill),
    }
}

fn rgba(color: scene::Color) -> [u8; 4] {
    [color.r, color.g, color.b, color.a]
}

#[expect(clippy::cast_possible_truncation, reason = "the scene bounds its numbers far within")]
fn narrow(n: f64) -> f32 {
    n as f32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn whole(n: f64) -> u32 {
    n.round().clamp(1.0, 4096.0) as u32
}

/// What of a picture lies within a window whose corner is at `corner` of the content's box.
pub(crate) fn window(drawn: &Drawn, corner: (i32, i32), (width, height): (u32, u32)) -> Bitmap {
    let mut out = Bitmap::new(width, height);
    let (left, top) = (drawn.left - corner.0, drawn.top - corner.1);
    let skip = usize::try_from(-left).unwrap_or(0);
    let start = usize::try_from(left).unwrap_or(0);
    let count =
        (drawn.bitmap.width() as usize).saturating_sub(skip).min((width as usize).saturating_sub(start));
    for y in 0..height {
        let Some(from) = i32::try_from(y).ok().and_then(|y| u32::try_from(y - top).ok()) else { continue };
        if from >= drawn.bitmap.height() || count == 0 {
            continue;
        }
        let row = &drawn.bitmap.row(from)[skip * PIXEL..(skip + count) * PIXEL];
        out.row_mut(y)[start * PIXEL..(start + count) * PIXEL].copy_from_slice(row);
    }
    out
}
