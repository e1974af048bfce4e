//! The `moov` of fragmented MP4: which track has the video, how it is coded, and the defaults of its samples.

use bytes::Bytes;

use super::Error;
use super::boxes::{Fields, boxes, child, descend};
use crate::bitstream::Config;
use crate::keyframe::Codec;

/// Most tracks looked at.
const MAX_TRACKS: usize = 64;

/// A video track that we know.
#[derive(Debug)]
pub(super) struct Video {
    pub(super) codec: Codec,
    /// The box's body, and what it says.
    pub(super) config: Bytes,
    pub(super) parsed: Config,
}

#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    /// Ticks in a second.
    pub(super) timescale: u32,
    /// What to add to a sample's time by the track's edit list, ticks.
    pub(super) shift: i64,
    pub(super) defaults: Defaults,
}

/// What samples are unless their fragment says otherwise (`trex`).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Defaults {
    pub(super) duration: u32,
    pub(super) size: u32,
    pub(super) flags: u32,
}

#[derive(Debug)]
pub(super) struct Movie {
    pub(super) tracks: Vec<Track>,
    pub(super) video_id: u32,
    pub(super) video: Video,
}

/// Reads the content of `moov`.
pub(super) fn read(moov: &[u8]) -> Result<Movie, Error> {
    let movie_scale = child(moov, b"mvhd").and_then(timescale).unwrap_or(0);
    let mut tracks = Vec::new();
    let mut video = None;
    let mut refused = None;
    for (_, trak) in boxes(moov).filter(|found| found.0 == *b"trak").take(MAX_TRACKS) {
        let Some(track) = track(trak, movie_scale) else { continue };
        let media = descend(trak, &[b"mdia", b"hdlr"]).and_then(|hdlr| hdlr.get(8..12));
        if media == Some(b"vide") && video.is_none() {
            match sample_entry(trak) {
                Ok(found) => video = Some((track.id, found)),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        tracks.push(track);
    }
    let Some((video_id, video)) = video else {
        let broken = Error::Malformed("no track in its moov");
        return Err(if tracks.is_empty() { broken } else { refused.unwrap_or(Error::NoVideo) });
    };
    let mvex = child(moov, b"mvex").ok_or(Error::Malformed("an MP4 file that is not fragmented"))?;
    for (_, trex) in boxes(mvex).filter(|found| found.0 == *b"trex").take(MAX_TRACKS) {
        let Some((id, defaults)) = defaults(trex) else { continue };
        if let Some(track) = tracks.iter_mut().find(|track| track.id == id) {
            track.defaults = defaults;
        }
    }
    Ok(Movie { tracks, video_id, video })
}

fn timescale(header: &[u8]) -> Option<u32> {
    let mut fields = Fields(header);
    let (version, _) = fields.full()?;
    fields.skip(if version == 1 { 16 } else { 8 })?;
    fields.u32().filter(|scale| *scale > 0)
}

fn track(trak: &[u8], movie_scale: u32) -> Option<Track> {
    let mut header = Fields(child(trak, b"tkhd")?);
    let (version, _) = header.full()?;
    header.skip(if version == 1 { 16 } else { 8 })?;
    let id = header.u32()?;
    let timescale = timescale(descend(trak, &[b"mdia", b"mdhd"])?)?;
    let edits = descend(trak, &[b"edts", b"elst"]);
    let shift = edits.and_then(|elst| shift(elst, movie_scale, timescale)).unwrap_or(0);
    Some(Track { id, timescale, shift, defaults: Defaults::default() })
}

/// Edit lists shift by empty time before the media, and by where in the media they start (8.6.6).
fn shift(elst: &[u8], movie_scale: u32, timescale: u32) -> Option<i64> {
    let mut fields = Fields(elst);
    let (version, _) = fields.full()?;
    let count = fields.u32()?;
    let mut empty = 0u64;
    for _ in 0..count.min(16) {
        let duration = fields.time(version)?;
        let start =
            if version == 1 { fields.u64()?.cast_signed() } else { i64::from(fields.u32()?.cast_signed()) };
        fields.skip(4)?;
        if start >= 0 {
            let empty = u128::from(empty) * u128::from(timescale) / u128::from(movie_scale.max(1));
            return i64::try_from(empty).ok()?.checked_sub(start);
        }
        empty = empty.checked_add(duration)?;
    }
    None
}

fn defaults(trex: &[u8]) -> Option<(u32, Defaults)> {
    let mut fields = Fields(trex);
    fields.full()?;
    let id = fields.u32()?;
    fields.skip(4)?;
    Some((id, Defaults { duration: fields.u32()?, size: fields.u32()?, flags: fields.u32()? }))
}

/// The first entry of the track's `stsd`.
fn sample_entry(trak: &[u8]) -> Result<Video, Error> {
    let broken = Error::Malformed("a video track without a sample entry");
    let stsd = descend(trak, &[b"mdia", b"minf", b"stbl", b"stsd"]).ok_or(broken.clone())?;
    let (kind, entry) = boxes(stsd.get(8..).unwrap_or_default()).next().ok_or(broken)?;
    let (codec, record) = match &kind {
        b"avc1" | b"avc3" => (Codec::H264, b"avcC"),
        b"hvc1" | b"hev1" => (Codec::Hevc, b"hvcC"),
        b"av01" => (Codec::Av1, b"av1C"),
        b"encv" => return Err(Error::Encrypted),
        b"vp08" | b"vp09" => return Err(Error::Codec("VP8 or VP9".to_owned())),
        other => {
            let name: String =
                other.iter().map(|byte| char::from(*byte)).filter(char::is_ascii_graphic).collect();
            return Err(Error::Codec(name));
        }
    };
    // A VisualSampleEntry's own fields take 78 bytes (12.1.3).
    let body = entry.get(78..).and_then(|rest| child(rest, record));
    let config = body.ok_or(Error::Malformed("a video track without its configuration"))?;
    let parsed = Config::parse(codec, config).ok_or(Error::Malformed("the video's configuration"))?;
    Ok(Video { codec, config: Bytes::copy_from_slice(config), parsed })
}
