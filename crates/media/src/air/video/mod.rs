//! Pictures for the air: one in, its packet out at once.
//!
//! Called by the outputs, on the encoder's thread. No I/O, no clock. Which encoder does it, and with which options, is in
//! [`choice`]; here is what stays the same for all of them: sizes, times, keyframes, the change of presets.

mod choice;
mod lent;

use std::sync::Arc;

use bytes::Bytes;
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Packet as Raw, encoder, frame, picture};
use pixels::convert::{to_full_bt601, to_limited};
use pixels::{I420, Matrix, Plane, Range};

use super::{Acceleration, Error, Packet, PictureTrack, Preset, Track, VideoCodec, frame_ticks};
use crate::encode::{annexb, raw};
use choice::{Choice, Layout};

/// How to encode. [`VideoEncoder::open`] says what is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VideoSettings {
    pub codec: VideoCodec,
    /// Pixels, even, 16 to 8192.
    pub width: u32,
    pub height: u32,
    /// Frames a second, 1 to 240.
    pub fps: u32,
    /// What is kept to, over a second and a half: 50 to 100,000.
    pub kbps: u32,
    pub preset: Preset,
    /// Seconds from a keyframe to the next, 1 to 20.
    pub keyframe_every_s: u32,
    pub acceleration: Acceleration,
}

impl VideoSettings {
    fn check(&self) -> Result<(), Error> {
        let refused = |what: String| Err(Error::Settings(what));
        let side = |side: u32| side.is_multiple_of(2) && (16..=8192).contains(&side);
        match self {
            Self { width, height, .. } if !side(*width) || !side(*height) => {
                refused(format!("a picture of {width}x{height}: both sides must be even, from 16 to 8192"))
            }
            Self { fps, .. } if !(1..=240).contains(fps) => refused(format!("{fps} fps: use 1 to 240")),
            Self { kbps, .. } if !(50..=100_000).contains(kbps) => {
                refused(format!("{kbps} kbit/s: use 50 to 100000"))
            }
            Self { keyframe_every_s: every, .. } if !(1..=20).contains(every) => {
                refused(format!("a keyframe every {every} s: use 1 to 20"))
            }
            _ => Ok(()),
        }
    }
}

/// An open encoder.
///
/// H.264 is the same to who receives it, whatever the preset: SPS and PPS are equal, so that the preset changes under way.
/// There are no B-frames and no look-ahead: a packet comes for each picture, at once (hardware may hold one or two back).
pub struct VideoEncoder {
    settings: VideoSettings,
    inner: Inner,
    /// Takes over with a keyframe.
    next: Option<(Preset, Inner)>,
    config: Bytes,
    warning: Option<String>,
    /// Number of the picture given last.
    last: Option<i64>,
    /// From which number on the next keyframe is due.
    due: i64,
    /// Whether the picture given last was made a keyframe.
    after_keyframe: bool,
}

/// One of FFmpeg's encoders and how it is given pictures.
struct Inner {
    encoder: encoder::Video,
    layout: Layout,
    /// Where pictures are copied to that can't be lent.
    input: Option<frame::Video>,
}

impl VideoEncoder {
    /// # Errors
    /// When the settings are out of bounds, or FFmpeg lacks the encoder or refuses them.
    pub fn open(settings: &VideoSettings) -> Result<Self, Error> {
        crate::init();
        settings.check()?;
        let Choice { inner, warning } = choice::open(settings)?;
        let config = inner.config(settings.codec)?;
        Ok(Self {
            settings: settings.clone(),
            inner,
            next: None,
            config,
            warning,
            last: None,
            due: i64::MIN,
            after_keyframe: false,
        })
    }

    #[must_use]
    pub fn track(&self) -> PictureTrack {
        PictureTrack {
            codec: self.settings.codec,
            width: self.settings.width,
            height: self.settings.height,
            fps: self.settings.fps,
            kbps: self.settings.kbps,
            config: self.config.clone(),
        }
    }

    /// Why it is not the hardware that was asked for.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// FFmpeg's name of the encoder at work, e.g. `libx264`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.inner.layout.encoder
    }

    /// Encodes frame `number` of the output's clock; numbers may be left out. The first is a keyframe, and so is one with
    /// `force_key`.
    ///
    /// # Errors
    /// When the picture has another size or other colours than the encoder was made for, or does not come after the last one,
    /// or the encoder fails. After the last of these a new encoder can go on with the numbers.
    pub fn encode(
        &mut self,
        picture: &Arc<I420>,
        number: i64,
        force_key: bool,
    ) -> Result<Vec<Packet>, Error> {
        let (width, height) = (self.settings.width, self.settings.height);
        if (picture.width, picture.height) != (width, height) {
            return Err(Error::Size(picture.width, picture.height, width, height));
        }
        if (picture.range, picture.matrix) != (Range::Limited, Matrix::Bt709) {
            return Err(Error::Colours);
        }
        if let Some(last) = self.last.filter(|last| number <= *last) {
            return Err(Error::Order(number, last));
        }
        let mut packets = Vec::with_capacity(1);
        let recoded = (self.settings.codec == VideoCodec::Vp8).then(|| Arc::new(bt601(picture)));
        let picture = recoded.as_ref().unwrap_or(picture);
        // Of two keyframes in a row from two encoders, a decoder could take the second for more of the first.
        if !self.after_keyframe
            && let Some((preset, next)) = self.next.take()
        {
            let before = std::mem::replace(&mut self.inner, next);
            before.finish(&self.settings, &mut packets)?;
            self.settings.preset = preset;
            self.due = number;
        }
        let keyframe = force_key || number >= self.due;
        if keyframe {
            self.due = number + i64::from(self.settings.fps) * i64::from(self.settings.keyframe_every_s);
        }
        self.inner.send(picture, number, keyframe)?;
        (self.last, self.after_keyframe) = (Some(number), keyframe);
        self.inner.take(&self.settings, &mut packets)?;
        Ok(packets)
    }

    /// Goes on with another preset, from a keyframe that comes with the next picture or the one after it. H.264 in software keeps
    /// its [`PictureTrack::config`].
    ///
    /// # Errors
    /// When the encoder can't be opened; then it goes on as it was.
    pub fn set_preset(&mut self, preset: Preset) -> Result<(), Error> {
        if preset == self.preset() {
            return Ok(());
        }
        if preset == self.settings.preset {
            self.next = None;
            return Ok(());
        }
        let settings = VideoSettings { preset, ..self.settings.clone() };
        let inner = choice::again(self.name(), &settings)?;
        if inner.config(self.settings.codec)? != self.config {
            return Err(Error::Config("headers like those of the preset before"));
        }
        self.next = Some((preset, inner));
        Ok(())
    }

    /// The preset set last.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.next.as_ref().map_or(self.settings.preset, |(preset, _)| *preset)
    }

    /// What the encoder still holds.
    ///
    /// # Errors
    /// When the encoder fails.
    pub fn finish(self) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::new();
        self.inner.finish(&self.settings, &mut packets)?;
        Ok(packets)
    }
}

impl Inner {
    /// What a player must know before the first packet.
    fn config(&self, codec: VideoCodec) -> Result<Bytes, Error> {
        match codec {
            VideoCodec::H264 => annexb::configuration(raw::extradata(&self.encoder))
                .map(Bytes::from)
                .ok_or(Error::Config("parameter sets")),
            VideoCodec::Vp8 | VideoCodec::Vp9 => Ok(Bytes::new()),
        }
    }

    fn send(&mut self, picture: &Arc<I420>, number: i64, keyframe: bool) -> Result<(), Error> {
        let lendable = !self.layout.interleaved && lent::is_lendable(picture);
        let Some(mut lent) = lendable.then(|| lent::lend(picture)).flatten() else {
            let mut input = self.input.take().unwrap_or_else(|| self.layout.blank());
            // The encoder may still refer to the last input, which must not be written over.
            if !raw::is_writable(&mut input) {
                input = self.layout.blank();
            }
            fill(&mut input, picture, self.layout.interleaved);
            self.hand_over(&mut input, number, keyframe)?;
            self.input = Some(input);
            return Ok(());
        };
        self.layout.colour(&mut lent);
        self.hand_over(&mut lent, number, keyframe)
    }

    fn hand_over(&mut self, input: &mut frame::Video, number: i64, keyframe: bool) -> Result<(), Error> {
        input.set_pts(Some(number));
        input.set_kind(if keyframe { picture::Type::I } else { picture::Type::None });
        self.layout.hand_over(&mut self.encoder, input)
    }

    fn take(&mut self, settings: &VideoSettings, packets: &mut Vec<Packet>) -> Result<(), Error> {
        loop {
            let mut packet = Raw::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => return Ok(()),
                Err(e) => return Err(Error::Encode(e)),
            }
            let data = packet.data().filter(|data| !data.is_empty()).ok_or(Error::Config("picture"))?;
            let number = packet.pts().ok_or(Error::Config("time"))?;
            let pts = frame_ticks(number, settings.fps);
            let end = frame_ticks(number.saturating_add(1), settings.fps);
            packets.push(Packet {
                track: Track::Picture,
                pts,
                dts: pts,
                duration: u32::try_from(end - pts).unwrap_or(0),
                keyframe: packet.is_key(),
                data: match settings.codec {
                    VideoCodec::H264 => annexb::with_lengths(data),
                    VideoCodec::Vp8 | VideoCodec::Vp9 => Bytes::copy_from_slice(data),
                },
            });
        }
    }

    fn finish(mut self, settings: &VideoSettings, packets: &mut Vec<Packet>) -> Result<(), Error> {
        self.encoder.send_eof().map_err(Error::Encode)?;
        self.take(settings, packets)
    }
}

/// What VP8 means by its samples: it knows no other colours than BT.601's (RFC 6386, section 9.2).
fn bt601(picture: &I420) -> I420 {
    let mut recoded = to_full_bt601(picture);
    to_limited(&mut recoded);
    recoded
}

fn fill(input: &mut frame::Video, picture: &I420, interleaved: bool) {
    let [y, u, v] = picture.planes();
    let stride = input.stride(0);
    copy(y, input.data_mut(0), stride);
    if interleaved {
        let stride = input.stride(1);
        let rows = input.data_mut(1).chunks_mut(stride);
        for (row, (u, v)) in rows.zip(u.rows().zip(v.rows())) {
            for (pair, (u, v)) in row.chunks_exact_mut(2).zip(u.iter().zip(v)) {
                pair.copy_from_slice(&[*u, *v]);
            }
        }
    } else {
        for (index, plane) in [(1, u), (2, v)] {
            let stride = input.stride(index);
            copy(plane, input.data_mut(index), stride);
        }
    }
}

fn copy(plane: &Plane, to: &mut [u8], stride: usize) {
    for (from, to) in plane.rows().zip(to.chunks_mut(stride)) {
        to[..from.len()].copy_from_slice(from);
    }
}
