//! The pictures of a set, prepared once: items from their list, portraits from PNG files, both patches of each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pixels::correlate::{LANES, flat};
use pixels::{Plane, Quad, sample};
use serde::Deserialize;

use super::cells::{Cells, cell_by_cell};
use crate::files::Files;
use crate::raw;

/// Columns and rows of the patch that decides.
pub(super) const FINE: (u32, u32) = (24, 12);
/// Columns and rows of the patch that is looked at first: blocks of 2 × 2 of the other.
pub(super) const COARSE: (u32, u32) = (FINE.0 / 2, FINE.1 / 2);
/// Samples of the fine patch, which are kept cell by cell (see [`Cells`]).
pub(super) const FINE_LEN: usize = (FINE.0 * FINE.1) as usize;
/// Samples of the coarse patch as they are kept, row by row, padded with zeros.
pub(super) const COARSE_LEN: usize = ((COARSE.0 * COARSE.1) as usize).next_multiple_of(LANES);

/// The most items of a set, the most pictures, and the most bytes and pixels of a side of one.
const ITEMS: usize = 4096;
const PICTURES: usize = 8192;
const BYTES: usize = 8 << 20;
const SIDE: u32 = 2048;

/// The pictures of a set, prepared: about 1.5 KB of memory for each.
#[derive(Debug)]
pub struct Set {
    pub items: Vec<SetItem>,
    pub(super) pictures: Vec<Picture>,
    /// Flattened patches of all pictures, one after the other.
    pub(super) coarse: Vec<f32>,
    pub(super) fine: Vec<f32>,
    pub(super) cells: Vec<Cells>,
    /// Items there is no picture of.
    missing: usize,
}

/// One thing of a set, with all pictures there are of it.
#[derive(Debug)]
pub struct SetItem {
    pub tag: Arc<str>,
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Other pictures that are known to exist and can be fetched.
    variants: Vec<String>,
}

/// One picture.
#[derive(Debug)]
pub(super) struct Picture {
    /// Its number in `items`.
    pub(super) item: usize,
    /// Empty for the usual one.
    pub(super) variant: Arc<str>,
}

/// What `onair pack fetch` is to get.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where it goes in the data directory's folder of the pack, and where it comes from.
    pub files: Vec<(String, String)>,
    /// SHA-256 in hexadecimal digits, by file.
    pub checksums: BTreeMap<String, String>,
}

/// The list of items as it is written.
#[derive(Deserialize)]
struct List {
    #[serde(default, rename = "item")]
    items: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    tag: String,
    /// Suffixes of further pictures that can be fetched.
    #[serde(default)]
    variants: Vec<String>,
    /// Whatever readings are to show.
    #[serde(flatten)]
    fields: serde_json::Map<String, serde_json::Value>,
}

impl Set {
    /// Reads items and pictures: from `files` or from `data`. Items without a picture are counted, not refused.
    ///
    /// # Errors
    /// What is wrong with the list of items or with a picture.
    pub fn load(raw: &raw::Set, files: &dyn Files, data: &dyn Files) -> Result<Self, String> {
        let [x, y, width, height] = raw.crop;
        let inside = x >= 0.0 && y >= 0.0 && x + width <= 1.0001 && y + height <= 1.0001;
        if !(inside && width > 0.01 && height > 0.01) {
            return Err(format!("crop: {:?} is not a part of a picture, in fractions of it", raw.crop));
        }
        let items = items(&raw.items, files)?;
        let numbers: BTreeMap<Arc<str>, usize> =
            items.iter().enumerate().map(|(number, item)| (Arc::clone(&item.tag), number)).collect();
        let mut set = Self {
            items,
            pictures: Vec::new(),
            coarse: Vec::new(),
            fine: Vec::new(),
            cells: Vec::new(),
            missing: 0,
        };
        let mut seen = BTreeSet::new();
        for (from, name) in [files, data]
            .into_iter()
            .flat_map(|from| from.list(&raw.folder).into_iter().map(move |name| (from, name)))
        {
            let Some(stem) = name.rsplit('/').next().and_then(|file| file.strip_suffix(".png")) else {
                continue;
            };
            let (tag, variant) = stem.split_once('@').unwrap_or((stem, ""));
            let Some(&item) = numbers.get(tag) else { continue };
            if !seen.insert(stem.to_owned()) {
                continue;
            }
            if set.pictures.len() == PICTURES {
                return Err(format!("{} holds more than {PICTURES} pictures", raw.folder));
            }
            let picture = from.read(&name).and_then(|bytes| luma(&bytes));
            let added = picture.and_then(|picture| set.add(&picture, raw.crop, item, variant.into()));
            added.map_err(|e| format!("{name}: {e}"))?;
        }
        let shown: BTreeSet<usize> = set.pictures.iter().map(|picture| picture.item).collect();
        set.missing = set.items.len() - shown.len();
        Ok(set)
    }

    #[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
    fn add(
        &mut self,
        picture: &Plane,
        crop: raw::Area,
        item: usize,
        variant: Arc<str>,
    ) -> Result<(), String> {
        let (across, down) = (picture.width as f32, picture.height as f32);
        let [x, y, width, height] = crop;
        let quad =
            Quad { x: x * across, y: y * down, width: width * across, height: height * down, slant: 0.0 };
        let (mut fine, mut coarse) = (Vec::new(), Vec::new());
        sample(picture, &quad, FINE.0, FINE.1, &mut fine);
        sample(picture, &quad, COARSE.0, COARSE.1, &mut coarse);
        if flat(&mut fine) < 1.0 || flat(&mut coarse) < 1.0 {
            return Err("is all of one brightness, which nothing can be told by".to_owned());
        }
        coarse.resize(COARSE_LEN, 0.0);
        self.fine.extend(cell_by_cell(&fine));
        self.cells.push(Cells::of(&self.fine[self.fine.len() - FINE_LEN..]));
        self.coarse.append(&mut coarse);
        self.pictures.push(Picture { item, variant });
        Ok(())
    }

    /// What `onair pack fetch` is to get for it.
    ///
    /// # Errors
    /// What is wrong with the address or with the list of checksums.
    pub fn wanted(&self, raw: &raw::Set, fetch: &raw::Fetch, files: &dyn Files) -> Result<Wanted, String> {
        let url = &fetch.url;
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return Err(format!("url: {url:?} does not start with https:// or http://"));
        }
        if !(url.contains("{file}") || url.contains("{tag}")) {
            return Err("url: has neither {file} nor {tag}, so all pictures would be the same".to_owned());
        }
        let mut wanted = Wanted { files: Vec::new(), checksums: BTreeMap::new() };
        for item in &self.items {
            let tag = &*item.tag;
            for variant in std::iter::once("").chain(item.variants.iter().map(String::as_str)) {
                let (name, file) = match variant {
                    "" => (tag.to_owned(), tag.to_owned()),
                    variant => (format!("{tag}@{variant}"), format!("{tag}_{variant}")),
                };
                let from = url.replace("{file}", &file).replace("{tag}", tag).replace("{variant}", variant);
                wanted.files.push((format!("{}/{name}.png", raw.folder), from));
            }
        }
        if let Some(name) = &fetch.checksums {
            wanted.checksums = checksums(name, &raw.folder, files)?;
        }
        Ok(wanted)
    }

    /// Items there is no picture of.
    #[must_use]
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Pictures there are of all items.
    #[must_use]
    pub fn pictures(&self) -> usize {
        self.pictures.len()
    }
}

fn items(name: &str, files: &dyn Files) -> Result<Vec<SetItem>, String> {
    let bytes = files.read(name).map_err(|e| format!("{name}: {e}"))?;
    if bytes.len() > BYTES {
        return Err(format!("{name} has {} bytes; {BYTES} are the most", bytes.len()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| format!("{name}: is not UTF-8: {e}"))?;
    let list: List = toml::from_str(text).map_err(|e| {
        let line = text[..e.span().map_or(0, |span| span.start).min(text.len())].matches('\n').count() + 1;
        format!("{name}, line {line}: {}", e.message())
    })?;
    if list.items.is_empty() || list.items.len() > ITEMS {
        return Err(format!("{name} has {} [[item]]s; 1 to {ITEMS} can be", list.items.len()));
    }
    let mut seen = BTreeSet::new();
    for Listed { tag, variants, .. } in &list.items {
        let good = |name: &String| {
            let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            (1..=64).contains(&name.len()) && name.bytes().all(letter)
        };
        if let Some(bad) = std::iter::once(tag).chain(variants).find(|name| !good(name)) {
            return Err(format!("{name}: {bad:?} is not 1 to 64 letters, digits, - and _"));
        }
        if !seen.insert(tag) {
            return Err(format!("{name}: there are two items {tag:?}"));
        }
    }
    let item = |Listed { tag, variants, fields }| SetItem { tag: Arc::from(tag), fields, variants };
    Ok(list.items.into_iter().map(item).collect())
}

fn checksums(name: &str, folder: &str, files: &dyn Files) -> Result<BTreeMap<String, String>, String> {
    let bytes = files.read(name).map_err(|e| format!("checksums: {name}: {e}"))?;
    let text = String::from_utf8(bytes).map_err(|e| format!("checksums: {name}: is not UTF-8: {e}"))?;
    let mut sums = BTreeMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let hex = |sum: &&str| sum.len() == 64 && sum.bytes().all(|b| b.is_ascii_hexdigit());
        let mut words = line.split_whitespace();
        match (words.next().filter(hex), words.next(), words.next()) {
            (Some(sum), Some(file), None) => {
                sums.insert(format!("{folder}/{file}"), sum.to_ascii_lowercase());
            }
            _ => return Err(format!("checksums: {name}, line {}: is not <sha256>  <name>.png", number + 1)),
        }
    }
    Ok(sums)
}

/// The brightness of a PNG, what is transparent being black.
///
/// # Errors
/// Why it is no PNG, or that it is too large.
pub(crate) fn luma(bytes: &[u8]) -> Result<Plane, String> {
    if bytes.len() > BYTES {
        return Err(format!("has {} bytes; {BYTES} are the most", bytes.len()));
    }
    let limits = png::Limits { bytes: 4 * SIDE as usize * SIDE as usize };
    let mut decoder = png::Decoder::new_with_limits(std::io::Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|e| format!("is no PNG: {e}"))?;
    let (width, height) = reader.info().size();
    if width > SIDE || height > SIDE {
        return Err(format!("is {width} × {height}; a side has {SIDE} at most"));
    }
    let size = reader.output_buffer_size().ok_or("is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(|e| format!("is a broken PNG: {e}"))?;
    let channels = frame.color_type.samples();
    let mut plane = Plane::new(width, height, 0);
    for (y, line) in (0..height).zip(pixels.chunks_exact(frame.line_size)) {
        for (out, pixel) in plane.row_mut(y).iter_mut().zip(line.chunks_exact(channels)) {
            *out = match *pixel {
                [grey] => grey,
                [grey, alpha] => over_black(grey, alpha),
                [r, g, b] => pixels::convert::yuv_of_rgb([r, g, b])[0],
                [r, g, b, alpha] => over_black(pixels::convert::yuv_of_rgb([r, g, b])[0], alpha),
                _ => 0,
            };
        }
    }
    Ok(plane)
}

fn over_black(sample: u8, alpha: u8) -> u8 {
    u8::try_from(u16::from(sample) * u16::from(alpha) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEMS: &str = "[[item]]\ntag = 'axe'\nhero_id = 2\nvariants = ['alt']\n[[item]]\ntag = 'lina'\n";

    fn raw(fetch: &str) -> raw::Set {
        let fetch = raw::Fetch { url: fetch.to_owned(), checksums: Some("sums.txt".to_owned()) };
        let (items, folder) = ("items.toml".to_owned(), "portraits".to_owned());
        raw::Set { items, folder, fetch: Some(fetch), crop: [0.0, 0.0, 1.0, 1.0] }
    }

    fn png(sample: impl Fn(usize) -> u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 48, 24);
        encoder.set_color(png::ColorType::Grayscale);
        let samples: Vec<u8> = (0..48 * 24).map(sample).collect();
        encoder.write_header().unwrap().write_image_data(&samples).unwrap();
        bytes
    }

    fn files(list: &str, pictures: &[(&str, Vec<u8>)]) -> BTreeMap<String, Vec<u8>> {
        let pictures = pictures.iter().map(|(name, bytes)| (format!("portraits/{name}"), bytes.clone()));
        pictures.chain([("items.toml".to_owned(), list.as_bytes().to_vec())]).collect()
    }

    #[test]
    fn pictures_come_from_the_pack_and_from_what_was_fetched() {
        let striped = || png(|at| u8::try_from(at % 200).unwrap());
        let pack = files(ITEMS, &[]);
        let data = files("", &[("axe.png", striped()), ("axe@alt.png", striped()), ("other.png", vec![1])]);
        let set = Set::load(&raw("https://host/{file}.png"), &pack, &data).unwrap();
        assert_eq!((set.pictures(), set.missing(), set.items.len()), (2, 1, 2));
        assert_eq!(set.items[0].fields.get("hero_id"), Some(&2.into()));
        assert!(!set.items[0].fields.contains_key("variants"));
        assert_eq!(set.fine.len(), 2 * FINE_LEN);
        assert_eq!(set.coarse.len(), 2 * COARSE_LEN);
    }

    #[test]
    fn what_is_to_be_fetched_is_named_with_its_checksum() {
        let mut pack = files(ITEMS, &[]);
        let sum = "ab".repeat(32);
        pack.insert("sums.txt".to_owned(), format!("{sum}  axe.png\n").into_bytes());
        let raw = raw("https://host/{tag}/{file}.png");
        let wanted = |url: &str, pack: &BTreeMap<String, Vec<u8>>| {
            let set = Set::load(&raw, pack, &BTreeMap::new()).unwrap();
            let fetch = raw::Fetch { url: url.to_owned(), checksums: Some("sums.txt".to_owned()) };
            set.wanted(&raw, &fetch, pack)
        };
        let found = wanted("https://host/{tag}/{file}.png", &pack).unwrap();
        let expected = [
            ("portraits/axe.png", "https://host/axe/axe.png"),
            ("portraits/axe@alt.png", "https://host/axe/axe_alt.png"),
            ("portraits/lina.png", "https://host/lina/lina.png"),
        ];
        assert_eq!(found.files, expected.map(|(to, from)| (to.to_owned(), from.to_owned())));
        assert_eq!(found.checksums["portraits/axe.png"], sum);
        for url in ["file:///etc/{file}", "https://host/all.png"] {
            assert!(wanted(url, &pack).is_err(), "{url}");
        }
        pack.insert("sums.txt".to_owned(), b"12  axe.png".to_vec());
        assert!(wanted("https://host/{file}", &pack).unwrap_err().contains("line 1"));
    }

    #[test]
    fn bad_lists_and_pictures_are_refused_by_name() {
        let refused = |list: &str, pictures: &[(&str, Vec<u8>)], part: &str| {
            let message =
                Set::load(&raw("https://h/{file}"), &files(list, pictures), &BTreeMap::new()).unwrap_err();
            assert!(message.contains(part), "{message}");
        };
        refused("", &[], "[[item]]");
        refused("[[item]]\ntag = 3", &[], "line 2");
        refused("[[item]]\ntag = '../axe'", &[], "../axe");
        refused("[[item]]\ntag = 'a'\n[[item]]\ntag = 'a'", &[], "two items");
        refused(ITEMS, &[("axe.png", b"no picture".to_vec())], "axe.png: is no PNG");
        refused(ITEMS, &[("axe.png", png(|_| 77))], "one brightness");
        let whole = png(|at| u8::try_from(at % 200).unwrap());
        refused(ITEMS, &[("axe.png", whole[..whole.len() / 2].to_vec())], "axe.png: is a broken PNG");
        let outside = raw::Set { crop: [0.5, 0.0, 0.6, 1.0], ..raw("https://h/{file}") };
        assert!(Set::load(&outside, &files(ITEMS, &[]), &BTreeMap::new()).unwrap_err().contains("crop"));
    }
}
