//! Files that broke other decoders, and files of the conformance kinds: each is refused, or decoded, in
//! bounded time and memory.
//!
//! The collected files are not ours to give away: they are looked for beside the workspace, and the tests of
//! our own files stand for them where they are absent.

use std::path::{Path, PathBuf};

use pixels::jpeg::{Decoder, Header, Refusal, inspect};
use pixels::{I420, Matrix, Range};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

use crate::making::{Coding, MAX_SIDE, USUAL, jpeg, psnr, scene, worst_psnr};

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Files of a folder, sorted; none when it does not exist.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

/// What became of a file.
fn outcome(bytes: &[u8]) -> Result<(Header, Result<I420, String>), Refusal> {
    let header = inspect(bytes, MAX_SIDE)?;
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    let decoded = Decoder::new().unwrap().decode(bytes, &header, &mut out).map_err(|e| e.to_string());
    Ok((header, decoded.map(|()| out)))
}

#[test]
fn collected_broken_files_are_refused_or_shown() {
    for (name, bytes) in files(&workspace("../shared/media/corrupt/jpeg")) {
        match outcome(&bytes) {
            Err(refusal) => println!("{name}: refused: {refusal}"),
            Ok((header, Err(error))) => println!("{name}: {}x{}: {error}", header.width, header.height),
            Ok((header, Ok(picture))) => {
                assert_eq!((picture.width, picture.height), {
                    let (width, height) = header.shown_size();
                    (u32::from(width), u32::from(height))
                });
                println!("{name}: shown, {}x{} {:?}", header.width, header.height, header.sampling);
            }
        }
    }
}

#[test]
fn collected_files_of_the_rarer_kinds_are_shown_right_or_refused_by_name() {
    let folder = workspace("../shared/media/corrupt/jpeg_conformance");
    let found = files(&folder);
    let reference =
        std::fs::read(folder.join("video-001.jpeg")).ok().map(|bytes| outcome(&bytes).unwrap().1.unwrap());
    for (name, bytes) in found {
        let refused = match name.as_str() {
            "monkey12.jpg" => Some("12-bit samples"),
            "testimgari.jpg" => Some("arithmetic coding"),
            _ => None,
        };
        if let Some(why) = refused {
            assert_eq!(outcome(&bytes).unwrap_err(), Refusal::Unsupported(why), "{name}");
            println!("{name}: refused: {why}");
            continue;
        }
        let (header, picture) = outcome(&bytes).unwrap();
        let picture = picture.unwrap();
        print!("{name}: shown, {}x{} {:?}", header.width, header.height, header.sampling);
        if let (true, Some(reference)) = (name.starts_with("video-001."), &reference) {
            let (luma, worst) = (psnr(&picture.y, &reference.y), worst_psnr(&picture, reference));
            print!(", luma {luma:.1} dB, worst plane {worst:.1} dB of video-001.jpeg");
            // Ink without its colour profile is darker than the picture it was made from; other decoders show
            // it alike.
            let want = if name.contains("cmyk") { 15.0 } else { 25.0 };
            assert!(luma > want && worst > want, "{name}: luma {luma:.1} dB, worst plane {worst:.1} dB");
        }
        println!();
    }
}

#[test]
fn the_seeds_of_the_fuzzer_are_refused_or_shown() {
    let seeds = files(&workspace("fuzz/corpus/jpeg_header"));
    assert!(!seeds.is_empty(), "the corpus is part of the project");
    for (_, bytes) in seeds {
        let _ = outcome(&bytes);
    }
}

#[test]
fn a_scan_repeated_without_end_is_refused() {
    let bytes = jpeg(&scene(64, 64), 64, 64, Coding { progressive: true, ..USUAL });
    let header = inspect(&bytes, MAX_SIDE).unwrap();
    let mut endless = bytes[..bytes.len() - 2].to_vec();
    for _ in 0..200 {
        endless.extend_from_slice(&bytes[header.first_scan..bytes.len() - 2]);
    }
    endless.extend_from_slice(&[0xff, 0xd9]);
    assert_eq!(inspect(&endless, MAX_SIDE), Err(Refusal::Unsupported("more than 100 scans")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_inspect_passes_never_harms_the_decoder(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        progressive: bool,
        kind in 0..4_usize,
    ) {
        use turbojpeg::{Colorspace, Subsamp};
        let (subsamp, colorspace) = [
            (Subsamp::Sub2x2, None),
            (Subsamp::Sub4x1, None),
            (Subsamp::None, Some(Colorspace::YCCK)),
            (Subsamp::Gray, None),
        ][kind];
        let mut bytes = jpeg(&scene(60, 44), 60, 44, Coding { subsamp, progressive, colorspace });
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        let _ = outcome(&bytes);
    }
}
