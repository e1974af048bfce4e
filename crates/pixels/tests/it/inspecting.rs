//! `inspect` tells whole pictures from others and says what they are.

use pixels::jpeg::{Refusal, Sampling, inspect, with_huffman_tables};
use proptest::prelude::{ProptestConfig, any, prop, proptest};
use turbojpeg::{Colorspace, Subsamp};

use crate::making::{Coding, MAX_SIDE, USUAL, exif, jpeg, scene, segments, with, without};

fn small(coding: Coding) -> Vec<u8> {
    jpeg(&scene(60, 44), 60, 44, coding)
}

#[test]
fn sampling_and_coding_are_told_apart() {
    let cases = [
        (Subsamp::Sub2x2, Sampling::S420),
        (Subsamp::Sub2x1, Sampling::S422),
        (Subsamp::Sub1x2, Sampling::S440),
        (Subsamp::None, Sampling::S444),
        (Subsamp::Sub4x1, Sampling::S411),
        (Subsamp::Sub1x4, Sampling::S441),
        (Subsamp::Gray, Sampling::Grey),
    ];
    for (subsamp, sampling) in cases {
        for progressive in [false, true] {
            let bytes = small(Coding { subsamp, progressive, ..USUAL });
            let header = inspect(&bytes, MAX_SIDE).unwrap();
            assert_eq!((header.width, header.height), (60, 44));
            assert_eq!((header.sampling, header.progressive), (sampling, progressive));
            assert_eq!(header.components, if subsamp == Subsamp::Gray { 1 } else { 3 });
            assert_eq!(header.len, bytes.len());
            assert_eq!((header.huffman_tables, header.orientation), (true, 1));
            assert_eq!(header.adobe_transform, None);
        }
    }
    for (space, transform, components) in
        [(Colorspace::RGB, 0, 3), (Colorspace::CMYK, 0, 4), (Colorspace::YCCK, 2, 4)]
    {
        let bytes = small(Coding { colorspace: Some(space), subsamp: Subsamp::None, ..USUAL });
        let header = inspect(&bytes, MAX_SIDE).unwrap();
        assert_eq!((header.adobe_transform, header.components), (Some(transform), components));
    }
}

#[test]
fn a_good_jpeg_cut_at_any_byte_is_refused() {
    let thumbnail = small(USUAL);
    let plain = small(USUAL);
    let progressive = small(Coding { progressive: true, ..USUAL });
    let with_thumbnail = with(&plain, 0xe1, &exif(6, &thumbnail));
    for whole in [plain, progressive, with_thumbnail] {
        assert!(inspect(&whole, MAX_SIDE).is_ok());
        for len in 0..whole.len() {
            let want = match len {
                0 => Refusal::Empty,
                1 => Refusal::NotJpeg,
                _ => Refusal::CutShort,
            };
            assert_eq!(inspect(&whole[..len], MAX_SIDE), Err(want), "{len} of {}", whole.len());
        }
    }
}

#[test]
fn what_follows_the_picture_is_cut_off() {
    let whole = small(USUAL);
    for tail in [b"\0\0\0\0".as_slice(), b"\r\n--frame\r\n", &whole, b"\xff", b"\xff\xd9"] {
        let header = inspect(&[&whole, tail].concat(), MAX_SIDE).unwrap();
        assert_eq!(header.len, whole.len());
    }
}

#[test]
fn fill_bytes_and_stray_bytes_between_segments_are_passed_over() {
    let whole = small(USUAL);
    let want = inspect(&whole, MAX_SIDE).unwrap();
    for (_, segment) in segments(&whole) {
        let at = segment.start;
        for filler in [b"\xff\xff\xff".as_slice(), b"\0\x12"] {
            if at == 2 && filler[0] != 0xff {
                continue;
            }
            let padded = [&whole[..at], filler, &whole[at..]].concat();
            let header = inspect(&padded, MAX_SIDE).unwrap();
            assert_eq!(header.len, padded.len());
            assert_eq!((header.width, header.sampling), (want.width, want.sampling));
        }
    }
    let end = whole.len() - 2;
    let padded = [&whole[..end], b"\xff\xff\xff", &whole[end..]].concat();
    assert_eq!(inspect(&padded, MAX_SIDE).unwrap().len, padded.len());
}

#[test]
fn orientation_is_read_and_a_thumbnail_does_not_confuse() {
    let thumbnail = jpeg(&scene(16, 12), 16, 12, USUAL);
    for orientation in 1..=8 {
        let bytes = with(&small(USUAL), 0xe1, &exif(orientation, &thumbnail));
        let header = inspect(&bytes, MAX_SIDE).unwrap();
        assert_eq!((header.orientation, header.width, header.height), (orientation, 60, 44));
        assert_eq!(header.shown_size(), if orientation < 5 { (60, 44) } else { (44, 60) });
        assert_eq!(header.len, bytes.len());
    }
    let odd = with(&small(USUAL), 0xe1, &exif(9, &[]));
    assert_eq!(inspect(&odd, MAX_SIDE).unwrap().orientation, 1);
}

/// `USUAL`, changed at one place of its frame header.
fn reframed(change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = small(USUAL);
    let frame = segments(&bytes).into_iter().find(|(code, _)| *code == 0xc0).unwrap().1;
    change(&mut bytes[frame]);
    bytes
}

#[test]
fn what_we_do_not_take_is_refused_by_name() {
    let whole = small(USUAL);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (vec![], "there is no data"),
        (b"\x89PNG\r\n".to_vec(), "not a JPEG"),
        (b"\xff".to_vec(), "not a JPEG"),
        (b"\xff\xd8hello".to_vec(), "not a JPEG"),
        (b"\xff\xd8\xff\xd9".to_vec(), "no picture"),
        (without(&whole, 0xc0), "before its frame header"),
        (without(&whole, 0xdb), "quantisation table is missing"),
        (reframed(|f| f[1] = 0xc3), "lossless coding"),
        (reframed(|f| f[1] = 0xc5), "hierarchical coding"),
        (reframed(|f| f[1] = 0xc9), "arithmetic coding"),
        (reframed(|f| f[1] = 0xca), "arithmetic coding"),
        (reframed(|f| f[4] = 12), "12-bit samples"),
        (reframed(|f| f[4] = 16), "not 8 bits"),
        (reframed(|f| f[5..7].fill(0)), "DNL"),
        (reframed(|f| f[7..9].fill(0)), "width is 0"),
        (reframed(|f| f[5] = 0x40), "60x16428 pixels; at most 8192"),
        (reframed(|f| f[7] = 0xff), "65340x44 pixels; at most 8192"),
        (reframed(|f| f[9] = 2), "1, 3 or 4"),
        (reframed(|f| (f[11], f[14]) = (0x32, 0x21)), "do not divide"),
        (reframed(|f| f[11] = 0x02), "impossible sampling factor"),
        (reframed(|f| f[11] = 0x52), "impossible sampling factor"),
        (reframed(|f| f[13] = f[10]), "same name"),
        (reframed(|f| f[11] = 0x44), "scan header is broken"),
        (with(&whole, 0xdc, &[0, 44]), "DNL"),
        (with(&whole, 0xc0, &[8, 0, 8, 0, 8, 1, 1, 0x11, 0]), "two frame headers"),
        ([&whole[..2], &[0xff, 0xe0, 0, 1], &whole[2..]].concat(), "shorter than its own length"),
        ([&whole[..2], &whole].concat(), "second picture"),
        (with(&whole, 0x4f, &[]), "unknown marker"),
    ];
    for (bytes, want) in cases {
        let refusal = inspect(&bytes, MAX_SIDE).expect_err(want);
        assert!(refusal.to_string().contains(want), "{want}: {refusal}");
    }
}

#[test]
fn a_small_file_cannot_claim_a_large_picture() {
    for progressive in [false, true] {
        let bytes = jpeg(&scene(64, 64), 64, 64, Coding { progressive, ..USUAL });
        let frame = segments(&bytes).into_iter().find(|(code, _)| matches!(code, 0xc0 | 0xc2)).unwrap().1;
        let mut large = bytes;
        large[frame.start + 5..frame.start + 9].copy_from_slice(&[0x20, 0, 0x20, 0]);
        assert_eq!(inspect(&large, MAX_SIDE), Err(Refusal::CutShort));
    }
}

#[test]
fn a_picture_without_one_of_its_colours_is_cut_short() {
    let whole = small(Coding { progressive: true, subsamp: Subsamp::None, ..USUAL });
    let first = inspect(&whole, MAX_SIDE).unwrap().first_scan;
    let mut bytes = whole;
    // The first scan of a progressive picture carries the DC coefficients of all components: leave only the
    // first.
    let header_len = usize::from(bytes[first + 3]);
    let scan = [&[0xff, 0xda, 0, 8, 1], &bytes[first + 5..first + 7], &[0, 0, bytes[first + 1 + header_len]]]
        .concat();
    bytes.splice(first..first + 2 + header_len, scan);
    assert!(matches!(inspect(&bytes, MAX_SIDE), Err(Refusal::CutShort)));
}

#[test]
fn missing_huffman_tables_are_put_back_byte_for_byte() {
    let whole = small(USUAL);
    let avi1 = without(&whole, 0xc4);
    let header = inspect(&[&avi1[..], b"padding"].concat(), MAX_SIDE).unwrap();
    assert!(!header.huffman_tables);
    let restored = with_huffman_tables(&avi1, &header);
    let again = inspect(&restored, MAX_SIDE).unwrap();
    assert!(again.huffman_tables);
    assert_eq!(again.len, restored.len());
    let tables = |bytes: &[u8]| {
        let mut codes: Vec<Vec<u8>> = Vec::new();
        for (_, range) in segments(bytes).into_iter().filter(|(code, _)| *code == 0xc4) {
            let mut rest = &bytes[range][4..];
            while !rest.is_empty() {
                let symbols: usize = rest[1..17].iter().map(|&n| usize::from(n)).sum();
                let (table, after) = rest.split_at(17 + symbols);
                codes.push(table.to_vec());
                rest = after;
            }
        }
        codes.sort();
        codes
    };
    assert_eq!(tables(&restored), tables(&whole), "libjpeg writes the standard tables too");
    assert_eq!(
        with_huffman_tables(&[&whole[..], b"tail"].concat(), &inspect(&whole, MAX_SIDE).unwrap()),
        whole
    );
    assert_eq!(with_huffman_tables(&avi1[..9], &header), with_huffman_tables(&avi1[..9], &header));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), max_side: u16) {
        let _ = inspect(&bytes, max_side);
        let _ = inspect(&[b"\xff\xd8\xff".as_slice(), &bytes].concat(), max_side);
    }

    #[test]
    fn a_damaged_jpeg_never_panics_nor_reaches_past_its_end(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        progressive: bool,
    ) {
        let mut bytes = small(Coding { progressive, ..USUAL });
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Ok(header) = inspect(&bytes, MAX_SIDE) {
            assert!(header.len <= bytes.len() && header.first_scan < header.len);
            assert!(header.width >= 1 && header.width <= MAX_SIDE && header.height >= 1);
            let _ = with_huffman_tables(&bytes, &header);
        }
    }
}
