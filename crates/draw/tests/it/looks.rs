//! How texts, shapes, cards, chats and tickers look. Only the font that comes along is used.

use draw::chat::Message;
use draw::{Bitmap, Drawn, Fonts, Painter};
use scene::content::{
    Card, Chat, Circle, Ellipse, Line, Newest, PathShape, Polygon, Rectangle, Shape, TextContent, Ticker,
};
use scene::style::{
    Align, FontStyle, Gradient, GradientKind, LineCap, LineJoin, Shadow, ShapeStyle, Stop, TextStyle,
};
use scene::{Color, Point};

use crate::golden::check;

pub(crate) fn color(text: &str) -> Color {
    Color::parse(text).unwrap()
}

fn stops(colours: &[&str]) -> Vec<Stop> {
    let last = (colours.len() - 1) as f64;
    let stop = |(index, text): (usize, &&str)| Stop { offset: index as f64 / last, color: color(text) };
    colours.iter().enumerate().map(stop).collect()
}

fn linear(angle: f64, colours: &[&str]) -> Option<Gradient> {
    Some(Gradient { kind: GradientKind::Linear, angle, colors: stops(colours) })
}

fn radial(colours: &[&str]) -> Option<Gradient> {
    Some(Gradient { kind: GradientKind::Radial, angle: 0.0, colors: stops(colours) })
}

pub(crate) fn text(text: &str, style: TextStyle) -> TextContent {
    TextContent { text: text.to_owned(), style, ..TextContent::default() }
}

fn sized(font_size: f64) -> TextStyle {
    TextStyle { font_size, ..TextStyle::default() }
}

#[test]
fn text_looks_as_it_did() {
    let base = || sized(36.0);
    let bold = || TextStyle { font_weight: 700, ..base() };
    let long = "A line that is far too long for its box and has to be broken or cut somewhere";
    let wide = |align: Align| TextContent {
        max_width: Some(420.0),
        ..text(long, TextStyle { align, ..sized(24.0) })
    };
    let cases = [
        ("text-plain", text("Bid 3 ETH ÄÖÜ ßçñ", base())),
        ("text-bold", text("Bid 3 ETH", bold())),
        ("text-italic", text("Slanted, by itself", TextStyle { font_style: FontStyle::Italic, ..base() })),
        (
            "text-stroke",
            text(
                "Outlined",
                TextStyle { stroke_width: 6.0, stroke_color: color("#c00"), font_weight: 700, ..sized(56.0) },
            ),
        ),
        (
            "text-shadow",
            text(
                "Shadow",
                TextStyle {
                    shadow: Some(Shadow { color: color("#000c"), blur: 8.0, offset_x: 6.0, offset_y: 6.0 }),
                    ..bold()
                },
            ),
        ),
        (
            "text-gradient",
            text("Gradient", TextStyle { gradient: linear(90.0, &["#ff0", "#f0f", "#0ff"]), ..bold() }),
        ),
        ("text-translucent", text("See through", TextStyle { color: color("#fff8"), ..bold() })),
        ("text-spacing", text("SPACED", TextStyle { letter_spacing: 12.0, ..base() })),
        ("text-line-height", text("one\ntwo\nthree", TextStyle { line_height: 0.9, ..base() })),
        ("text-arabic", text("مرحبا بالعالم 123 abc", base())),
        ("text-hebrew-mixed", text("abc שלום (עולם) def", base())),
        ("text-greek-cyrillic", text("Καλημέρα Привет ăếộ", base())),
        ("text-combining", text("e\u{301}a\u{308}o\u{302}\u{323} Z\u{304} \u{5e9}\u{5c1}\u{5b8}", base())),
        ("text-symbols", text("→ ★ ☃ ♥ ½ ∑ ☺ \u{1f600}", base())),
        ("text-wrapped", wide(Align::Left)),
        ("text-centered", wide(Align::Center)),
        ("text-right", wide(Align::Right)),
        ("text-justified", wide(Align::Justify)),
        ("text-centered-alone", text("wide line here\nshort", TextStyle { align: Align::Center, ..base() })),
        (
            "text-long-word",
            TextContent { max_width: Some(260.0), ..text("Donaudampfschifffahrtsgesellschaft", sized(24.0)) },
        ),
        ("text-ellipsis", TextContent { max_lines: Some(2), ..wide(Align::Left) }),
        ("text-cut-lines", TextContent { max_lines: Some(2), ellipsis: false, ..wide(Align::Left) }),
        ("text-one-line", TextContent { wrap: false, ..wide(Align::Left) }),
        ("text-one-line-cut", TextContent { wrap: false, ellipsis: false, ..wide(Align::Left) }),
        (
            "text-arabic-ellipsis",
            TextContent {
                wrap: false,
                max_width: Some(260.0),
                ..text("مرحبا بالعالم هذا نص طويل جدا", base())
            },
        ),
        (
            "text-unknown-family",
            text("falls back", TextStyle { font_family: "No Such, 'Nor This'".to_owned(), ..base() }),
        ),
    ];
    let mut painter = Painter::new(&Fonts::new());
    for (name, content) in cases {
        check(name, &painter.text(&content).unwrap());
    }
}

#[test]
fn shapes_look_as_they_did() {
    let fill = |fill: &str| ShapeStyle { fill_color: color(fill), ..ShapeStyle::default() };
    let lined = |width: f64, stroke: &str, style: ShapeStyle| ShapeStyle {
        stroke_width: width,
        stroke_color: color(stroke),
        ..style
    };
    let points = |all: &[(f64, f64)]| all.iter().map(|&(x, y)| Point { x, y }).collect::<Vec<_>>();
    let star: Vec<(f64, f64)> = (0..10)
        .map(|at| {
            let (radius, turn) =
                (if at % 2 == 0 { 60.0 } else { 25.0 }, f64::from(at) * std::f64::consts::PI / 5.0);
            (60.0 + radius * turn.sin(), 60.0 - radius * turn.cos())
        })
        .collect();
    let cases = [
        (
            "shape-rectangle",
            Shape::Rectangle(Rectangle {
                width: 160.0,
                height: 90.0,
                style: lined(
                    1.0,
                    "#fff",
                    ShapeStyle {
                        corner_radius: 12.0,
                        gradient: linear(90.0, &["#f00", "#00f"]),
                        ..fill("#10203080")
                    },
                ),
            }),
        ),
        (
            "shape-gradient-angle",
            Shape::Rectangle(Rectangle {
                width: 160.0,
                height: 90.0,
                style: ShapeStyle { gradient: linear(45.0, &["#000", "#fff"]), ..fill("#fff") },
            }),
        ),
        (
            "shape-pill",
            Shape::Rectangle(Rectangle {
                width: 160.0,
                height: 40.0,
                style: ShapeStyle { corner_radius: 999.0, ..fill("teal") },
            }),
        ),
        ("shape-circle", Shape::Circle(Circle { radius: 50.0, style: lined(8.0, "#fc0", fill("#08f")) })),
        (
            "shape-ellipse",
            Shape::Ellipse(Ellipse {
                width: 160.0,
                height: 80.0,
                style: ShapeStyle { gradient: radial(&["#fff", "#f80", "#f800"]), ..fill("#fff") },
            }),
        ),
        (
            "shape-polygon",
            Shape::Polygon(Polygon { points: points(&star), style: lined(4.0, "#800", fill("gold")) }),
        ),
        (
            "shape-line",
            Shape::Line(Line {
                points: points(&[(10.0, 80.0), (60.0, 10.0), (110.0, 80.0), (160.0, 10.0)]),
                style: ShapeStyle {
                    line_cap: LineCap::Round,
                    line_join: LineJoin::Round,
                    ..lined(14.0, "#0c8", fill("#fff"))
                },
            }),
        ),
        (
            "shape-path",
            Shape::Path(PathShape {
                d: "M10 50 C 10 0 90 0 90 50 S 10 90 50 130 A 20 20 0 0 1 10 130 Z".to_owned(),
                style: lined(3.0, "white", fill("#f06a")),
            }),
        ),
    ];
    let mut painter = Painter::new(&Fonts::new());
    for (name, shape) in cases {
        check(name, &painter.shape(&shape).unwrap());
    }
}

/// A picture with a face to be recognised: coloured quarters and a dark middle.
pub(crate) fn picture(width: u32, height: u32) -> Bitmap {
    let mut out = Bitmap::new(width, height);
    for y in 0..height {
        for (x, pixel) in (0..width).zip(out.row_mut(y).chunks_exact_mut(4)) {
            let middle = x.abs_diff(width / 2) < width / 8 && y.abs_diff(height / 2) < height / 8;
            let colour = match (middle, x < width / 2, y < height / 2) {
                (true, _, _) => [20, 20, 20],
                (_, true, true) => [230, 60, 40],
                (_, false, true) => [40, 180, 80],
                (_, true, false) => [40, 90, 220],
                _ => [240, 200, 40],
            };
            pixel[..3].copy_from_slice(&colour);
            pixel[3] = 255;
        }
    }
    out
}

#[test]
fn cards_look_as_they_did() {
    let lines = ["Blue Hour #7", "Dawn", "by Ada", "3.2 ETH"].map(str::to_owned).to_vec();
    let card = Card {
        lines,
        width: 240.0,
        height: 300.0,
        padding: 14.0,
        title_style: TextStyle { font_weight: 700, ..sized(22.0) },
        line_style: TextStyle { color: color("#cde"), ..sized(16.0) },
        border_width: 2.0,
        shadow: Some(Shadow { color: color("#000a"), blur: 12.0, offset_x: 0.0, offset_y: 6.0 }),
        ..Card::default()
    };
    let long = Card { lines: vec!["A title that is much too long to fit".to_owned(); 20], ..card.clone() };
    let mut painter = Painter::new(&Fonts::new());
    let shown = picture(300, 200);
    check("card", &painter.card(&card, Some(&shown)).unwrap());
    check("card-without-picture", &painter.card(&card, None).unwrap());
    check("card-too-much", &painter.card(&long, Some(&shown)).unwrap());
}

#[test]
fn chats_look_as_they_did() {
    let said = |author, text, highlighted, age| Message { author, color: None, text, highlighted, age };
    let messages = [
        said("zoe", "the oldest, which no longer finds room in the box and is cut at its edge", false, 30.0),
        said("ada", "hello everybody", false, 20.0),
        Message {
            color: Some(color("#6cf")),
            ..said("bob", "a message that needs more than one line to be read", false, 10.5)
        },
        said("eve", "look at this!", true, 4.0),
        said("דנה", "שלום לכולם", false, 2.0),
        said("", "somebody joined", false, 0.0),
    ];
    let chat = Chat {
        width: 320.0,
        height: 220.0,
        background_color: color("#0008"),
        style: sized(20.0),
        ..Chat::default()
    };
    let fading = Chat { fade_after: 10.0, fade_duration: 1.0, ..chat.clone() };
    let upwards = Chat { newest: Newest::Top, ..chat.clone() };
    let mut painter = Painter::new(&Fonts::new());
    check("chat", &painter.chat(&chat, &messages).unwrap());
    check("chat-fading", &painter.chat(&fading, &messages).unwrap());
    check("chat-newest-on-top", &painter.chat(&upwards, &messages).unwrap());
}

#[test]
fn the_pieces_of_a_ticker_join_without_a_seam() {
    let style = TextStyle {
        stroke_width: 3.0,
        shadow: Some(Shadow { color: color("#000"), blur: 6.0, offset_x: 4.0, offset_y: 3.0 }),
        ..sized(40.0)
    };
    let text =
        "Breaking: a line of text that is longer than one piece, and so is drawn in several. ".repeat(4);
    let ticker = Ticker { text, style: style.clone(), ..Ticker::default() };
    let mut painter = Painter::new(&Fonts::new());
    let strip = painter.strip(&ticker).unwrap();
    assert!(strip.pieces.len() >= 3, "{}", strip.pieces.len());
    let line = ticker.text.trim().to_owned();
    let whole = painter.text(&TextContent { text: line, style, ..TextContent::default() }).unwrap();
    assert!((whole.width - strip.width).abs() < 1e-6);
    let mut joined =
        Drawn { bitmap: Bitmap::new(whole.bitmap.width(), whole.bitmap.height()), ..whole.clone() };
    for piece in &strip.pieces {
        let (x, y) = (piece.left - whole.left, piece.top - whole.top);
        for row in 0..piece.bitmap.height() {
            let target = &mut joined.bitmap.row_mut(row + y as u32)[x as usize * 4..];
            target[..piece.bitmap.width() as usize * 4].copy_from_slice(piece.bitmap.row(row));
        }
    }
    let apart = joined.bitmap.data().iter().zip(whole.bitmap.data()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart <= Some(1), "{apart:?}");
}
