//! Multivariant playlists (RFC 8216, 4.3.4).

use super::attributes::{attribute, attributes};
use super::{Error, Line, MAX_ENTRIES, Master, Variant, lines, number, uri};

pub(super) fn read(text: &str) -> Result<Master, Error> {
    let mut master = Master::default();
    // Name of each group of videos. They may be listed after the variants that use them.
    let mut names: Vec<(&str, &str)> = Vec::new();
    let mut groups: Vec<Option<&str>> = Vec::new();
    let mut pending = None;
    for (line, content) in lines(text) {
        match content {
            Line::Tag("EXT-X-MEDIA", list) if attribute(list, "TYPE") == Some("VIDEO") => {
                if let (Some(group), Some(name)) = (attribute(list, "GROUP-ID"), attribute(list, "NAME")) {
                    names.push((group, name));
                }
            }
            Line::Tag("EXT-X-STREAM-INF", list) => pending = Some(variant(list)),
            Line::Tag(..) => {}
            Line::Uri(text) => {
                // A URI that no tag announced is none.
                let Some((variant, group)) = pending.take() else { continue };
                master.variants.push(Variant { uri: uri(text, line)?, ..variant });
                groups.push(group);
            }
        }
        if master.variants.len() > MAX_ENTRIES || names.len() > MAX_ENTRIES {
            return Err(Error::TooManyEntries);
        }
    }
    names.sort_by_key(|name| name.0);
    for (variant, group) in master.variants.iter_mut().zip(groups) {
        let named =
            |group| names.binary_search_by_key(&group, |name| name.0).map_or(group, |found| names[found].1);
        let alone = group.is_some_and(|group| group == "audio_only");
        variant.name = variant.name.take().or(group.map(named).map(str::to_owned));
        let alone = alone || variant.name.as_deref() == Some("audio_only");
        variant.video = variant.resolution.is_some()
            || variant.codecs.as_deref().map_or(!alone, |codecs| codecs.split(',').any(is_video));
    }
    Ok(master)
}

/// A variant without its URI, and its group of videos. Values that can't be read count as not given, as for players.
fn variant(list: &str) -> (Variant, Option<&str>) {
    let (mut found, mut group) = (Variant::default(), None);
    let mut other_name = None;
    for (name, value) in attributes(list) {
        match name {
            "BANDWIDTH" => found.bandwidth = number(value).unwrap_or(0),
            "RESOLUTION" => {
                found.resolution = value.split_once(['x', 'X']).and_then(|(width, height)| {
                    let (width, height) = (width.parse().ok()?, height.parse().ok()?);
                    (width > 0 && height > 0).then_some((width, height))
                });
            }
            "FRAME-RATE" => found.fps = value.parse().ok().filter(|fps: &f64| *fps > 0.0 && *fps <= 1000.0),
            "CODECS" => found.codecs = Some(value.to_owned()).filter(|codecs| !codecs.is_empty()),
            "STABLE-VARIANT-ID" => found.name = Some(value.to_owned()),
            "IVS-NAME" => other_name = Some(value.to_owned()),
            "VIDEO" => group = Some(value),
            _ => {}
        }
    }
    found.name = found.name.or(other_name);
    (found, group)
}

/// Whether an entry of `CODECS` (RFC 6381) is one of the kinds of video there are.
fn is_video(codec: &str) -> bool {
    const VIDEO: [&str; 15] = [
        "avc1", "avc2", "avc3", "avc4", "hvc1", "hev1", "av01", "vp08", "vp8", "vp09", "vp9", "dvh", "dva",
        "mp4v", "vvc1",
    ];
    let codec = codec.trim();
    VIDEO.iter().any(|known| codec.starts_with(known))
}
