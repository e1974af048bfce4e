//! The RTMP server that misbehaves, met by a real publisher.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use media::air::{
    Acceleration, Limits, Outlet, OutletError, Packet, Preset, SoundCodec, SoundEncoder, Tracks, VideoCodec,
    VideoEncoder, VideoSettings, Way,
};
use pixels::{I420, Matrix, Range};
use sim::sink::{Behaviour, Settings, Sink, serve};
use tokio::net::TcpListener;

use crate::harness::Outcome;

const KEY: &str = "a-stream-key";

struct Server {
    sink: Sink,
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Server {
    fn start(settings: Settings) -> Outcome<Self> {
        let sink = Sink::new(settings);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("rtmp://127.0.0.1:{}/live/{KEY}", listener.local_addr()?.port());
        runtime.spawn(serve(listener, sink.clone()));
        Ok(Self { sink, url, _runtime: runtime })
    }

    fn open(&self, tracks: &Tracks) -> Result<Outlet, OutletError> {
        self.open_within(Duration::from_secs(10), tracks)
    }

    fn open_within(&self, connect: Duration, tracks: &Tracks) -> Result<Outlet, OutletError> {
        let limits = Limits { connect, stall: Duration::from_millis(500) };
        Outlet::open(&Way::Flv(self.url.clone()), tracks, limits, Arc::default())
    }
}

/// That many pictures at 30 a second, and the sound to them.
fn programme(count: i64) -> Outcome<(Tracks, Vec<Packet>)> {
    let mut pictures = VideoEncoder::open(&VideoSettings {
        codec: VideoCodec::H264,
        width: 320,
        height: 180,
        fps: 30,
        kbps: 800,
        preset: Preset::Ultrafast,
        keyframe_every_s: 1,
        acceleration: Acceleration::None,
    })?;
    let mut sound = SoundEncoder::open(SoundCodec::Aac, 96, 0)?;
    let mut packets = Vec::new();
    for number in 0..count {
        let mut picture = I420::new(320, 180, Range::Limited, Matrix::Bt709);
        picture.y.fill(u8::try_from(16 + number * 7 % 200)?);
        packets.extend(pictures.encode(&Arc::new(picture), number, false)?);
        packets.extend(sound.encode(&[[0.1; 2]; 1600])?);
    }
    Ok((Tracks { picture: pictures.track(), sound: Some(sound.track()) }, packets))
}

#[test]
fn everything_that_was_published_is_told_and_plays() -> Outcome {
    let server = Server::start(Settings { keep: 10 << 20, ..Settings::default() })?;
    let (tracks, packets) = programme(75)?;
    let mut outlet = server.open(&tracks)?;
    packets.iter().try_for_each(|packet| outlet.write(packet))?;
    outlet.finish()?;
    while !server.sink.with(|all| all.iter().all(|one| one.over)) {
        std::thread::yield_now();
    }
    let all = server.sink.received();
    let [one] = &all[..] else { panic!("{} publications", all.len()) };
    assert_eq!((one.app.as_str(), one.key.as_str(), one.finished), ("live", KEY, true));
    assert_eq!(one.picture_config.as_deref(), Some(&tracks.picture.config[..]));
    assert_eq!((one.pictures.len(), one.groups()), (75, vec![30, 30, 15]));
    assert_eq!(one.gaps(34), Vec::<[u32; 2]>::new());
    assert_eq!(one.gaps(33).len(), 25);
    assert!((115..=118).contains(&one.sounds.len()), "{}", one.sounds.len());
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("kept.flv");
    std::fs::write(&path, one.flv())?;
    let out = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v"])
        .args(["-show_entries", "stream=nb_read_frames,color_space,color_range", "-of", "csv=p=0"])
        .arg(&path)
        .output()?;
    assert_eq!(String::from_utf8(out.stdout)?.trim(), "tv,bt709,75");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    Ok(())
}

/// The packets again and again, each time a second later.
fn forever(packets: &[Packet]) -> impl Iterator<Item = Packet> {
    (0..).flat_map(move |round: i64| {
        packets.iter().map(move |packet| {
            let (pts, dts) = (packet.pts + round * 90_000, packet.dts + round * 90_000);
            Packet { pts, dts, ..packet.clone() }
        })
    })
}

#[test]
fn every_misbehaviour_is_met_as_what_it_is() -> Outcome {
    let (tracks, packets) = programme(3)?;
    for (behaviour, from_the_start, expected) in [
        (Behaviour::Down, true, "Unreachable(\"Connection refused\")"),
        (Behaviour::RefusePublish, true, "Refused(\"Server error: that key is not known here\")"),
        (Behaviour::HalfOpen, true, "Timeout"),
        (Behaviour::ResetAfter(2000), true, "Refused("),
        (Behaviour::ResetAfter(100_000), true, "Unreachable(\"the connection was lost"),
        (Behaviour::Down, false, "Unreachable(\"the connection was lost"),
        (Behaviour::StopReading, false, "Stalled"),
        (Behaviour::StopReading, true, "Stalled"),
        (Behaviour::HalfOpen, false, "Stalled"),
    ] {
        let server = Server::start(Settings::default())?;
        if from_the_start {
            server.sink.behave(behaviour);
            // The server has seen it once a connection is treated so; only the closed port takes a moment.
            while behaviour == Behaviour::Down && server.open(&tracks).is_ok() {}
        }
        let patience =
            if expected == "Timeout" { Duration::from_millis(300) } else { Duration::from_secs(10) };
        let error = match server.open_within(patience, &tracks) {
            Err(error) => error,
            Ok(mut outlet) => {
                server.sink.behave(behaviour);
                forever(&packets).find_map(|packet| outlet.write(&packet).err()).expect("it goes on for ever")
            }
        };
        let told = format!("{error:?}");
        assert!(told.starts_with(expected), "{behaviour:?}, from the start: {from_the_start}: {told}");
    }
    Ok(())
}

#[test]
fn a_server_that_was_down_or_stuck_goes_on_when_told() -> Outcome {
    let (tracks, packets) = programme(3)?;
    let server = Server::start(Settings { key: Some(KEY.to_owned()), keep: 0 })?;
    let mut outlet = server.open(&tracks)?;
    server.sink.behave(Behaviour::Down);
    assert!(forever(&packets).any(|packet| outlet.write(&packet).is_err()));
    server.sink.behave(Behaviour::Proper);
    let mut outlet = loop {
        if let Ok(outlet) = server.open(&tracks) {
            break outlet;
        }
    };
    // Slow is not stuck: what was sent arrives.
    server.sink.behave(Behaviour::Slow(20_000));
    packets.iter().try_for_each(|packet| outlet.write(packet))?;
    server.sink.behave(Behaviour::Proper);
    outlet.finish()?;
    while !server.sink.with(|all| all.last().is_some_and(|one| one.over)) {
        std::thread::yield_now();
    }
    let all = server.sink.received();
    assert!(!all[0].finished && all[0].over);
    assert!(all.last().is_some_and(|one| one.finished && one.pictures.len() == 3));
    Ok(())
}
