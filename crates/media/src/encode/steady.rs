//! H.264 at a steady bit rate and frame rate, as broadcasters send it: closed groups of pictures of one
//! length, a byte stream.
//!
//! Called by the stand-in world, on a blocking thread, once a film. Not for live use: it looks ahead and
//! reorders.

use bytes::Bytes;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Dictionary, Packet, Rational, codec, color, encoder, format::Pixel, frame};
use pixels::{I420, Matrix};

use super::{Error, annexb, copy_padded};
use crate::fmp4;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Pixels; odd sizes are padded to even ones.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    pub kbps: u32,
    /// x264's preset.
    pub preset: &'static str,
    /// Frames from keyframe to keyframe.
    pub group: u32,
    pub b_frames: u32,
    /// What the pictures will be made with; they must be of limited range.
    pub matrix: Matrix,
}

/// One coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// An access unit with start codes: delimiter, before a keyframe the parameter sets, slices.
    pub data: Bytes,
    /// The number of the picture, counted from 0 in the order they were given.
    pub pts: i64,
    /// When to decode it, in frames; starts below 0 where pictures are reordered.
    pub dts: i64,
    pub keyframe: bool,
}

impl Picture {
    /// The same as an MP4 file holds it: each NAL unit after its length, without parameter sets.
    #[must_use]
    pub fn sample(&self) -> Bytes {
        annexb::with_lengths(&self.data)
    }

    /// What an MP4 file says of the codec; `None` unless this is a keyframe.
    #[must_use]
    pub fn codec(&self) -> Option<fmp4::Codec> {
        annexb::configuration(&self.data).map(|avcc| fmp4::Codec::H264 { avcc })
    }
}

/// An open encoder.
pub struct Steady {
    encoder: encoder::Video,
    width: u32,
    height: u32,
    next: i64,
}

impl Steady {
    /// # Errors
    /// When FFmpeg lacks the encoder or refuses the settings.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        crate::init();
        let name = "libx264";
        let found = codec::encoder::find_by_name(name).ok_or(Error::Missing(name))?;
        let refused = |source| Error::Open { width: settings.width, height: settings.height, source };
        let mut context = codec::Context::new_with_codec(found);
        context.set_threading(codec::threading::Config::count(1));
        let mut video = context.encoder().video().map_err(refused)?;
        video.set_width(settings.width.next_multiple_of(2));
        video.set_height(settings.height.next_multiple_of(2));
        video.set_format(Pixel::YUV420P);
        let fps = i32::try_from(settings.fps).unwrap_or(i32::MAX);
        video.set_time_base(Rational(1, fps));
        video.set_frame_rate(Some(Rational(fps, 1)));
        video.set_gop(settings.group);
        video.set_max_b_frames(settings.b_frames as usize);
        let bits = settings.kbps as usize * 1000;
        video.set_bit_rate(bits);
        video.set_max_bit_rate(bits);
        video.set_color_range(color::Range::MPEG);
        let (space, primaries, transfer) = match settings.matrix {
            Matrix::Bt601 => (
                color::Space::SMPTE170M,
                color::Primaries::SMPTE170M,
                color::TransferCharacteristic::SMPTE170M,
            ),
            Matrix::Bt709 => {
                (color::Space::BT709, color::Primaries::BT709, color::TransferCharacteristic::BT709)
            }
        };
        video.set_colorspace(space);
        video.set_color_primaries(primaries);
        video.set_color_transfer_characteristic(transfer);
        let mut options = Dictionary::new();
        options.set("preset", settings.preset);
        options.set("bufsize", &bits.to_string());
        options.set("aud", "1");
        let group = settings.group;
        let plain = "threads=1:sliced-threads=0:scenecut=0:open-gop=0:rc-lookahead=20:sync-lookahead=0";
        options.set("x264-params", &format!("{plain}:keyint={group}:min-keyint={group}"));
        let encoder = video.open_with(options).map_err(refused)?;
        Ok(Self { encoder, width: settings.width, height: settings.height, next: 0 })
    }

    /// Takes the next picture; gives those that are ready, in the order of decoding.
    ///
    /// # Errors
    /// When the picture has another size than the encoder, or the encoder fails.
    pub fn encode(&mut self, picture: &I420) -> Result<Vec<Picture>, Error> {
        if (picture.width, picture.height) != (self.width, self.height) {
            return Err(Error::Size(picture.width, picture.height, self.width, self.height));
        }
        let (width, height) = (self.width.next_multiple_of(2), self.height.next_multiple_of(2));
        let mut input = frame::Video::new(Pixel::YUV420P, width, height);
        for (i, plane) in picture.planes().into_iter().enumerate() {
            let stride = input.stride(i);
            copy_padded(plane, input.data_mut(i), stride, if i == 0 { 2 } else { 1 });
        }
        input.set_pts(Some(self.next));
        self.next += 1;
        self.encoder.send_frame(&input).map_err(Error::Encode)?;
        self.ready()
    }

    /// The rest.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn finish(mut self) -> Result<Vec<Picture>, Error> {
        self.encoder.send_eof().map_err(Error::Encode)?;
        self.ready()
    }

    fn ready(&mut self) -> Result<Vec<Picture>, Error> {
        let mut pictures = Vec::new();
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => {
                    return Ok(pictures);
                }
                Err(e) => return Err(Error::Encode(e)),
            }
            let (Some(pts), Some(dts)) = (packet.pts(), packet.dts()) else {
                return Err(Error::Config("times"));
            };
            let data = Bytes::copy_from_slice(packet.data().unwrap_or_default());
            pictures.push(Picture { data, pts, dts, keyframe: packet.is_key() });
        }
    }
}

#[cfg(test)]
mod tests {
    use pixels::Range;

    use super::*;

    #[test]
    fn groups_are_closed_of_one_length_and_near_the_asked_size() {
        for b_frames in [0, 2] {
            let settings = Settings {
                width: 160,
                height: 90,
                fps: 30,
                kbps: 200,
                preset: "veryfast",
                group: 60,
                b_frames,
                matrix: Matrix::Bt601,
            };
            let mut encoder = Steady::new(&settings).unwrap();
            let mut pictures = Vec::new();
            let mut noise = 1_u32;
            for _ in 0..240 {
                let mut picture = I420::new(160, 90, Range::Limited, Matrix::Bt601);
                for sample in &mut picture.y.data {
                    noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *sample = 100 + (noise >> 27) as u8;
                }
                pictures.extend(encoder.encode(&picture).unwrap());
            }
            pictures.extend(encoder.finish().unwrap());
            assert_eq!(pictures.len(), 240);
            assert!(pictures.windows(2).all(|two| two[0].dts < two[1].dts));
            for group in pictures.chunks(60) {
                assert!(group[0].keyframe && group[1..].iter().all(|picture| !picture.keyframe));
                let mut shown: Vec<_> = group.iter().map(|picture| picture.pts).collect();
                shown.sort_unstable();
                assert_eq!(shown, (group[0].pts..group[0].pts + 60).collect::<Vec<_>>());
            }
            let bits: usize = pictures.iter().map(|picture| picture.data.len() * 8).sum();
            assert!((1_200_000..2_000_000).contains(&bits), "{bits} bits in 8 s of 200 kbit/s");
        }
    }

    #[test]
    fn a_picture_of_another_size_is_refused() {
        let settings = Settings {
            width: 32,
            height: 32,
            fps: 30,
            kbps: 100,
            preset: "ultrafast",
            group: 30,
            b_frames: 0,
            matrix: Matrix::Bt709,
        };
        let picture = I420::new(64, 32, Range::Limited, Matrix::Bt709);
        assert!(matches!(Steady::new(&settings).unwrap().encode(&picture), Err(Error::Size(64, 32, 32, 32))));
    }
}
