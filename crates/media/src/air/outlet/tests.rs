//! Outlets against servers: a real conversation with our own RTMP server, and everything that can be wrong with one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;

use bytes::Bytes;

use super::*;
use crate::air::{PictureTrack, SoundTrack};
use crate::rtmp::{Event, Server, Sound, Video};

const KEY: &str = "live_0123456789";

fn tracks() -> Tracks {
    Tracks {
        picture: PictureTrack {
            codec: VideoCodec::H264,
            width: 640,
            height: 360,
            fps: 30,
            kbps: 1000,
            config: Bytes::from_static(&[1, 100, 0, 30, 255, 225, 0, 4, 103, 100, 0, 30, 1, 0, 2, 104, 1]),
        },
        sound: Some(SoundTrack {
            codec: SoundCodec::Aac,
            kbps: 128,
            config: Bytes::from_static(&[0x11, 0x90]),
        }),
    }
}

/// A packet of `size` bytes that says its number.
fn packet(track: Track, number: i64, size: usize) -> Packet {
    let (ticks, keyframe) = match track {
        Track::Picture => (3000, number % 60 == 0),
        Track::Sound => (1920, true),
    };
    let mut data = vec![0; size.max(16)];
    let length = u32::try_from(data.len() - 4).unwrap();
    data[..4].copy_from_slice(&length.to_be_bytes());
    data[4] = if keyframe { 0x65 } else { 0x41 };
    data[8..16].copy_from_slice(&number.to_be_bytes());
    let pts = number * ticks;
    Packet { track, pts, dts: pts, duration: u32::try_from(ticks).unwrap(), keyframe, data: data.into() }
}

/// Takes one connection; `talk` has it.
fn server<T: Send + 'static>(talk: impl FnOnce(TcpStream) -> T + Send + 'static) -> (String, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("rtmp://127.0.0.1:{}/live/{KEY}", listener.local_addr().unwrap().port());
    let run = move || talk(listener.accept().unwrap().0);
    (url, std::thread::Builder::new().spawn(run).unwrap())
}

/// Talks RTMP until the publisher has gone or `on` says false; gives what was published.
fn serve(mut socket: TcpStream, mut on: impl FnMut(&Event, &mut Server) -> bool) -> Vec<Event> {
    let (mut server, mut events, mut buffer) = (Server::new(), Vec::new(), vec![0; 64 << 10]);
    loop {
        let count = socket.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return events;
        }
        server.push(&buffer[..count]).unwrap();
        while let Some(event) = server.next().unwrap() {
            let go_on = on(&event, &mut server);
            events.push(event);
            if !go_on {
                let _ = socket.write_all(&server.output());
                return events;
            }
        }
        if socket.write_all(&server.output()).is_err() {
            return events;
        }
    }
}

fn accepting(event: &Event, server: &mut Server) -> bool {
    if matches!(event, Event::Publish { .. }) {
        server.accept();
    }
    true
}

fn open(url: &str, limits: Limits) -> Result<Outlet, OutletError> {
    Outlet::open(&Way::Flv(url.to_owned()), &tracks(), limits, Arc::default())
}

const QUICK: Limits = Limits { connect: Duration::from_millis(400), stall: Duration::from_millis(400) };

#[test]
fn a_server_gets_headers_and_every_packet_at_its_time_and_is_told_the_end() {
    let (url, served) = server(|socket| serve(socket, accepting));
    let mut outlet = open(&url, Limits::default()).unwrap();
    // An hour into the broadcast, and not at a keyframe.
    let first = 30 * 3600 + 30;
    for number in first..first + 90 {
        let sounds = (number - first) * 3000 / 1920..(number - first + 1) * 3000 / 1920;
        outlet.write(&packet(Track::Picture, number, 500 + usize::try_from(number % 7).unwrap())).unwrap();
        for sound in sounds {
            outlet.write(&packet(Track::Sound, first * 3000 / 1920 + sound, 100)).unwrap();
        }
    }
    let sent = outlet.sent();
    assert!((60 * 500..90 * 600 + 200 * 120).contains(&sent), "{sent}");
    outlet.finish().unwrap();
    let events = served.join().unwrap();
    assert_eq!(events[0], Event::Publish { app: "live".to_owned(), key: KEY.to_owned() });
    assert_eq!(events.last(), Some(&Event::Finished));
    let config = events.iter().find_map(|event| match event {
        Event::Video { video: Video::Config(config), .. } => Some(config.clone()),
        _ => None,
    });
    assert_eq!(config, Some(tracks().picture.config));
    assert!(events.iter().any(|event| matches!(event, Event::Sound { sound: Sound::AacConfig(config), .. }
        if config[..] == [0x11, 0x90])));
    let pictures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Video { timestamp, video: Video::Unit { keyframe, composition: 0, data } } => {
                Some((*timestamp, *keyframe, i64::from_be_bytes(data[8..16].try_into().unwrap())))
            }
            _ => None,
        })
        .collect();
    let start = first + 30;
    let expected: Vec<_> =
        (0..60).map(|n| (u32::try_from((n * 100 + 1) / 3).unwrap(), n == 0, start + n)).collect();
    assert_eq!(pictures, expected);
    let sounds = events.iter().filter(|event| matches!(event, Event::Sound { sound: Sound::Aac(_), .. }));
    // Two seconds of it, but for the frame that began before the picture.
    assert_eq!(sounds.count(), 2 * 48_000 / 1024 - 1);
}

#[test]
fn times_go_on_past_what_24_bits_of_milliseconds_hold() {
    let (url, served) = server(|socket| serve(socket, accepting));
    let mut outlet = open(&url, Limits::default()).unwrap();
    // Five hours and a bit, in steps of a minute.
    for number in (0..30 * 3600 * 5 + 3000).step_by(1800) {
        outlet.write(&packet(Track::Picture, number, 300)).unwrap();
        outlet.write(&packet(Track::Sound, number * 3000 / 1920, 100)).unwrap();
    }
    outlet.finish().unwrap();
    let events = served.join().unwrap();
    let times: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Video { timestamp, video: Video::Unit { .. } } => Some(*timestamp),
            _ => None,
        })
        .collect();
    assert_eq!(times, (0..=301).map(|minute| minute * 60_000).collect::<Vec<_>>());
}

#[test]
fn what_is_wrong_with_a_server_is_told_without_the_key() {
    let closed = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        format!("rtmp://127.0.0.1:{}/live/{KEY}", listener.local_addr().unwrap().port())
    };
    let (refusing, refused) = server(|socket| {
        serve(socket, |event, server| {
            let asks = matches!(event, Event::Publish { .. });
            if asks {
                server.refuse(&format!("{KEY} is no key of ours"));
            }
            !asks
        })
    });
    let (ending, ended) = server(drop);
    let (other, others) = server(|mut socket| {
        let _ = socket.write_all(&[b'x'; 4000]);
        // Its half of the handshake.
        let _ = socket.read_exact(&mut [0; 2 * 1536 + 1]);
    });
    let (silent, silence) = server(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let secure = |url: &str| url.replace("rtmp:", "rtmps:");
    let (plain, plainly) = server(|mut socket| {
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = socket.read(&mut [0; 4096]);
    });
    for (url, expected) in [
        (closed.clone(), "Unreachable(\"Connection refused\")"),
        (format!("rtmp://nobody.invalid/live/{KEY}"), "Unreachable(\"its name is not known\")"),
        (refusing, "Refused(\"Server error: *** is no key of ours\")"),
        (ending, "Refused("),
        (other, "Refused("),
        (silent, "Timeout"),
        (secure(&plain), "Tls("),
        (format!("http://127.0.0.1/live/{KEY}"), "Unsupported("),
        (format!("rtmp:///{KEY}"), "Unsupported("),
    ] {
        let limits = if expected == "Timeout" { QUICK } else { Limits::default() };
        let error = open(&url, limits).err().unwrap();
        let (told, shown) = (format!("{error:?}"), error.to_string());
        assert!(told.starts_with(expected), "{url}: {told}");
        assert!(!told.contains(KEY) && !shown.contains(KEY), "{told}");
    }
    drop((refused.join(), ended.join(), others.join(), silence.join(), plainly.join()));
}

#[test]
fn a_server_that_ends_the_connection_is_lost() {
    let (url, served) = server(|socket| {
        let mut units = 0;
        serve(socket, move |event, server| {
            accepting(event, server);
            units += u32::from(matches!(event, Event::Video { video: Video::Unit { .. }, .. }));
            units < 5
        })
    });
    let mut outlet = open(&url, Limits::default()).unwrap();
    let error = (0..).find_map(|number| outlet.write(&packet(Track::Picture, number, 20_000)).err()).unwrap();
    assert!(
        matches!(&error, OutletError::Unreachable(why) if why.starts_with("the connection was lost")),
        "{error:?}"
    );
    assert!(served.join().unwrap().len() >= 5);
}

/// A server that accepts the stream and reads no more until it is let go.
fn stuck() -> (String, mpsc::SyncSender<()>, JoinHandle<()>) {
    let (go, wait) = mpsc::sync_channel(1);
    let (url, served) = server(move |socket| {
        let kept = socket.try_clone().unwrap();
        serve(socket, |event, server| {
            accepting(event, server);
            !matches!(event, Event::Publish { .. })
        });
        let _ = wait.recv();
        drop(kept);
    });
    (url, go, served)
}

#[test]
fn a_server_that_reads_no_more_is_a_stall_and_does_not_hold_up_the_end() {
    let (url, go, served) = stuck();
    let mut outlet = open(&url, QUICK).unwrap();
    let error = (0..).find_map(|number| outlet.write(&packet(Track::Picture, number, 50_000)).err());
    assert_eq!(error, Some(OutletError::Stalled));
    drop(outlet);
    go.send(()).unwrap();
    served.join().unwrap();
}

#[test]
fn a_stop_ends_a_call_that_waits() {
    let (url, go, served) = stuck();
    let stop = Arc::new(AtomicBool::new(false));
    let long = Limits { connect: Duration::from_secs(600), stall: Duration::from_secs(600) };
    let mut outlet = Outlet::open(&Way::Flv(url), &tracks(), long, Arc::clone(&stop)).unwrap();
    let (writes, wrote) = mpsc::sync_channel(1000);
    let writer = std::thread::Builder::new()
        .spawn(move || {
            let error = (0..).find_map(|number| {
                let _ = writes.try_send(());
                outlet.write(&packet(Track::Picture, number, 50_000)).err()
            });
            (error, outlet.finish())
        })
        .unwrap();
    // It waits, once it makes no more calls.
    while wrote.recv_timeout(Duration::from_millis(300)).is_ok() {}
    stop.store(true, Ordering::Relaxed);
    let (error, finished) = writer.join().unwrap();
    assert_eq!(error, Some(OutletError::Stopped));
    assert!(finished.is_err());
    go.send(()).unwrap();
    served.join().unwrap();
}
