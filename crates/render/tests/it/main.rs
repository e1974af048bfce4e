//! The engine from outside: frames of scenes, against frames made from nothing, and what they cost.

#![expect(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod allocations;
mod frames;
mod whole;

use std::collections::BTreeMap;
use std::sync::Arc;

use pixels::I420;
use pixels::compose::{Bitmap, Picture};
use render::{Asset, Engine, Feed, Inline, Want, World};
use scene::template::{Seen, Values};
use scene::{Canvas, Command, Id, Store};
use serde_json::Value;

/// A world with nothing in it but what a test puts there.
#[derive(Default)]
struct Stage {
    assets: BTreeMap<String, Asset>,
    feeds: BTreeMap<String, Feed>,
    levels: BTreeMap<String, f64>,
    wall: i64,
}

impl Values for Stage {
    fn get(&self, _path: &[Box<str>]) -> Option<Seen<'_>> {
        None
    }
}

impl World for Stage {
    fn wall(&self) -> i64 {
        self.wall
    }

    fn asset(&self, src: &str) -> Option<Asset> {
        self.assets.get(src).cloned()
    }

    fn level(&self, source: &str) -> f64 {
        self.levels.get(source).copied().unwrap_or(0.0)
    }

    fn feed(&self, want: &Want<'_>) -> Feed {
        match want.source {
            render::Source::Stream(name) => self.feeds.get(name).cloned().unwrap_or_default(),
            render::Source::Video { .. } => Feed::default(),
        }
    }
}

/// A store and an engine that shows it.
struct Show {
    store: Store,
    engine: Engine,
    studio: Inline,
    world: Stage,
    named: u32,
}

impl Show {
    fn new(width: u32, height: u32) -> Self {
        let canvas = Canvas { width: width.into(), height: height.into(), fps: 60.0, ..Canvas::default() };
        Self {
            store: Store::new(canvas, 1000),
            engine: Engine::new(width, height),
            studio: studio(),
            world: Stage::default(),
            named: 0,
        }
    }

    fn apply(&mut self, command: &Command, now: f64) -> Result<(), scene::Refusal> {
        let named = &mut self.named;
        let mut ids = || {
            *named += 1;
            Id::parse(&format!("n{named}")).unwrap()
        };
        self.store.apply(command, now, &mut ids).map(drop)
    }

    fn add(&mut self, layer: Value) {
        self.apply(&Command::Create(layer), 0.0).unwrap();
    }

    fn frame(&mut self, now: f64) -> Arc<I420> {
        while self.store.advance(now).is_some() {}
        self.engine.step(&self.store, &self.world, &mut self.studio, now)
    }

    /// The same moment by an engine that knows no other.
    fn anew(&self, now: f64) -> Arc<I420> {
        let (width, height) = self.engine.size();
        Engine::new(width, height).step(&self.store, &self.world, &mut studio(), now)
    }

    fn troubles(&self) -> Vec<String> {
        self.engine.troubles().map(|trouble| format!("{}: {}", trouble.layer, trouble.why)).collect()
    }
}

fn studio() -> Inline {
    Inline::new(draw::Painter::new(&draw::Fonts::new()))
}

/// Red, green and blue of a pixel.
fn pixel(frame: &I420, x: usize, y: usize) -> [u8; 3] {
    let rgb = pixels::convert::i420_to_rgb(frame);
    let at = (y * frame.width as usize + x) * 3;
    [rgb[at], rgb[at + 1], rgb[at + 2]]
}

#[track_caller]
fn assert_near(found: [u8; 3], wanted: [u8; 3]) {
    let near = found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 2);
    assert!(near, "{found:?} is not {wanted:?}");
}

fn rectangle(id: &str, color: &str, (x, y): (i32, i32), (width, height): (u32, u32)) -> Value {
    serde_json::json!({
        "id": id, "type": "overlay", "transform": {"position": {"x": x, "y": y}},
        "content": {"kind": "shape", "shape": "rectangle", "width": width, "height": height, "style": {"fillColor": color}},
    })
}

fn flat(width: u32, height: u32, color: [u8; 4]) -> Arc<Picture> {
    Arc::new(Picture::new(&Bitmap::filled(width, height, color)))
}
