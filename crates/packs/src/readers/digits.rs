//! Letters of a font that is always the same.
//!
//! Called by the session. The font is learned from a few labelled crops; a line is then the row of learned glyphs that explains
//! its ink best, touching ones too. No OCR.

use std::sync::Arc;

use pixels::{I420, Quad};
use regex_lite::Regex;

use super::blobs::Letters;
use super::glyphs::{Bank, Glyph, Spelled};
use super::{Line, crop};
use crate::files::Files;
use crate::{picture, raw};

/// Lines a box is brought to.
const HEIGHT: u32 = 48;
/// Crops of a font and the bytes of each, at most.
const MOST_CROPS: usize = 256;
const MOST_BYTES: usize = 1 << 20;
/// How much wider or narrower than learned a glyph may be, and how far off its place on the line.
const SLACK: f32 = 1.25;
const SHIFT: f32 = 0.08;
/// With the next best glyph nearer than this, the line is less sure.
const MARGIN: f32 = 0.06;

/// The letters of a font, learned from labelled crops.
#[derive(Debug)]
pub struct Font {
    bank: Bank,
}

impl Font {
    /// # Errors
    /// What is wrong with the crops.
    pub fn load(raw: &raw::Font, files: &dyn Files) -> Result<Self, String> {
        let names: Vec<String> =
            files.list(&raw.folder).into_iter().filter(|name| name.ends_with(".png")).collect();
        if names.is_empty() || names.len() > MOST_CROPS {
            return Err(format!("{:?} has {} PNG crops; 1 to {MOST_CROPS} can be", raw.folder, names.len()));
        }
        let mut bank = Bank::default();
        for name in names {
            let learned = files.read(&name).and_then(|bytes| learn(&name, &bytes));
            bank.glyphs.extend(learned.map_err(|e| format!("{name}: {e}"))?);
        }
        Ok(Self { bank })
    }

    fn knows(&self, letter: char) -> bool {
        self.bank.glyphs.iter().any(|glyph| glyph.letter == letter)
    }
}

/// What a crop says by its name: `45;12_b.png` is `45:12`.
fn label(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".png");
    let text = file.split('_').next().unwrap_or(file);
    text.chars().filter(|letter| !letter.is_whitespace()).map(|c| if c == ';' { ':' } else { c }).collect()
}

fn learn(name: &str, bytes: &[u8]) -> Result<Vec<Glyph>, String> {
    if bytes.len() > MOST_BYTES {
        return Err(format!("has {} bytes; {MOST_BYTES} are the most", bytes.len()));
    }
    let text = label(name);
    if text.is_empty() {
        return Err("its name says no text".to_owned());
    }
    let picture = picture::from_png(bytes)?;
    let mut ink = crop::stretched(&picture, &whole(&picture), HEIGHT)
        .ok_or("is too small, or has nothing in it that stands out")?;
    crop::to_ink(&mut ink, raw::Polarity::Auto);
    let level = crop::otsu(&ink);
    let letters = Letters::find(&mut ink, level).ok_or("has no letters in it, or they touch its edge")?;
    let columns = letters.columns();
    if letters.cut || columns.len() != text.chars().count() {
        return Err(format!(
            "has {} letters side by side, its name {}; each must stand apart, and away from the edge",
            columns.len(),
            text.chars().count()
        ));
    }
    let glyph = |(letter, columns)| Glyph::learn(letter, &ink, &letters, columns, SLACK, SHIFT);
    Ok(text.chars().zip(columns).filter_map(glyph).collect())
}

#[expect(clippy::cast_precision_loss, reason = "sides of pictures are far below 2^24")]
fn whole(picture: &I420) -> Quad {
    Quad { x: 0.0, y: 0.0, width: picture.width as f32, height: picture.height as f32, slant: 0.0 }
}

/// The reader.
#[derive(Debug)]
pub struct Digits {
    font: Arc<Font>,
    pattern: Option<Regex>,
    polarity: raw::Polarity,
    min_score: f32,
}

impl Digits {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Digits, font: Arc<Font>) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&raw.min_score) {
            return Err("min_score is 0 to 1".to_owned());
        }
        let missing: String = ('0'..='9').filter(|digit| !font.knows(*digit)).collect();
        if !missing.is_empty() {
            return Err(format!("font {:?} has no crop with {missing:?}", raw.font));
        }
        let pattern = raw.pattern.as_ref().map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
        let pattern = pattern.transpose().map_err(|e| format!("pattern: {e}"))?;
        Ok(Self { font, pattern, polarity: raw.polarity, min_score: raw.min_score })
    }

    /// What the box says, as sure as its least sure letter; `None` for nothing, or for letters of another font.
    #[must_use]
    pub fn read(&self, picture: &I420, quad: &Quad) -> Option<Line> {
        let mut whole = crop::stretched(picture, quad, HEIGHT)?;
        crop::to_ink(&mut whole, self.polarity);
        let middle = crop::otsu(&whole);
        // Thin strokes of few lines are fainter than what parts ink from ground best.
        for level in [middle, middle / 8 * 5] {
            let mut ink = whole.clone();
            let Some(letters) = Letters::find(&mut ink, level) else { continue };
            if letters.cut {
                break;
            }
            let spelled = self.font.bank.spell(&ink, &letters, |_| true);
            if let Some(spelled) = spelled.filter(|spelled| self.fits(spelled)) {
                let doubt = (spelled.margin / MARGIN).clamp(0.5, 1.0);
                return Some(Line { text: spelled.text, confidence: spelled.score.min(1.0) * doubt });
            }
        }
        None
    }

    fn fits(&self, spelled: &Spelled) -> bool {
        spelled.score >= self.min_score
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(&spelled.text))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::numerals;
    use super::*;
    use pixels::{Matrix, Range};

    /// Letters of a known font side by side, grey.
    fn drawn(text: &str, apart: usize) -> I420 {
        let count = u32::try_from(text.chars().count() * apart + 20).unwrap();
        let mut picture = I420::new(count, 60, Range::Full, Matrix::Bt601);
        picture.y.fill(30);
        for (place, letter) in (0..).zip(text.chars()) {
            let cell = numerals::cell(3, letter);
            for y in 0..cell.height {
                let line = &mut picture.y.row_mut(y + 6)[5 + place * apart..];
                for (to, ink) in line.iter_mut().zip(cell.row(y)) {
                    *to = (*to).max(30 + ink / 255 * 180);
                }
            }
        }
        picture
    }

    fn png(picture: &I420) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&picture.y.data).unwrap();
        bytes
    }

    fn font() -> Arc<Font> {
        let crops = [("font/012;34_a.png", "012:34"), ("font/56789-.png", "56789-"), ("font/5.png", "5")];
        let files: BTreeMap<String, Vec<u8>> =
            crops.map(|(name, text)| (name.to_owned(), png(&drawn(text, 42)))).into();
        Arc::new(Font::load(&raw::Font { folder: "font".to_owned() }, &files).unwrap())
    }

    fn reader(pattern: Option<&str>) -> Digits {
        let raw = raw::Digits {
            font: "font".to_owned(),
            pattern: pattern.map(str::to_owned),
            values: BTreeMap::new(),
            polarity: raw::Polarity::Auto,
            min_score: 0.7,
        };
        Digits::new(&raw, font()).unwrap()
    }

    #[test]
    fn learned_digits_are_read_large_and_small_and_when_they_touch() {
        for (text, apart) in [("45:12", 42), ("7-10", 42), ("90:00", 38), ("8", 42), ("886", 36)] {
            let large = drawn(text, apart);
            let small = pixels::scale(&large, large.width / 5, large.height / 5);
            for picture in [large, small] {
                let line = reader(None).read(&picture, &whole(&picture));
                let line = line.unwrap_or_else(|| panic!("{text} at {} lines", picture.height));
                assert_eq!(line.text, text, "at {} lines", picture.height);
                assert!(line.confidence > 0.5, "{text} {}", line.confidence);
            }
        }
    }

    #[test]
    fn another_shape_another_pattern_and_an_empty_box_are_nothing() {
        let picture = drawn("45:12", 42);
        assert_eq!(reader(Some(r"\d-\d")).read(&picture, &whole(&picture)), None);
        let empty = drawn("", 42);
        assert_eq!(reader(None).read(&empty, &whole(&empty)), None);
        let mut bars = drawn("", 42);
        bars = I420 { ..bars };
        bars.reshape(200, 60);
        for y in 10..50 {
            for x in [20, 34, 60, 81] {
                bars.y.row_mut(y)[x..x + 30].iter_mut().step_by(3).for_each(|s| *s = 220);
            }
        }
        assert_eq!(reader(None).read(&bars, &whole(&bars)), None);
        assert_eq!(reader(None).read(&picture, &Quad { x: 30.0, ..whole(&picture) }), None, "reaches out");
    }

    #[test]
    fn crops_that_teach_nothing_are_refused_by_name() {
        let load = |name: &str, bytes: Vec<u8>| {
            let files = BTreeMap::from([(name.to_owned(), bytes)]);
            Font::load(&raw::Font { folder: "f".to_owned() }, &files).unwrap_err()
        };
        let cases = [
            ("f/12.png", png(&drawn("123", 42)), "3 letters side by side, its name 2"),
            ("f/12.png", png(&drawn("", 42)), "stands out"),
            ("f/12.png", vec![1, 2, 3], "f/12.png: "),
            ("f/_x.png", png(&drawn("1", 42)), "no text"),
            ("g/1.png", png(&drawn("1", 42)), "0 PNG crops"),
        ];
        for (name, bytes, says) in cases {
            let wrong = load(name, bytes);
            assert!(wrong.contains(says), "{wrong}");
        }
        let files = BTreeMap::from([("f/1.png".to_owned(), png(&drawn("1", 42)))]);
        let font = Arc::new(Font::load(&raw::Font { folder: "f".to_owned() }, &files).unwrap());
        let raw = raw::Digits {
            font: "f".to_owned(),
            pattern: None,
            values: BTreeMap::new(),
            polarity: raw::Polarity::Auto,
            min_score: 0.7,
        };
        assert!(Digits::new(&raw, font).unwrap_err().contains("023456789"));
    }
}
