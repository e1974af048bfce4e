//! What is in a video or audio message: the tag bodies of FLV (FLV 10.1, annex E.4.2 and E.4.3).

use bytes::Bytes;

use super::Error;

/// H.264 in a video message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Video {
    /// `AVCDecoderConfigurationRecord` (ISO 14496-15): what a decoder must know before the first picture.
    Config(Bytes),
    /// One access unit, its units preceded by their lengths.
    Unit {
        keyframe: bool,
        /// From decoding to showing, in milliseconds.
        composition: i32,
        data: Bytes,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sound {
    /// `AudioSpecificConfig` (ISO 14496-3).
    AacConfig(Bytes),
    Aac(Bytes),
}

/// What an FLV file begins with: version 1, pictures and sound.
pub const FLV_HEADER: [u8; 13] = [b'F', b'L', b'V', 1, 5, 0, 0, 0, 9, 0, 0, 0, 0];

/// `video` as a tag of an FLV file.
#[must_use]
pub fn video_tag(timestamp: u32, video: &Video) -> Vec<u8> {
    match video {
        Video::Config(config) => tag(9, timestamp, &[0x17, 0, 0, 0, 0], config),
        Video::Unit { keyframe, composition, data } => {
            let [_, high, middle, low] = composition.to_be_bytes();
            let frame = if *keyframe { 0x17 } else { 0x27 };
            tag(9, timestamp, &[frame, 1, high, middle, low], data)
        }
    }
}

/// `sound` as a tag of an FLV file.
#[must_use]
pub fn sound_tag(timestamp: u32, sound: &Sound) -> Vec<u8> {
    match sound {
        Sound::AacConfig(config) => tag(8, timestamp, &[0xaf, 0], config),
        Sound::Aac(data) => tag(8, timestamp, &[0xaf, 1], data),
    }
}

/// A tag's header, body, and the size of both.
fn tag(kind: u8, timestamp: u32, head: &[u8], data: &[u8]) -> Vec<u8> {
    // Messages are far smaller than 2^24 bytes.
    let size = u32::try_from(head.len() + data.len()).unwrap_or(0);
    let ([_, s0, s1, s2], [t3, t0, t1, t2]) = (size.to_be_bytes(), timestamp.to_be_bytes());
    let mut out = Vec::with_capacity(head.len() + data.len() + 15);
    out.extend([kind, s0, s1, s2, t0, t1, t2, t3, 0, 0, 0]);
    out.extend_from_slice(head);
    out.extend_from_slice(data);
    out.extend((size + 11).to_be_bytes());
    out
}

/// `None`: nothing to decode.
pub(super) fn video(payload: &Bytes) -> Result<Option<Video>, Error> {
    let Some(first) = payload.first() else { return Ok(None) };
    let (frame, codec) = (first >> 4, first & 0x0f);
    if frame & 8 != 0 {
        return Err(Error::Codec(match payload.get(1..5) {
            Some(b"hvc1") => "HEVC",
            Some(b"av01") => "AV1",
            Some(b"vp09") => "VP9",
            _ => "of an unknown kind",
        }));
    }
    // A command frame carries no picture.
    if frame == 5 {
        return Ok(None);
    }
    match codec {
        7 => {}
        2 => return Err(Error::Codec("Sorenson H.263")),
        4 | 5 => return Err(Error::Codec("VP6")),
        12 => return Err(Error::Codec("HEVC")),
        _ => return Err(Error::Codec("of an unknown kind")),
    }
    let head = payload.get(1..5).ok_or(Error::Media)?;
    let data = payload.slice(5..);
    Ok(match head[0] {
        0 => Some(Video::Config(data)),
        1 if !data.is_empty() => {
            // 24 bits with a sign.
            let composition = i32::from_be_bytes([head[1], head[2], head[3], 0]) >> 8;
            Some(Video::Unit { keyframe: frame == 1, composition, data })
        }
        _ => None,
    })
}

/// `None`: not AAC.
pub(super) fn sound(payload: &Bytes) -> Option<Sound> {
    let head = payload.get(..2).filter(|head| head[0] >> 4 == 10)?;
    let data = payload.slice(2..);
    Some(if head[1] == 0 { Sound::AacConfig(data) } else { Sound::Aac(data) })
}
