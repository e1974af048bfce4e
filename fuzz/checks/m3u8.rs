//! What must hold for any playlist. Run by the fuzz target on made-up input and by `crates/media/tests` on the corpus.

use media::m3u8::{Error, MAX_ENTRIES, Playlist, parse};

/// # Panics
/// If more is read than the text says, or what is read contradicts itself.
pub(crate) fn m3u8(input: &[u8]) {
    let lines = input.split(|byte| *byte == b'\n').count();
    match parse(input) {
        Ok(Playlist::Master(master)) => {
            assert!(master.variants.len() <= lines.min(MAX_ENTRIES));
            assert!(master.variants.iter().all(|variant| !variant.uri.is_empty()));
        }
        Ok(Playlist::Media(media)) => {
            let entries =
                media.segments.len() + media.parts.len() + media.prefetch.len() + media.ad_ranges.len();
            assert!(entries <= lines.min(MAX_ENTRIES));
            for (index, segment) in (0..).zip(&media.segments) {
                let first = media.segments[0].sequence;
                assert_eq!(segment.sequence, first + index, "numbers follow each other");
                assert!(!segment.uri.is_empty() && (segment.time.is_some() || !segment.time_given));
                assert!(segment.byte_range.as_ref().is_none_or(|range| range.start < range.end));
            }
        }
        Err(Error::Malformed { line, .. }) => assert!((1..=lines).contains(&line)),
        Err(_) => {}
    }
}
