use std::path::PathBuf;

use proptest::prelude::{any, prop, proptest};

use super::*;

fn media(text: &str) -> Media {
    match parse(text.as_bytes()) {
        Ok(Playlist::Media(media)) => *media,
        other => panic!("{text}: {other:?}"),
    }
}

fn master(text: &str) -> Vec<Variant> {
    match parse(text.as_bytes()) {
        Ok(Playlist::Master(master)) => master.variants,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn segments_carry_what_the_tags_before_them_said() {
    let found = media(
        "\u{feff}#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXT-X-MEDIA-SEQUENCE:41\r\n#EXT-X-DISCONTINUITY-SEQUENCE:3\r\n\
         #EXT-X-MAP:URI=\"init, 1.mp4\",BYTERANGE=\"700@0\"\r\n\
         #EXT-X-PROGRAM-DATE-TIME:2023-09-17T02:31:48.5Z\r\n#EXTINF:4.000,live\r\na.mp4?x=1,2\r\n\
         # a remark\r\n#EXTINF:3.5\r\n#EXT-X-GAP\r\nb.mp4\r\n\
         #EXT-X-KEY:METHOD=AES-128,URI=\"k\"\r\n#EXTINF:4,\r\nc.mp4\r\n\
         #EXT-X-KEY:METHOD=NONE\r\n#EXT-X-DISCONTINUITY\r\n#EXTINF:4,\r\n../d.mp4\r\n\
         #EXT-X-PROGRAM-DATE-TIME:2023-09-17T02:40:00Z\r\n#EXTINF:4,\r\n/e.mp4",
    );
    let at = 1_694_917_908_500_000;
    let map = Some(Map { uri: "init, 1.mp4".into(), byte_range: Some(0..700) });
    let segment = |uri: &str, sequence, time, given| Segment {
        uri: uri.to_owned(),
        duration: Duration::from_secs(4),
        sequence,
        time,
        time_given: given,
        map: map.clone(),
        ..Segment::default()
    };
    let expected = [
        segment("a.mp4?x=1,2", 41, Some(at), true),
        Segment {
            duration: Duration::from_millis(3500),
            gap: true,
            ..segment("b.mp4", 42, Some(at + 4_000_000), false)
        },
        Segment { encrypted: true, ..segment("c.mp4", 43, Some(at + 7_500_000), false) },
        Segment { discontinuity: true, ..segment("../d.mp4", 44, None, false) },
        segment("/e.mp4", 45, Some(1_694_918_400_000_000), true),
    ];
    assert_eq!(found.segments, expected);
    assert_eq!((found.sequence, found.discontinuity_sequence, found.ended), (41, 3, false));
    assert_eq!(found.target_duration, Duration::from_secs(4));
}

#[test]
fn byte_ranges_without_an_offset_follow_the_one_before_in_the_same_file() {
    let found = media(
        "#EXTM3U\n#EXT-X-BYTERANGE:100@50\n#EXTINF:1,\na\n#EXT-X-BYTERANGE:25\n#EXTINF:1,\na\n\
         #EXTINF:1,\n#EXT-X-BYTERANGE:10\nb\n#EXTINF:1,\nb\n#EXT-X-ENDLIST",
    );
    let ranges: Vec<_> = found.segments.iter().map(|segment| segment.byte_range.clone()).collect();
    assert_eq!(ranges, [Some(50..150), Some(150..175), Some(0..10), None]);
    assert!(found.ended);
}

#[test]
fn low_latency_tags_tell_of_the_segment_being_made() {
    let found = media(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PART-INF:PART-TARGET=0.33334\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0\n\
         #EXT-X-PART:DURATION=0.3,URI=\"a.0\",INDEPENDENT=YES\n#EXTINF:4,\na\n\
         #EXT-X-PART:DURATION=0.33334,URI=\"b\",BYTERANGE=\"10@0\",INDEPENDENT=YES\n\
         #EXT-X-PART:DURATION=0.2,URI=\"b\",BYTERANGE=\"5\",GAP=YES\n\
         #EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"no\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"b.2\"\n\
         #EXT-X-RENDITION-REPORT:URI=\"../1M\"\n#EXT-X-TWITCH-PREFETCH:https://x/1.ts\n#EXT-X-TWITCH-PREFETCH:https://x/2.ts\n",
    );
    let part = Part { uri: "b".to_owned(), ..Part::default() };
    let expected = [
        Part {
            duration: Duration::from_micros(333_340),
            independent: true,
            byte_range: Some(0..10),
            ..part.clone()
        },
        Part { duration: Duration::from_millis(200), gap: true, byte_range: Some(10..15), ..part },
    ];
    assert_eq!(found.parts, expected, "those of a whole segment are apart");
    let last: Vec<_> = found.last_parts.iter().map(|part| (part.uri.as_str(), part.independent)).collect();
    assert_eq!(last, [("a.0", true)]);
    assert_eq!((found.can_block_reload, found.part_target), (true, Some(Duration::from_micros(333_340))));
    assert_eq!(found.preload_hint.as_deref(), Some("b.2"));
    assert_eq!(found.prefetch, ["https://x/1.ts", "https://x/2.ts"]);
}

#[test]
fn what_is_said_of_the_segment_being_made_is_kept_apart() {
    let before =
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:4,\na\n";
    let coming = |tags: &str| media(&format!("{before}{tags}")).coming;
    let counted = Coming { time: Some(14_000_000), ..Coming::default() };
    assert_eq!(coming(""), counted);
    let given = "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:20Z\n";
    assert_eq!(coming(given), Coming { time: Some(20_000_000), time_given: true, ..Coming::default() });
    let broken = Coming { time: None, discontinuity: true, gap: true, ..Coming::default() };
    assert_eq!(coming("#EXT-X-DISCONTINUITY\n#EXT-X-GAP\n"), broken);
    let map = Some(Map { uri: "m".into(), byte_range: None });
    let locked = Coming { map, encrypted: true, ..counted };
    assert_eq!(coming("#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP:URI=\"m\"\n"), locked);
}

#[test]
fn advertisements_are_known_by_class_id_and_title() {
    let playlist = |ranges: &str, title: &str| {
        let segments = (0..4).map(|i| format!("#EXTINF:2,{title}\n{i}.ts\n")).collect::<String>();
        let text = format!("#EXTM3U\n{ranges}\n#EXT-X-PROGRAM-DATE-TIME:2023-01-01T00:00:00Z\n{segments}");
        media(&text).segments.iter().map(|segment| u8::from(segment.ad)).collect::<Vec<_>>()
    };
    let range = |rest: &str| format!("#EXT-X-DATERANGE:{rest}");
    for (ranges, title, expected) in [
        (String::new(), "live", [0, 0, 0, 0]),
        (String::new(), "Amazon|123", [1, 1, 1, 1]),
        (
            range("ID=\"stitched-ad-1\",START-DATE=\"2023-01-01T00:00:02Z\",DURATION=4.0"),
            "live",
            [0, 1, 1, 0],
        ),
        (
            range(
                "ID=\"x\",CLASS=\"twitch-stitched-ad\",START-DATE=\"2023-01-01T00:00:02.4Z\",END-DATE=\"2023-01-01T00:00:04Z\"",
            ),
            "",
            [0, 1, 0, 0],
        ),
        (
            range("ID=\"x\",CLASS=\"twitch-stitched-ad\",START-DATE=\"2023-01-01T00:00:04Z\""),
            "",
            [0, 0, 1, 1],
        ),
        (
            range("ID=\"x\",CLASS=\"twitch-session\",START-DATE=\"2023-01-01T00:00:00Z\",DURATION=9"),
            "",
            [0, 0, 0, 0],
        ),
        (range("ID=\"stitched-ad-1\",DURATION=9"), "", [0, 0, 0, 0]),
        (
            ["2023-01-01T00:00:06Z", "2023-01-01T00:00:00Z", "2023-01-01T00:00:00.5Z"]
                .map(|start| range(&format!("ID=\"stitched-ad-\",START-DATE=\"{start}\",DURATION=2")))
                .join("\n"),
            "",
            [1, 0, 0, 1],
        ),
    ] {
        assert_eq!(playlist(&ranges, title), expected, "{ranges} {title}");
    }
}

#[test]
fn variants_carry_what_players_choose_by() {
    let found = master(
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2000.7,RESOLUTION=1280x720,CODECS=\"avc1.4D401F,mp4a.40.2\",FRAME-RATE=59.94,VIDEO=\"g\"\nv\n\
         #EXT-X-MEDIA:TYPE=VIDEO,GROUP-ID=\"g\",NAME=\"720p60, source\"\n\
         #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"g\",NAME=\"English\"\n\
         #EXT-X-STREAM-INF:STABLE-VARIANT-ID=\"s\",IVS-NAME=\"i\",RESOLUTION=0x720, BANDWIDTH = 5\n\nw\n\
         #EXT-X-STREAM-INF:CODECS=\"mp4a.40.2\"\nsound\n\
         #EXT-X-STREAM-INF:VIDEO=\"audio_only\"\nalone\n\
         #EXT-X-I-FRAME-STREAM-INF:URI=\"no\",BANDWIDTH=1\n\
         stray\n#EXT-X-STREAM-INF:BANDWIDTH=x\nlast\n#EXT-X-STREAM-INF:BANDWIDTH=1\n",
    );
    let variant = |uri: &str| Variant { uri: uri.to_owned(), video: true, ..Variant::default() };
    let name = |name: &str| Some(name.to_owned());
    let expected = [
        Variant {
            bandwidth: 2000,
            resolution: Some((1280, 720)),
            fps: Some(59.94),
            codecs: name("avc1.4D401F,mp4a.40.2"),
            name: name("720p60, source"),
            ..variant("v")
        },
        Variant { bandwidth: 5, name: name("s"), ..variant("w") },
        Variant { codecs: name("mp4a.40.2"), video: false, ..variant("sound") },
        Variant { name: name("audio_only"), video: false, ..variant("alone") },
        variant("last"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_playlist_or_too_much_of_one_is_refused_by_name() {
    let malformed = |line, what| Err(Error::Malformed { line, what });
    let many = format!("#EXTM3U\n{}", "#EXTINF:1,\na\n".repeat(MAX_ENTRIES + 1));
    let ads =
        format!("#EXTM3U\n#EXTINF:1,\na\n{}", "#EXT-X-DATERANGE:ID=\"stitched-ad-\"\n".repeat(MAX_ENTRIES));
    let variants = format!("#EXTM3U\n{}", "#EXT-X-STREAM-INF:\na\n".repeat(MAX_ENTRIES + 1));
    let large = format!("#EXTM3U\n{}", " ".repeat(MAX_BYTES));
    let long = format!("#EXTM3U\n#EXTINF:1,\n{}", "a".repeat(20_000));
    for (text, expected) in [
        ("", Err(Error::NotAPlaylist)),
        ("#EXTM3U", Err(Error::NotAPlaylist)),
        ("#EXTINF:1,\na", Err(Error::NotAPlaylist)),
        ("\n <!doctype html>", Err(Error::Html)),
        ("{}", Err(Error::NotAPlaylist)),
        (&large, Err(Error::TooLarge)),
        (&many, Err(Error::TooManyEntries)),
        (&ads, Err(Error::TooManyEntries)),
        (&variants, Err(Error::TooManyEntries)),
        (&long, malformed(3, "a URI of more than 16 KiB")),
        ("#EXTM3U\n#EXTINF:x,\na", malformed(2, "a segment's duration")),
        ("#EXTM3U\n#EXTINF:-1,\na", malformed(2, "a segment's duration")),
        ("#EXTM3U\n#EXTINF:1e300,\na", malformed(2, "a segment's duration")),
        ("#EXTM3U\n#EXTINF:nan,\na", malformed(2, "a segment's duration")),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:\n", malformed(2, "EXT-X-TARGETDURATION")),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:99999999999999999999\n", malformed(2, "EXT-X-MEDIA-SEQUENCE")),
        (
            "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:18446744073709551615\n#EXTINF:1,\na\n#EXTINF:1,\nb",
            malformed(6, "a sequence number too large"),
        ),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:18446744073709551615@1\na", malformed(4, "EXT-X-BYTERANGE")),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:0@1\na", malformed(3, "EXT-X-BYTERANGE")),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-MAP:BYTERANGE=\"1@0\"\na", malformed(3, "EXT-X-MAP without URI")),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-KEY:URI=\"k\"\na", malformed(3, "EXT-X-KEY without METHOD")),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-PART:DURATION=1\n", malformed(3, "EXT-X-PART without URI")),
        ("#EXTM3U\n#EXTINF:1,\n#EXT-X-TWITCH-PREFETCH:\n", malformed(3, "an empty URI")),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n", Err(Error::Delta)),
    ] {
        assert_eq!(parse(text.as_bytes()).map(|_| ()), expected, "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn odd_but_harmless_playlists_are_read() {
    for (text, segments) in [
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2", 0),
        ("#EXTM3U\n#EXT-X-TARGETDURATION:2.5\n#EXT-X-MEDIA-SEQUENCE:7.0\n#EXTINF: 2 ,a\nx", 1),
        ("#EXTM3U\nstray\n#EXTINF:1,\na\nstray\n#EXTINF:1,", 1),
        ("#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:soon\n#EXTINF:1,\na", 1),
        ("#EXTM3U\n#EXT-UNKNOWN:1\n#EXTINF:1,\n#EXT-X-DATERANGE:ID=\"open\n  a  ", 1),
    ] {
        assert_eq!(media(text).segments.len(), segments, "{text}");
    }
    assert_eq!(parse(b"#EXTM3U\n#EXTINF:1,\n\xff\xfe.ts").map(|_| ()), Ok(()));
}

fn shared(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/media").join(folder);
    // A clone of the repository alone has none; what follows is proven on made ones above.
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "m3u8"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn real_playlists_are_read_right() {
    for (name, bytes) in
        [shared("twitch"), shared("hls/bipbop_overflow_720p"), shared("hls/google_io_720p_mp3")].concat()
    {
        match (name.as_str(), parse(&bytes).unwrap()) {
            ("usher_live_master_2020.m3u8" | "vod_master_streamlink.m3u8", Playlist::Master(master)) => {
                assert_eq!(master.variants.len(), 7, "{name}");
                let sound: Vec<_> = master.variants.iter().filter(|variant| !variant.video).collect();
                assert_eq!(sound.len(), 1, "{name}");
                assert!(
                    master.variants.iter().all(|variant| variant.name.is_some() && variant.bandwidth > 0)
                );
            }
            ("usher_v2_master_streamlink.m3u8", Playlist::Master(master)) => {
                let names: Vec<_> =
                    master.variants.iter().map(|variant| variant.name.as_deref().unwrap()).collect();
                assert_eq!(names, ["720p60", "480p30", "360p30", "160p30", "audio_only", "1080p60"]);
                assert_eq!(master.variants.iter().filter(|variant| variant.video).count(), 5);
                assert_eq!(master.variants[5].resolution, Some((1920, 1080)));
            }
            ("live_media_2023.m3u8", Playlist::Media(media)) => {
                assert_eq!((media.sequence, media.segments.len(), media.prefetch.len()), (4815, 15, 2));
                assert!(
                    media
                        .segments
                        .iter()
                        .all(|segment| segment.time_given && !segment.ad && !segment.discontinuity)
                );
            }
            ("live_media_fmp4_2026_trimmed.m3u8", Playlist::Media(media)) => {
                assert_eq!((media.sequence, media.segments.len(), media.prefetch.len()), (8378, 2, 1));
                assert!(media.segments.iter().all(|segment| segment.map.is_some() && segment.time.is_none()));
            }
            ("live_media_midroll_2026_shortened.m3u8", Playlist::Media(media)) => {
                let ads: Vec<_> =
                    media.segments.iter().map(|segment| (segment.ad, segment.discontinuity)).collect();
                assert_eq!(ads, [(false, false), (false, false), (true, true), (true, false)]);
                assert_eq!(media.ad_ranges[0].duration, Some(Duration::from_millis(30_235)));
            }
            ("vod_media_ts_2023.m3u8", Playlist::Media(media)) => assert_eq!(media.segments.len(), 50),
            ("media.m3u8", Playlist::Media(media)) => {
                assert_eq!((media.segments.len(), media.ended), (1, true))
            }
            ("index.m3u8", Playlist::Media(media)) => {
                assert_eq!((media.segments.len(), media.ended, media.segments[7].sequence), (8, true, 8));
            }
            (name, other) => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn real_broken_playlists_are_refused_or_read() {
    for (name, bytes) in shared("corrupt/m3u8") {
        match parse(&bytes) {
            Ok(Playlist::Media(media)) => assert!(media.segments.len() <= 1, "{name}"),
            Ok(Playlist::Master(master)) => assert!(master.variants.len() <= 1, "{name}"),
            Err(Error::Malformed { line, .. }) => assert!(line <= 3, "{name}"),
            Err(Error::NotAPlaylist | Error::Delta) => {}
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

proptest! {
    #[test]
    fn no_text_panics_or_gives_more_than_its_lines(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "#EXTINF:", "#EXTINF:2,x", "#EXT-X-BYTERANGE:", "#EXT-X-BYTERANGE:5", "a.ts", "#EXT-X-MAP:URI=\"m\"", "#EXT-X-PART:URI=\"p\"",
                "#EXT-X-DATERANGE:ID=\"stitched-ad-1\",START-DATE=\"2023-01-01T00:00:00Z\"", "#EXT-X-DISCONTINUITY",
                "#EXT-X-PROGRAM-DATE-TIME:2023-01-01T00:00:00Z", "#EXT-X-STREAM-INF:", "#EXT-X-MEDIA-SEQUENCE:18446744073709551614", "\"=,",
            ]), 0..30),
        tail in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut text = format!("#EXTM3U\n{}\n", lines.join("\n")).into_bytes();
        text.extend(tail);
        match parse(&text) {
            Ok(Playlist::Media(media)) => assert!(media.segments.len() <= lines.len() + 40),
            Ok(Playlist::Master(master)) => assert!(master.variants.len() <= lines.len() + 40),
            Err(_) => {}
        }
    }
}
