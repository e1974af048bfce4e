//! Drawn boards of many fonts, sizes and qualities: how many are read right, and that nothing is read of what is none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use packs::{Pack, Session, Tools};
use pixels::I420;

use crate::draw::{Canvas, Dice, Font, fonts};

/// A board as football games have it, at 1280 × 720: clock, then score, bright on dark or dark on bright.
const PACK: &str = r#"
format = 1
id = "drawn"
name = "Drawn"
version = "1.0.0"
reference = [1280, 720]

[[screen]]
id = "match"
gate = { signs = [{ kind = "luma", box = [138, 40, 12, 22], spread = [0, 40] }] }

[[screen.region]]
id = "clock"
box = [70, 39, 66, 24]
reader = { kind = "text", charset = "0123456789:", pattern = '\d{1,3}:[0-5]\d', values = { clock = "clock" } }

[[screen.region]]
id = "score"
box = [220, 39, 60, 24]
reader = { kind = "text", charset = "0123456789-", pattern = '(?<home>\d{1,2})-(?<away>\d{1,2})', values = { home = "int", away = "int" } }
"#;

fn pack() -> Arc<Pack> {
    let files = BTreeMap::from([("pack.toml".to_owned(), PACK.as_bytes().to_vec())]);
    Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap())
}

fn board(font: &Font, lines: u32, clock: &str, score: &str, bright: bool, off: f32) -> Canvas {
    let k = lines as f32 / 720.0;
    let mut canvas = Canvas::new(lines * 16 / 9, lines, [60, 110, 50]);
    let (ground, letters) =
        if bright { ([235, 235, 235], [20, 20, 25]) } else { ([25, 25, 60], [240, 240, 240]) };
    canvas.rectangle([70.0, 38.0, 280.0, 26.0].map(|v| v * k), ground);
    for (text, middle, room) in [(clock, 102.5, 62.0), (score, 250.0, 56.0)] {
        let high = (room / font.width(text)).min(13.5);
        canvas.text(font, text, high * k, (middle + off) * k, 57.5 * k, letters);
    }
    canvas
}

fn read(picture: &I420, pack: &Arc<Pack>, tools: &mut Tools) -> BTreeMap<String, String> {
    let outcome = Session::default().read(std::slice::from_ref(pack), picture, tools, &|| Duration::ZERO);
    let values = outcome.reading.map(|reading| reading.values).unwrap_or_default();
    values.iter().map(|(id, read)| (id.to_string(), read.value.to_string())).collect()
}

/// Right, not read, wrong.
type Row = [u32; 3];

#[test]
fn scores_and_clocks_of_any_font_size_and_quality_are_read() {
    let (pack, mut tools, mut dice) = (pack(), Tools::default(), Dice(88_172_645_463_325_252));
    let fonts = fonts();
    let mut table: BTreeMap<String, Row> = BTreeMap::new();
    for number in 0..480 {
        let font = &fonts[dice.below(fonts.len())];
        let lines = [360, 480, 720, 1080][number % 4];
        let clock = format!("{:02}:{:02}", dice.below(125), dice.below(60));
        let most = if dice.below(10) == 0 { 20 } else { 7 };
        let (home, away) = (dice.below(most).to_string(), dice.below(most).to_string());
        let (bright, off) = (dice.below(2) == 0, [-1.0, 0.0, 1.0][dice.below(3)]);
        let canvas = board(font, lines, &clock, &format!("{home}-{away}"), bright, off);
        let quality = 40 + u8::try_from(dice.below(51)).unwrap();
        let picture = canvas.coded(quality, dice.below(8), &mut dice);
        let values = read(&picture, &pack, &mut tools);
        for (id, want) in [("clock", &clock), ("score.home", &home), ("score.away", &away)] {
            let got = values.get(id);
            let place = got.map_or(1, |got| if got == want { 0 } else { 2 });
            if place > 0 {
                println!("{number} {} {lines} lines, quality {quality}: {id} {want} is {got:?}", font.name);
            }
            for key in [font.name.to_owned(), format!("{lines:4} lines")] {
                table.entry(key).or_default()[place] += 1;
            }
        }
    }
    let sum = |rows: &[u32]| {
        let rows = rows.iter().map(|lines| table[&format!("{lines:4} lines")]);
        rows.fold([0; 3], |sum: Row, row| [sum[0] + row[0], sum[1] + row[1], sum[2] + row[2]])
    };
    table.iter().for_each(|(key, [right, not, wrong])| {
        println!("{key}: {right} right, {not} not read, {wrong} wrong")
    });
    let ([right, not, wrong], [low, low_not, low_wrong]) = (sum(&[480, 720, 1080]), sum(&[360]));
    assert!(right * 1000 >= (right + not + wrong) * 995 && wrong == 0, "{right} {not} {wrong}");
    // Digits of six or seven lines.
    assert!(low * 100 >= (low + low_not + low_wrong) * 95 && low_wrong <= 2, "{low} {low_not} {low_wrong}");
}

#[test]
fn what_can_not_be_read_is_nothing() {
    let (pack, mut tools, mut dice) = (pack(), Tools::default(), Dice(1));
    let fonts = fonts();
    let whole = board(&fonts[1], 720, "45:12", "2-1", false, 0.0);
    assert_eq!(read(&whole.coded(80, 2, &mut dice), &pack, &mut tools)["score.home"], "2");
    let mut covered = board(&fonts[1], 720, "45:12", "2-1", false, 0.0);
    for box_ in [[84.0, 38.0, 30.0, 26.0], [240.0, 38.0, 20.0, 26.0]] {
        covered.rectangle(box_, [140, 140, 140]);
    }
    let mut faint = Canvas::new(1280, 720, [60, 110, 50]);
    faint.rectangle([70.0, 38.0, 280.0, 26.0], [25, 25, 60]);
    faint.text(&fonts[1], "45:12", 13.5, 102.5, 57.5, [40, 40, 75]);
    let cases = [
        ("covered", covered),
        ("faint", faint),
        ("moved out of the boxes", board(&fonts[1], 720, "45:12", "2-1", false, 36.0)),
        ("words", board(&fonts[1], 720, "LIVE", "NO", false, 0.0)),
        ("too small", board(&fonts[1], 100, "45:12", "2-1", false, 0.0)),
        ("black", Canvas::new(1280, 720, [0; 3])),
        ("a pixel", Canvas::new(1, 1, [90; 3])),
    ];
    for (what, canvas) in cases {
        let values = read(&canvas.coded(90, 2, &mut dice), &pack, &mut tools);
        assert_eq!(values, BTreeMap::new(), "{what}");
    }
    for number in 0..40 {
        // Stripes, checks and grain of many sizes, where the boxes are.
        let mut canvas = Canvas::new(1280, 720, [120; 3]);
        let (side, grey) = (2 + number % 13, u8::try_from(90 + number * 3).unwrap());
        for y in (36..68).step_by(side) {
            for x in (60..300).step_by(side) {
                if dice.below(2) == 0 {
                    let box_ = [x, y, side, side].map(|v| u16::try_from(v).unwrap().into());
                    canvas.rectangle(box_, [grey, 255 - grey, 40]);
                }
            }
        }
        let values = read(&canvas.coded(75, 3, &mut dice), &pack, &mut tools);
        assert_eq!(values, BTreeMap::new(), "grain {number}");
    }
}

#[test]
fn a_board_that_leaves_the_picture_is_read_as_far_as_it_is_whole() {
    let (mut tools, mut dice) = (Tools::default(), Dice(7));
    let text = PACK.replace("box = [70, 39, 66, 24]", "box = [-0.0, 39, 66, 24]");
    let files = BTreeMap::from([("pack.toml".to_owned(), text.into_bytes())]);
    let pack = Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap());
    let font = &fonts()[1];
    // The clock's first digit is left of the picture's edge.
    let mut canvas = Canvas::new(1280, 720, [25, 25, 60]);
    canvas.text(font, "145:12", 13.5, 28.0, 57.5, [240; 3]);
    canvas.text(font, "2-1", 13.5, 250.0, 57.5, [240; 3]);
    let values = read(&canvas.coded(85, 2, &mut dice), &pack, &mut tools);
    assert_eq!(values.get("clock"), None);
    assert_eq!(values["score.home"], "2");
}
