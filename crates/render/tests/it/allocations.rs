//! Frames that move only numbers allocate nothing once all forms of the pictures are there.

use serde_json::json;

use crate::{Show, rectangle};

#[test]
fn moving_layers_allocate_nothing_after_the_first_frames() {
    // One thread, which is this one: its allocations are counted.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
    pool.install(|| {
        let mut show = Show::new(640, 360);
        show.add(rectangle("ground", "#123", (0, 0), (640, 360)));
        for n in 0..8 {
            let name = format!("l{n}");
            let mut layer = rectangle(&name, "#f808", (n * 60, n * 30), (120, 70));
            if n % 2 == 0 {
                layer["transform"]["anchor"] = json!({"x": 0.5, "y": 0.5});
            }
            show.add(layer);
            let property = if n % 2 == 0 { "rotation" } else { "position.x" };
            let track =
                json!({"property": property, "keyframes": [{"t": 0, "value": 0}, {"t": 3000, "value": 300}]});
            let animation = json!({"repeat": "forever", "tracks": [track]});
            let layer = scene::Id::parse(&name).unwrap();
            show.apply(&scene::Command::Animate { layer, animation }, 0.0).unwrap();
        }
        let frames = |show: &mut Show, from: u32| {
            (from..from + 400).for_each(|n| drop(show.frame(f64::from(n) * 17.0)));
        };
        frames(&mut show, 0);
        let counted = allocation_counter::measure(|| frames(&mut show, 400));
        assert_eq!(counted.count_total, 0, "allocations in 400 frames");
        // What would be counted.
        assert!(allocation_counter::measure(|| drop(Box::new(show.frame(0.0)))).count_total > 0);
    });
}
