//! The encoders, and what becomes of their packets, with pictures small enough to be quick.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use pixels::{I420, Matrix, Range};

use super::*;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const FPS: u32 = 30;

fn settings() -> VideoSettings {
    VideoSettings {
        codec: VideoCodec::H264,
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        kbps: 600,
        preset: Preset::Veryfast,
        keyframe_every_s: 2,
        acceleration: Acceleration::None,
    }
}

/// A picture with texture that moves and a hash of noise, so that there is something to code.
fn picture(number: i64, width: u32, height: u32) -> Arc<I420> {
    let mut picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
    let shift = usize::try_from(number).unwrap() * 3;
    for (y, row) in (0..height).map(|y| (y as usize, y)) {
        for (x, sample) in picture.y.row_mut(row).iter_mut().enumerate() {
            let noise =
                (x + shift).wrapping_mul(2_654_435_761).wrapping_add(y.wrapping_mul(40_503)) >> 7 & 31;
            *sample = u8::try_from(40 + ((x + shift) / 2 + y) % 120 + noise).unwrap();
        }
    }
    let fill = u8::try_from(100 + number % 50).unwrap();
    picture.u.fill(fill);
    Arc::new(picture)
}

/// Packets of that many frames from `first` on.
fn film(settings: &VideoSettings, first: i64, count: i64) -> (PictureTrack, Vec<Packet>) {
    let mut encoder = VideoEncoder::open(settings).unwrap();
    let mut packets = Vec::new();
    for number in first..first + count {
        packets.extend(
            encoder.encode(&picture(number, settings.width, settings.height), number, false).unwrap(),
        );
    }
    let track = encoder.track();
    packets.extend(encoder.finish().unwrap());
    (track, packets)
}

/// A tone of that many samples.
fn tone(codec: SoundCodec, first: i64, count: i64) -> (SoundTrack, Vec<Packet>) {
    let mut encoder = SoundEncoder::open(codec, 128, first).unwrap();
    let samples: Vec<[f32; 2]> =
        (0..count).map(|n| [(n as f32 * 0.06).sin() * 0.4, (n as f32 * 0.03).sin() * 0.4]).collect();
    let mut packets = Vec::new();
    for part in samples.chunks(777) {
        packets.extend(encoder.encode(part).unwrap());
    }
    let track = encoder.track();
    packets.extend(encoder.finish().unwrap());
    (track, packets)
}

/// Both, in the order of their times.
fn programme(settings: &VideoSettings, codec: SoundCodec, first: i64, count: i64) -> (Tracks, Vec<Packet>) {
    let (picture, mut packets) = film(settings, first, count);
    let rate = i64::from(RATE / settings.fps);
    let (sound, sounds) = tone(codec, first * rate, count * rate);
    packets.extend(sounds);
    packets.sort_by_key(|packet| packet.dts);
    (Tracks { picture, sound: Some(sound) }, packets)
}

fn ffprobe(path: &Path, arguments: &[&str]) -> String {
    let out = Command::new("ffprobe").args(["-v", "error"]).args(arguments).arg(path).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
    String::from_utf8(out.stdout).unwrap()
}

#[test]
fn times_of_frames_and_samples_are_to_the_nearest_tick_and_do_not_drift() {
    for (number, fps, ticks) in
        [(0, 30, 0), (1, 30, 3000), (-1, 30, -3000), (1, 24, 3750), (7, 23, 27_391), (1, 240, 375)]
    {
        assert_eq!(frame_ticks(number, fps), ticks, "{number} at {fps}");
    }
    assert_eq!(frame_ticks(60 * 3600 * 24 * 365, 60), 90_000 * 3600 * 24 * 365);
    assert_eq!([sample_ticks(1024), sample_ticks(-1024), sample_ticks(1)], [1920, -1920, 2]);
    assert_eq!([frame_ticks(i64::MAX, 1), frame_ticks(i64::MIN, 1)], [i64::MAX, i64::MIN]);
}

#[test]
fn a_packet_comes_for_each_picture_at_once_and_keyframes_every_two_seconds_or_when_asked() {
    let mut encoder = VideoEncoder::open(&settings()).unwrap();
    let mut keyframes = Vec::new();
    for number in 1000..1150 {
        let packets = encoder.encode(&picture(number, WIDTH, HEIGHT), number, number == 1075).unwrap();
        let [packet] = &packets[..] else { panic!("{} packets", packets.len()) };
        assert_eq!((packet.pts, packet.dts, packet.duration), (number * 3000, number * 3000, 3000));
        let kinds = units(&packet.data);
        assert_eq!(packet.keyframe, kinds.contains(&5), "{kinds:?}");
        assert!(!kinds.contains(&7) && !kinds.contains(&8), "{kinds:?}");
        if packet.keyframe {
            keyframes.push(number);
        }
    }
    assert_eq!(keyframes, [1000, 1060, 1075, 1135]);
    assert!(encoder.finish().unwrap().is_empty());
}

/// The kinds of the NAL units.
fn units(data: &[u8]) -> Vec<u8> {
    let (mut at, mut kinds) = (0, Vec::new());
    while at < data.len() {
        let length = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        kinds.push(data[at + 4] & 31);
        at += 4 + length;
    }
    assert_eq!(at, data.len());
    kinds
}

#[test]
fn all_presets_have_the_same_headers() {
    for (width, height, fps, kbps) in [(WIDTH, HEIGHT, 30, 600), (1920, 1080, 60, 6000)] {
        let base = VideoSettings { width, height, fps, kbps, ..settings() };
        let configs: Vec<_> = Preset::ALL
            .into_iter()
            .map(|preset| {
                VideoEncoder::open(&VideoSettings { preset, ..base.clone() }).unwrap().track().config
            })
            .collect();
        for (preset, config) in Preset::ALL.into_iter().zip(&configs) {
            assert_eq!(config, &configs[0], "{preset}");
        }
    }
}

#[test]
fn a_change_of_preset_takes_over_with_a_keyframe_and_the_stream_decodes_without_a_fault() {
    let mut encoder = VideoEncoder::open(&settings()).unwrap();
    let (picture_track, mut packets, mut keyframes) = (encoder.track(), Vec::new(), Vec::new());
    for number in 0..90_i64 {
        match number {
            // Straight after a keyframe it waits for one picture more.
            1 => encoder.set_preset(Preset::Ultrafast).unwrap(),
            40 => encoder.set_preset(Preset::Medium).unwrap(),
            // Back before it began.
            70 => {
                encoder.set_preset(Preset::Faster).unwrap();
                encoder.set_preset(Preset::Medium).unwrap();
            }
            _ => {}
        }
        let new = encoder.encode(&picture(number, WIDTH, HEIGHT), number, false).unwrap();
        assert_eq!(new.len(), 1, "frame {number}");
        keyframes.extend(new.iter().filter(|packet| packet.keyframe).map(|_| number));
        packets.extend(new);
    }
    assert_eq!((encoder.preset(), encoder.track()), (Preset::Medium, picture_track.clone()));
    assert_eq!(keyframes, [0, 2, 40]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("presets.mp4");
    write(&Way::Mp4(path.clone()), &Tracks { picture: picture_track, sound: None }, &packets);
    let counted =
        ffprobe(&path, &["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    assert_eq!(counted.trim(), "90");
}

fn write(way: &Way, tracks: &Tracks, packets: &[Packet]) {
    let mut outlet = Outlet::open(way, tracks, Limits::default(), Arc::new(AtomicBool::new(false))).unwrap();
    for packet in packets {
        outlet.write(packet).unwrap();
    }
    assert!(outlet.sent() > 0);
    outlet.finish().unwrap();
}

#[test]
fn an_encoder_made_anew_goes_on_with_the_numbers() {
    let (track, mut packets) = film(&settings(), 0, 20);
    let (again, more) = film(&settings(), 25, 20);
    assert_eq!(track, again);
    packets.extend(more);
    assert!(packets.windows(2).all(|pair| pair[0].pts < pair[1].pts));
    assert_eq!((packets[20].pts, packets[20].keyframe), (75_000, true));
}

#[test]
fn the_bit_rate_is_kept_to() {
    for preset in [Preset::Ultrafast, Preset::Veryfast] {
        // Half of what these pictures could use.
        let (_, packets) = film(&VideoSettings { preset, kbps: 300, ..settings() }, 0, 600);
        for part in [&packets[..], &packets[300..]] {
            let bits: usize = part.iter().map(|packet| packet.data.len() * 8).sum();
            let kbps = bits * 30 / part.len() / 1000;
            assert!((285..=315).contains(&kbps), "{preset}: {kbps} kbit/s");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |change: &dyn Fn(&mut VideoSettings)| {
        let mut settings = settings();
        change(&mut settings);
        matches!(VideoEncoder::open(&settings), Err(Error::Settings(_)))
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|s| s.width = 321));
    assert!(refused(&|s| s.height = 0));
    assert!(refused(&|s| s.width = 100_000));
    assert!(refused(&|s| s.fps = 0));
    assert!(refused(&|s| s.kbps = 0));
    assert!(refused(&|s| s.keyframe_every_s = 0));
    assert!(matches!(SoundEncoder::open(SoundCodec::Aac, 0, 0), Err(Error::Settings(_))));
    let mut encoder = VideoEncoder::open(&settings()).unwrap();
    assert!(matches!(encoder.encode(&picture(0, 64, 64), 0, false), Err(Error::Size(64, 64, WIDTH, HEIGHT))));
    let mut full = I420::clone(&picture(0, WIDTH, HEIGHT));
    full.range = Range::Full;
    assert!(matches!(encoder.encode(&Arc::new(full), 0, false), Err(Error::Colours)));
    encoder.encode(&picture(5, WIDTH, HEIGHT), 5, false).unwrap();
    assert!(matches!(encoder.encode(&picture(5, WIDTH, HEIGHT), 5, false), Err(Error::Order(5, 5))));
}

#[test]
fn hardware_that_is_not_there_is_said_and_replaced() {
    // Where it is there, nothing is said and it encodes.
    for acceleration in [Acceleration::Nvenc, Acceleration::Qsv, Acceleration::Vaapi, Acceleration::Auto] {
        let mut encoder = VideoEncoder::open(&VideoSettings { acceleration, ..settings() }).unwrap();
        assert_eq!(encoder.warning().is_some(), encoder.name() == "libx264", "{acceleration:?}");
        let mut packets = Vec::new();
        for number in 0..10 {
            packets.extend(encoder.encode(&picture(number, WIDTH, HEIGHT), number, false).unwrap());
        }
        packets.extend(encoder.finish().unwrap());
        assert_eq!(packets.len(), 10);
    }
}

#[test]
fn a_file_says_what_it_is_and_plays_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    for (codec, sound, name, extension) in [
        (VideoCodec::H264, SoundCodec::Aac, "h264", "mp4"),
        (VideoCodec::H264, SoundCodec::Opus, "h264", "mp4"),
        (VideoCodec::Vp8, SoundCodec::Opus, "vp8", "webm"),
        (VideoCodec::Vp9, SoundCodec::Opus, "vp9", "webm"),
    ] {
        // From far into a broadcast.
        let (tracks, packets) = programme(&VideoSettings { codec, ..settings() }, sound, 9000, 130);
        let path = folder.path().join(format!("{name}-{sound:?}.{extension}"));
        let way = if extension == "mp4" { Way::Mp4(path.clone()) } else { Way::WebM(path.clone()) };
        write(&way, &tracks, &packets);
        let shown = ffprobe(
            &path,
            &["-select_streams", "v", "-count_frames", "-show_entries", COLOURS, "-of", "csv=p=0:s=,"],
        );
        // VP8 knows no other matrix.
        let matrix = if codec == VideoCodec::Vp8 { "smpte170m" } else { "bt709" };
        let expected = format!("{name},{WIDTH},{HEIGHT},tv,{matrix},bt709,bt709,130");
        assert_eq!(shown.trim(), expected, "{name}");
        let times = |stream: &str| -> Vec<(f64, bool)> {
            let text = ffprobe(
                &path,
                &["-select_streams", stream, "-show_entries", "packet=dts_time,flags", "-of", "csv=p=0"],
            );
            text.lines()
                .map(|line| line.split_once(',').unwrap())
                .map(|(time, flags)| (time.parse().unwrap(), flags.starts_with('K')))
                .collect()
        };
        let (pictures, sounds) = (times("v"), times("a"));
        assert_eq!(pictures.len(), 130);
        for times in [&pictures, &sounds] {
            assert!(times.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}");
        }
        let keyframes: Vec<_> = (0..).zip(&pictures).filter(|(_, (_, key))| *key).map(|(n, _)| n).collect();
        assert_eq!(keyframes, [0, 60, 120], "{name}");
        // The first sound is the first whole frame from the first picture on.
        assert!(
            pictures[0].0.abs() < 0.001 && (0.0..0.022).contains(&sounds[0].0),
            "{name}: {}",
            sounds[0].0
        );
        let (picture_end, sound_end) = (pictures.last().unwrap().0, sounds.last().unwrap().0);
        assert!((picture_end - sound_end).abs() < 0.06, "{name}: {picture_end} {sound_end}");
    }
}

const COLOURS: &str =
    "stream=codec_name,width,height,color_range,color_space,color_transfer,color_primaries,nb_read_frames";

#[test]
fn what_is_not_later_than_what_was_sent_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("again.mp4");
    let (tracks, mut packets) = programme(&settings(), SoundCodec::Aac, 0, 30);
    // The encoder of sound was made anew in the middle: its run-in comes twice.
    let again: Vec<_> = packets[20..40].to_vec();
    packets.splice(40..40, again);
    write(&Way::Mp4(path.clone()), &tracks, &packets);
    let counted =
        ffprobe(&path, &["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    assert_eq!(counted.split_whitespace().collect::<Vec<_>>(), ["30", "47"]);
}

#[test]
fn a_file_that_is_never_ended_plays_to_its_last_fragment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.mp4");
    let (tracks, packets) = programme(&settings(), SoundCodec::Aac, 0, 75);
    let mut outlet =
        Outlet::open(&Way::Mp4(path.clone()), &tracks, Limits::default(), Arc::default()).unwrap();
    for packet in &packets {
        outlet.write(packet).unwrap();
    }
    drop(outlet);
    let counted = ffprobe(
        &path,
        &[
            "-select_streams",
            "v",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ],
    );
    // Two seconds and a half: the last half second may be lost.
    assert!((60..=75).contains(&counted.trim().parse::<u32>().unwrap()), "{counted}");
}

#[test]
fn segments_begin_with_keyframes_and_play_together() {
    let (tracks, mut packets) = programme(&settings(), SoundCodec::Aac, 300, 200);
    // An encoder of sound was made anew: its run-in comes twice.
    let again: Vec<_> =
        packets[80..100].iter().filter(|packet| packet.track == Track::Sound).cloned().collect();
    packets.splice(100..100, again);
    let mut segmenter = Segmenter::new(&tracks, 1500).unwrap();
    let mut bytes = segmenter.init().to_vec();
    let mut segments: Vec<_> = packets.iter().filter_map(|packet| segmenter.push(packet)).collect();
    segments.extend(segmenter.finish());
    let shape: Vec<_> =
        segments.iter().map(|segment| (segment.sequence, segment.start_pts, segment.duration)).collect();
    assert_eq!(
        shape,
        [(1, 900_000, 180_000), (2, 1_080_000, 180_000), (3, 1_260_000, 180_000), (4, 1_440_000, 60_000)]
    );
    assert!(segments.iter().all(|segment| segment.keyframe));
    segments.iter().for_each(|segment| bytes.extend(&segment.data));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.mp4");
    std::fs::write(&path, &bytes).unwrap();
    let counted =
        ffprobe(&path, &["-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]);
    let counts: Vec<u32> = counted.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(counts[0], 200);
    assert!((311..=314).contains(&counts[1]), "{counts:?}");
    // Any one plays with the head alone.
    let one = [&segmenter_init(&tracks)[..], &segments[2].data].concat();
    std::fs::write(&path, &one).unwrap();
    let counted = ffprobe(
        &path,
        &[
            "-select_streams",
            "v",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ],
    );
    assert_eq!(counted.trim(), "60");
}

#[test]
fn parts_come_without_waiting_for_a_keyframe_and_play_together() {
    let (tracks, packets) = programme(&settings(), SoundCodec::Aac, 0, 90);
    let mut segmenter = Segmenter::parts(&tracks, 220).unwrap();
    let mut bytes = segmenter.init().to_vec();
    let mut parts: Vec<_> = packets.iter().filter_map(|packet| segmenter.push(packet)).collect();
    parts.extend(segmenter.finish());
    let lengths: Vec<_> = parts.iter().map(|part| part.duration / 3000).collect();
    assert_eq!(lengths, [7, 7, 7, 7, 7, 7, 7, 7, 4, 7, 7, 7, 7, 2]);
    let keyframes: Vec<_> = parts.iter().filter(|part| part.keyframe).map(|part| part.start_pts).collect();
    assert_eq!(keyframes, [0, 180_000]);
    parts.iter().for_each(|part| bytes.extend(&part.data));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parts.mp4");
    std::fs::write(&path, &bytes).unwrap();
    let counted = ffprobe(
        &path,
        &[
            "-select_streams",
            "v",
            "-count_frames",
            "-show_entries",
            "stream=nb_read_frames",
            "-of",
            "csv=p=0",
        ],
    );
    assert_eq!(counted.trim(), "90");
}

fn segmenter_init(tracks: &Tracks) -> Bytes {
    Segmenter::new(tracks, 1500).unwrap().init()
}

#[test]
fn codecs_that_do_not_go_that_way_are_refused() {
    let tracks = |video, sound| Tracks {
        picture: PictureTrack {
            codec: video,
            width: 64,
            height: 64,
            fps: 30,
            kbps: 500,
            config: Bytes::new(),
        },
        sound: Some(SoundTrack { codec: sound, kbps: 128, config: Bytes::new() }),
    };
    let flv = Way::Flv("rtmp://127.0.0.1:1/live/key".to_owned());
    for (way, video, sound, words) in [
        (flv.clone(), VideoCodec::Vp9, SoundCodec::Aac, "RTMP takes H.264 only"),
        (flv, VideoCodec::H264, SoundCodec::Opus, "RTMP takes AAC only"),
        (Way::MpegTs("srt://x:1".to_owned()), VideoCodec::Vp8, SoundCodec::Aac, "SRT takes H.264 only"),
        (Way::Mp4("x.mp4".into()), VideoCodec::Vp8, SoundCodec::Opus, "use .webm"),
        (Way::WebM("x.webm".into()), VideoCodec::H264, SoundCodec::Opus, "use .mp4"),
        (Way::WebM("x.webm".into()), VideoCodec::Vp8, SoundCodec::Aac, "takes Opus only"),
    ] {
        let why = Outlet::open(&way, &tracks(video, sound), Limits::default(), Arc::default());
        let Err(OutletError::Unsupported(why)) = why else { panic!("{way:?}") };
        assert!(why.contains(words), "{why}");
    }
}
