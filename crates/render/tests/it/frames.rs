//! What stands where, in which colour.

use std::sync::Arc;

use render::{Asset, Engine, Feed};
use scene::{Command, Id};
use serde_json::json;

use crate::{Show, assert_near, flat, pixel, rectangle};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

#[test]
fn layers_lie_on_each_other_in_their_order_and_colours_are_true() {
    let mut show = Show::new(320, 180);
    show.add(rectangle("below", "#f00", (10, 10), (100, 100)));
    show.add(rectangle("above", "#00f8", (60, 60), (100, 100)));
    let frame = show.frame(0.0);
    assert_near(pixel(&frame, 0, 0), [0, 0, 0]);
    assert_near(pixel(&frame, 20, 20), [255, 0, 0]);
    assert_near(pixel(&frame, 80, 80), [119, 0, 136]);
    assert_near(pixel(&frame, 140, 140), [0, 0, 136]);
    let patch = json!({"zIndex": -1});
    show.apply(&Command::Patch { layer: id("above"), patch, if_match: None }, 0.0).unwrap();
    assert_near(pixel(&show.frame(0.0), 80, 80), [255, 0, 0]);
}

#[test]
fn a_frame_in_which_nothing_changed_is_the_one_before() {
    let mut show = Show::new(320, 180);
    show.add(rectangle("one", "#0f0", (10, 10), (100, 100)));
    let first = show.frame(0.0);
    assert_eq!(show.engine.figures().composed, 320 * 180);
    let second = show.frame(40.0);
    assert!(std::sync::Arc::ptr_eq(&first, &second));
    assert_eq!((show.engine.figures().composed, show.engine.figures().drawn), (0, 1));
}

#[test]
fn only_what_moved_is_composed_again_and_what_is_held_stays_as_it_was() {
    let mut show = Show::new(640, 360);
    show.add(rectangle("still", "#0f0", (0, 0), (640, 100)));
    show.add(rectangle("moving", "#f00", (0, 200), (64, 32)));
    let first = show.frame(0.0);
    let patch = json!({"transform": {"position": {"x": 64}}});
    show.apply(&Command::Patch { layer: id("moving"), patch, if_match: None }, 0.0).unwrap();
    let second = show.frame(40.0);
    let composed = show.engine.figures().composed;
    assert!((2 * 64 * 32..=3 * 64 * 64).contains(&composed), "{composed}");
    assert_near(pixel(&first, 20, 210), [255, 0, 0]);
    assert_near(pixel(&second, 20, 210), [0, 0, 0]);
    assert_near(pixel(&second, 84, 210), [255, 0, 0]);
    assert_near(pixel(&second, 300, 50), [0, 255, 0]);
}

#[test]
fn a_group_is_faded_as_one_and_moves_what_is_in_it() {
    let mut show = Show::new(320, 180);
    show.add(json!({"id": "group", "type": "overlay", "opacity": 0.5, "content": {"kind": "group"},
        "transform": {"position": {"x": 40, "y": 20}}}));
    for (name, color) in [("a", "#f00"), ("b", "#00f")] {
        let mut layer = rectangle(name, color, (0, 0), (100, 100));
        layer["parent"] = json!("group");
        show.add(layer);
    }
    // What is covered inside does not shine through.
    let frame = show.frame(0.0);
    assert_near(pixel(&frame, 60, 60), [0, 0, 128]);
    assert_near(pixel(&frame, 20, 60), [0, 0, 0]);
    let patch = json!({"opacity": 1});
    show.apply(&Command::Patch { layer: id("group"), patch, if_match: None }, 0.0).unwrap();
    let frame = show.frame(0.0);
    assert_near(pixel(&frame, 60, 60), [0, 0, 255]);
    assert_eq!(*frame, *show.anew(0.0));
}

#[test]
fn a_mask_lets_through_where_it_is_solid() {
    let mut show = Show::new(320, 180);
    let mut mask = rectangle("mask", "#fff", (100, 0), (60, 180));
    mask["visible"] = json!(false);
    show.add(mask);
    let mut masked = rectangle("masked", "#f00", (0, 0), (320, 180));
    masked["mask"] = json!({"layerId": "mask"});
    show.add(masked);
    let frame = show.frame(0.0);
    assert_near(pixel(&frame, 50, 90), [0, 0, 0]);
    assert_near(pixel(&frame, 130, 90), [255, 0, 0]);
    assert_near(pixel(&frame, 250, 90), [0, 0, 0]);
}

#[test]
fn blend_modes_meet_what_is_below() {
    let mut show = Show::new(320, 180);
    show.add(rectangle("below", "#808080", (0, 0), (320, 180)));
    for (n, mode) in ["multiply", "screen", "darken", "lighten", "add"].into_iter().enumerate() {
        let mut layer = rectangle(mode, "#ff4000", (i32::try_from(n).unwrap() * 60, 0), (60, 180));
        layer["blendMode"] = json!(mode);
        show.add(layer);
    }
    let frame = show.frame(0.0);
    let wanted = [[128, 32, 0], [255, 160, 128], [128, 64, 0], [255, 128, 128], [255, 192, 128]];
    for (n, color) in wanted.into_iter().enumerate() {
        assert_near(pixel(&frame, n * 60 + 30, 90), color);
    }
}

#[test]
fn a_lost_stream_holds_or_hides_as_its_layer_says() {
    let mut show = Show::new(320, 180);
    for (name, x, lost) in [("hold", 0, "hold"), ("hide", 160, "hide")] {
        show.add(json!({"id": name, "type": "visualFeed", "transform": {"position": {"x": x}},
            "content": {"kind": "stream", "name": "cam", "width": 160, "height": 180,
                "whenLost": {"show": lost, "after": 2}}}));
    }
    let colors = |show: &mut Show, now| {
        let frame = show.frame(now);
        (pixel(&frame, 80, 90), pixel(&frame, 240, 90))
    };
    assert_eq!(colors(&mut show, 0.0), ([0, 0, 0], [0, 0, 0]));
    let mut feed = Feed { picture: Some(flat(160, 180, [0, 255, 0, 255])), version: 1, ..Feed::default() };
    show.world.feeds.insert("cam".to_owned(), feed.clone());
    let (hold, hide) = colors(&mut show, 40.0);
    assert_near(hold, [0, 255, 0]);
    assert_near(hide, [0, 255, 0]);
    feed.age = 2500.0;
    show.world.feeds.insert("cam".to_owned(), feed);
    let (hold, hide) = colors(&mut show, 80.0);
    assert_near(hold, [0, 255, 0]);
    assert_near(hide, [0, 0, 0]);
}

#[test]
fn what_can_not_be_drawn_is_told_and_disturbs_nobody() {
    let mut show = Show::new(320, 180);
    show.add(json!({"id": "lost", "type": "overlay", "content": {"kind": "image", "src": "gone.png"}}));
    show.add(rectangle("fine", "#0f0", (0, 0), (320, 180)));
    assert_near(pixel(&show.frame(0.0), 10, 10), [0, 255, 0]);
    assert_eq!(show.troubles(), ["lost: there is no asset \"gone.png\""]);
}

#[test]
fn a_transition_shows_both_scenes_and_then_only_the_new_one() {
    let mut show = Show::new(320, 180);
    show.add(rectangle("old", "#f00", (0, 0), (320, 180)));
    let scene =
        json!({"id": "next", "name": "next", "layers": [rectangle("new", "#00f", (0, 0), (320, 180))]});
    show.apply(&Command::CreateScene(scene), 0.0).unwrap();
    show.frame(0.0);
    let fade = json!({"transition": {"type": "fade", "duration": 1000}});
    show.apply(&Command::Activate { scene: id("next"), body: fade }, 100.0).unwrap();
    assert_near(pixel(&show.frame(600.0), 100, 100), [127, 0, 128]);
    assert_near(pixel(&show.frame(1100.0), 100, 100), [0, 0, 255]);
    let slide = json!({"transition": {"type": "slide", "duration": 1000, "direction": "left"}});
    let scene =
        json!({"id": "third", "name": "third", "layers": [rectangle("green", "#0f0", (0, 0), (320, 180))]});
    show.apply(&Command::CreateScene(scene), 1100.0).unwrap();
    show.apply(&Command::Activate { scene: id("third"), body: slide }, 2000.0).unwrap();
    let frame = show.frame(2500.0);
    assert_near(pixel(&frame, 80, 100), [0, 0, 255]);
    assert_near(pixel(&frame, 240, 100), [0, 255, 0]);
    let frame = show.frame(3000.0);
    assert_near(pixel(&frame, 80, 100), [0, 255, 0]);
    assert_eq!(*frame, *show.anew(3000.0));
}

#[test]
fn pictures_that_take_too_much_memory_leave_the_last_one() {
    let mut show = Show::new(320, 180);
    show.engine = Engine::new(320, 180).with_room(200_000);
    show.add(rectangle("one", "#0f0", (0, 0), (100, 100)));
    show.add(rectangle("two", "#00f", (160, 0), (10, 10)));
    assert_near(pixel(&show.frame(0.0), 50, 50), [0, 255, 0]);
    let large = json!({"content": {"width": 2000, "height": 2000}});
    let patch = Command::Patch { layer: Id::parse("one").unwrap(), patch: large, if_match: None };
    show.apply(&patch, 0.0).unwrap();
    let frame = show.frame(20.0);
    assert_near(pixel(&frame, 50, 50), [0, 255, 0]);
    assert_near(pixel(&frame, 120, 120), [0, 0, 0]);
    assert!(show.troubles()[0].starts_with("one: its pictures would take "), "{:?}", show.troubles());
    assert!(show.engine.figures().memory < 2_000_000);
    let small = json!({"content": {"width": 120, "height": 120}});
    let patch = Command::Patch { layer: Id::parse("one").unwrap(), patch: small, if_match: None };
    show.apply(&patch, 20.0).unwrap();
    assert_near(pixel(&show.frame(40.0), 110, 110), [0, 255, 0]);
    assert!(show.troubles().is_empty());
}

#[test]
fn a_live_picture_may_reach_over_its_box() {
    let mut show = Show::new(320, 180);
    show.add(json!({"id": "live", "type": "visualFeed", "transform": {"position": {"x": 100, "y": 50}},
        "content": {"kind": "stream", "name": "cam", "width": 40, "height": 40}}));
    let plain = flat(40, 40, [0, 255, 0, 255]);
    let shadow = json!({"type": "shadow", "color": "#ff0000", "blur": 0, "offsetX": -50, "offsetY": 0});
    let file = json!({"layers": [{"id": "x", "effects": [shadow], "content": {"kind": "group"}}]});
    let file = scene::SceneFile::read(&file).unwrap();
    let done = render::live(&plain, &file.layers[0].effects);
    assert!(done.left <= -50 && done.top <= 0);
    let feed = Feed {
        picture: Some(Arc::new(done.picture)),
        left: done.left,
        top: done.top,
        size: Some((40.0, 40.0)),
        version: 1,
        ..Feed::default()
    };
    show.world.feeds.insert("cam".to_owned(), feed);
    let frame = show.frame(0.0);
    assert_near(pixel(&frame, 120, 70), [0, 255, 0]);
    assert_near(pixel(&frame, 70, 70), [255, 0, 0]);
    assert_near(pixel(&frame, 160, 70), [0, 0, 0]);
    assert_eq!(*frame, *show.anew(0.0));
}

#[test]
fn a_sprite_talks_while_its_sound_is_loud_and_a_moment_longer() {
    let mut show = Show::new(64, 64);
    for (version, (name, color)) in [("quiet", "#ff0000"), ("loud", "#00ff00")].into_iter().enumerate() {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="32" height="32"><rect width="32" height="32" fill="{color}"/></svg>"#
        );
        let asset = Asset { bytes: svg.into_bytes().into(), version: version as u64 };
        show.world.assets.insert(name.to_owned(), asset);
    }
    show.add(serde_json::json!({
        "id": "host", "type": "host", "content": {"kind": "sprite", "states": {"idle": "quiet", "talking": "loud"}, "state": "idle",
        "drivenBy": {"source": "mic", "threshold": 0.1, "hold": 100}},
    }));
    let mut asked = 0;
    for (now, level, loud) in [
        (0.0, 0.0, false),
        (20.0, 0.09, false),
        (40.0, 0.1, true),
        (60.0, 1.0, true),
        (80.0, 0.0, true),
        (160.0, 0.0, true),
        (161.0, 0.0, false),
        (180.0, 0.5, true),
    ] {
        show.world.levels.insert("mic".to_owned(), level);
        let frame = show.frame(now);
        assert_near(pixel(&frame, 16, 16), if loud { [0, 255, 0] } else { [255, 0, 0] });
        assert_eq!(show.troubles(), [""; 0]);
        asked = if asked == 0 { show.engine.figures().drawn } else { asked };
        assert_eq!(show.engine.figures().drawn, asked, "both states are drawn once");
    }
}
