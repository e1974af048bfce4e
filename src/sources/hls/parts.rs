//! Low-latency playlists (draft-pantos-hls-rfc8216bis): the newest part that a picture can be taken from, and the one after it.
//!
//! Called by the follower and the HLS source with each playlist read. Pure.

use std::time::Duration;

use media::m3u8::{Media, Part};

/// A part that begins with a keyframe, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place<'a> {
    pub(super) part: &'a Part,
    /// Of its segment.
    pub(super) sequence: u64,
    /// Within its segment, from 0.
    pub(super) number: u32,
    /// From its segment's start.
    pub(super) offset: Duration,
}

/// The part with the next keyframe, which a server that can be waited for will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upcoming {
    pub(super) sequence: u64,
    pub(super) number: u32,
    /// Until it is there, at the most, if it comes as those before it did.
    pub(super) wait: Duration,
    /// From the newest keyframe listed to the end of what is listed: that one is older by now.
    pub(super) age: Duration,
    /// The usual length of a part.
    pub(super) target: Duration,
}

/// The newest part that begins with a keyframe, of the segment being made or of the last whole one.
pub(super) fn newest(media: &Media) -> Option<Place<'_>> {
    let last = media.segments.last()?.sequence;
    let coming = if media.coming.gap { &[][..] } else { &media.parts };
    within(coming, last.checked_add(1)?).or_else(|| within(&media.last_parts, last))
}

fn within(parts: &[Part], sequence: u64) -> Option<Place<'_>> {
    let number = parts.iter().rposition(|part| part.independent && !part.gap)?;
    let offset = sum(&parts[..number]);
    Some(Place { part: &parts[number], sequence, number: u32::try_from(number).ok()?, offset })
}

/// The next keyframe's part; `None` when the server can't be waited for.
///
/// Keyframes are expected where the last whole segment has them, and where a segment begins.
pub(super) fn upcoming(media: &Media) -> Option<Upcoming> {
    let target = media.part_target.filter(|target| media.can_block_reload && !target.is_zero())?;
    let last = media.segments.last()?;
    let (made, listed) = (sum(&media.parts), media.parts.len());
    let expected = media.last_parts.iter().skip(listed).position(|part| part.independent);
    let (segments_on, number, wait) = match expected {
        Some(more) => (1, listed + more, sum(&media.last_parts[listed..=listed + more])),
        None if listed == 0 => (1, 0, target),
        None => (2, 0, last.duration.saturating_sub(made).saturating_add(target)),
    };
    let age = match newest(media) {
        Some(place) if place.sequence > last.sequence => made.saturating_sub(place.offset),
        Some(place) => last.duration.saturating_sub(place.offset).saturating_add(made),
        None => last.duration.saturating_add(made),
    };
    let sequence = last.sequence.checked_add(segments_on)?;
    Some(Upcoming { sequence, number: u32::try_from(number).ok()?, wait, age, target })
}

/// Durations come from strangers.
fn sum(parts: &[Part]) -> Duration {
    parts.iter().fold(Duration::ZERO, |sum, part| sum.saturating_add(part.duration))
}

#[cfg(test)]
mod tests {
    use media::m3u8::Segment;

    use super::*;

    /// Parts of half a second: `k` begins with a keyframe, `.` does not, `g` would and is missing.
    fn parts(signs: &str) -> Vec<Part> {
        let part = |sign| Part {
            uri: "part.ts".to_owned(),
            duration: Duration::from_millis(500),
            independent: sign != '.',
            gap: sign == 'g',
            ..Part::default()
        };
        signs.chars().map(part).collect()
    }

    /// After segment 7, which lasts two seconds and has the parts `last`.
    fn media(last: &str, made: &str) -> Media {
        Media {
            segments: vec![Segment { sequence: 7, duration: Duration::from_secs(2), ..Segment::default() }],
            last_parts: parts(last),
            parts: parts(made),
            part_target: Some(Duration::from_millis(500)),
            can_block_reload: true,
            ..Media::default()
        }
    }

    #[test]
    fn the_newest_keyframe_and_the_next_one_are_found_by_where_keyframes_stand() {
        for (last, made, expected, next, wait, age) in [
            ("k...", "", Some((7, 0)), (8, 0), 500, 2000),
            ("k...", "k", Some((8, 0)), (9, 0), 2000, 500),
            ("k...", "k..", Some((8, 0)), (9, 0), 1000, 1500),
            ("k.k.", "", Some((7, 2)), (8, 0), 500, 1000),
            ("k.k.", "k", Some((8, 0)), (8, 2), 1000, 500),
            ("k.k.", "k.k", Some((8, 2)), (9, 0), 1000, 500),
            ("kkkk", "kk", Some((8, 1)), (8, 2), 500, 500),
            ("k...", "g", Some((7, 0)), (9, 0), 2000, 2500),
            ("....", "..", None, (9, 0), 1500, 3000),
            ("", "k.", Some((8, 0)), (9, 0), 1500, 1000),
            ("", "", None, (8, 0), 500, 2000),
        ] {
            let media = media(last, made);
            let found = newest(&media).map(|place| (place.sequence, place.number));
            assert_eq!(found, expected, "{last} {made}");
            let (sequence, number) = next;
            let [wait, age, target] = [wait, age, 500].map(Duration::from_millis);
            let next = Upcoming { sequence, number, wait, age, target };
            assert_eq!(upcoming(&media), Some(next), "{last} {made}");
        }
    }

    #[test]
    fn who_cannot_be_waited_for_is_not_and_numbers_and_times_of_strangers_do_no_harm() {
        for media in [
            Media { can_block_reload: false, ..media("k", "k") },
            Media { part_target: None, ..media("k", "k") },
            Media { part_target: Some(Duration::ZERO), ..media("k", "k") },
            Media { segments: Vec::new(), ..media("k", "k") },
        ] {
            assert_eq!(upcoming(&media), None, "{media:?}");
        }
        let mut far = media("k", "kk");
        far.segments[0].sequence = u64::MAX;
        far.part_target = Some(Duration::MAX);
        far.parts[0].duration = Duration::MAX;
        assert_eq!((newest(&far), upcoming(&far)), (None, None));
        far.segments[0].sequence = 7;
        assert_eq!(upcoming(&far).unwrap().wait, Duration::MAX);
    }
}
