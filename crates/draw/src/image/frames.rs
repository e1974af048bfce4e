//! Images that move: GIF, APNG, animated WebP.
//!
//! Called when a sprite is drawn for the first time. All frames are decoded at once, at the size they are wanted in, and
//! kept together under a bound; which one is shown at a time is arithmetic.

use std::io::Cursor;
use std::sync::Arc;

use ::image::AnimationDecoder;
use ::image::ImageDecoder;
use ::image::codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder};
use pixels::compose::Bitmap;
use scene::content::Sheet;

use super::{Kind, Wanted, broken, check_box, fitted, limits, probe, straight};
use crate::Error;
use crate::drawn::cut;
use crate::seam::guarded;

/// The frames of an image, decoded.
#[derive(Clone, Debug)]
pub struct Animation {
    frames: Vec<Arc<Bitmap>>,
    /// When each frame ends, in ms from the start.
    ends: Vec<u64>,
    plays: u32,
}

/// Decodes all frames of an image; what does not move is one frame. They may take `most` bytes together, at the size they
/// are wanted in. Frames that look like the one before share its memory.
///
/// # Errors
/// As [`super::decode`]; [`Error::TooMuchMotion`] when the frames take more.
pub fn frames(bytes: &[u8], wanted: Wanted, most: u64) -> Result<Animation, Error> {
    let found = probe(bytes)?;
    check_box(wanted)?;
    if !found.moves() {
        let only = Arc::new(super::decode(bytes, wanted)?);
        return Ok(Animation { frames: vec![only], ends: vec![0], plays: 1 });
    }
    let kind = found.kind;
    let wrong = |error| broken(kind, &error);
    guarded("animation", || {
        let bytes = Cursor::new(bytes);
        let coded = match kind {
            Kind::Gif => bounded(GifDecoder::new(bytes).map_err(wrong)?).map_err(wrong)?.into_frames(),
            Kind::WebP => bounded(WebPDecoder::new(bytes).map_err(wrong)?).map_err(wrong)?.into_frames(),
            _ => {
                let decoder = bounded(PngDecoder::new(bytes).map_err(wrong)?).map_err(wrong)?;
                decoder.apng().map_err(wrong)?.into_frames()
            }
        };
        let mut made = Animation { frames: Vec::new(), ends: Vec::new(), plays: found.plays };
        let (mut taken, mut end) = (0, 0);
        for (frame, delay) in coded.zip(&found.delays) {
            let frame = fitted(straight(frame.map_err(wrong)?.into_buffer())?, wanted);
            end += u64::from(*delay);
            made.ends.push(end);
            match made.frames.last() {
                Some(last) if **last == frame => made.frames.push(Arc::clone(last)),
                _ => {
                    taken += frame.data().len() as u64;
                    made.frames.push(Arc::new(frame));
                }
            }
            if taken > most {
                return Err(Error::TooMuchMotion { kind, bytes: taken, most });
            }
        }
        if made.frames.len() < found.delays.len() {
            return Err(Error::CutShort(kind));
        }
        Ok(made)
    })
}

/// Cuts a sheet into its frames, read as a page is. Columns and rows that it does not divide by are left out at the end.
#[must_use]
pub fn cut_sheet(picture: &Bitmap, sheet: Sheet) -> Vec<Bitmap> {
    let count = |number: i64| usize::try_from(number).unwrap_or(1).max(1);
    let (columns, rows) = (count(sheet.columns), count(sheet.rows));
    let (width, height) = (picture.width() as usize / columns, picture.height() as usize / rows);
    if width == 0 || height == 0 {
        return Vec::new();
    }
    let most = sheet.count.map_or(usize::MAX, count);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column * width, row * height)));
    places.take(most).map(|(x, y)| cut(picture, (x, y, width, height), Vec::new())).collect()
}

fn bounded<D: ImageDecoder>(mut decoder: D) -> ::image::ImageResult<D> {
    decoder.set_limits(limits())?;
    Ok(decoder)
}

impl Animation {
    /// Frames that stay equally long, `fps` a second (as the scene bounds it), shown `plays` times (0 is for ever). Nothing
    /// when there are none.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "frames and fps are bounded")]
    pub fn of(frames: Vec<Bitmap>, fps: f64, plays: u32) -> Option<Self> {
        let end = |count: u32| (f64::from(count) * 1000.0 / fps.clamp(0.1, 1000.0)).round() as u64;
        let ends = (1..).take(frames.len()).map(end).collect();
        let frames: Vec<_> = frames.into_iter().map(Arc::new).collect();
        (!frames.is_empty()).then_some(Self { frames, ends, plays })
    }

    /// The frames in their order; never empty.
    #[must_use]
    pub fn frames(&self) -> &[Arc<Bitmap>] {
        &self.frames
    }

    /// How long all frames take once, in ms; 0 for what does not move.
    #[must_use]
    pub fn duration(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// How often the frames are shown; 0 is for ever.
    #[must_use]
    pub fn plays(&self) -> u32 {
        self.plays
    }

    /// Which frame is shown `ms` after the start. Past the last play it is the last frame.
    #[must_use]
    pub fn at(&self, ms: u64) -> usize {
        let (last, duration) = (self.frames.len() - 1, self.duration());
        if duration == 0 || (self.plays > 0 && ms / duration >= u64::from(self.plays)) {
            return last;
        }
        self.ends.partition_point(|end| *end <= ms % duration).min(last)
    }

    /// Bytes that the frames take, those shared counted once.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let new = |(at, frame): &(usize, &Arc<Bitmap>)| *at == 0 || !Arc::ptr_eq(frame, &self.frames[at - 1]);
        self.frames.iter().enumerate().filter(new).map(|(_, frame)| frame.data().len() as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_read_as_a_page_is() {
        let mut picture = Bitmap::new(7, 4);
        for (n, pixel) in (0_u8..).zip(picture.data_mut().chunks_exact_mut(4)) {
            pixel.copy_from_slice(&[n, 0, 0, 255]);
        }
        let sheet = Sheet { columns: 3, rows: 2, count: Some(5) };
        let frames = cut_sheet(&picture, sheet);
        let firsts: Vec<u8> = frames.iter().map(|frame| frame.pixel(0, 0)[0]).collect();
        assert_eq!(firsts, [0, 2, 4, 14, 16]);
        assert_eq!(frames[4].pixel(1, 1), [24, 0, 0, 255]);
        assert!(cut_sheet(&picture, Sheet { columns: 100, rows: 1, count: None }).is_empty());
        let moving = Animation::of(frames, 12.0, 0).unwrap();
        assert_eq!((moving.duration(), moving.at(84), moving.at(416), moving.at(417)), (417, 1, 4, 0));
        assert!(Animation::of(Vec::new(), 12.0, 0).is_none());
    }

    #[test]
    fn the_frame_shown_follows_from_the_time() {
        let frames = (0..3).map(|_| Arc::new(Bitmap::new(1, 1))).collect();
        let mut animation = Animation { frames, ends: vec![100, 150, 400], plays: 0 };
        for (ms, forever, twice) in [
            (0, 0, 0),
            (99, 0, 0),
            (100, 1, 1),
            (149, 1, 1),
            (150, 2, 2),
            (399, 2, 2),
            (400, 0, 0),
            (799, 2, 2),
            (800, 0, 2),
            (u64::MAX, 1, 2),
        ] {
            animation.plays = 0;
            assert_eq!(
                animation.at(ms),
                if ms == u64::MAX { animation.at(ms % 400) } else { forever },
                "{ms}"
            );
            animation.plays = 2;
            assert_eq!(animation.at(ms), twice, "{ms}");
        }
    }
}
