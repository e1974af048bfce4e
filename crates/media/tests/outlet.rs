//! What goes out, met by the servers and programs of others: nginx with its RTMP module, FFmpeg, a full disk.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use media::air::{
    Acceleration, Limits, Outlet, OutletError, Packet, Peer, Preset, SoundCodec, SoundEncoder, TICKS, Tracks,
    VideoCodec, VideoEncoder, VideoSettings, Way,
};
use pixels::{I420, Matrix, Range};

const KEY: &str = "live_0123456789";

/// Ends with the test, whatever becomes of it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Three seconds: a flash and a beep begin at each whole second, together.
fn programme() -> (Tracks, Vec<Packet>) {
    let settings = VideoSettings {
        codec: VideoCodec::H264,
        width: 320,
        height: 180,
        fps: 30,
        kbps: 800,
        preset: Preset::Superfast,
        keyframe_every_s: 2,
        acceleration: Acceleration::None,
    };
    let mut pictures = VideoEncoder::open(&settings).unwrap();
    let mut sound = SoundEncoder::open(SoundCodec::Aac, 128, 0).unwrap();
    let mut packets = Vec::new();
    for number in 0..90_i64 {
        let mut picture = I420::new(320, 180, Range::Limited, Matrix::Bt709);
        let flash = number % 30 < 3;
        picture.y.fill(if flash { 235 } else { 40 + u8::try_from(number % 30).unwrap() });
        packets.extend(pictures.encode(&Arc::new(picture), number, false).unwrap());
        let beep: Vec<[f32; 2]> =
            (0..1600).map(|n| [if flash { (n as f32 * 0.13).sin() * 0.5 } else { 0.0 }; 2]).collect();
        packets.extend(sound.encode(&beep).unwrap());
    }
    let tracks = Tracks { picture: pictures.track(), sound: Some(sound.track()) };
    packets.extend(sound.finish().unwrap());
    (tracks, packets)
}

/// None that the system gives to whoever connects: it stays free while nobody listens.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 900).unwrap();
    let mut ports = std::iter::repeat_with(|| 31_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 1000);
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

/// nginx with these blocks, once it listens there.
fn nginx(folder: &Path, blocks: &str, port: u16) -> Running {
    let mut config = String::from("daemon off;\nmaster_process off;\nerror_log stderr;\n");
    for module in ["rtmp", "stream"] {
        let path = format!("/usr/lib/nginx/modules/ngx_{module}_module.so");
        assert!(Path::new(&path).is_file(), "{path} is missing: run ./dev setup");
        config += &format!("load_module {path};\n");
    }
    config += &format!("pid {};\nevents {{}}\n{blocks}\n", folder.join("nginx.pid").display());
    std::fs::write(folder.join("nginx.conf"), config).unwrap();
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf")).args(["-e", "stderr"]);
    let mut running =
        Running(command.stderr(Stdio::null()).spawn().expect("nginx is installed (./dev setup)"));
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(running.0.try_wait().unwrap().is_none(), "nginx has ended");
        std::thread::yield_now();
    }
    running
}

fn ffprobe(path: &Path, arguments: &[&str]) -> String {
    let out = Command::new("ffprobe").args(["-v", "error"]).args(arguments).arg(path).output().unwrap();
    assert!(out.status.success() && out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// What a file of all the packets must be.
fn check(path: &Path) {
    let told = ffprobe(
        path,
        &[
            "-select_streams",
            "v",
            "-count_frames",
            "-show_entries",
            "stream=codec_name,width,height,color_range,color_space,nb_read_frames",
            "-of",
            "csv=p=0",
        ],
    );
    assert_eq!(told.lines().next().unwrap().trim_end_matches(','), "h264,320,180,tv,bt709,90");
    let packets = |stream: &str| -> Vec<(f64, bool)> {
        let fields = ["-select_streams", stream, "-show_entries", "packet=dts_time,flags", "-of", "csv=p=0"];
        let text = ffprobe(path, &fields);
        let lines = text.lines().filter(|line| !line.is_empty());
        let pairs = lines.map(|line| line.trim_end_matches(',').split_once(',').unwrap());
        pairs.map(|(time, flags)| (time.parse().unwrap(), flags.starts_with('K'))).collect()
    };
    let (pictures, sounds) = (packets("v"), packets("a"));
    for track in [&pictures, &sounds] {
        assert!(track.windows(2).all(|pair| pair[0].0 < pair[1].0), "times rise");
    }
    let keyframes: Vec<_> = (0..).zip(&pictures).filter(|(_, (_, key))| *key).map(|(n, _)| n).collect();
    assert_eq!(keyframes, [0, 60]);
    assert!((139..=142).contains(&sounds.len()), "{}", sounds.len());
    let offset = flash(path) - beep(path);
    assert!(offset.abs() < 0.005, "sound and picture are {offset} s apart");
}

/// When the second flash begins.
fn flash(path: &Path) -> f64 {
    let filter = format!("movie={},signalstats", path.display());
    let arguments = ["-f", "lavfi", "-show_entries", "frame=pts_time:frame_tags=lavfi.signalstats.YAVG"];
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error"]).args(arguments).args(["-of", "csv=p=0", "-i", &filter]);
    let text = probe.output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let mut frames = text.lines().map(|line| line.split_once(',').unwrap());
    let bright = |luma: &str| luma.trim_end_matches(',').parse::<f64>().unwrap() > 150.0;
    let begun = frames.find(|(_, luma)| !bright(luma)).unwrap();
    assert!(begun.0.parse::<f64>().unwrap() < 3.0);
    frames.find(|(_, luma)| bright(luma)).unwrap().0.parse().unwrap()
}

/// When the second beep begins.
fn beep(path: &Path) -> f64 {
    let mut decode = Command::new("ffmpeg");
    decode.args(["-nostdin", "-v", "error", "-copyts", "-i"]).arg(path);
    decode.args([
        "-map",
        "a",
        "-af",
        "aresample=async=1:first_pts=0",
        "-ac",
        "1",
        "-ar",
        "48000",
        "-f",
        "f32le",
        "-",
    ]);
    let bytes = decode.output().unwrap().stdout;
    let samples: Vec<f32> =
        bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()).abs()).collect();
    // Past the first one: a tenth of a second of silence, then the next.
    let first = samples.iter().position(|sample| *sample > 0.2).unwrap();
    let silent = |stretch: &[f32]| stretch.iter().all(|sample| *sample < 0.05);
    let quiet = first + samples[first..].windows(4800).position(silent).unwrap();
    let loud = samples[quiet..].iter().position(|sample| *sample > 0.2).unwrap();
    (quiet + loud) as f64 / 48_000.0
}

fn open(url: String, peer: &Peer, tracks: &Tracks) -> Result<Outlet, OutletError> {
    let way = if url.starts_with("srt") { Way::MpegTs(url) } else { Way::Flv(url) };
    Outlet::open_to(&way, peer, tracks, Limits::default(), Arc::default())
}

fn send(mut outlet: Outlet, packets: &[Packet]) {
    for packet in packets {
        outlet.write(packet).unwrap();
    }
    outlet.finish().unwrap();
}

/// The file in that folder, once it does not grow any more.
fn recorded(folder: &Path) -> std::path::PathBuf {
    let (mut last, mut same) = (0, 0);
    loop {
        let found = std::fs::read_dir(folder).unwrap().filter_map(Result::ok);
        let file = found.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "flv"));
        let size = file.as_ref().map_or(0, |path| path.metadata().unwrap().len());
        same = if size > 0 && size == last { same + 1 } else { 0 };
        if let Some(file) = file.filter(|_| same > 20) {
            return file;
        }
        last = size;
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn nginx_records_every_picture_in_time_with_its_sound() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let place = folder.path().join("records");
    std::fs::create_dir(&place).unwrap();
    let block = format!(
        "rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on; record all; record_path {}; }} \
         application closed {{ live on; deny publish all; }} }} }}",
        place.display()
    );
    let _nginx = nginx(folder.path(), &block, port);
    let (tracks, packets) = programme();
    let url = |app: &str| format!("rtmp://127.0.0.1:{port}/{app}/{KEY}");
    // As in the middle of a broadcast of a day.
    let day = 24 * 3600 * i64::from(TICKS);
    let later: Vec<Packet> =
        packets.iter().map(|p| Packet { pts: p.pts + day, dts: p.dts + day, ..p.clone() }).collect();
    send(open(url("live"), &Peer::default(), &tracks).unwrap(), &later);
    check(&recorded(&place));
    // Who may not publish is sent away, at once or by the end of the connection a moment later.
    let error = match open(url("closed"), &Peer::default(), &tracks) {
        Err(error) => error,
        Ok(mut outlet) => (0..)
            .flat_map(|round: i64| {
                let by = round * 4 * i64::from(TICKS);
                packets.iter().map(move |p| Packet { pts: p.pts + by, dts: p.dts + by, ..p.clone() })
            })
            .find_map(|packet| outlet.write(&packet).err())
            .unwrap(),
    };
    assert!(!format!("{error:?} {error}").contains(KEY), "{error:?}");
    assert!(matches!(error, OutletError::Refused(_) | OutletError::Unreachable(_)), "{error:?}");
}

#[test]
fn a_secure_server_is_trusted_by_its_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
    openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.arg("-keyout").arg(path("key.pem")).arg("-out").arg(path("certificate.pem"));
    assert!(openssl.stderr(Stdio::null()).status().expect("openssl is installed (./dev setup)").success());
    let (secure, plain, place) = (free_port(), free_port(), path("records"));
    std::fs::create_dir(&place).unwrap();
    let blocks = format!(
        "stream {{ server {{ listen 127.0.0.1:{secure} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         proxy_pass 127.0.0.1:{plain}; }} }}\nrtmp {{ server {{ listen 127.0.0.1:{plain}; \
         application live {{ live on; record all; record_path {}; }} }} }}",
        path("certificate.pem").display(),
        path("key.pem").display(),
        place.display()
    );
    let _nginx = nginx(folder.path(), &blocks, secure);
    let (tracks, packets) = programme();
    let address = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
    let (nobody, ours) = (None, Some(path("certificate.pem")));
    for (host, authorities, trusted) in
        [("localhost", &nobody, false), ("other.example", &ours, false), ("localhost", &ours, true)]
    {
        let peer = Peer { address, authorities: authorities.clone() };
        let opened = open(format!("rtmps://{host}:{secure}/live/{KEY}"), &peer, &tracks);
        match opened {
            Ok(outlet) if trusted => send(outlet, &packets),
            Err(OutletError::Tls(why)) if !trusted => assert!(!why.contains(KEY), "{why}"),
            other => panic!("{host}, trusted: {trusted}: {:?}", other.err()),
        }
    }
    check(&recorded(&place));
}

#[test]
fn srt_arrives_as_a_transport_stream() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let path = folder.path().join("received.ts");
    let mut receiver = Command::new("ffmpeg");
    receiver.args(["-nostdin", "-v", "error", "-y", "-i", &format!("srt://127.0.0.1:{port}?mode=listener")]);
    receiver.args(["-map", "0", "-c", "copy", "-copyts", "-f", "mpegts"]).arg(&path);
    let mut receiver =
        Running(receiver.stderr(Stdio::null()).spawn().expect("ffmpeg is installed (./dev setup)"));
    let (tracks, packets) = programme();
    // The caller knocks until somebody answers.
    let outlet = open(format!("srt://127.0.0.1:{port}"), &Peer::default(), &tracks).unwrap();
    let mut outlet = outlet;
    for packet in &packets {
        outlet.write(packet).unwrap();
        // SRT drops what comes faster than it can be sent: no broadcast does.
        std::thread::park_timeout(Duration::from_millis(3));
    }
    outlet.finish().unwrap();
    receiver.0.wait().unwrap();
    check(&path);
}

#[test]
fn nobody_at_the_other_end_of_srt_is_told_in_time() {
    let port = free_port();
    let (tracks, _) = programme();
    let way = Way::MpegTs(format!("srt://127.0.0.1:{port}?passphrase=0123456789"));
    let limits = Limits { connect: Duration::from_millis(500), stall: Duration::from_secs(5) };
    let error = Outlet::open(&way, &tracks, limits, Arc::default()).err().unwrap();
    assert!(matches!(error, OutletError::Timeout | OutletError::Unreachable(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("0123456789"));
}

#[test]
fn a_file_has_every_picture_in_time_with_its_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("program.mp4");
    let (tracks, packets) = programme();
    let opened = Outlet::open(&Way::Mp4(path.clone()), &tracks, Limits::default(), Arc::default());
    send(opened.unwrap(), &packets);
    check(&path);
}

#[test]
fn a_full_disk_and_a_folder_that_is_not_there_are_told() {
    let (tracks, packets) = programme();
    let full = Way::Mp4("/dev/full".into());
    let missing = Way::Mp4("/nowhere/at/all/x.mp4".into());
    for way in [&full, &missing] {
        let result = Outlet::open(way, &tracks, Limits::default(), Arc::default()).and_then(|mut outlet| {
            packets.iter().try_for_each(|packet| outlet.write(packet))?;
            outlet.finish()
        });
        let Err(OutletError::Disk(why)) = result else { panic!("{way:?}: {result:?}") };
        assert!(why.contains("No space") || why.contains("No such file"), "{why}");
    }
}
