//! What drawing costs: `cargo run --release -p draw --example cost`.
//!
//! Each figure is the median of many, one thread, everything warm: ms to lay out and draw the content into a bitmap of its own.

#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program that measures and says so")]

use std::time::Instant;

use draw::{Fonts, Painter};
use scene::content::{Card, Circle, Shape, TextContent, Ticker};
use scene::style::{Shadow, ShapeStyle, TextStyle};

fn main() {
    let mut painter = Painter::new(&Fonts::with_system());
    let style = TextStyle { font_size: 56.0, font_weight: 700, ..TextStyle::default() };
    let line = |text: &str, style: &TextStyle| TextContent {
        text: text.to_owned(),
        style: style.clone(),
        ..TextContent::default()
    };
    let soft = Shadow::default();
    let stroked = TextStyle { stroke_width: 2.0, ..style.clone() };
    let shaded = TextStyle { shadow: Some(soft), ..stroked.clone() };
    let long = "The quick brown fox jumps over the lazy dog, and then some. ".repeat(10);
    let paragraph = TextContent { max_width: Some(900.0), ..line(&long, &TextStyle::default()) };
    let mut frame = 0_u32;
    let mut text = |name: &str, content: TextContent| {
        measure(name, || {
            frame += 1;
            let content =
                TextContent { text: content.text.replace('#', &frame.to_string()), ..content.clone() };
            painter.text(&content).expect("it can be drawn");
        });
    };
    text("56 px line, 24 letters", line("Bid # ETH by somebody.eth", &style));
    text("the same, stroke", line("Bid # ETH by somebody.eth", &stroked));
    text("the same, stroke and shadow", line("Bid # ETH by somebody.eth", &shaded));
    text("600 letters of 32 px, 900 px wide", paragraph);
    let circle = Shape::Circle(Circle { radius: 200.0, style: ShapeStyle::default() });
    measure("circle of radius 200", || drop(painter.shape(&circle).expect("it can be drawn")));
    let card = Card {
        lines: ["Blue Hour #7", "Dawn", "by Ada", "3.2 ETH"].map(str::to_owned).to_vec(),
        ..Card::default()
    };
    measure("card without picture", || drop(painter.card(&card, None).expect("it can be drawn")));
    let ticker = Ticker { text: long, ..Ticker::default() };
    measure("ticker of 600 letters", || drop(painter.strip(&ticker).expect("it can be drawn")));
}

fn measure(name: &str, mut work: impl FnMut()) {
    const TIMES: usize = 300;
    let mut took: Vec<f64> = (0..TIMES)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!("{name:<36} {:.3} ms   (least {:.3})", took[TIMES / 2], took[0]);
}
