use bytes::Bytes;
use proptest::prelude::*;

use super::amf::{self, Value};
use super::chunk;
use super::*;

/// What a publisher sends, built up.
struct Peer(Vec<u8>);

impl Peer {
    fn shaken() -> Self {
        let mut bytes = vec![3];
        bytes.extend([7; 2 * 1536]);
        Self(bytes)
    }

    fn message(mut self, kind: u8, payload: &[u8]) -> Self {
        // In one chunk each, after saying so.
        chunk::write(3, kind, 1, payload, &mut self.0);
        self
    }

    fn command(self, values: &[Value]) -> Self {
        self.message(20, &amf::write(values))
    }

    fn publishing(key: &str) -> Self {
        let app = Value::object(&[("app", "live/".into()), ("tcUrl", "rtmp://host/live".into())]);
        Self::shaken()
            .message(1, &4096_u32.to_be_bytes())
            .command(&["connect".into(), Value::Number(1.0), app])
            .command(&["releaseStream".into(), Value::Number(2.0), Value::Null, key.into()])
            .command(&["createStream".into(), Value::Number(4.0), Value::Null])
            .command(&["publish".into(), Value::Number(5.0), Value::Null, key.into(), "live".into()])
    }
}

/// What comes of bytes that arrive in pieces of `piece`; each wish to publish is granted.
fn served(bytes: &[u8], piece: usize) -> (Vec<Event>, Vec<u8>, Option<Error>) {
    let (mut server, mut events, mut out) = (Server::new(), Vec::new(), Vec::new());
    for part in bytes.chunks(piece) {
        if let Err(e) = server.push(part) {
            return (events, out, Some(e));
        }
        loop {
            match server.next() {
                Ok(Some(event)) => {
                    if matches!(event, Event::Publish { .. }) {
                        server.accept();
                    }
                    events.push(event);
                }
                Ok(None) => break,
                Err(e) => return (events, out, Some(e)),
            }
        }
        out.extend(server.output());
    }
    (events, out, None)
}

fn unit(keyframe: bool, data: &'static [u8], timestamp: u32) -> Event {
    let video = Video::Unit { keyframe, composition: -2, data: Bytes::from_static(data) };
    Event::Video { timestamp, video }
}

#[test]
fn a_publisher_is_understood_however_its_bytes_arrive() {
    let peer = Peer::publishing("cam?key=x")
        .message(18, &amf::write(&["@setDataFrame".into(), "onMetaData".into()]))
        .message(9, b"\x17\0\0\0\0config")
        .message(8, b"\xaf\0ab")
        .message(9, b"\x17\x01\xff\xff\xfekey")
        .message(9, b"\x27\x01\xff\xff\xfenext")
        .message(8, b"\xaf\x01sound")
        .message(9, b"\x57")
        .message(9, b"")
        .command(&["deleteStream".into(), Value::Number(9.0), Value::Null, Value::Number(1.0)]);
    let sound = |sound| Event::Sound { timestamp: 0, sound };
    let expected = vec![
        Event::Publish { app: "live".to_owned(), key: "cam?key=x".to_owned() },
        Event::Video { timestamp: 0, video: Video::Config(Bytes::from_static(b"config")) },
        sound(Sound::AacConfig(Bytes::from_static(b"ab"))),
        unit(true, b"key", 0),
        unit(false, b"next", 0),
        sound(Sound::Aac(Bytes::from_static(b"sound"))),
        Event::Finished,
    ];
    for piece in [1, 7, 1000, usize::MAX] {
        let (events, out, error) = served(&peer.0, piece);
        assert_eq!((&events, error), (&expected, None));
        let said = String::from_utf8_lossy(&out).into_owned();
        for word in ["NetConnection.Connect.Success", "NetStream.Publish.Start"] {
            assert!(said.contains(word), "{said}");
        }
        assert_eq!(out[0], 3);
        assert_eq!(out[1 + 1536..1 + 2 * 1536], [7; 1536], "their bytes come back");
    }
}

#[test]
fn chunks_of_several_messages_may_be_mixed_and_leave_out_what_is_known() {
    let mut peer = Peer::publishing("cam");
    let mut say = |bytes: &[u8]| peer.0.extend(bytes);
    say(&[4, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 6]);
    // A message of 8 bytes at 1000 ms in chunks of 6, another of 3 between them, then deltas.
    say(&[6, 0, 3, 0xe8, 0, 0, 8, 9, 1, 0, 0, 0, 0x17, 1, 0xff, 0xff, 0xfe, b'a']);
    say(&[7, 0, 3, 0xe9, 0, 0, 3, 8, 1, 0, 0, 0, 0xaf, 1, b's']);
    say(&[0xc6, b'b', b'c']);
    say(&[0x46, 0, 0, 40, 0, 0, 6, 9, 0x27, 1, 0xff, 0xff, 0xfe, b'd']);
    say(&[0x86, 0, 0, 20, 0x27, 1, 0xff, 0xff, 0xfe, b'e']);
    say(&[0xc6, 0x27, 1, 0xff, 0xff, 0xfe, b'f']);
    // An extended timestamp, repeated in the chunk that goes on.
    say(&[6, 0xff, 0xff, 0xff, 0, 0, 7, 9, 1, 0, 0, 0, 1, 0, 0, 2, 0x27, 1, 0xff, 0xff, 0xfe, b'g']);
    say(&[0xc6, 1, 0, 0, 2, b'h']);
    // Chunk streams with ids of two and three bytes.
    say(&[0, 10, 0, 0, 9, 0, 0, 6, 9, 1, 0, 0, 0, 0x27, 1, 0xff, 0xff, 0xfe, b'i']);
    say(&[1, 10, 1, 0, 0, 9, 0, 0, 6, 9, 1, 0, 0, 0, 0x27, 1, 0xff, 0xff, 0xfe, b'j']);
    let expected = [
        Event::Sound { timestamp: 1001, sound: Sound::Aac(Bytes::from_static(b"s")) },
        unit(true, b"abc", 1000),
        unit(false, b"d", 1040),
        unit(false, b"e", 1060),
        unit(false, b"f", 1080),
        unit(false, b"gh", 0x0100_0002),
        unit(false, b"i", 9),
        unit(false, b"j", 9),
    ];
    for piece in [1, 5, usize::MAX] {
        let (events, _, error) = served(&peer.0, piece);
        assert_eq!(error, None);
        assert_eq!(events[1..], expected);
    }
}

#[test]
fn what_is_not_rtmp_or_too_much_ends_the_connection_by_name() {
    let said = |bytes: &[u8]| {
        let mut peer = Peer::publishing("cam");
        peer.0.extend(bytes);
        peer.0
    };
    let deep = [3, 0, 1, b'x'].repeat(1000);
    for (name, bytes, error) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Error::NotRtmp),
        ("chunks of nothing", said(&[2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Error::ChunkSize(0)),
        ("huge", said(&[6, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0]), Error::TooLarge(0xff_ffff)),
        ("no beginning", said(&[0xc9]), Error::NothingBegun),
        ("a command cut short", Peer::shaken().message(20, &[2, 0, 9]).0, Error::Command("it is cut short")),
        (
            "a deep command",
            Peer::shaken().message(1, &[0, 0, 16, 0]).message(20, &deep).0,
            Error::Command("too deep"),
        ),
        (
            "publish first",
            Peer::shaken().command(&["publish".into(), Value::Null, Value::Null, "a".into()]).0,
            Error::Order("publish before connect"),
        ),
        ("HEVC", Peer::publishing("cam").message(9, b"\x90hvc1").0, Error::Codec("HEVC")),
        ("H.263", Peer::publishing("cam").message(9, b"\x12\0").0, Error::Codec("Sorenson H.263")),
        ("a cut picture", Peer::publishing("cam").message(9, b"\x17\x01\0").0, Error::Media),
    ] {
        let (_, _, got) = served(&bytes, 4096);
        assert_eq!(got, Some(error), "{name}");
    }
}

#[test]
fn messages_begun_and_not_ended_are_bounded_in_number_and_bytes() {
    let mut peer = Peer::publishing("cam");
    peer = peer.message(1, &(1_u32 << 20).to_be_bytes());
    let mut one_each = Vec::new();
    for id in 10..50_u8 {
        one_each.extend([id, 0, 0, 0, 0x20, 0, 0, 9, 1, 0, 0, 0]);
        one_each.extend(vec![0; 1 << 20]);
    }
    let bytes = [peer.0.as_slice(), &one_each].concat();
    assert_eq!(served(&bytes, 64 << 10).2, Some(Error::TooMuchUnfinished));
    let mut many = Peer::publishing("cam").message(1, &1_u32.to_be_bytes()).0;
    for id in 10..60_u8 {
        many.extend([id, 0, 0, 0, 0, 0, 2, 9, 1, 0, 0, 0, 0]);
    }
    assert_eq!(served(&many, 4096).2, Some(Error::TooManyChunkStreams));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(noise in prop::collection::vec(any::<u8>(), 0..2000), at in 0_usize..4000) {
        let mut bytes = Peer::publishing("cam").message(9, b"\x17\x01\0\0\0abc").message(9, &[0x27; 300]).0;
        bytes.truncate(at.max(3073));
        bytes.extend(noise);
        for piece in [3, 500] {
            served(&bytes, piece);
        }
    }
}
