use std::time::Duration;

use media::m3u8::{AdRange, Media, Part, Segment};
use url::Url;

use super::follower::{Follower, Trouble};
use super::segments::{SegmentInfo, SegmentKind, media_time};
use crate::base::clock::{Monotonic, Wall};

/// Seconds since 1970 of the tests' zero, µs.
const ZERO: i64 = 1_790_812_800_000_000;

fn base() -> Url {
    "http://h/live/list.m3u8".parse().unwrap()
}

fn now(seconds: u64) -> (Monotonic, Wall) {
    let since = Duration::from_secs(seconds);
    (Monotonic::from_start(since), Wall(media_time(ZERO + i64::try_from(since.as_micros()).unwrap()).0))
}

/// A playlist in a few signs: each word is a segment of 2 s, `12` with its sequence's time (2 s each from zero), `12+300` with
/// a time 300 ms later, `12?` without one, `!` before is a discontinuity, `a` after an advertisement, `g` a gap.
fn media(words: &str) -> Media {
    let mut list = Media { target_duration: Duration::from_secs(2), ..Media::default() };
    for word in words.split_whitespace() {
        match word {
            "END" => list.ended = true,
            "prefetch" => list.prefetch.push("next.ts".to_owned()),
            word => list.segments.push(segment(word)),
        }
    }
    list.sequence = list.segments.first().map_or(0, |segment| segment.sequence);
    list
}

fn segment(word: &str) -> Segment {
    let (discontinuity, word) = (word.starts_with('!'), word.trim_start_matches('!'));
    let (ad, gap) = (word.ends_with('a'), word.ends_with('g'));
    let word = word.trim_end_matches(['a', 'g']);
    let (undated, word) = (word.ends_with('?'), word.trim_end_matches('?'));
    let (number, late) = word.split_once('+').unwrap_or((word, "0"));
    let sequence: u64 = number.parse().unwrap();
    let late: i64 = late.parse().unwrap();
    let time = ZERO + i64::try_from(sequence).unwrap() * 2_000_000 + late * 1000;
    Segment {
        uri: format!("{sequence}.ts?token=x"),
        duration: Duration::from_secs(2),
        sequence,
        time: (!undated).then_some(time),
        time_given: !undated,
        discontinuity,
        ad,
        gap,
        ..Segment::default()
    }
}

fn shown(segment: &SegmentInfo) -> String {
    let kind = match segment.kind {
        SegmentKind::Full => "",
        SegmentKind::Suspect => "~",
        SegmentKind::Partial => "…",
        SegmentKind::Ad => "a",
        SegmentKind::Gap => "g",
    };
    format!("{}{kind}", segment.sequence)
}

fn ring(follower: &Follower) -> String {
    follower.segments().iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// Reads one playlist after another; `@seconds` before it says when (2 s after the one before otherwise).
fn follow(readings: &[&str]) -> (Follower, Vec<Result<(), Trouble>>) {
    let (mut follower, mut at, mut results) = (Follower::default(), 0, Vec::new());
    for reading in readings {
        let (when, words) = match reading.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
            Some((when, words)) => (when.parse().unwrap(), words),
            None => (at + 2, *reading),
        };
        at = when;
        let (monotonic, wall) = now(at);
        results.push(follower.take(&media(words), &base(), monotonic, wall));
    }
    (follower, results)
}

#[test]
fn every_segment_is_known_with_its_kind() {
    for (readings, expected) in [
        (&["1 2 3"][..], "1 2 3"),
        (&["1 2 3", "2 3 4", "3 4 5"], "1 2 3 4 5"),
        (&["1 2 3", "1 2 3"], "1 2 3"),
        (&["1 2 3", "6 7"], "1 2 3 4g 5g 6 7"),
        (&["1 2g 3"], "1 2g 3"),
        (&["1 2 !3a 4a !5"], "1 2 3a 4a 5~"),
        (&["1 2", "1 2 !3 4"], "1 2 3~ 4"),
        (&["!1 2"], "1 2"),
        (&["1 2", "2 3+400 4+400"], "1 2 3~ 4"),
        (&["1 2", "2 3+50 4+20"], "1 2 3 4"),
        (&["1 2 prefetch"], "1 2 3…"),
        (&["1 2 prefetch", "1 2 3 prefetch"], "1 2 3 4…"),
        (&["1 2 3a prefetch"], "1 2 3a"),
    ] {
        let (follower, results) = follow(readings);
        assert_eq!(ring(&follower), expected, "{readings:?}");
        assert!(results.iter().all(Result::is_ok), "{readings:?}: {results:?}");
    }
}

#[test]
fn addresses_are_those_of_the_playlist_s_place() {
    let (follower, _) = follow(&["1"]);
    assert_eq!(&*follower.segments().last().unwrap().url, "http://h/live/1.ts?token=x");
    let mut list = media("1 2 3");
    list.segments[1].uri = "file:///etc/passwd".to_owned();
    let (mut follower, (monotonic, wall)) = (Follower::default(), now(0));
    for _ in 0..3 {
        let taken = follower.take(&list, &base(), monotonic, wall);
        assert_eq!(taken, Err(Trouble::Scheme("file".to_owned())));
        assert_eq!(ring(&follower), "1", "what was taken is taken once");
    }
}

#[test]
fn a_playlist_that_stands_still_goes_back_or_ends_is_told_apart() {
    let backwards = |newest, known| Err(Trouble::Backwards { newest, known });
    for (readings, expected) in [
        (&["@0 1 2", "@6 1 2"][..], Ok(())),
        (&["@0 1 2", "@7 1 2"], Err(Trouble::Frozen(Duration::from_secs(7)))),
        (&["@0 1 2", "@7 1 2", "@8 2 3"], Ok(())),
        // A server behind its fellows.
        (&["3 4", "2 3", "2 3"], Ok(())),
        (&["3 4", "2 3", "2 3", "2 3"], backwards(3, 4)),
        (&["3 4", "2 3", "1 2", "0 1"], backwards(1, 4)),
        (&["3 4", "2 3", "4 5", "3 4", "3 4"], Ok(())),
        // One that began anew goes on from there.
        (&["93 94", "1 2", "2 3", "3 4"], Ok(())),
        (&["1 2", "1 2 END"], Err(Trouble::Ended)),
        (&["1 2", "1 2 3 END"], Ok(())),
        (&["1 2", "1 2 3 END", "1 2 3 END"], Err(Trouble::Ended)),
        (&["91 92", "91 92 93 END", "1 2"], Ok(())),
        (&["END"], Err(Trouble::Ended)),
        (&[""], Err(Trouble::Empty)),
    ] {
        let (_, results) = follow(readings);
        assert_eq!(results.last(), Some(&expected), "{readings:?}");
    }
    let (follower, _) = follow(&["93 94", "1 2", "2 3", "3 4"]);
    assert_eq!((ring(&follower).as_str(), follower.restarts()), ("3 4", 1));
}

#[test]
fn a_long_absence_costs_no_more_than_a_short_one() {
    let mut list = media("1 2");
    let (mut follower, (monotonic, wall)) = (Follower::default(), now(0));
    follower.take(&list, &base(), monotonic, wall).unwrap();
    list.segments[1].sequence = 100_000;
    list.segments[0].sequence = 99_999;
    follower.take(&list, &base(), monotonic, wall).unwrap();
    assert!(follower.segments().iter().count() <= 200);
    assert_eq!(follower.segments().last().unwrap().sequence, 100_000);
    // Numbers that a stranger makes up.
    list.segments[0].sequence = u64::MAX - 1;
    list.segments[1].sequence = u64::MAX;
    list.prefetch.push("next.ts".to_owned());
    follower.take(&list, &base(), monotonic, wall).unwrap();
    assert_eq!(follower.segments().last().unwrap().sequence, u64::MAX);
}

fn seconds(segment: &SegmentInfo) -> f64 {
    Duration::from_micros(u64::try_from(segment.media_time.0.as_microsecond() - ZERO).unwrap()).as_secs_f64()
}

#[test]
fn times_that_are_given_are_taken_and_those_that_jump_are_doubted() {
    let (follower, _) = follow(&["10 11", "11 12+400 13+400"]);
    let times: Vec<_> = follower.segments().iter().map(seconds).collect();
    assert_eq!(times, [20.0, 22.0, 24.4, 26.4]);
    let doubts: Vec<_> =
        follower.segments().iter().map(|segment| segment.media_time_error.as_millis()).collect();
    assert_eq!(doubts, [1, 1, 500, 1]);
}

#[test]
fn without_given_times_the_newest_segment_has_just_ended_and_pts_tell_the_rest() {
    let (mut follower, _) = follow(&["@100 1? 2? 3?"]);
    assert_eq!(follower.segments().iter().map(seconds).collect::<Vec<_>>(), [94.0, 96.0, 98.0]);
    let last = follower.segments().last().unwrap().clone();
    assert!(last.media_time_error >= Duration::from_secs(2));
    // A keyframe half a second into the segment, on a clock that is about to begin anew.
    let around = (1 << 33) - 90_000;
    let (time, _) = follower.keyframe_time(&last, Some(around), around + 45_000);
    assert_eq!(time, media_time(ZERO + 98_500_000));
    let (monotonic, wall) = now(103);
    follower.take(&media("2? 3? 4?"), &base(), monotonic, wall).unwrap();
    let last = follower.segments().last().unwrap().clone();
    assert_eq!(seconds(&last).to_string(), "100");
    // The segments are really 2.1 s long, which the playlist rounds.
    let (time, _) =
        follower.keyframe_time(&last, Some(2 * 90_000 + 9000 - 90_000), 2 * 90_000 + 9000 - 90_000);
    assert_eq!(time, media_time(ZERO + 100_100_000));
    assert_eq!(seconds(follower.segments().last().unwrap()).to_string(), "100.1", "and the ring follows");
}

#[test]
fn a_wrong_pts_moves_no_time_by_more_than_a_segment() {
    let (mut follower, _) = follow(&["1 2"]);
    let last = follower.segments().last().unwrap().clone();
    for (first, pts) in [(0, 1 << 32), (1 << 32, 0), (1 << 40, 7), (u64::MAX, 0)] {
        let (time, _) = follower.keyframe_time(&last, Some(first), pts);
        let off = time.0.as_microsecond() - last.media_time.0.as_microsecond();
        assert!((0..=4_000_000).contains(&off), "{first} {pts}: {off}");
    }
    let (mut follower, _) = follow(&["1? 2?"]);
    let last = follower.segments().last().unwrap().clone();
    follower.keyframe_time(&last, Some(0), 0);
    let (time, _) = follower.keyframe_time(&last, Some(1 << 31), 1 << 31);
    assert_eq!(time, last.media_time);
}

#[test]
fn what_a_date_range_covers_is_an_advertisement_and_parts_are_hints() {
    let mut list = media("1 2 3 4");
    let duration = Some(Duration::from_secs(4));
    list.ad_ranges =
        vec![AdRange { id: "stitched-ad-1".to_owned(), start: Some(ZERO + 4_000_000), duration }];
    let part = |independent| Part { uri: "5.0.ts".to_owned(), independent, ..Part::default() };
    for (part, expected) in [(part(true), "1 2a 3a 4 5…"), (part(false), "1 2a 3a 4")] {
        list.parts = vec![part];
        let (mut follower, (monotonic, wall)) = (Follower::default(), now(0));
        follower.take(&list, &base(), monotonic, wall).unwrap();
        assert_eq!(ring(&follower), expected);
    }
}

/// Parts of half a second; `k` begins with a keyframe.
fn parts(sequence: u64, signs: &str) -> Vec<Part> {
    let part = |(number, sign)| Part {
        uri: format!("{sequence}.{number}.ts"),
        duration: Duration::from_millis(500),
        independent: sign == 'k',
        ..Part::default()
    };
    signs.chars().enumerate().map(part).collect()
}

#[test]
fn the_newest_part_has_a_place_and_a_time() {
    let given = Some(ZERO + 10_250_000);
    let ad = |from, seconds| {
        let (start, duration) = (Some(ZERO + from), Some(Duration::from_secs(seconds)));
        AdRange { id: "stitched-ad-1".to_owned(), start, duration }
    };
    for (last, made, change, expected) in [
        ("k...", "k.", &(|_: &mut Media| {}) as &dyn Fn(&mut Media), Some(("5.0.ts", 5, 0, 10.0, 50))),
        ("k...", "k.k", &|_| {}, Some(("5.2.ts", 5, 2, 11.0, 50))),
        ("k.k.", "", &|_| {}, Some(("4.2.ts", 4, 2, 9.0, 50))),
        ("....", "..", &|_| {}, None),
        // What its own tags say counts.
        ("k...", "k.", &|list| (list.coming.time, list.coming.time_given) = (given, true), {
            Some(("5.0.ts", 5, 0, 10.25, 50))
        }),
        ("k...", "k.", &|list| list.coming.discontinuity = true, Some(("5.0.ts", 5, 0, 10.0, 500))),
        ("k...", "k.", &|list| list.coming.gap = true, Some(("4.0.ts", 4, 0, 8.0, 50))),
        // Nothing of advertisements, nor from where nothing may be fetched.
        ("k...", "k.", &|list| list.ad_ranges = vec![ad(9_900_000, 9)], None),
        ("k...", "k.", &|list| list.segments[3].ad = true, None),
        ("k...", "k.", &|list| list.parts[0].uri = "file:///etc/passwd".to_owned(), None),
    ] {
        let mut list = media("1 2 3 4");
        (list.last_parts, list.parts) = (parts(4, last), parts(5, made));
        change(&mut list);
        let (mut follower, (monotonic, wall)) = (Follower::default(), now(0));
        follower.take(&list, &base(), monotonic, wall).unwrap();
        let found = follower.part().map(|part| {
            let name = part.url.strip_prefix("http://h/live/").unwrap();
            let doubt = part.media_time_error.as_millis();
            (name, part.sequence, part.part.unwrap(), seconds(part), doubt)
        });
        assert_eq!(found, expected, "{last} {made}");
        // The ring has each segment once.
        let sequences: Vec<_> = follower.segments().iter().map(|segment| segment.sequence).collect();
        assert!(sequences.windows(2).all(|two| two[0] < two[1]), "{sequences:?}");
    }
}
