use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;
use crate::document::{Canvas, SceneFile};
use crate::id::Id;
use crate::store::Command;
use crate::template::{Datum, Seen};

fn open(scene: &Value) -> Store {
    let file = SceneFile::read(scene).unwrap_or_else(|problems| panic!("{problems:?}"));
    let mut made = 0;
    let mut ids = || {
        made += 1;
        id(&format!("id-{made}"))
    };
    Store::open(&file, 1000, &mut ids).unwrap_or_else(|refusal| panic!("{refusal}"))
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn run(store: &mut Store, command: &Command, now: f64) {
    let mut made = 0;
    let mut ids = || {
        made += 1;
        id(&format!("later-{made}"))
    };
    store.apply(command, now, &mut ids).unwrap_or_else(|refusal| panic!("{refusal}"));
}

fn patch(store: &mut Store, layer: &str, patch: Value, now: f64) {
    run(store, &Command::Patch { layer: id(layer), patch, if_match: None }, now);
}

fn of<'f>(frame: &'f Frame, name: &str) -> Drawn<'f> {
    let at = frame.layers().position(&id(name)).unwrap();
    frame.layers().get(at).unwrap()
}

/// Readings that a test sets.
#[derive(Default)]
struct World(Vec<(&'static str, f64, f64)>);

impl Values for World {
    fn get(&self, path: &[Box<str>]) -> Option<Seen<'_>> {
        let same = |name: &str| name.split('.').eq(path.iter().map(|key| &**key));
        let found = self.0.iter().find(|(name, ..)| same(name))?;
        Some(Seen { value: Datum::Number(found.1), at: found.2 })
    }
}

fn text(name: &str, z: i64, parent: Option<&str>) -> Value {
    json!({"id": name, "zIndex": z, "parent": parent, "content": {"kind": "text", "text": name}})
}

#[test]
fn layers_are_drawn_by_z_within_their_groups() {
    let mut group = text("g", 1, None);
    group["content"] = json!({"kind": "group"});
    let mut inner = text("h", 2, Some("g"));
    inner["content"] = json!({"kind": "group"});
    let store = open(&json!({"layers": [
        text("top", 9, None), text("g2", 3, Some("g")), group, text("level", 1, None), text("g1", -5, Some("g")),
        inner, text("h1", 0, Some("h")), text("bottom", 0, None), text("g3", 2, Some("g")),
    ]}));
    let mut frame = Frame::default();
    frame.evaluate(&store, &(), 0.0);
    let drawn: Vec<_> = frame
        .layers()
        .iter()
        .map(|d| format!("{}{}:{}", "-".repeat(d.depth), d.layer.id, d.inside))
        .collect();
    assert_eq!(drawn.join(" "), "bottom:0 g:5 -g1:0 -h:1 --h1:0 -g3:0 -g2:0 level:0 top:0");
}

#[test]
fn a_z_index_can_be_animated() {
    let store = open(&json!({"layers": [text("a", 0, None), text("b", 10, None)], "animations": [
        {"layerId": "a", "tracks": [{"property": "zIndex", "keyframes": [{"t": 0, "value": 0}, {"t": 100, "value": 20}]}]}]}));
    let mut frame = Frame::default();
    for (now, front) in [(0.0, "b"), (45.0, "b"), (60.0, "a"), (40.0, "b")] {
        frame.evaluate(&store, &(), now);
        assert_eq!(frame.layers().get(1).unwrap().layer.id.as_str(), front, "{now}");
    }
}

#[test]
fn only_what_changes_is_counted_as_changed() {
    let mut store = open(&json!({"layers": [
        {"id": "still", "content": {"kind": "text", "text": "x"}},
        {"id": "moving", "content": {"kind": "text", "text": "x"}},
        {"id": "clock", "content": {"kind": "text", "text": "{{ program.time }}"}},
        {"id": "glow", "effects": [{"type": "glow"}], "content": {"kind": "text", "text": "x"}}],
        "animations": [
        {"layerId": "moving", "tracks": [{"property": "position.x", "keyframes": [{"t": 0, "value": 0}, {"t": 1000, "value": 9}]}]},
        {"layerId": "glow", "delay": 500, "tracks": [{"property": "effects.0.radius", "keyframes": [{"t": 0, "value": 0}, {"t": 1000, "value": 9}]}]}]}));
    let mut frame = Frame::default();
    let mut changed = |store: &Store, now: f64| {
        frame.evaluate(store, &(), now);
        let number = frame.number();
        let mut parts = Vec::new();
        for drawn in frame.layers().iter() {
            let Versions { content, effects, placement } = drawn.versions;
            for (version, part) in [(content, "content"), (effects, "effects"), (placement, "placement")] {
                if version == number {
                    parts.push(format!("{}.{part}", drawn.layer.id));
                }
            }
        }
        parts.join(" ")
    };
    assert_eq!(changed(&store, 0.0).split(' ').count(), 12);
    assert_eq!(changed(&store, 0.5), "moving.placement");
    assert_eq!(changed(&store, 0.5), "");
    assert_eq!(changed(&store, 1.5), "moving.placement clock.content");
    assert_eq!(changed(&store, 600.0), "moving.placement clock.content glow.effects");
    patch(&mut store, "still", json!({"opacity": 0.5}), 600.0);
    assert_eq!(changed(&store, 600.0), "still.placement");
    patch(&mut store, "still", json!({"name": "other", "content": {"text": "y"}}), 600.0);
    patch(&mut store, "moving", json!({"blendMode": "add"}), 600.0);
    assert_eq!(changed(&store, 600.0), "still.content moving.placement");
    // An animation that ends where it was drawn changes nothing that is seen.
    assert_eq!(changed(&store, 1600.0), "moving.placement clock.content glow.effects");
    while store.advance(1600.0).is_some() {}
    assert_eq!(changed(&store, 1600.0), "");
}

#[test]
fn bindings_show_what_is_read_while_it_is_fresh() {
    let mut store = open(&json!({"layers": [
        {"id": "score", "content": {"kind": "text", "text": "?"}, "bind": {
            "text": {"value": "{{ streams.m.readings.home }}", "maxAge": 5, "otherwise": "-"},
            "visible": "{{ values.show }}", "opacity": "{{ values.o }}", "content.style.color": "{{ values.c }}"}},
        {"id": "card", "content": {"kind": "card", "image": "i", "lines": ["Bid", "{{ values.bid }} ETH"]}}]}));
    let mut frame = Frame::default();
    let mut world = World::default();
    let shows = |frame: &Frame| {
        let score = of(frame, "score").layer;
        let crate::Content::Text(text) = &score.content else { panic!() };
        let crate::Content::Card(card) = &of(frame, "card").layer.content else { panic!() };
        (text.text.clone(), score.visible, score.opacity, text.style.color.r, card.lines[1].clone())
    };
    let shown = |a: &str, visible, opacity, r, b: &str| (a.to_owned(), visible, opacity, r, b.to_owned());
    frame.evaluate(&store, &world, 0.0);
    assert_eq!(shows(&frame), shown("-", true, 1.0, 255, " ETH"));
    world.0.push(("streams.m.readings.home", 2.0, 1000.0));
    run(
        &mut store,
        &Command::SetValues(json!({"values": {"show": false, "o": 0.25, "c": "#102030", "bid": 3.2}})),
        2000.0,
    );
    frame.evaluate(&store, &world, 2000.0);
    assert_eq!(shows(&frame), shown("2", false, 0.25, 16, "3.2 ETH"));
    frame.evaluate(&store, &world, 6001.0);
    assert_eq!(shows(&frame).0, "-");
    // An animation has the say while it runs, and the binding does again before it.
    run(
        &mut store,
        &Command::Animate {
            layer: id("score"),
            animation: json!({"delay": 100, "tracks": [
        {"property": "opacity", "keyframes": [{"t": 0, "value": 0.5}, {"t": 100, "value": 0.75}]}]}),
        },
        7000.0,
    );
    for (now, opacity) in [(7050.0, 0.25), (7100.0, 0.5), (7200.0, 0.75)] {
        frame.evaluate(&store, &world, now);
        assert_eq!(shows(&frame).2, opacity, "{now}");
    }
    run(
        &mut store,
        &Command::SetValues(json!({"values": {"show": null, "o": null, "c": "nonsense"}})),
        7000.0,
    );
    let mut other = Frame::default();
    other.evaluate(&store, &world, 7050.0);
    frame.evaluate(&store, &world, 7050.0);
    assert_eq!(shows(&frame), shown("-", true, 1.0, 255, "3.2 ETH"));
    assert_eq!(shows(&frame), shows(&other));
}

#[test]
fn a_sprites_state_follows_a_value_as_far_as_it_has_such_a_state() {
    let mut store =
        open(&json!({"layers": [{"id": "face", "bind": {"content.state": "{{ values.mood }}"}, "content": {
        "kind": "sprite", "state": "calm", "states": {"calm": "calm.png", "glad": "glad.png"}}}]}));
    let mut frame = Frame::default();
    for (mood, state) in
        [(json!(null), "calm"), (json!("glad"), "glad"), (json!("furious"), "calm"), (json!(7), "calm")]
    {
        run(&mut store, &Command::SetValues(json!({"values": {"mood": mood}})), 0.0);
        frame.evaluate(&store, &World::default(), 0.0);
        let crate::Content::Sprite(sprite) = &of(&frame, "face").layer.content else { panic!() };
        assert_eq!(sprite.state, state, "{mood}");
    }
}

#[test]
fn no_frame_allocates_while_only_numbers_change() {
    let layers: Vec<_> = (0..50)
        .map(|n| {
            let kind = ["text", "shape"][n % 2];
            let mut content =
                json!({"kind": kind, "text": "frame {{ program.frame }}, {{ streams.m.readings.home }}"});
            if kind == "shape" {
                content = json!({"kind": "shape", "shape": "circle"});
            }
            json!({"id": format!("l{n}"), "content": content, "effects": [{"type": "glow"}],
                "bind": {"effects.0.radius": "{{ streams.m.readings.home }}"}})
        })
        .collect();
    let animations: Vec<_> = (0..50)
        .map(|n| {
            json!({"layerId": format!("l{n}"), "repeat": "forever", "yoyo": true, "tracks": [
                {"property": "position", "path": "M0,0 C0,300 500,-200 400,400", "autoRotate": true,
                    "keyframes": [{"t": 0, "value": 0, "easing": "elastic"}, {"t": 900 + n, "value": 1}]},
                {"property": "zIndex", "keyframes": [{"t": 0, "value": 0, "easing": "spring"}, {"t": 700, "value": 50 - n}]},
                {"property": "opacity", "keyframes": [{"t": 0, "value": 0, "easing": "cubic-bezier(0.3,0,0.2,1)"}, {"t": 500, "value": 1}]},
                {"property": "effects.0.color", "keyframes": [{"t": 0, "value": "red"}, {"t": 500, "value": "blue"}]}]})
        })
        .collect();
    let mut store = open(&json!({"layers": layers, "animations": animations}));
    run(&mut store, &Command::CreateScene(json!({"id": "again"})), 0.0);
    let body = json!({"transition": {"type": "fade", "duration": 60_000}});
    run(&mut store, &Command::Activate { scene: id("again"), body }, 0.0);
    let mut frame = Frame::default();
    let mut world = World(vec![("streams.m.readings.home", 1000.0, 0.0)]);
    for n in 0..3 {
        frame.evaluate(&store, &world, 50_000.0 + f64::from(n));
    }
    let counted = allocation_counter::measure(|| {
        for n in 0..600 {
            world.0[0].1 = f64::from(n % 100);
            frame.evaluate(&store, &world, f64::from(n) * 1000.0 / 60.0);
        }
    });
    assert!(frame.turn().is_some_and(|(_, leaving)| leaving.len() == 50));
    assert_eq!(counted.count_total, 0);
    // The counter counts.
    assert!(allocation_counter::measure(|| drop(frame.clone())).count_total > 0);
}

/// A scene of one layer and one smooth animation.
fn animations() -> impl Strategy<Value = Value> {
    let easing = prop_oneof![
        Just("linear"),
        Just("ease-in-out"),
        Just("cubic-bezier(0.2,-1,0.8,2)"),
        Just("bounce"),
        Just("elastic-in-out"),
        Just("back-in"),
        Just("spring(1,100,5)"),
        Just("sine-in")
    ];
    let keys = proptest::collection::vec((1..500_u32, -1000..1000_i32, easing), 1..6);
    let times = prop_oneof![Just(json!(0)), Just(json!(1)), Just(json!(4)), Just(json!("forever"))];
    (keys, 0..300_u32, times, 0..300_u32).prop_map(|(keys, delay, repeat, start)| {
        let mut t = 0;
        let mut frames = vec![json!({"t": 0, "value": 0})];
        for (gap, value, easing) in keys {
            t += gap;
            frames.last_mut().unwrap()["easing"] = json!(easing);
            frames.push(json!({"t": t, "value": value}));
        }
        let once = repeat == json!(0);
        json!({"id": "m", "layerId": "a", "delay": delay, "repeat": repeat, "yoyo": !once, "startAt": start,
            "tracks": [{"property": "position.x", "keyframes": frames}]})
    })
}

fn stage(animation: &Value) -> Store {
    open(&json!({"layers": [text("a", 0, None)], "animations": [animation]}))
}

fn x(store: &Store, now: f64) -> f64 {
    let mut frame = Frame::default();
    frame.evaluate(store, &(), now);
    of(&frame, "a").layer.transform.position.x
}

proptest! {
    #[test]
    fn a_smooth_animation_never_jumps(animation in animations(), now in 0.0..5000.0_f64) {
        let store = stage(&animation);
        // The layer stands at 0, where every track begins. The steepest way is an elastic one over 1 ms.
        let (before, after) = (x(&store, now), x(&store, now + 1e-7));
        prop_assert!((after - before).abs() < 0.1, "{before} to {after} at {now}");
    }

    #[test]
    fn an_animation_ends_at_its_last_value(animation in animations()) {
        let store = stage(&animation);
        let keys = animation["tracks"][0]["keyframes"].as_array().unwrap();
        let (first, last) = (&keys[0], &keys[keys.len() - 1]);
        let number = |value: &Value| value.as_f64().unwrap();
        if let Some(times) = animation["repeat"].as_u64() {
            let over = number(&animation["startAt"]) + number(&animation["delay"])
                + number(&last["t"]) * (times as f64 + 1.0);
            let end = if times % 2 == 1 { first } else { last };
            prop_assert_eq!(x(&store, over), number(&end["value"]));
            prop_assert_eq!(x(&store, over + 1e6), number(&end["value"]));
        }
        let begins = number(&animation["startAt"]) + number(&animation["delay"]);
        prop_assert_eq!(x(&store, begins), number(&first["value"]));
    }

    #[test]
    fn holding_and_seeking_is_the_same_as_playing_through(
        animation in animations(),
        holds in proptest::collection::vec((1..200_u32, 1..400_u32), 1..5),
        jump in 0..3000_u32,
    ) {
        let played = stage(&animation);
        let mut held = stage(&animation);
        let control = |store: &mut Store, body: Value, now: f64| {
            run(store, &Command::Control { layer: id("a"), animation: id("m"), body }, now);
        };
        let start = animation["startAt"].as_f64().unwrap();
        let (mut now, mut own) = (start, 0.0);
        for (run_for, hold_for) in holds {
            now += f64::from(run_for);
            own += f64::from(run_for);
            while held.advance(now).is_some() {}
            if held.animations().is_empty() {
                return Ok(());
            }
            control(&mut held, json!({"action": "pause"}), now);
            now += f64::from(hold_for);
            prop_assert_eq!(x(&held, now), x(&played, start + own));
            control(&mut held, json!({"action": "play"}), now);
            prop_assert_eq!(x(&held, now), x(&played, start + own));
        }
        control(&mut held, json!({"action": "seek", "t": jump}), now);
        prop_assert_eq!(x(&held, now + 50.0), x(&played, start + f64::from(jump) + 50.0));
    }

    #[test]
    fn the_same_time_gives_the_same_layers_whatever_was_before(
        animation in animations(),
        times in proptest::collection::vec(0.0..3000.0_f64, 1..20),
    ) {
        let store = stage(&animation);
        let mut reused = Frame::default();
        for now in times {
            reused.evaluate(&store, &(), now);
            let mut fresh = Frame::default();
            fresh.evaluate(&store, &(), now);
            prop_assert_eq!(of(&reused, "a").layer, of(&fresh, "a").layer);
        }
    }
}

#[test]
fn a_canvas_has_its_own_pace() {
    let store = Store::new(Canvas { fps: 59.94, ..Canvas::default() }, 5);
    let mut frame = Frame::default();
    frame.evaluate(&store, &(), 1000.0);
    assert!(frame.layers().is_empty() && frame.turn().is_none());
    assert_eq!((frame.time(), frame.background()), (1000.0, Color::BLACK));
}
