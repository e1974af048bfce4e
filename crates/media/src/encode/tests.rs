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

#[test]
fn a_coarser_quality_makes_smaller_packets() {
    for (codec, qualities) in [(VideoCodec::H264, [10, 23, 40]), (VideoCodec::Mpeg4, [2, 4, 20])] {
        let bytes = qualities.map(|quality| {
            let settings = Settings { quality, ..settings(codec, 320, 240) };
            let mut encoder = Encoder::new(&settings).unwrap();
            let packets = (0..4).flat_map(|n| encoder.encode(&grainy(n), u64::from(n) * 3000).unwrap());
            packets.map(|packet| packet.data.len()).collect::<Vec<_>>()
        });
        // Each packet, so that it holds for those after the first.
        let [fine, usual, coarse] = &bytes;
        for (n, ((fine, usual), coarse)) in fine.iter().zip(usual).zip(coarse).enumerate() {
            assert!(fine > usual && usual > coarse, "{codec:?}, picture {n}: {fine}, {usual}, {coarse}");
        }
    }
}

/// A picture no two of which are alike, so that the quantiser has something to leave out.
fn grainy(number: u8) -> I420 {
    let mut picture = picture(320, 240, number);
    let mut state = u32::from(number) + 1;
    for sample in &mut picture.y.data {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *sample = sample.saturating_add(u8::try_from(state >> 27).unwrap());
    }
    picture
}

#[test]
fn a_picture_of_full_range_is_coded_as_its_limited_twin() {
    for codec in [VideoCodec::H264, VideoCodec::Mpeg4] {
        let [mut one, mut other] = [(); 2].map(|()| Encoder::new(&settings(codec, 33, 17)).unwrap());
        for number in 0..3 {
            let full = I420 { range: Range::Full, ..picture(33, 17, number * 40) };
            let mut limited = full.clone();
            pixels::convert::to_limited(&mut limited);
            let coded = |encoder: &mut Encoder, picture: &I420| {
                encoder.encode(picture, u64::from(number) * 3000).unwrap().remove(0).data
            };
            assert_eq!(coded(&mut one, &full), coded(&mut other, &limited), "{codec:?}");
        }
    }
}
