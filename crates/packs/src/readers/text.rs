//! A line of text: by the shapes of its digits where that is sure, else by OCR (Tesseract, in process).
//!
//! Digits of few pixels are read by laying shapes over them ([`super::fit`]), and those of fewest in no other way.
//! A box is cut out, made letters on nothing, and freed of what is no letter. Digits are compared with common fonts first:
//! that costs a fraction of a millisecond and is most often sure. What is not goes to OCR, whose own confidence says
//! little: what two ways of reading agree on is believed. Letters that the box cuts through are not read at all.

use std::borrow::Cow;
use std::ffi::{CStr, CString};

use pixels::{I420, Plane, Quad};
use regex_lite::Regex;
use tesseract::PageSegMode;
use tesseract::plumbing::TessBaseApi;

use super::blobs::Letters;
use super::fit::{self, Found};
use super::glyphs::Spelled;
use super::{Line, crop, numerals, one_thread};
use crate::raw;

/// Around the line, in samples: letters at the very edge are lost.
const BORDER: u32 = 12;
/// What the box may be brought to before it is read, in lines.
const HEIGHTS: std::ops::RangeInclusive<u32> = 24..=128;
/// The most letters of a charset.
const MOST_LETTERS: usize = 256;
/// Shapes so alike, with the next best so far off, are believed without OCR; of what is just above it 1 in 600 is wrong.
const SURE: (f32, f32) = (0.75, 0.04);
/// How sure the reader is of what is just above it, and how much more for each hundredth more alike.
const CONFIDENCE: (f32, f32) = (0.85, 0.5);
/// Shapes less alike are of a font that is not known, and say nothing against OCR.
const ALIKE: f32 = 0.8;
/// OCR that is surer is believed alone.
const SURE_OCR: f32 = 0.85;

/// Handles of the OCR engine, kept by a thread.
///
/// Made when first needed (some 90 ms, and 15 MB), because most lines of digits need none. It may be sent to another thread but
/// belongs to one at a time: each that reads has its own.
#[derive(Default)]
pub struct Engine {
    state: State,
}

#[derive(Default)]
enum State {
    #[default]
    Untried,
    Ready(TessBaseApi),
    Broken(Broken),
}

/// Why there is no OCR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error(
        "Tesseract has no English letters: install tesseract-ocr-eng, or let TESSDATA_PREFIX name the folder of eng.traineddata"
    )]
    NoLetters,
    #[error("this version of Tesseract has no setting {0}")]
    Setting(&'static str),
}

impl Engine {
    /// Starts the engine if it is not, and says what keeps it from reading. Text readers then give nothing but sure digits.
    ///
    /// # Errors
    /// As [`Broken`] says; asked once, then remembered.
    pub fn ready(&mut self) -> Result<(), Broken> {
        self.api().map(|_| ())
    }

    fn api(&mut self) -> Result<&mut TessBaseApi, Broken> {
        if matches!(self.state, State::Untried) {
            self.state = match start(None) {
                Ok(api) => State::Ready(api),
                Err(why) => State::Broken(why),
            };
        }
        match &mut self.state {
            State::Ready(api) => Ok(api),
            State::Broken(why) => Err(*why),
            State::Untried => Err(Broken::NoLetters),
        }
    }
}

fn start(folder: Option<&CStr>) -> Result<TessBaseApi, Broken> {
    /// Only the network of lines; the older engine is not in the packages of today.
    const LINES_ONLY: u32 = 1;
    let mut api = TessBaseApi::create();
    api.init_4(folder, Some(c"eng"), LINES_ONLY).map_err(|_| Broken::NoLetters)?;
    // Words seen before must not sway the next stream's.
    for (name, value) in [(c"tessedit_enable_doc_dict", c"0"), (c"user_defined_dpi", c"150")] {
        api.set_variable(name, value).map_err(|_| Broken::Setting(name.to_str().unwrap_or_default()))?;
    }
    api.set_page_seg_mode(PageSegMode::PsmSingleLine.as_tess_page_seg_mode());
    Ok(api)
}

/// What one box showed before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    place: Option<fit::Place>,
}

/// The reader.
#[derive(Debug)]
pub struct Text {
    charset: CString,
    /// Whether all letters of the charset have known shapes.
    digits: bool,
    /// Forms of lines of small letters.
    forms: fit::Forms,
    pattern: Option<Regex>,
    polarity: raw::Polarity,
    height: u32,
    min_confidence: f32,
}

impl Text {
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(raw: &raw::Text) -> Result<Self, String> {
        let charset = raw.charset.as_deref().unwrap_or_default();
        if charset.chars().count() > MOST_LETTERS {
            return Err(format!("charset has more than {MOST_LETTERS} letters"));
        }
        if !HEIGHTS.contains(&raw.height) {
            let (least, most) = (HEIGHTS.start(), HEIGHTS.end());
            return Err(format!("height is {}; {least} to {most} lines are allowed", raw.height));
        }
        let digits = !charset.is_empty() && charset.chars().all(|c| c == ' ' || numerals::KNOWN.contains(c));
        let pattern = raw.pattern.as_ref().map(|pattern| Regex::new(&format!("^(?:{pattern})$")));
        let pattern = pattern.transpose().map_err(|e| format!("pattern: {e}"))?;
        let marks: Vec<char> = if digits {
            charset.chars().filter(|c| !c.is_ascii_digit() && *c != ' ').collect()
        } else {
            Vec::new()
        };
        let matches = |text: &str| digits && pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        Ok(Self {
            forms: fit::Forms::new(&marks, &matches),
            digits,
            charset: CString::new(charset).map_err(|_| "charset has a letter 0".to_owned())?,
            pattern,
            polarity: raw.polarity,
            height: raw.height,
            min_confidence: raw.min_confidence,
        })
    }

    /// What the box says; `None` for nothing, nothing legible or nothing sure.
    pub fn read(
        &self,
        picture: &I420,
        quad: &Quad,
        memory: &mut Memory,
        engine: &mut Engine,
    ) -> Option<Line> {
        let found = self.fit(picture, quad, memory);
        if let Found::Small { fitted: Some(fitted), .. } = &found
            && fitted.is_sure()
        {
            memory.place = Some(fitted.place);
            return self.enough(Line { text: fitted.text.clone(), confidence: fitted.confidence() });
        }
        if matches!(found, Found::Small { tiny: true, .. }) {
            return None;
        }
        let line = self.read_large(picture, quad, engine)?;
        let Found::Small { fitted: Some(fitted), .. } = found else { return Some(line) };
        (!fitted.counts() || like(&fitted.text, &line.text)).then_some(line)
    }

    /// By laying shapes over small letters, if the charset allows.
    fn fit(&self, picture: &I420, quad: &Quad, memory: &Memory) -> Found {
        if !self.digits {
            return Found::Nothing;
        }
        let charset = self.charset.to_string_lossy();
        let wanted = fit::Wanted {
            fonts: numerals::fonts(),
            polarity: self.polarity,
            forms: &self.forms,
            allowed: &|letter| charset.contains(letter),
            matches: &|text| self.matches(text),
        };
        fit::read(picture, quad, &wanted, memory.place)
    }

    /// By parting ink from ground: for letters that have some pixels of either.
    fn read_large(&self, picture: &I420, quad: &Quad, engine: &mut Engine) -> Option<Line> {
        let mut whole = crop::stretched(picture, quad, self.height)?;
        crop::to_ink(&mut whole, self.polarity);
        let middle = crop::otsu(&whole);
        let mut first = None;
        // Thin strokes of few lines are fainter than what parts ink from ground best.
        for level in [middle, middle / 8 * 5] {
            let mut ink = whole.clone();
            let Some(letters) = Letters::find(&mut ink, level) else { continue };
            if letters.cut {
                break;
            }
            let spelled = self.spell(&ink, &letters);
            if let Some(spelled) = spelled.as_ref().filter(|spelled| sure(spelled)) {
                let confidence = CONFIDENCE.0 + (spelled.score - SURE.0) * CONFIDENCE.1;
                return self.enough(Line { text: spelled.text.clone(), confidence: confidence.min(0.99) });
            }
            first.get_or_insert((ink, letters, spelled));
            if !self.digits {
                break;
            }
        }
        let (ink, letters, spelled) = first?;
        let line = self.recognise(&ink, &letters, spelled.as_ref(), engine)?;
        self.enough(line)
    }

    fn enough(&self, line: Line) -> Option<Line> {
        (line.confidence >= self.min_confidence).then_some(line)
    }

    /// By shapes, if the charset allows and the text looks like the pattern.
    fn spell(&self, ink: &Plane, letters: &Letters) -> Option<Spelled> {
        if !self.digits {
            return None;
        }
        let charset = self.charset.to_string_lossy();
        let spelled = numerals::bank().spell(ink, letters, |letter| charset.contains(letter))?;
        self.matches(&spelled.text).then_some(spelled)
    }

    fn matches(&self, text: &str) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    /// By OCR, of the line as it is and then smaller; at most three tries.
    fn recognise(
        &self,
        ink: &Plane,
        letters: &Letters,
        spelled: Option<&Spelled>,
        engine: &mut Engine,
    ) -> Option<Line> {
        let api = engine.api().ok()?;
        let line = letters.line(ink, BORDER);
        let count = letters.columns().len();
        let mut tried: Vec<Line> = Vec::new();
        for part in [15, 10, 12] {
            let read = ocr(api, &shrunk(&line, part), &self.charset);
            let Some(read) = read.filter(|read| self.matches(&read.text)) else { continue };
            let same = spelled.is_some_and(|spelled| like(&spelled.text, &read.text))
                || tried.iter().any(|before| before.text == read.text);
            if same {
                return Some(Line { confidence: read.confidence.max(0.9), ..read });
            }
            let against = spelled.is_some_and(|spelled| spelled.score >= ALIKE);
            if read.confidence >= SURE_OCR && !against && fits(&read.text, count) {
                return Some(read);
            }
            tried.push(read);
        }
        // Nothing agrees with it.
        let best = tried.into_iter().max_by(|a, b| a.confidence.total_cmp(&b.confidence))?;
        Some(Line { confidence: best.confidence / 2.0, ..best })
    }
}

/// Alike enough, and the less alike the further off the next best must be.
fn sure(spelled: &Spelled) -> bool {
    spelled.score >= SURE.0 && spelled.margin >= SURE.1 && spelled.score + 2.0 * spelled.margin >= 0.95
}

/// Shapes know no spaces.
fn like(spelled: &str, read: &str) -> bool {
    spelled.chars().eq(read.chars().filter(|letter| *letter != ' '))
}

/// Whether so many letters can be in so many columns: letters may touch, but none goes unread.
fn fits(text: &str, columns: usize) -> bool {
    let letters = text.chars().filter(|letter| !letter.is_whitespace()).count();
    letters >= columns && letters <= columns * 2 + 1
}

/// At so many fifteenths of its size.
#[expect(clippy::cast_precision_loss, reason = "sides of a crop are far below 2^24")]
fn shrunk(line: &Plane, part: u32) -> Cow<'_, Plane> {
    if part == 15 {
        return Cow::Borrowed(line);
    }
    let whole = Quad { x: 0.0, y: 0.0, width: line.width as f32, height: line.height as f32, slant: 0.0 };
    let side = |side: u32| (side * part).div_ceil(15);
    Cow::Owned(crop::upright(line, &whole, side(line.width), side(line.height)))
}

/// Dark letters on white, one line.
#[expect(clippy::cast_precision_loss, reason = "0 to 100")]
fn ocr(api: &mut TessBaseApi, line: &Plane, charset: &CStr) -> Option<Line> {
    one_thread::keep();
    let page: Vec<u8> = line.data.iter().map(|ink| 255 - ink).collect();
    let (width, height) = (i32::try_from(line.width).ok()?, i32::try_from(line.height).ok()?);
    api.set_variable(c"tessedit_char_whitelist", charset).ok()?;
    api.set_image(&page, width, height, 1, width).ok()?;
    api.recognize().ok()?;
    let text = api.get_utf8_text().ok()?.as_ref().to_string_lossy().trim().to_owned();
    let confidence = api.mean_text_conf().clamp(0, 100) as f32 / 100.0;
    (!text.is_empty()).then_some(Line { text, confidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use pixels::{Matrix, Range};

    /// A picture with a line of the shapes that are known, in the cells of `numerals.png`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
    fn picture(text: &str, ground: u8, ink: u8) -> I420 {
        let mut picture = I420::new(400, 60, Range::Full, Matrix::Bt601);
        picture.y.fill(ground);
        for (cell, letter) in (0..).zip(text.chars()) {
            let shape = numerals::cell(1, letter);
            for y in 0..shape.height {
                let line = &mut picture.y.row_mut(y + 6)[20 + cell * 40..];
                for (to, part) in line.iter_mut().zip(shape.row(y)) {
                    let part = f32::from(*part) / 255.0;
                    *to = (f32::from(ground) * (1.0 - part) + f32::from(ink) * part) as u8;
                }
            }
        }
        picture
    }

    fn reader(charset: &str, pattern: &str, polarity: raw::Polarity) -> Text {
        let (charset, pattern) = (Some(charset.to_owned()), Some(pattern.to_owned()));
        let values = std::collections::BTreeMap::new();
        Text::new(&raw::Text { charset, pattern, values, polarity, height: 48, min_confidence: 0.5 }).unwrap()
    }

    const WHOLE: Quad = Quad { x: 2.0, y: 2.0, width: 390.0, height: 56.0, slant: 0.0 };

    #[test]
    fn digits_are_read_bright_or_dark_and_only_of_the_pattern() {
        let mut engine = Engine::default();
        for (ground, ink) in [(20, 220), (230, 30), (90, 140)] {
            for polarity in
                [raw::Polarity::Auto, if ink > ground { raw::Polarity::Light } else { raw::Polarity::Dark }]
            {
                let line = reader("0123456789:", r"\d\d:\d\d", polarity).read(
                    &picture("45:12", ground, ink),
                    &WHOLE,
                    &mut Memory::default(),
                    &mut engine,
                );
                let line = line.unwrap_or_else(|| panic!("{ground} {ink} {polarity:?}"));
                assert_eq!(line.text, "45:12");
                assert!(line.confidence > 0.8);
            }
        }
        let other = reader("0123456789:", r"\d-\d", raw::Polarity::Auto);
        assert_eq!(other.read(&picture("45:12", 20, 220), &WHOLE, &mut Memory::default(), &mut engine), None);
    }

    #[test]
    fn digits_of_few_pixels_are_read_without_ocr_and_those_of_fewer_not_at_all() {
        let mut engine = Engine::default();
        let clock = reader("0123456789:-", r"-?\d{1,2}:[0-5]\d", raw::Polarity::Auto);
        let mut memory = Memory::default();
        for text in ["45:12", "0:38", "-1:07", "26:59", "08:34"] {
            for (ground, ink) in [(20, 235), (225, 40)] {
                let large = picture(text, ground, ink);
                // Digits of 40 lines become such of 8 to 4.
                for part in [5, 6, 8, 10] {
                    let small = pixels::scale(&large, 400 / part, 60 / part);
                    let sides = [40.0 / 5.0, 400.0, 60.0].map(|side| side / part as f32);
                    let quad = Quad {
                        x: sides[0],
                        y: 0.0,
                        width: sides[1] - 2.0 * sides[0],
                        height: sides[2],
                        slant: 0.0,
                    };
                    let line = clock.read(&small, &quad, &mut memory, &mut engine);
                    let line = line.unwrap_or_else(|| panic!("{text} on {ground}, a part of {part}"));
                    assert_eq!(line.text, text, "on {ground}, a part of {part}");
                    assert!(line.confidence > 0.8);
                }
                let tiny = pixels::scale(&large, 400 / 16, 60 / 16);
                let quad = Quad { x: 0.0, y: 0.0, width: 25.0, height: 3.0, slant: 0.0 };
                assert_eq!(clock.read(&tiny, &quad, &mut memory, &mut engine), None);
            }
        }
        assert!(matches!(engine.state, State::Untried), "nothing of it needed OCR");
    }

    #[test]
    fn nothing_is_read_where_nothing_can_be() {
        let mut engine = Engine::default();
        let reader = reader("0123456789:", r"\d*:?\d*", raw::Polarity::Auto);
        let whole = picture("45:12", 20, 220);
        assert_eq!(
            reader.read(&picture("", 20, 220), &WHOLE, &mut Memory::default(), &mut engine),
            None,
            "flat"
        );
        assert_eq!(
            reader.read(&picture("45:12", 20, 40), &WHOLE, &mut Memory::default(), &mut engine),
            None,
            "no contrast"
        );
        let cases = [
            ("reaches out", Quad { x: 100.0, ..WHOLE }),
            ("outside", Quad { x: -500.0, ..WHOLE }),
            ("cuts a letter", Quad { x: 42.0, width: 340.0, ..WHOLE }),
            ("too small", Quad { height: 4.0, ..WHOLE }),
            ("no number", Quad { y: f32::NAN, ..WHOLE }),
            ("no end", Quad { width: f32::INFINITY, ..WHOLE }),
            ("no height", Quad { height: 0.0, ..WHOLE }),
        ];
        for (what, quad) in cases {
            assert_eq!(reader.read(&whole, &quad, &mut Memory::default(), &mut engine), None, "{what}");
        }
        let tiny = I420::new(1, 1, Range::Full, Matrix::Bt601);
        assert_eq!(reader.read(&tiny, &WHOLE, &mut Memory::default(), &mut engine), None);
        assert!(matches!(engine.state, State::Untried), "nothing of it needed OCR");
    }

    #[test]
    fn words_are_read_by_ocr_and_without_it_its_state_says_why() {
        let broken = start(Some(c"/nonexistent")).err();
        assert_eq!(broken, Some(Broken::NoLetters));
        let mut engine = Engine { state: State::Broken(Broken::NoLetters) };
        assert_eq!(engine.ready(), Err(Broken::NoLetters));
        let digits = reader("0123456789:", r"\d\d:\d\d", raw::Polarity::Auto);
        let picture = picture("45:12", 20, 220);
        assert!(
            digits.read(&picture, &WHOLE, &mut Memory::default(), &mut engine).is_some(),
            "sure digits need none"
        );
        let any = reader("", ".+", raw::Polarity::Auto);
        assert_eq!(any.read(&picture, &WHOLE, &mut Memory::default(), &mut engine), None);
        let mut engine = Engine::default();
        engine.ready().unwrap();
        let line = any.read(&picture, &WHOLE, &mut Memory::default(), &mut engine).unwrap();
        assert_eq!(line.text, "45:12");
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let raw = |charset: &str, pattern: &str, height| raw::Text {
            charset: Some(charset.to_owned()),
            pattern: Some(pattern.to_owned()),
            values: std::collections::BTreeMap::new(),
            polarity: raw::Polarity::Auto,
            height,
            min_confidence: 0.5,
        };
        for (charset, pattern, height, word) in [
            ("0\0", ".", 48, "charset"),
            ("0", "(", 48, "pattern"),
            ("0", ".", 4000, "24 to 128"),
            ("0", ".", 2, "height"),
        ] {
            let wrong = Text::new(&raw(charset, pattern, height)).unwrap_err();
            assert!(wrong.contains(word), "{wrong}");
        }
        assert!(Text::new(&raw(&"0".repeat(300), ".", 48)).is_err());
    }
}
