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
