//! Files are read back by our own reader and by ffprobe. Coded pictures of real codecs are in
//! `tests/recording.rs`.

use std::io::Cursor;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Codec, Error, Finish, Sample, Scan, Track, Writer, finish_recovered, scan};

fn track() -> Track {
    Track {
        codec: Codec::Mjpeg,
        width: 640,
        height: 480,
        rotation: 0,
        full_range: true,
        matrix: pixels::Matrix::Bt601,
        created: 1_700_000_000,
    }
}

fn scanned(bytes: &[u8]) -> Result<Scan, Error> {
    scan(&mut Cursor::new(bytes))
}

fn apply(file: &mut Vec<u8>, finish: &Finish) {
    file.extend(&finish.tail);
    for (at, bytes) in &finish.patches {
        let at = usize::try_from(*at).unwrap();
        file[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// A file of fragments of the given numbers of samples, every third a keyframe; and where each fragment ends.
fn file(fragments: &[usize]) -> (Writer, Vec<u8>, Vec<(usize, u64)>) {
    let (mut writer, mut bytes) = Writer::new(&track());
    let mut ends = vec![(bytes.len(), 0)];
    let mut number = 0u64;
    for &count in fragments {
        for _ in 0..count {
            let data = Bytes::from(vec![0xAB; 1 + (usize::try_from(number).unwrap() * 37) % 90]);
            writer.push(Sample { data, pts: number * 3000 + number % 7, keyframe: number.is_multiple_of(3) });
            number += 1;
        }
        bytes.extend(writer.flush(Some(number * 3000 + number % 7)).unwrap_or_default());
        assert_eq!(writer.position(), bytes.len() as u64);
        ends.push((bytes.len(), number));
    }
    (writer, bytes, ends)
}

#[test]
fn a_file_cut_anywhere_keeps_every_whole_fragment_and_no_other() {
    let (_, bytes, ends) = file(&[1, 3, 2, 5]);
    for cut in 0..=bytes.len() {
        let result = scanned(&bytes[..cut]);
        let Some(&(whole, samples)) = ends.iter().rev().find(|&&(end, _)| end <= cut) else {
            assert!(matches!(result, Err(Error::NoMoov)), "cut at {cut}: {result:?}");
            continue;
        };
        let scan = result.unwrap();
        assert_eq!((scan.whole_len, scan.samples), (whole as u64, samples), "cut at {cut}");
        assert_eq!((scan.file_len, scan.finished), (cut as u64, false));
        assert_eq!(scan.end_pts, samples * 3000 + samples % 7);
        assert_eq!(scan.keyframes, samples.div_ceil(3));
        let mut recovered = bytes[..whole].to_vec();
        apply(&mut recovered, &finish_recovered(&scan));
        let again = scanned(&recovered).unwrap();
        assert!(again.finished, "cut at {cut}");
        assert_eq!((again.samples, again.whole_len), (samples, whole as u64));
    }
}

#[test]
fn a_finished_file_is_known_by_its_index_and_its_patches_together() {
    let (mut writer, mut bytes, _) = file(&[4, 4]);
    writer.push(Sample { data: Bytes::from_static(b"last"), pts: 100_000, keyframe: false });
    let finish = writer.finish(109_000);
    let mut unpatched = bytes.clone();
    unpatched.extend(&finish.tail);
    assert!(!scanned(&unpatched).unwrap().finished, "the crash came before the patches");
    apply(&mut bytes, &finish);
    let found = scanned(&bytes).unwrap();
    assert!(found.finished);
    assert_eq!((found.samples, found.first_pts, found.end_pts), (9, 0, 109_000));
    assert_eq!((&found.codec, found.width, found.height), (b"mp4v", 640, 480));
    assert!(!scanned(&bytes[..bytes.len() - 1]).unwrap().finished, "the index is cut");
}

#[test]
fn the_last_duration_is_corrected_when_it_was_a_guess() {
    let (mut writer, mut bytes) = Writer::new(&track());
    for pts in [0, 3000] {
        writer.push(Sample { data: Bytes::from_static(b"x"), pts, keyframe: true });
    }
    bytes.extend(writer.flush(None).unwrap());
    assert_eq!(scanned(&bytes).unwrap().end_pts, 6000, "as long as the one before");
    apply(&mut bytes, &writer.finish(93_000));
    assert_eq!(scanned(&bytes).unwrap().end_pts, 93_000);
}

#[test]
fn times_that_stand_still_or_go_back_become_one_tick_later() {
    let (mut writer, mut bytes) = Writer::new(&track());
    for pts in [10, 10, 5, 20] {
        writer.push(Sample { data: Bytes::from_static(b"x"), pts, keyframe: true });
    }
    assert_eq!((writer.pending(), writer.pending_ticks(25)), (4, 15));
    apply(&mut bytes, &writer.finish(0));
    let found = scanned(&bytes).unwrap();
    assert_eq!((found.samples, found.first_pts, found.end_pts), (4, 10, 21));
}

#[test]
fn a_recording_without_a_sample_is_finished_too() {
    let (writer, mut bytes) = Writer::new(&track());
    apply(&mut bytes, &writer.finish(0));
    let found = scanned(&bytes).unwrap();
    assert_eq!((found.finished, found.samples, found.end_pts), (true, 0, 0));
}

/// A file that is large without holding its bytes: zeros but for the pieces given.
struct Sparse {
    pieces: Vec<(u64, Vec<u8>)>,
    length: u64,
    at: u64,
}

impl std::io::Read for Sparse {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.length.saturating_sub(self.at)).unwrap());
        for (index, slot) in buffer[..count].iter_mut().enumerate() {
            let at = self.at + index as u64;
            let piece =
                self.pieces.iter().find(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&at));
            *slot = piece.map_or(0, |(start, bytes)| bytes[usize::try_from(at - start).unwrap()]);
        }
        self.at += count as u64;
        Ok(count)
    }
}

impl std::io::Seek for Sparse {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.at = match to {
            std::io::SeekFrom::Start(at) => at,
            std::io::SeekFrom::End(_) => self.length,
            std::io::SeekFrom::Current(_) => self.at,
        };
        Ok(self.at)
    }
}

#[test]
fn files_over_four_gigabytes_keep_their_offsets() {
    const FAR: u64 = 5 << 30;
    let (mut writer, head) = Writer::new(&track());
    writer.position = FAR;
    writer.push(Sample { data: Bytes::from_static(b"far"), pts: 1 << 40, keyframe: true });
    let fragment = writer.flush(Some((1 << 40) + 90)).unwrap();
    // What a fragment of 5 GiB looks like: a 64-bit mdat between the head and the far fragment, as an unknown
    // to be refused …
    let length = FAR + fragment.len() as u64;
    let mut sparse = Sparse { pieces: vec![(0, head.clone()), (FAR, fragment.clone())], length, at: 0 };
    assert_eq!(scan(&mut sparse).unwrap().whole_len, head.len() as u64, "nothing whole follows the head");
    // … and the far fragment right after a head that is padded to there.
    let at = FAR;
    let ftyp_len = u64::from(u32::from_be_bytes(head[..4].try_into().unwrap()));
    let moov = head[usize::try_from(ftyp_len).unwrap()..].to_vec();
    let moov_at = at - moov.len() as u64;
    let ftyp = [&[0, 0, 0, 1][..], b"ftyp", &moov_at.to_be_bytes()].concat();
    let mut sparse = Sparse { pieces: vec![(0, ftyp), (moov_at, moov), (FAR, fragment)], length, at: 0 };
    let found = scan(&mut sparse).unwrap();
    assert_eq!(
        (found.whole_len, found.samples, found.first_pts, found.end_pts),
        (length, 1, 1 << 40, (1 << 40) + 90)
    );
    assert!(finish_recovered(&found).patches.iter().all(|(offset, _)| *offset > moov_at));
    let finish = writer.finish(0);
    let offset = &FAR.to_be_bytes();
    assert!(finish.tail.windows(8).any(|window| window == offset), "the index has the 64-bit offset");
}

#[test]
fn foreign_files_are_refused_by_name() {
    let (_, good, _) = file(&[2]);
    for (name, bytes, moov_missing) in [
        ("empty", vec![], true),
        ("a JPEG", vec![0xFF, 0xD8, 0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F'], true),
        ("ftyp twice", [&good[..32], &good[..32]].concat(), false),
        ("zeros", vec![0; 100], true),
        ("no ftyp", [b"\0\0\0\x08free", &good[..]].concat(), false),
    ] {
        match scanned(&bytes) {
            Err(Error::NoMoov) => assert!(moov_missing, "{name}"),
            Err(Error::Foreign(_)) => assert!(!moov_missing, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic_and_never_claim_more_than_there_is(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12), cut: prop::sample::Index,
    ) {
        let (writer, mut bytes, _) = file(&[2, 3, 1]);
        apply(&mut bytes, &writer.finish(60_000));
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        if let Ok(found) = scanned(&bytes) {
            prop_assert!(found.whole_len <= found.file_len);
            prop_assert!(found.samples <= 6);
            let _ = finish_recovered(&found);
        }
    }
}
