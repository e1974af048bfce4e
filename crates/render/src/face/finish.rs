//! What is done to a layer's pictures once they are drawn: its effects, and a mask that is a picture of its own.

use draw::Bitmap;
use draw::image::{self, Fit};
use pixels::compose::{Mask, PIXEL, mask};
use scene::MaskMode;
use scene::content::Sheet;

use super::effects;
use crate::studio::{Job, Sketch};

/// Does all of it to all pictures of a sketch.
pub(crate) fn all(mut sketch: Sketch, job: &Job) -> Result<Sketch, String> {
    if let Some((file, mode)) = &job.mask {
        let Some(file) = file else { return Err("there is no asset for its mask".to_owned()) };
        let (width, height) = (px(sketch.width), px(sketch.height));
        let over = image::decode(&file.bytes, Some((width, height, Fit::Fill))).map_err(|e| e.to_string())?;
        for drawn in &mut sketch.drawn {
            mask(&mut drawn.bitmap, &over, (-drawn.left, -drawn.top), kind(*mode));
        }
    }
    for effect in &job.effects {
        for drawn in &mut sketch.drawn {
            effects::apply(drawn, effect);
        }
    }
    Ok(sketch)
}

pub(crate) fn kind(mode: MaskMode) -> Mask {
    match mode {
        MaskMode::Alpha => Mask::Alpha,
        MaskMode::Luma => Mask::Luma,
    }
}

/// The frames of a sheet, read as a page is.
pub(crate) fn cut_sheet(sheet: &Bitmap, Sheet { columns, rows, count }: Sheet) -> Vec<Bitmap> {
    let (across, down) = (whole(columns), whole(rows));
    let (width, height) = (sheet.width() / across, sheet.height() / down);
    let most = count.map_or(across * down, whole).min(across * down);
    if width == 0 || height == 0 {
        return vec![Bitmap::new(1, 1)];
    }
    (0..most)
        .map(|n| {
            let (left, top) = (n % across * width, n / across * height);
            let mut frame = Bitmap::new(width, height);
            for y in 0..height {
                let row = &sheet.row(top + y)[left as usize * PIXEL..(left + width) as usize * PIXEL];
                frame.row_mut(y).copy_from_slice(row);
            }
            frame
        })
        .collect()
}

fn whole(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(1).max(1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn px(length: f64) -> u32 {
    length.round().clamp(1.0, 8192.0) as u32
}
