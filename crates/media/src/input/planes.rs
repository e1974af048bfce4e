//! From whatever FFmpeg decoded to upright 8-bit 4:2:0 planes that know their range and matrix.

use ffmpeg_next::format::Pixel;
use ffmpeg_next::software::scaling;
use ffmpeg_next::util::color;
use ffmpeg_next::{Error, frame};
use pixels::{I420, Matrix, Plane, Range, convert};

pub(crate) struct Converter {
    scaler: Scaler,
    /// EXIF's numbering: 1 upright, 3 upside down, 6 to be turned clockwise, 8 anticlockwise.
    orientation: u8,
    /// Of the last picture, if it is kept; and whether that one had any.
    alpha: Option<Box<Alpha>>,
}

/// How opaque the last picture was, and whether it said so.
#[derive(Default)]
struct Alpha {
    plane: Plane,
    has: bool,
}

/// FFmpeg's converter for the pictures seen last, made anew when they change.
struct Scaler(Option<scaling::Context>);

#[expect(unsafe_code, reason = "the binding leaves Send to us")]
// SAFETY: a scaler is a heap object without ties to a thread; `Converter` owns it alone and uses it through
// `&mut`.
unsafe impl Send for Scaler {}

impl Converter {
    pub(crate) fn new(orientation: u8) -> Self {
        Self { scaler: Scaler(None), orientation, alpha: None }
    }

    /// Keeps alpha. Pictures that have to be turned lose theirs.
    pub(crate) fn with_alpha(orientation: u8) -> Self {
        let alpha = (orientation == 1).then(Box::default);
        Self { alpha, ..Self::new(orientation) }
    }

    /// Of the last picture, at its luma's size.
    pub(crate) fn alpha(&self) -> Option<&Plane> {
        self.alpha.as_ref().filter(|alpha| alpha.has).map(|alpha| &alpha.plane)
    }

    pub(crate) fn convert(&mut self, decoded: &frame::Video) -> Result<I420, Error> {
        let mut picture = I420::new(2, 2, Range::Limited, Matrix::Bt601);
        self.copy(decoded, &mut picture)?;
        if self.orientation == 1 {
            return Ok(picture);
        }
        let mut turned = I420::new(2, 2, picture.range, picture.matrix);
        convert::upright(&picture, self.orientation, &mut turned);
        Ok(turned)
    }

    /// Fills `into` with the picture as it was coded, not turned.
    pub(crate) fn copy(&mut self, decoded: &frame::Video, into: &mut I420) -> Result<(), Error> {
        let format = decoded.format();
        if let Some(alpha) = &mut self.alpha {
            alpha.has = has_alpha(format);
            if alpha.has {
                return self.copy_clear(decoded, into);
            }
        }
        if matches!(format, Pixel::YUV420P | Pixel::YUVJ420P) {
            copy_planes(decoded, into);
        } else {
            copy_planes(&self.scaled(decoded, None)?, into);
        }
        Ok(())
    }

    /// The picture as 8-bit 4:2:0.
    pub(crate) fn planar(&mut self, decoded: &frame::Video) -> Result<frame::Video, Error> {
        self.scaled(decoded, None)
    }

    /// The same of a picture that has alpha, with that.
    fn copy_clear(&mut self, decoded: &frame::Video, into: &mut I420) -> Result<(), Error> {
        let scaled;
        let clear = if decoded.format() == Pixel::YUVA420P {
            decoded
        } else {
            scaled = self.scaled(decoded, Some(Pixel::YUVA420P))?;
            &scaled
        };
        copy_planes(clear, into);
        if let Some(alpha) = &mut self.alpha {
            alpha.plane.reshape(clear.width(), clear.height(), 255);
            copy_plane(clear.data(3), clear.stride(3), &mut alpha.plane);
        }
        Ok(())
    }

    fn scaled(&mut self, decoded: &frame::Video, target: Option<Pixel>) -> Result<frame::Video, Error> {
        let (width, height, format) = (decoded.width(), decoded.height(), decoded.format());
        let same = |scaler: &scaling::Context| {
            let input = scaler.input();
            (input.width, input.height, input.format) == (width, height, format)
        };
        let kind = Kind::of(format);
        // FFmpeg's converter squeezes a "J" format to limited range unless its target is one too.
        let usual = if kind == Kind::FullYuv { Pixel::YUVJ420P } else { Pixel::YUV420P };
        let target = target.unwrap_or(usual);
        if !self.scaler.0.as_ref().is_some_and(same) {
            let flags = scaling::Flags::BILINEAR | scaling::Flags::ACCURATE_RND;
            self.scaler.0 = Some(scaling::Context::get(format, width, height, target, width, height, flags)?);
        }
        let scaler = self.scaler.0.as_mut().expect("made above");
        let mut out = frame::Video::new(target, width, height);
        scaler.run(decoded, &mut out)?;
        if kind == Kind::Other {
            // What the converter makes of RGB and grey, whatever the picture said of itself.
            out.set_color_range(color::Range::MPEG);
            out.set_color_space(color::Space::SMPTE170M);
        } else {
            // Between kinds of YUV it keeps range and matrix.
            out.set_color_range(decoded.color_range());
            out.set_color_space(decoded.color_space());
        }
        Ok(out)
    }
}

/// How FFmpeg's converter treats a pixel format.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Yuv,
    /// YUV whose very format says full range.
    FullYuv,
    /// RGB, palettes, grey, black and white.
    Other,
}

impl Kind {
    fn of(format: Pixel) -> Self {
        let name = format.descriptor().map_or("", |descriptor| descriptor.name());
        let yuv = [
            "yuv", "nv1", "nv2", "nv4", "yuyv", "yvyu", "uyvy", "uyyv", "ayuv", "vuy", "p01", "p21", "p41",
            "y21", "xv",
        ];
        if name.starts_with("yuvj") {
            Self::FullYuv
        } else if yuv.iter().any(|start| name.starts_with(start)) {
            Self::Yuv
        } else {
            Self::Other
        }
    }
}

fn has_alpha(format: Pixel) -> bool {
    let name = format.descriptor().map_or("", |descriptor| descriptor.name());
    ["yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "ayuv", "vuya", "pal8"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// The range and matrix of a picture of 8-bit 4:2:0.
pub(crate) fn colours(from: &frame::Video) -> (Range, Matrix) {
    let range = match (from.color_range(), from.format()) {
        (color::Range::JPEG, _) | (_, Pixel::YUVJ420P) => Range::Full,
        _ => Range::Limited,
    };
    let matrix = match from.color_space() {
        color::Space::BT709 => Matrix::Bt709,
        // What players take an unmarked picture for.
        color::Space::Unspecified if from.height() >= 720 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    (range, matrix)
}

fn copy_planes(from: &frame::Video, picture: &mut I420) {
    (picture.range, picture.matrix) = colours(from);
    picture.reshape(from.width(), from.height());
    for (i, plane) in [&mut picture.y, &mut picture.u, &mut picture.v].into_iter().enumerate() {
        copy_plane(from.data(i), from.stride(i), plane);
    }
}

fn copy_plane(data: &[u8], stride: usize, plane: &mut Plane) {
    let width = plane.width as usize;
    for (y, source) in (0..plane.height).zip(data.chunks(stride)) {
        plane.row_mut(y)[..width].copy_from_slice(&source[..width]);
    }
}

/// EXIF orientation of a display matrix (nine 16.16 numbers, host order); mirrored pictures are left as they
/// are.
pub(crate) fn orientation(matrix: &[u8]) -> u8 {
    let number = |i: usize| {
        let bytes = matrix.get(i * 4..i * 4 + 4)?;
        Some(i32::from_ne_bytes(bytes.try_into().ok()?) >> 16)
    };
    match (number(0), number(1), number(3), number(4)) {
        (Some(0), Some(1), Some(-1), Some(0)) => 6,
        (Some(-1), Some(0), Some(0), Some(-1)) => 3,
        (Some(0), Some(-1), Some(1), Some(0)) => 8,
        _ => 1,
    }
}
