//! What an uploaded file is: by its bytes, never by its name or by what its sender says.
//!
//! Blocking, and pure but that a video is looked at by FFmpeg where it lies. Called once for each upload.

use std::path::Path;

use media::input::{Error as VideoError, Input, Source};

use crate::base::error::{Error, Kind, Result};

/// What is known of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) media_type: &'static str,
    /// px, as shown.
    pub(super) size: Option<(u32, u32)>,
    pub(super) duration_ms: Option<u64>,
    /// Of a font.
    pub(super) families: Vec<String>,
}

/// Files that are neither images nor fonts, by their first bytes.
const SOUND_AND_VIDEO: [(&[u8], usize, &str); 8] = [
    (b"ftyp", 4, "video/mp4"),
    (b"\x1a\x45\xdf\xa3", 0, "video/webm"),
    (b"OggS", 0, "audio/ogg"),
    (b"fLaC", 0, "audio/flac"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"WAVE", 8, "audio/wav"),
    (b"AVI ", 8, "video/x-msvideo"),
];
const FONTS: [(&[u8], &str); 4] = [
    (b"\x00\x01\x00\x00", "font/ttf"),
    (b"true", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
];

/// Looks at a file that lies at `path` with these `bytes`.
///
/// # Errors
/// `WrongType` for what is none of the kinds; `Invalid` with what is wrong for a file that is one and can't be shown.
pub(super) fn look(bytes: &[u8], path: &Path) -> Result<Found> {
    if let Some((_, media_type)) = FONTS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        // A collection of its own: a file that is refused elsewhere leaves nothing behind.
        let families =
            draw::Fonts::new().add(bytes.to_vec()).map_err(|e| Error::invalid("file", e.to_string()))?;
        let families = families.iter().map(ToString::to_string).collect();
        return Ok(Found { media_type, families, ..Found::default() });
    }
    let is =
        |(magic, at, _): &&(&[u8], usize, &str)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(magic));
    if let Some((_, _, media_type)) = SOUND_AND_VIDEO.iter().find(is) {
        return sound_or_video(media_type, path);
    }
    match draw::image::probe(bytes) {
        Ok(probe) => {
            let media_type = match probe.kind {
                draw::image::Kind::Png => "image/png",
                draw::image::Kind::Jpeg => "image/jpeg",
                draw::image::Kind::Gif => "image/gif",
                draw::image::Kind::WebP => "image/webp",
                draw::image::Kind::Svg => "image/svg+xml",
            };
            let duration_ms = Some(probe.duration()).filter(|ms| *ms > 0);
            Ok(Found {
                media_type,
                size: Some((probe.width, probe.height)),
                duration_ms,
                families: Vec::new(),
            })
        }
        Err(draw::Error::UnknownImage | draw::Error::Empty) => Err(Error::new(
            Kind::WrongType,
            "this is no file that can be shown: images (PNG, APNG, JPEG, GIF, WebP, SVG), fonts (TrueType, OpenType), \
             videos (MP4, WebM, AVI) and sounds (WAV, MP3, FLAC, Ogg) can",
        )),
        Err(e) => Err(Error::invalid("file", e.to_string())),
    }
}

fn sound_or_video(media_type: &'static str, path: &Path) -> Result<Found> {
    if media_type.starts_with("audio/") {
        return Ok(Found { media_type, ..Found::default() });
    }
    let unreadable = |why: &str| Error::invalid("file", format!("the video can't be shown: {why}"));
    let info = match Input::open(Source::File(path)) {
        Ok(input) => input.info(),
        Err(VideoError::NoVideo(_)) if media_type == "video/mp4" => {
            return Ok(Found { media_type: "audio/mp4", ..Found::default() });
        }
        // Where it lies is nobody's business.
        Err(VideoError::NoVideo(_)) => return Err(unreadable("there is no video in it")),
        Err(VideoError::Open(_, why)) => return Err(unreadable(&why)),
        Err(VideoError::NoDecoder(_, what)) => {
            return Err(unreadable(&format!("there is no decoder for it ({what})")));
        }
        Err(e) => return Err(unreadable(&e.to_string())),
    };
    let most = draw::MAX_SIDE;
    if info.width == 0 || info.height == 0 || info.width > most || info.height > most {
        let why = format!("it is {}x{} pixels; at most {most} a side are allowed", info.width, info.height);
        return Err(unreadable(&why));
    }
    let duration_ms = info.duration.and_then(|duration| u64::try_from(duration.as_millis()).ok());
    Ok(Found { media_type, size: Some((info.width, info.height)), duration_ms, families: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SVG: &[u8] = br#"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"/>"#;

    #[test]
    fn a_file_is_what_its_bytes_say_and_what_is_none_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let script =
            br#"<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"><script>1</script></svg>"#;
        for (bytes, expected) in [
            (SVG, Ok(("image/svg+xml", Some((40, 20))))),
            (b"RIFF\x00\x00\x00\x00WAVEfmt ", Ok(("audio/wav", None))),
            (b"ID3\x04", Ok(("audio/mpeg", None))),
            (b"", Err(Kind::WrongType)),
            (b"#!/bin/sh", Err(Kind::WrongType)),
            (b"%PDF-1.7", Err(Kind::WrongType)),
            (b"#EXTM3U\nfile:///etc/passwd", Err(Kind::WrongType)),
            (b"\x89PNG\r\n\x1a\n", Err(Kind::Invalid)),
            (b"\xff\xd8\xff\xe0 cut short", Err(Kind::Invalid)),
            (b"OTTO is no font", Err(Kind::Invalid)),
            (b"\x00\x00\x00\x18ftypisom and no more", Err(Kind::Invalid)),
            (script, Err(Kind::Invalid)),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let found = look(bytes, &path).map(|found| (found.media_type, found.size)).map_err(|e| {
                assert!(!e.detail().contains(folder.path().to_str().unwrap()), "{e}");
                e.kind()
            });
            assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
