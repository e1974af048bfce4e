use pixels::{I420, Matrix, Range};

use super::*;

fn settings(codec: VideoCodec, width: u32, height: u32) -> Settings {
    let quality = if codec == VideoCodec::H264 { 23 } else { 4 };
    Settings { codec, width, height, preset: "ultrafast", quality, keyframe_every: 180_000 }
}

/// A picture that moves.
fn picture(width: u32, height: u32, number: u8) -> I420 {
    let mut picture = I420::new(width, height, Range::Limited, Matrix::Bt601);
    for y in 0..height {
        for (x, sample) in picture.y.row_mut(y).iter_mut().enumerate() {
            *sample = 16 + u8::try_from((x + y as usize + usize::from(number) * 3) % 200).unwrap();
        }
    }
    picture
}

#[test]
fn every_picture_gives_its_packet_at_once_with_its_own_time() {
    for codec in [VideoCodec::H264, VideoCodec::Mpeg4] {
        let mut encoder = Encoder::new(&settings(codec, 320, 240)).unwrap();
        // 29 fps, a frame a tick later, a gap of three seconds, one of three hours.
        let times = [0, 3103, 6207, 6208, 9310, 279_310, 282_413, 1_000_000_000, 1_000_003_103];
        for (number, &pts) in (0..).zip(&times) {
            let packets = encoder.encode(&picture(320, 240, number), pts).unwrap();
            let [packet] = &packets[..] else { panic!("{codec:?}: {} packets", packets.len()) };
            assert_eq!(packet.pts, pts, "{codec:?}");
            assert_eq!(packet.keyframe, [0, 279_310, 1_000_000_000].contains(&pts), "{codec:?} {pts}");
            assert!(!packet.data.is_empty());
        }
        assert!(encoder.finish().unwrap().is_empty(), "{codec:?} held something back");
    }
}

#[test]
fn odd_and_small_sizes_are_encoded() {
    for codec in [VideoCodec::H264, VideoCodec::Mpeg4] {
        for (width, height) in [(1, 1), (17, 33), (321, 241)] {
            let mut encoder = Encoder::new(&settings(codec, width, height)).unwrap();
            assert_eq!(
                encoder.encode(&picture(width, height, 0), 0).unwrap().len(),
                1,
                "{codec:?} {width}x{height}"
            );
        }
    }
}

#[test]
fn a_picture_of_another_size_is_refused_and_the_encoder_goes_on() {
    let mut encoder = Encoder::new(&settings(VideoCodec::H264, 64, 64)).unwrap();
    assert!(matches!(encoder.encode(&picture(32, 64, 0), 0), Err(Error::Size(32, 64, 64, 64))));
    assert_eq!(encoder.encode(&picture(64, 64, 0), 1).unwrap().len(), 1);
}
