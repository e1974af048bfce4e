//! What the scene costs on this machine: `cargo run --release -p scene --example scene_cost`.
//!
//! Prints the median of many rounds on one thread: a patch, a batch, a patch of an animated layer, and a frame of fifty
//! layers that stand still, move, or are patched in between.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::disallowed_methods, reason = "measuring needs the real clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use scene::{Canvas, Command, Frame, Id, Store};
use serde_json::{Value, json};

fn main() {
    let mut desk = Desk::new();
    let patch = |n: u32| json!({"transform": {"position": {"x": n % 1900, "y": n % 1000}}, "opacity": 0.5});
    let mut n = 0;
    report("patch of a layer of text", || {
        n += 1;
        desk.run(&Command::Patch { layer: id(n % 50), patch: patch(n), if_match: None });
    });
    report("batch of fifty patches", || {
        n += 1;
        let with_id = |layer: u32| {
            let mut patch = patch(n + layer);
            patch["id"] = json!(format!("l{layer}"));
            patch
        };
        let updates: Vec<_> = (0..50).map(with_id).collect();
        desk.run(&Command::Update(json!({ "updates": updates })));
    });
    let mut frame = Frame::default();
    let mut now = 0.0;
    report("frame of fifty layers, nothing moves", || {
        now += 1000.0 / 60.0;
        frame.evaluate(&desk.store, &(), now);
    });
    report("frame with one patch before it", || {
        n += 1;
        desk.run(&Command::Patch { layer: id(n % 50), patch: patch(n), if_match: None });
        now += 1000.0 / 60.0;
        frame.evaluate(&desk.store, &(), now);
    });
    for layer in 0..50 {
        desk.run(&Command::Animate { layer: id(layer), animation: wander() });
    }
    report("frame of fifty layers, each on a path, turning, scaled", || {
        now += 1000.0 / 60.0;
        while desk.store.advance(now).is_some() {}
        frame.evaluate(&desk.store, &(), now);
    });
    report("the same with one patch before it", || {
        n += 1;
        desk.run(&Command::Patch { layer: id(n % 50), patch: json!({"opacity": 0.5}), if_match: None });
        now += 1000.0 / 60.0;
        frame.evaluate(&desk.store, &(), now);
    });
    report("state as JSON", || {
        black_box(serde_json::to_vec(&desk.store.state()).unwrap());
    });
}

struct Desk {
    store: Store,
    made: u32,
}

impl Desk {
    /// Fifty layers of text.
    fn new() -> Self {
        let mut desk = Self { store: Store::new(Canvas::default(), 50), made: 0 };
        for layer in 0..50 {
            desk.run(&Command::Create(
                json!({"id": format!("l{layer}"), "content": {"kind": "text", "text": "Bid 3 ETH",
                "style": {"fontSize": 56, "shadow": {"blur": 4}}}}),
            ));
        }
        desk
    }

    fn run(&mut self, command: &Command) {
        let made = &mut self.made;
        let mut ids = || {
            *made += 1;
            Id::parse(&format!("id-{made}")).unwrap()
        };
        self.store.apply(command, 0.0, &mut ids).unwrap();
    }
}

fn id(layer: u32) -> Id {
    Id::parse(&format!("l{layer}")).unwrap()
}

fn wander() -> Value {
    json!({"repeat": "forever", "yoyo": true, "tracks": [
        {"property": "position", "path": "M0,0 C0,300 500,-200 400,400 S900,900 1800,20", "autoRotate": true,
            "keyframes": [{"t": 0, "value": 0, "easing": "ease-in-out"}, {"t": 5000, "value": 1}]},
        {"property": "scale", "keyframes": [{"t": 0, "value": 0.5, "easing": "spring"}, {"t": 3000, "value": 1.5}]}]})
}

fn report(what: &str, mut once: impl FnMut()) {
    let mut times: Vec<Duration> = (0..2000)
        .map(|_| {
            let start = Instant::now();
            once();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!("{what:<60} {:>8.1} µs", times[times.len() / 2].as_secs_f64() * 1e6);
}
