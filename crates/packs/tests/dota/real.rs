//! Real screens with labels, which are not part of the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pixels::convert::rgb_to_i420;
use pixels::{I420, Matrix, Range};

use crate::pack::{Reader, heroes, load, root};

fn media() -> Option<PathBuf> {
    Some(root().join("../shared/media")).filter(|folder| folder.exists())
}

/// Portraits, as they are after fetching; older ones as variants.
fn portraits(media: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (folder, suffix) in [("portraits", ""), ("portraits_legacy", "@legacy")] {
        for entry in std::fs::read_dir(media.join("dota").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            files.insert(format!("portraits/{stem}{suffix}.png"), std::fs::read(path).unwrap());
        }
    }
    files
}

/// `None` for a format that only other programs read.
fn picture(path: &Path) -> Option<I420> {
    let bytes = std::fs::read(path).unwrap();
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    if bytes.starts_with(&[0xff, 0xd8]) {
        let header = pixels::jpeg::inspect(&bytes, 8192).ok()?;
        pixels::jpeg::Decoder::new().unwrap().decode(&bytes, &header, &mut out).ok()?;
    } else if bytes.starts_with(b"\x89PNG") {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().ok()?;
        let mut pixels = vec![0; reader.output_buffer_size().filter(|size| *size < 1 << 28)?];
        let frame = reader.next_frame(&mut pixels).ok()?;
        out.reshape(frame.width, frame.height);
        rgb_to_i420(&pixels, frame.color_type.samples(), &mut out);
    } else {
        return None;
    }
    Some(out)
}

/// All pictures below a folder.
fn pictures(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|ending| ending.to_str()) {
            _ if path.is_dir() => pictures(&path, into),
            Some("jpg" | "jpeg" | "png") => into.push(path),
            _ => {}
        }
    }
}

#[test]
fn real_bars_are_read_and_empty_slots_are_empty() {
    let Some(media) = media() else { return };
    let pack = load(&portraits(&media));
    let labels = std::fs::read(media.join("dota/labels.json")).unwrap();
    let labels: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&labels).unwrap();
    let (mut right, mut all, mut filled) = (0, 0, Vec::new());
    for (name, label) in &labels {
        if label["phase"] == "not_dota" {
            continue;
        }
        let Some(picture) = picture(&media.join("dota/screens").join(name)) else {
            println!("{name:32} not read: a format of other programs");
            continue;
        };
        let outcome = Reader::new(&pack).read(&picture);
        let found = heroes(&outcome);
        let truth = |slot: usize| label[["radiant", "dire"][slot / 5]][slot % 5].as_str();
        let named: Vec<usize> = (0..10).filter(|slot| truth(*slot).is_some()).collect();
        let good = |slot: &&usize| found[**slot].as_ref().map(|(tag, ..)| tag.as_str()) == truth(**slot);
        let hits = named.iter().filter(good).count();
        let least = named.iter().filter(good).filter_map(|slot| found[*slot].as_ref()).map(|found| found.1);
        let least = least.fold(1.0, f32::min);
        let screen = outcome.reading.as_ref().map_or("none", |reading| &*reading.screen);
        let shown =
            |id: &str| outcome.reading.as_ref().and_then(|reading| Some(reading.value(id)?.to_string()));
        let text = |key: &str| match &label[key] {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let lines: Vec<String> = [
            ("clock", if screen == "pick" { "countdown" } else { "clock" }),
            ("radiant_score", "score.radiant"),
            ("dire_score", "score.dire"),
        ]
        .iter()
        .filter(|(key, id)| text(key) != shown(id))
        .map(|(key, id)| format!("{id} is {:?}, read {:?}", text(key), shown(id)))
        .collect();
        println!(
            "{name:32} {screen:10} {hits:2} of {:2} right, least alike {least:.2}; {lines:?}",
            named.len()
        );
        if label["null_means"] == "empty" {
            filled.extend((0..10).filter(|slot| found[*slot].is_some()).map(|slot| format!("{name} {slot}")));
        }
        if !name.starts_with("classic") {
            (right, all) = (right + hits, all + named.len());
        }
    }
    println!("today's HUD, that of 2018 and picking: {right} of {all}");
    assert!(all >= 60 && right * 100 >= all * 95, "{right} of {all}");
    assert_eq!(filled, Vec::<String>::new(), "empty slots");
}

#[test]
fn no_real_picture_of_something_else_is_accepted() {
    let Some(media) = media() else { return };
    let pack = load(&BTreeMap::new());
    let mut files = Vec::new();
    for folder in ["scoreboard", "corrupt", "dota/negatives", "dota/portraits"] {
        pictures(&media.join(folder), &mut files);
    }
    let (mut read, mut accepted) = (0, Vec::new());
    for picture in
        files.iter().filter_map(|path| Some((path, picture(path)?))).filter(|(_, picture)| picture.width > 0)
    {
        read += 1;
        if let Some(reading) = Reader::new(&pack).read(&picture.1).reading {
            accepted.push((picture.0, reading.screen));
        }
    }
    println!("{read} pictures of something else");
    assert!(read > 100 && accepted.is_empty(), "{read} {accepted:?}");
}
