//! The scene that composing is measured on, as files: for `onair render` and for the peers.
//!
//! 1920×1080: an opaque background picture, ten pictures of 640×360 with alpha at opacity 0.8, four of them moving 7 px right and
//! 3 px down a frame, and a line of text of 56 px that changes with every frame.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use pixels::convert::i420_to_rgb;
use pixels::{I420, Matrix, Range};
use serde_json::{Value, json};
use sim::hud::{Drawing, Game, Stage};

use crate::harness::Outcome;

/// Frames after which what moves begins again.
const PERIOD: u32 = 120;
const STEP: (u32, u32) = (7, 3);
const FPS: u32 = 60;
pub(crate) const PICTURES: usize = 10;
const MOVING: usize = 4;
const TEXT: &str = "Frame {{ program.frame }}: the line that changes every frame";

/// A scene to be rendered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scene {
    Whole,
    /// Nothing moves.
    Still,
    /// Only the text changes.
    Text,
    /// Fifty pictures of 320×180, all moving, turning and growing.
    Fifty,
}

impl Scene {
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Whole => "scene.json",
            Self::Still => "still.json",
            Self::Text => "text.json",
            Self::Fifty => "fifty.json",
        }
    }
}

/// Writes all scenes, their pictures, and `layout.json` for the peers.
pub(crate) fn write(folder: &Path) -> Outcome<()> {
    picture(&folder.join("background.png"), Game::Football, 1920, 1080, false)?;
    for number in 0..PICTURES {
        let game = if number % 2 == 0 { Game::Dota } else { Game::Football };
        picture(&folder.join(format!("{number}.png")), game, 640, 360, true)?;
    }
    let whole = json!({ "canvas": canvas(), "layers": layers(TEXT), "animations": moves() });
    let still = json!({ "canvas": canvas(), "layers": layers("Frame 0: the line that stays") });
    let text = json!({ "canvas": canvas(), "layers": layers(TEXT) });
    let (layers, animations) = fifty();
    let fifty = json!({ "canvas": canvas(), "layers": layers, "animations": animations });
    for (scene, json) in
        [(Scene::Whole, whole), (Scene::Still, still), (Scene::Text, text), (Scene::Fifty, fifty)]
    {
        std::fs::write(folder.join(scene.file()), json.to_string())?;
    }
    std::fs::write(folder.join("layout.json"), layout().to_string())?;
    Ok(())
}

fn canvas() -> Value {
    json!({ "width": 1920, "height": 1080, "fps": FPS })
}

/// Where picture `number` stands at first.
fn place(number: usize) -> (usize, usize) {
    (40 + 330 * (number % 4), 30 + 220 * (number / 4))
}

fn layout() -> Value {
    let pictures = (0..PICTURES).map(|number| {
        let (x, y) = place(number);
        let (dx, dy) = if number < MOVING { STEP } else { (0, 0) };
        json!({ "file": format!("{number}.png"), "x": x, "y": y, "dx": dx, "dy": dy })
    });
    json!({
        "width": 1920, "height": 1080, "opacity": 0.8, "period": PERIOD, "background": "background.png",
        "pictures": pictures.collect::<Vec<_>>(), "text": { "text": TEXT, "x": 60, "y": 980, "size": 56 },
    })
}

fn background() -> Value {
    json!({ "id": "background", "type": "overlay", "content": { "kind": "image", "src": "background.png" } })
}

fn layers(text: &str) -> Vec<Value> {
    let pictures = (0..PICTURES).map(|number| {
        let (x, y) = place(number);
        json!({
            "id": format!("p{number}"), "type": "overlay", "opacity": 0.8, "transform": { "position": { "x": x, "y": y } },
            "content": { "kind": "image", "src": format!("{number}.png") },
        })
    });
    let line = json!({
        "id": "text", "type": "overlay", "transform": { "position": { "x": 60, "y": 980 } },
        "content": { "kind": "text", "text": text, "style": { "fontSize": 56 } },
    });
    [background()].into_iter().chain(pictures).chain([line]).collect()
}

/// A way from `from` to `to` in a period, over and over.
fn track(property: &str, from: f64, to: f64) -> Value {
    let end = f64::from(PERIOD) * 1000.0 / f64::from(FPS);
    json!({ "property": property, "keyframes": [{ "t": 0, "value": from }, { "t": end, "value": to }] })
}

#[expect(clippy::cast_precision_loss, reason = "places on a canvas")]
fn moves() -> Vec<Value> {
    let moves = (0..MOVING).map(|number| {
        let (x, y) = (place(number).0 as f64, place(number).1 as f64);
        let (right, down) = (x + f64::from(STEP.0 * PERIOD), y + f64::from(STEP.1 * PERIOD));
        let tracks = [track("position.x", x, right), track("position.y", y, down)];
        json!({ "layerId": format!("p{number}"), "repeat": "forever", "tracks": tracks })
    });
    moves.collect()
}

#[expect(clippy::cast_precision_loss, reason = "places on a canvas")]
fn fifty() -> (Vec<Value>, Vec<Value>) {
    let mut layers = vec![background()];
    let mut animations = Vec::new();
    for number in 0..50 {
        let (x, y) = (100.0 + 180.0 * (number % 10) as f64, 120.0 + 190.0 * (number / 10) as f64);
        layers.push(json!({
            "id": format!("p{number}"), "type": "overlay",
            "transform": { "position": { "x": x, "y": y }, "anchor": { "x": 0.5, "y": 0.5 } },
            "content": { "kind": "image", "src": format!("{}.png", number % PICTURES), "width": 320, "height": 180 },
        }));
        let tracks = [
            track("position.x", x, x + 100.0),
            track("rotation", 0.0, if number % 2 == 0 { 360.0 } else { -360.0 }),
            track("scale.x", 0.7, 1.1),
            track("scale.y", 0.7, 1.1),
        ];
        animations.push(
            json!({ "layerId": format!("p{number}"), "repeat": "forever", "yoyo": true, "tracks": tracks }),
        );
    }
    (layers, animations)
}

/// A game's screen as PNG; `clear` with an edge that fades over 40 px and a body that lets a fifth through in its lower half.
fn picture(path: &Path, game: Game, width: u32, height: u32, clear: bool) -> Outcome<()> {
    let stage = Stage { width, height, title: 0 };
    let mut drawn = I420::new(2, 2, Range::Full, Matrix::Bt601);
    Drawing::new(game, 1, Duration::from_secs(600), stage).draw(Duration::from_secs(150), &mut drawn);
    let rgb = i420_to_rgb(&drawn);
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width, height);
    if !clear {
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header()?.write_image_data(&rgb)?;
        return Ok(());
    }
    encoder.set_color(png::ColorType::Rgba);
    let pixels = rgb.as_chunks::<3>().0.iter().zip(0_u32..).flat_map(|([r, g, b], at)| {
        let (x, y) = (at % width, at / width);
        let edge = x.min(width - 1 - x).min(y).min(height - 1 - y).min(40) * 255 / 40;
        let alpha = if y > height / 2 { edge * 4 / 5 } else { edge };
        [*r, *g, *b, u8::try_from(alpha).unwrap_or(255)]
    });
    encoder.write_header()?.write_image_data(&pixels.collect::<Vec<u8>>())?;
    Ok(())
}
