use std::io::Cursor;
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use pixels::{I420, Matrix, Range};

use super::*;
use crate::decode::decode;
use crate::segment::tests::ffmpeg;

const CODING: &str = "-f lavfi -i testsrc2=size=160x90:rate=10:duration=3 -c:v libx264 -threads 1 -bf 2 -g 10 -keyint_min 10 -sc_threshold 0";

fn idle() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

/// All keyframes, each of which must be decodable alone.
fn all(source: Source) -> Result<Vec<Keyframe>, Error> {
    let mut input = Input::open(source, &Options::default(), idle())?;
    let mut found = Vec::new();
    while let Some(keyframe) = input.next_keyframe()? {
        let mut picture = I420::new(2, 2, Range::Full, Matrix::Bt601);
        decode(&keyframe, &mut picture).unwrap();
        assert_eq!((picture.width, picture.height), (keyframe.width, keyframe.height));
        found.push(keyframe);
    }
    Ok(found)
}

#[test]
fn keyframes_of_every_container_come_with_their_times() {
    for (packing, expected) in [
        ("-f mp4 -movflags frag_keyframe+empty_moov", 3),
        ("-f matroska", 3),
        ("-f flv", 3),
        // Nothing tells that the last one is whole unless another picture follows it: here nine do.
        ("-f mpegts", 3),
        ("-f h264", 3),
    ] {
        let bytes = ffmpeg(&format!("{CODING} {packing}"), &[]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a:b");
        std::fs::write(&path, &bytes).unwrap();
        let found = all(Source::File(path)).unwrap();
        assert_eq!(found.len(), expected, "{packing}");
        if packing != "-f h264" {
            let times: Vec<u64> =
                found.iter().map(|keyframe| keyframe.pts.next_multiple_of(90) / 9000).collect();
            assert_eq!(times, [0, 10, 20], "{packing}");
        }
        assert_eq!(all(Source::Reader(Box::new(Cursor::new(bytes.clone())))).unwrap(), found, "{packing}");
        assert_eq!(all(Source::Seekable(Box::new(Cursor::new(bytes)))).unwrap(), found, "{packing}");
    }
}

#[test]
fn other_codecs_are_found_and_unknown_ones_named() {
    let made = |coding: &str| {
        let source = "-f lavfi -i testsrc2=size=160x90:rate=10:duration=1";
        Source::Reader(Box::new(Cursor::new(ffmpeg(&format!("{source} {coding}"), &[]))))
    };
    let hevc = all(made("-c:v libx265 -x265-params log-level=none:pools=1 -f matroska")).unwrap();
    assert_eq!((hevc[0].codec, hevc[0].config.is_some()), (Codec::Hevc, true));
    let av1 = all(made("-c:v libaom-av1 -cpu-used 8 -f mp4 -movflags frag_keyframe+delay_moov")).unwrap();
    assert_eq!((av1[0].codec, av1[0].width), (Codec::Av1, 160));
    assert!(matches!(all(made("-c:v mpeg4 -f matroska")), Err(Error::Codec(name)) if name == "mpeg4"));
    let sound = ffmpeg("-f lavfi -i sine=duration=1 -c:a aac -f matroska", &[]);
    assert!(matches!(all(Source::Reader(Box::new(Cursor::new(sound)))), Err(Error::NoVideo)));
}

#[test]
fn a_cut_stream_gives_no_half_picture() {
    let whole = ffmpeg(&format!("{CODING} -f mpegts"), &[]);
    let expected = all(Source::Reader(Box::new(Cursor::new(whole.clone())))).unwrap();
    for cut in (0..whole.len()).step_by(whole.len() / 40) {
        let Ok(found) = all(Source::Reader(Box::new(Cursor::new(whole[..cut].to_vec())))) else { continue };
        assert_eq!(found, expected[..found.len()], "cut at {cut}");
    }
}

#[test]
fn playlists_and_lists_of_files_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.ts"), ffmpeg(&format!("{CODING} -f mpegts"), &[])).unwrap();
    for (name, text) in [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\na.ts\n#EXT-X-ENDLIST\n".to_owned()),
        ("list.ffconcat", "ffconcat version 1.0\nfile a.ts\n".to_owned()),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(all(Source::File(path)), Err(Error::Open(_))), "{name}");
        assert!(all(Source::Reader(Box::new(Cursor::new(text.into_bytes())))).is_err(), "{name}");
    }
    assert!(matches!(all(Source::File("/nowhere".into())), Err(Error::Open(_))));
    assert!(matches!(
        all(Source::Url { url: "file:///etc/passwd".to_owned(), address: None }),
        Err(Error::Address(_))
    ));
}

#[test]
fn a_server_that_says_nothing_is_left_when_time_is_up_or_when_told() {
    for scheme in ["rtmp", "rtsp"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://name.invalid:{}/live/x", listener.local_addr().unwrap().port());
        let address = Some(IpAddr::from([127, 0, 0, 1]));
        let short = Options { timeout: Duration::from_millis(200), ..Options::default() };
        let result = Input::open(Source::Url { url: url.clone(), address }, &short, idle());
        // FFmpeg's RTSP doesn't tell a silent server from one that talks nonsense.
        let left = matches!(result, Err(Error::TimedOut))
            || scheme == "rtsp" && matches!(result, Err(Error::Open(_)));
        assert!(left, "{scheme}: {:?}", result.err());

        let stop = idle();
        let told = Arc::clone(&stop);
        let waiter = std::thread::Builder::new()
            .spawn(move || Input::open(Source::Url { url, address }, &Options::default(), told).err())
            .unwrap();
        // The first connection is the one that timed out.
        let _connections = [listener.accept().unwrap(), listener.accept().unwrap()];
        stop.store(true, Ordering::Relaxed);
        assert!(matches!(waiter.join().unwrap(), Some(Error::Interrupted)), "{scheme}");
    }
}

#[test]
fn a_server_cannot_lead_elsewhere() {
    use std::io::{BufRead, BufReader, Write};
    let (listener, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let target = format!("rtsp://127.0.0.1:{}/x", other.local_addr().unwrap().port());
    let server = std::thread::Builder::new()
        .spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(connection.try_clone().unwrap());
            let mut number = 1;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                if line.trim().is_empty() {
                    let answer =
                        format!("RTSP/1.0 302 Found\r\nCSeq: {number}\r\nLocation: {target}\r\n\r\n");
                    connection.write_all(answer.as_bytes()).unwrap();
                    number += 1;
                }
                line.clear();
            }
        })
        .unwrap();
    let url = format!("rtsp://127.0.0.1:{port}/x");
    let result = Input::open(Source::Url { url, address: None }, &Options::default(), idle());
    assert!(matches!(result, Err(Error::Address(_))), "{:?}", result.err());
    server.join().unwrap();
    other.set_nonblocking(true).unwrap();
    if let Ok((mut connection, _)) = other.accept() {
        let mut sent = Vec::new();
        connection.read_to_end(&mut sent).unwrap();
        assert!(sent.is_empty(), "bytes went where the server pointed");
    }
}

#[test]
fn a_live_stream_gives_its_keyframes() {
    // A port that was free a moment ago; the caller knocks until somebody answers.
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("srt://127.0.0.1:{port}");
    let mut sender = Command::new("ffmpeg")
        .args("-hide_banner -nostdin -loglevel error -re".split(' '))
        .args(CODING.split(' '))
        .args(["-f", "mpegts", &format!("{url}?mode=listener")])
        .stdout(Stdio::null())
        .spawn()
        .expect("the program ffmpeg is installed (./dev setup)");
    let mut input = Input::open(Source::Url { url, address: None }, &Options::default(), idle()).unwrap();
    let keyframe = input.next_keyframe().unwrap().unwrap();
    assert_eq!((keyframe.codec, keyframe.width, keyframe.height), (Codec::H264, 160, 90));
    drop(input);
    sender.kill().unwrap();
    sender.wait().unwrap();
}
