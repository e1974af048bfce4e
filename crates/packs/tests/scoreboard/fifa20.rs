//! The pack of FIFA 20 on boards drawn where that game has them, in the colours of several competitions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use packs::{Pack, Read, Reading, Session, Tools, Value};

use crate::draw::{Canvas, Dice, Font, fonts};

type Rgb = [u8; 3];

/// Ground and letters of clock, names and score.
const COLORS: [[(Rgb, Rgb); 3]; 4] = [
    [([14, 14, 18], [244; 3]), ([16, 22, 44], [244; 3]), ([244; 3], [16, 22, 44])],
    [([16, 22, 44], [244; 3]), ([244; 3], [14, 14, 18]), ([16, 22, 44], [244; 3])],
    [([14, 14, 18], [244; 3]), ([14, 14, 18], [244; 3]), ([60, 64, 74], [244; 3])],
    [([60, 10, 90], [250; 3]), ([250; 3], [60, 10, 90]), ([0, 200, 120], [20, 10, 40])],
];
const TEAMS: [&str; 12] =
    ["LIV", "MCI", "FCB", "RMA", "JUV", "PSG", "BVB", "AJA", "INT", "ATM", "CHE", "TOT"];

fn pack() -> Arc<Pack> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/fifa20/pack.toml");
    let files = BTreeMap::from([("pack.toml".to_owned(), std::fs::read(path).unwrap())]);
    Arc::new(Pack::load(&files, &BTreeMap::new()).unwrap_or_else(|problems| panic!("{problems:#?}")))
}

struct Shown<'a> {
    clock: Option<&'a str>,
    score: &'a str,
    teams: [&'a str; 2],
}

/// A picture of that size whose game begins `title` lines lower. Behind it is grass with stands above.
fn draw(
    shown: &Shown<'_>,
    font: &Font,
    size: (u32, u32),
    title: u32,
    colors: usize,
    dice: &mut Dice,
) -> Canvas {
    let (width, height) = size;
    let mut canvas = Canvas::new(width, height, [58, 120, 48]);
    let k = (height - title) as f32 / 720.0;
    let top = title as f32;
    for y in (0..90).step_by(9) {
        for x in (0..400).step_by(8) {
            let grey = u8::try_from(40 + dice.below(150)).unwrap();
            let box_ = [x as f32 * k, top + y as f32 * k, 8.0 * k, 9.0 * k];
            canvas.rectangle(box_, [grey, grey / 2 + 40, grey]);
        }
    }
    canvas.rectangle([0.0, 0.0, width as f32, top], [225; 3]);
    let [clock, names, score] = COLORS[colors];
    let mut panel = |[x, y, width, height]: [f32; 4], color: Rgb| {
        canvas.rectangle([x * k, top + y * k, width * k, height * k], color);
    };
    if shown.clock.is_some() {
        panel([64.0, 38.0, 76.0, 24.0], clock.0);
    }
    panel([146.0, 38.0, 202.0, 24.0], names.0);
    panel([216.0, 38.0, 68.0, 24.0], score.0);
    panel([146.0, 38.0, 5.0, 24.0], [200, 30, 40]);
    panel([343.0, 38.0, 5.0, 24.0], [30, 60, 200]);
    let mut write = |text: &str, middle: f32, color: Rgb| {
        let high = (56.0 / font.width(text)).min(12.5);
        canvas.text(font, text, high * k, middle * k, top + 56.2 * k, color);
    };
    if let Some(text) = shown.clock {
        write(text, 102.0, clock.1);
    }
    write(shown.teams[0], 183.0, names.1);
    write(shown.score, 250.0, score.1);
    write(shown.teams[1], 312.0, names.1);
    canvas
}

fn read(canvas: &Canvas, pack: &Arc<Pack>, tools: &mut Tools, dice: &mut Dice) -> BTreeMap<String, String> {
    let quality = 50 + u8::try_from(dice.below(41)).unwrap();
    let picture = canvas.coded(quality, dice.below(5), dice);
    let outcome = Session::default().read(std::slice::from_ref(pack), &picture, tools, &|| Duration::ZERO);
    let values = outcome.reading.map(|reading| reading.values).unwrap_or_default();
    values.iter().map(|(id, read)| (id.to_string(), read.value.to_string())).collect()
}

#[test]
fn boards_in_all_colours_shapes_and_sizes_are_read() {
    let (pack, mut tools, mut dice) = (pack(), Tools::default(), Dice(20));
    let fonts = fonts();
    let mut counts: BTreeMap<(u32, &str), [u32; 3]> = BTreeMap::new();
    for number in 0..160 {
        let lines = [360, 480, 720, 1080][number % 4];
        let wide = dice.below(4) == 0;
        let size = (if wide { lines * 64 / 27 } else { lines * 16 / 9 } & !1, lines);
        let title = if dice.below(5) == 0 { lines / 30 } else { 0 };
        let clock = format!("{:02}:{:02}", dice.below(121), dice.below(60));
        let (home, away) = (dice.below(8).to_string(), dice.below(8).to_string());
        let teams = [TEAMS[dice.below(6)], TEAMS[6 + dice.below(6)]];
        let shown = Shown { clock: Some(&clock), score: &format!("{home}-{away}"), teams };
        // Names in the bold faces that boards have.
        let font = &fonts[[1, 3][dice.below(2)]];
        let canvas = draw(&shown, font, size, title, dice.below(COLORS.len()), &mut dice);
        let values = read(&canvas, &pack, &mut tools, &mut dice);
        let wanted = [("clock", &*clock), ("score.home", &home), ("score.away", &away)];
        let names = [("team.home", teams[0]), ("team.away", teams[1])];
        for (id, want) in wanted.into_iter().chain(names) {
            let got = values.get(id).map(String::as_str);
            let place = got.map_or(1, |got| if got == want { 0 } else { 2 });
            if place > 0 {
                println!("{number}: {size:?}, title {title}: {id} {want} is {got:?}");
            }
            let group = if id.starts_with("team") { "names" } else { "numbers" };
            counts.entry((lines, group)).or_default()[place] += 1;
        }
    }
    for ((lines, group), [right, not, wrong]) in counts {
        println!("{lines} lines, {group}: {right} right, {not} not read, {wrong} wrong");
        let all = right + not + wrong;
        let least = match (group, lines) {
            ("numbers", 480..) => 990,
            ("numbers", _) => 950,
            // Letters have no shapes that are known, only OCR, and only what it is sure of.
            (_, 480..) => 850,
            // Too small to tell a B from an E: not read at all.
            _ => 0,
        };
        assert!(right * 1000 >= all * least, "{lines} lines, {group}");
        assert_eq!(wrong, 0, "{lines} lines, {group}");
    }
}

#[test]
fn a_replay_without_clock_is_read_and_a_board_half_out_of_the_picture_is_not() {
    let (pack, mut tools, mut dice) = (pack(), Tools::default(), Dice(3));
    let font = &fonts()[3];
    let shown = Shown { clock: None, score: "2-1", teams: ["LIV", "ATM"] };
    let canvas = draw(&shown, font, (1280, 720), 0, 0, &mut dice);
    let values = read(&canvas, &pack, &mut tools, &mut dice);
    assert_eq!(
        (values.get("clock"), values["score.home"].as_str(), values["goals"].as_str()),
        (None, "2", "3")
    );
    for rows in [30, 50] {
        let mut torn = draw(&shown, font, (1280, 720), 0, 0, &mut dice);
        torn.data.rotate_left(1280 * 3 * rows);
        assert_eq!(read(&torn, &pack, &mut tools, &mut dice), BTreeMap::new(), "{rows} rows up");
    }
    let mut left = draw(&shown, font, (1280, 720), 0, 0, &mut dice);
    left.data.rotate_left(250 * 3);
    assert_eq!(read(&left, &pack, &mut tools, &mut dice), BTreeMap::new());
    for (what, canvas) in
        [("black", Canvas::new(1280, 720, [0; 3])), ("grey", Canvas::new(640, 360, [128; 3]))]
    {
        assert_eq!(read(&canvas, &pack, &mut tools, &mut dice), BTreeMap::new(), "{what}");
    }
}

/// What a picture of a drawn match says to whom it is read without a mistake; nothing where there is no board.
fn told(truth: &sim::hud::Truth) -> Option<Arc<Reading>> {
    let value = |id: &str, value: &serde_json::Value| {
        let text = value.as_str().unwrap_or_default();
        let clock = || text.split_once(':').map(|(minutes, seconds)| (minutes.parse(), seconds.parse()));
        let value = match (id, value.as_i64()) {
            (_, Some(number)) => Value::Int(number),
            ("clock", None) => match clock() {
                Some((Ok(minutes), Ok(seconds))) => {
                    let (minutes, seconds): (i64, i64) = (minutes, seconds);
                    Value::Clock { seconds: minutes * 60 + seconds, shown: text.into() }
                }
                _ => panic!("{text}"),
            },
            _ => Value::Text(text.into()),
        };
        (Arc::from(id), Read { value, confidence: 0.95 })
    };
    (truth.screen == "board").then(|| {
        let values = truth.values.iter().map(|(id, shown)| value(id, shown)).collect();
        Arc::new(Reading { pack: "fifa20".into(), pack_version: "1".into(), screen: "board".into(), values })
    })
}

#[test]
fn the_shortest_match_that_can_be_followed_is_told_from_kick_off_to_full_time() {
    use sim::hud::{Game, Match, Stage};
    let pack = pack();
    // As the stand-in and the demo show them, one after the other.
    for (seed, first) in (0..12).flat_map(|seed| [0, 1, 2].map(|first| (seed, first))) {
        let length = Match::FOLLOWED.as_secs();
        let script = Match::new(Game::Football, seed, Match::FOLLOWED);
        let mut state = packs::rules::State::default();
        let mut events = Vec::new();
        for second in (first..2 * length).step_by(3) {
            let truth = script.truth(Duration::from_secs(second % length), Stage::new(1280, 720));
            let at = i64::try_from(second * 1000).unwrap();
            events.extend(pack.rules.step(&mut state, told(&truth).as_ref(), at));
        }
        let kinds: Vec<&str> = events.iter().map(|event| &*event.kind).collect();
        let wanted: Vec<&str> = script.events().iter().map(|event| event.kind).collect();
        let twice: Vec<&str> = wanted.iter().chain(&wanted).copied().collect();
        // The last one's end is not seen: the film stops.
        assert!(
            kinds == twice || kinds == twice[..twice.len() - 1],
            "seed {seed}, {first}: {kinds:?} {wanted:?}"
        );
    }
}
