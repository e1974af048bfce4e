use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use serde_json::{Value, json};

use super::*;
use crate::frame::Frame;

/// A store and what is done to it, with ids that count up.
struct Desk {
    store: Store,
    made: u32,
}

impl Desk {
    fn new() -> Self {
        Self { store: Store::new(Canvas::default(), 50), made: 0 }
    }

    fn try_do(&mut self, command: &Command, now: f64) -> Result<Change, Refusal> {
        let made = &mut self.made;
        let mut ids = || {
            *made += 1;
            id(&format!("id-{made}"))
        };
        self.store.apply(command, now, &mut ids)
    }

    fn run(&mut self, command: &Command) -> Change {
        self.run_at(command, 0.0)
    }

    fn run_at(&mut self, command: &Command, now: f64) -> Change {
        self.try_do(command, now).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn create(&mut self, body: Value) {
        self.run(&Command::Create(body));
    }

    fn patch(&mut self, layer: &str, patch: Value, now: f64) -> Change {
        self.run_at(&Command::Patch { layer: id(layer), patch, if_match: None }, now)
    }

    fn animate(&mut self, layer: &str, animation: Value, now: f64) -> Change {
        self.run_at(&Command::Animate { layer: id(layer), animation }, now)
    }

    fn layer(&self, name: &str) -> Value {
        serde_json::to_value(&**self.store.layer(&id(name)).unwrap()).unwrap()
    }

    fn state(&self) -> Value {
        serde_json::to_value(self.store.state()).unwrap()
    }

    fn x(&self, name: &str, now: f64) -> f64 {
        let mut frame = Frame::default();
        frame.evaluate(&self.store, &(), now);
        let at = frame.layers().position(&id(name)).unwrap();
        frame.layers().get(at).unwrap().layer.transform.position.x
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn text(name: &str) -> Value {
    json!({"id": name, "content": {"kind": "text", "text": name}})
}

fn group(name: &str) -> Value {
    json!({"id": name, "content": {"kind": "group"}})
}

fn fields(refusal: Refusal) -> Vec<String> {
    match refusal {
        Refusal::Invalid(problems) => problems.into_iter().map(|problem| problem.field).collect(),
        other => vec![format!("{other:?}").split([' ', '{', '(']).next().unwrap().to_owned()],
    }
}

/// Names of the layers, those below first.
fn order(desk: &Desk) -> String {
    desk.store.layers().iter().map(|layer| layer.id.as_str()).collect::<Vec<_>>().join(" ")
}

fn create(body: Value) -> Command {
    Command::Create(body)
}

fn patch(name: &str, patch: Value) -> Command {
    Command::Patch { layer: id(name), patch, if_match: None }
}

fn update(updates: Value) -> Command {
    Command::Update(json!({ "updates": updates }))
}

fn animate(name: &str, animation: Value) -> Command {
    Command::Animate { layer: id(name), animation }
}

fn track(property: &str, keyframes: Value) -> Value {
    json!({"tracks": [{"property": property, "keyframes": keyframes}]})
}

/// A scene in which everything below can be got wrong.
fn furnished() -> Desk {
    let mut desk = Desk::new();
    desk.create(text("title"));
    desk.create(group("outer"));
    desk.create(json!({"id": "inner", "parent": "outer", "content": {"kind": "group"}}));
    desk.create(json!({"id": "leaf", "parent": "inner", "content": {"kind": "image", "src": "a"}}));
    desk.create(
        json!({"id": "masked", "mask": {"layerId": "title"}, "content": {"kind": "image", "src": "a"}}),
    );
    desk.create(json!({"id": "box", "content": {"kind": "shape", "shape": "rectangle"},
        "effects": [{"type": "blur", "radius": 4}]}));
    desk.run(&animate(
        "box",
        json!({"id": "move", "tracks": [{"property": "position.x",
        "keyframes": [{"t": 0, "value": 0}, {"t": 1000, "value": 100}]}]}),
    ));
    desk
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn what_is_not_allowed_is_refused_by_its_field_and_changes_nothing() {
    let megabyte = "x".repeat(1 << 20);
    let frames: Vec<_> = (0..100_000).map(|t| json!({"t": t, "value": 0})).collect();
    let many: Vec<_> = (0..100_000).map(|n| json!({"id": format!("l{n}"), "opacity": 1})).collect();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({ "x": deep });
    }
    let layer = |extra: (&str, Value)| {
        let mut layer = text("new");
        layer[extra.0] = extra.1;
        create(layer)
    };
    let content = |content: Value| create(json!({ "content": content }));
    let effect = |effect: Value| layer(("effects", json!([{"type": "blur"}, effect])));
    let keys = json!([{"t": 0, "value": 0}, {"t": 10, "value": 1}]);
    let cases: Vec<(Command, &[&str])> = vec![
        (create(json!(3)), &[""]),
        (create(json!([])), &[""]),
        (create(json!({})), &["content.kind"]),
        (create(json!({"content": null})), &["content.kind"]),
        (layer(("type", json!("Host"))), &["type"]),
        (layer(("colour", json!("red"))), &["colour"]),
        (layer(("opacity", json!(7))), &["opacity"]),
        (layer(("opacity", json!("NaN"))), &["opacity"]),
        (layer(("opacity", json!(f64::NAN))), &[]), // JSON writes NaN as null: the default
        (layer(("zIndex", json!(1_i64 << 40))), &["zIndex"]),
        (layer(("zIndex", json!(1.5))), &["zIndex"]),
        (layer(("id", json!("a/b"))), &["id"]),
        (layer(("id", json!("x".repeat(65)))), &["id"]),
        (layer(("id", json!("title"))), &["Taken"]),
        (layer(("transform", json!({"scale": {"x": 1e9}}))), &["transform.scale.x"]),
        (layer(("transform", deep.clone())), &["transform.x"]),
        (layer(("transform", json!([]))), &["transform"]),
        (layer(("blendMode", json!("burn"))), &["blendMode"]),
        (layer(("mask", json!({"layerId": "title", "src": "a"}))), &["mask"]),
        (layer(("mask", json!({}))), &["mask"]),
        (layer(("mask", json!({"layerId": "nobody"}))), &["mask.layerId"]),
        (layer(("mask", json!({"layerId": "new"}))), &["mask.layerId"]),
        (layer(("parent", json!("nobody"))), &["parent"]),
        (layer(("parent", json!("title"))), &["parent"]),
        (layer(("name", json!("a\u{7}b"))), &["name"]),
        (layer(("bind", json!({"content.text": "{{ values.bid"}))), &["bind.content.text"]),
        (layer(("bind", json!({"content.width": "{{ values.bid }}"}))), &["bind.content.width"]),
        (layer(("bind", json!({"text": {"value": "x", "maxAge": -1}}))), &["bind.text.maxAge"]),
        (effect(json!({"type": "explode"})), &["effects.1.type"]),
        (effect(json!({"radius": 3})), &["effects.1.type"]),
        (effect(json!({"type": "blur", "radius": 1e5})), &["effects.1.radius"]),
        (
            effect(json!({"type": "tint", "color": "reddish", "amount": 2})),
            &["effects.1.amount", "effects.1.color"],
        ),
        (layer(("effects", json!(vec![json!({"type": "blur"}); 17]))), &["effects"]),
        (content(json!({"kind": "hologram"})), &["content.kind"]),
        (content(json!({"kind": "text", "text": megabyte})), &["content.text"]),
        (content(json!({"kind": "text", "text": "a\u{0}b"})), &["content.text"]),
        (content(json!({"kind": "text", "text": "{{ secret }}"})), &["content.text"]),
        (content(json!({"kind": "text", "text": "x", "src": "y"})), &["content.src"]),
        (
            content(json!({"kind": "text", "style": {"fontSize": 0, "color": "#12"}})),
            &["content.style.color", "content.style.fontSize"],
        ),
        (content(json!({"kind": "image"})), &["content.src"]),
        (content(json!({"kind": "image", "src": ""})), &["content.src"]),
        (content(json!({"kind": "image", "src": "a", "width": 1e6})), &["content.width"]),
        (content(json!({"kind": "stream", "name": "a b"})), &["content.name"]),
        (
            content(json!({"kind": "stream", "name": "a", "crop": {"x": 0.5, "width": 0.6}})),
            &["content.crop.width"],
        ),
        (
            content(json!({"kind": "stream", "name": "a", "whenLost": {"show": "slate"}})),
            &["content.whenLost.slate"],
        ),
        (content(json!({"kind": "sprite"})), &["content.src"]),
        (content(json!({"kind": "sprite", "states": {"idle": "a"}, "state": "run"})), &["content.state"]),
        (content(json!({"kind": "shape"})), &["content.shape"]),
        (content(json!({"kind": "shape", "shape": "star"})), &["content.shape"]),
        (
            content(json!({"kind": "shape", "shape": "polygon", "points": [{"x": 0, "y": 0}]})),
            &["content.points"],
        ),
        (content(json!({"kind": "shape", "shape": "path", "d": "hello"})), &["content.d"]),
        (
            content(json!({"kind": "shape", "shape": "circle", "style": {"gradient": {"colors": [
            {"offset": 1, "color": "red"}, {"offset": 0, "color": "red"}]}}})),
            &["content.style.gradient.colors"],
        ),
        (content(json!({"kind": "countdown", "to": "tomorrow"})), &["content.to"]),
        (content(json!({"kind": "clock", "timezone": "Mars"})), &["content.timezone"]),
        (content(json!({"kind": "chat", "maxMessages": 0})), &["content.maxMessages"]),
        (patch("nobody", json!({})), &["Missing"]),
        (patch("title", json!([])), &[""]),
        (patch("title", json!({"id": "other"})), &["id"]),
        (patch("title", json!({"type": "host"})), &["type"]),
        (patch("title", json!({"content": {"kind": "image"}})), &["content.src"]),
        (patch("outer", json!({"parent": "inner"})), &["parent"]),
        (patch("outer", json!({"parent": "outer"})), &["parent"]),
        (patch("title", json!({"mask": {"layerId": "masked"}})), &["mask.layerId"]),
        (patch("outer", json!({"content": {"kind": "text"}})), &["content.kind"]),
        (Command::Patch { layer: id("title"), patch: json!({}), if_match: Some(99) }, &["Stale"]),
        (Command::Delete { layer: id("title"), if_match: Some(99) }, &["Stale"]),
        (Command::Visibility { layer: id("title"), body: json!({}) }, &["visible"]),
        (
            update(json!([{"id": "title", "opacity": 0.5}, {"id": "box", "opacity": 2}, {"id": "x"}])),
            &["updates.1.opacity", "updates.2.id"],
        ),
        (update(json!(many)), &["updates"]),
        (update(json!([])), &["updates"]),
        (Command::Update(json!({"updates": [{"id": "title"}], "more": 1})), &["updates"]),
        (animate("nobody", track("opacity", keys.clone())), &["Missing"]),
        (animate("box", json!({})), &["tracks"]),
        (animate("box", json!({"preset": "explode"})), &["preset"]),
        (
            animate("box", json!({"preset": "fade", "tracks": [{"property": "opacity", "keyframes": keys}]})),
            &["tracks"],
        ),
        (animate("box", track("colour", keys.clone())), &["tracks.0.property"]),
        (animate("box", track("name", keys.clone())), &["tracks.0.property"]),
        (animate("box", track("content.text", keys.clone())), &["tracks.0.property"]),
        (animate("box", track("effects.1.radius", keys.clone())), &["tracks.0.property"]),
        (animate("box", track("effects.0.size", keys.clone())), &["tracks.0.property"]),
        (animate("box", track("position", keys.clone())), &["tracks.0.keyframes.0.value"]),
        (
            animate("box", track("opacity", json!([{"t": 0, "value": "red"}]))),
            &["tracks.0.keyframes.0.value"],
        ),
        (animate("box", track("opacity", json!([{"t": 0}]))), &["tracks.0.keyframes.0.value"]),
        (
            animate("box", track("opacity", json!([{"t": 5, "value": 0}, {"t": 5, "value": 1}]))),
            &["tracks.0.keyframes"],
        ),
        (
            animate("box", track("opacity", json!([{"t": 0, "value": 0, "easing": "wobble"}]))),
            &["tracks.0.keyframes.0.easing"],
        ),
        (animate("box", track("opacity", json!(frames))), &["tracks.0.keyframes"]),
        (animate("box", json!({"repeat": "always", "preset": "fade"})), &["repeat"]),
        (
            animate(
                "box",
                json!({"repeat": 3, "tracks": [{"property": "opacity", "keyframes": [{"t": 0, "value": 1}]}]}),
            ),
            &["repeat"],
        ),
        (animate("box", json!({"id": "move", "preset": "fade"})), &["Taken"]),
        (
            animate(
                "box",
                json!({"tracks": [{"property": "rotation", "path": "M0,0 L9,9", "keyframes": keys}]}),
            ),
            &["tracks.0.path"],
        ),
        (
            animate("box", json!({"tracks": [{"property": "position", "path": "M0,0", "keyframes": keys}]})),
            &["tracks.0.path"],
        ),
        (
            animate(
                "box",
                json!({"tracks": [{"property": "position", "path": "M0,0 L9,9",
            "keyframes": [{"t": 0, "value": 0}, {"t": 9, "value": 2}]}]}),
            ),
            &["tracks.0.keyframes.1.value"],
        ),
        (
            animate(
                "box",
                json!({"tracks": [{"property": "position.x", "keyframes": keys}, {"property": "position",
            "keyframes": [{"t": 0, "value": {"x": 0, "y": 0}}]}]}),
            ),
            &["tracks"],
        ),
        (animate("title", json!({"layerId": "box", "preset": "fade"})), &["layerId"]),
        (
            Command::Timeline(
                json!({"animations": [{"layerId": "box", "preset": "fade"}, {"layerId": "x", "preset": "fade"}]}),
            ),
            &["animations.1.layerId"],
        ),
        (
            Command::Control { layer: id("box"), animation: id("move"), body: json!({"action": "dance"}) },
            &["action"],
        ),
        (
            Command::Control { layer: id("box"), animation: id("move"), body: json!({"action": "seek"}) },
            &["t"],
        ),
        (
            Command::Control { layer: id("title"), animation: id("move"), body: json!({"action": "play"}) },
            &["Missing"],
        ),
        (Command::Cancel { layer: id("box"), animation: id("gone") }, &["Missing"]),
        (Command::CreateScene(json!({"layers": [text("a"), text("a")]})), &["Taken"]),
        (
            Command::CreateScene(
                json!({"layers": [text("a"), {"id": "b", "parent": "a", "content": {"kind": "group"}}]}),
            ),
            &["layers.1.parent"],
        ),
        (
            Command::CreateScene(
                json!({"layers": [text("a")], "animations": [{"layerId": "b", "preset": "fade"}]}),
            ),
            &["animations.0.layerId"],
        ),
        (Command::Activate { scene: id("nowhere"), body: json!({}) }, &["Missing"]),
        (Command::Chat(json!({"text": ""})), &["text"]),
        (Command::Chat(json!({"text": megabyte, "author": "a\nb"})), &["author", "text"]),
        (Command::SetValues(json!({"values": {"a": [1]}})), &["values.a"]),
        (Command::SetValues(json!({"bid": 3})), &["bid"]),
    ];
    let mut desk = furnished();
    let before = desk.state();
    for (command, expected) in cases {
        let shown = format!("{command:?}").chars().take(200).collect::<String>();
        match desk.try_do(&command, 0.0) {
            Ok(_) => {
                assert!(expected.is_empty(), "{shown} was done");
                desk = furnished();
            }
            Err(refusal) => {
                let mut found = fields(refusal.clone());
                found.sort();
                assert_eq!(found, expected, "{shown}: {refusal}");
                assert!(!refusal.to_string().is_empty());
                assert_eq!(desk.state(), before, "{shown}");
            }
        }
    }
}

#[test]
fn the_51st_layer_is_refused() {
    let mut desk = Desk::new();
    for n in 0..50 {
        desk.create(text(&format!("l{n}")));
    }
    let refusal = desk.try_do(&create(text("more")), 0.0).unwrap_err();
    assert_eq!(refusal, Refusal::Full { what: "layers", most: 50 });
    desk.run(&Command::Delete { layer: id("l7"), if_match: None });
    desk.create(text("more"));
}

#[test]
fn layers_stand_above_those_before_unless_they_say_where() {
    let mut desk = Desk::new();
    for (name, z) in [("a", None), ("b", Some(5)), ("c", None), ("d", Some(5)), ("e", Some(-1))] {
        let mut body = text(name);
        body["zIndex"] = json!(z);
        desk.create(body);
    }
    assert_eq!(order(&desk), "e a b d c");
    desk.patch("e", json!({"zIndex": null}), 0.0);
    assert_eq!(order(&desk), "a b d c e");
    let file =
        json!({"layers": [{"zIndex": 3, "id": "x", "content": {"kind": "group"}}, text("y"), text("z")]});
    let file = SceneFile::read(&file).unwrap();
    assert_eq!(file.layers.iter().map(|layer| layer.z_index).collect::<Vec<_>>(), [3, 4, 5]);
}

#[test]
fn defaults_are_those_that_are_documented() {
    let mut desk = Desk::new();
    desk.create(json!({"id": "a", "content": {"kind": "group"}}));
    assert_eq!(
        desk.layer("a"),
        json!({
            "id": "a", "name": "", "type": "overlay", "zIndex": 0, "visible": true, "opacity": 1.0,
            "blendMode": "normal", "effects": [], "content": {"kind": "group"}, "revision": 1,
            "transform": {"position": {"x": 0.0, "y": 0.0}, "scale": {"x": 1.0, "y": 1.0}, "rotation": 0.0,
                "anchor": {"x": 0.0, "y": 0.0}},
        })
    );
}

#[test]
fn a_patch_is_merged_as_rfc_7396_says() {
    let mut desk = Desk::new();
    desk.create(json!({"id": "a", "opacity": 0.5, "effects": [{"type": "blur"}, {"type": "tint"}],
        "content": {"kind": "text", "text": "hello", "maxWidth": 300, "style": {"fontSize": 20, "color": "red"}}}));
    for (patch, at, expected) in [
        (
            json!({"content": {"style": {"color": "#00f8"}}}),
            "/content/style",
            json!({"fontSize": 20.0, "color": "#0000ff88"}),
        ),
        (json!({"content": {"maxWidth": null}}), "/content", json!({"text": "hello", "kind": "text"})),
        (json!({"opacity": null}), "/opacity", json!(1.0)),
        (
            json!({"effects": [{"type": "glow", "radius": 3}]}),
            "/effects",
            json!([{"type": "glow", "radius": 3.0, "color": "#ffffff"}]),
        ),
        (
            json!({"content": {"kind": "image", "src": "pic"}}),
            "/content",
            json!({"kind": "image", "src": "pic", "fit": "contain"}),
        ),
    ] {
        desk.patch("a", patch.clone(), 0.0);
        let layer = desk.layer("a");
        let found = layer.pointer(at).unwrap();
        match (found, &expected) {
            (Value::Object(found), Value::Object(expected)) => {
                assert!(
                    expected.iter().all(|(key, value)| found.get(key) == Some(value)),
                    "{patch}: {found:?}"
                );
                assert!(!found.contains_key("maxWidth"));
            }
            _ => assert_eq!(*found, expected, "{patch}"),
        }
    }
}

#[test]
fn a_layer_reads_back_as_it_was_written() {
    let mut desk = furnished();
    desk.create(json!({"id": "s", "content": {"kind": "sprite", "states": {"idle": "a", "talk": {"frames": ["b", "c"], "fps": 8}},
        "state": "idle", "drivenBy": {"source": "mic", "loud": "talk"}}, "bind": {"opacity": {"value": "{{ values.o }}", "otherwise": 0.5}}}));
    for layer in desk.store.layers() {
        let json = serde_json::to_value(&**layer).unwrap();
        assert_eq!(Layer::read(&json).unwrap(), **layer, "{json}");
    }
}

#[test]
fn a_batch_lands_together_or_not_at_all() {
    let mut desk = furnished();
    let change = desk.run(&update(json!([{"id": "title", "opacity": 0.5}, {"id": "box", "opacity": 0.25}])));
    assert_eq!(change.layers.len(), 2);
    assert!(change.layers.iter().all(|layer| layer.revision == change.revision));
    // The two together are a circle, each alone is not.
    desk.create(group("other"));
    let before = desk.state();
    let circle = update(json!([{"id": "outer", "parent": "other"}, {"id": "other", "parent": "inner"}]));
    let mut found = fields(desk.try_do(&circle, 0.0).unwrap_err());
    found.sort();
    assert_eq!(found, ["updates.0.parent", "updates.1.parent"]);
    assert_eq!(desk.state(), before);
    // The two together are none, one after the other they were.
    desk.run(&update(json!([{"id": "inner", "parent": "other"}, {"id": "outer", "parent": "inner"}])));
}

#[test]
fn revisions_rise_by_one_and_guard_against_lost_updates() {
    let mut desk = furnished();
    let seen = desk.store.layer(&id("title")).unwrap().revision;
    let guarded = Command::Patch { layer: id("title"), patch: json!({"opacity": 0.5}), if_match: Some(seen) };
    let before = desk.store.revision();
    assert_eq!(desk.run(&guarded).revision, before + 1);
    let refusal = desk.try_do(&guarded, 0.0).unwrap_err();
    assert_eq!(refusal, Refusal::Stale { id: id("title"), revision: before + 1 });
}

#[test]
fn what_hangs_on_a_deleted_layer_is_let_go() {
    let mut desk = furnished();
    desk.run(&Command::Delete { layer: id("outer"), if_match: None });
    assert_eq!(desk.layer("inner").get("parent"), None);
    assert_eq!(desk.layer("leaf")["parent"], "inner");
    desk.run(&Command::Delete { layer: id("title"), if_match: None });
    assert_eq!(desk.layer("masked").get("mask"), None);
    assert_eq!(desk.store.animations().len(), 1);
    desk.run(&Command::Delete { layer: id("box"), if_match: None });
    assert!(desk.store.animations().is_empty());
}

#[test]
fn an_end_is_written_once_and_holds() {
    let mut desk = furnished();
    assert_eq!(desk.store.advance(999.0), None);
    assert_eq!(desk.x("box", 500.0), 50.0);
    assert_eq!(desk.layer("box")["transform"]["position"]["x"], 0.0);
    assert_eq!(desk.x("box", 2000.0), 100.0);
    let change = desk.store.advance(2000.0).unwrap();
    assert_eq!((change.layers.len(), change.ended.len()), (1, 1));
    assert_eq!(desk.store.advance(2000.0), None);
    assert_eq!(desk.x("box", 2000.0), 100.0);
    assert_eq!(desk.layer("box")["transform"]["position"]["x"], 100.0);
    assert!(desk.store.animations().is_empty());
}

#[test]
fn repeats_delays_and_returns_are_where_they_should_be() {
    let moves = |extra: Value| {
        let mut desk = Desk::new();
        desk.create(text("a"));
        desk.patch("a", json!({"transform": {"position": {"x": 7}}}), 0.0);
        let mut animation = track("position.x", json!([{"t": 0, "value": 0}, {"t": 100, "value": 100}]));
        for (key, value) in extra.as_object().unwrap() {
            animation[key] = value.clone();
        }
        desk.animate("a", animation, 1000.0);
        desk
    };
    for (extra, places) in [
        (json!({}), vec![(1000.0, 0.0), (1050.0, 50.0), (1100.0, 100.0), (9000.0, 100.0)]),
        (
            json!({"delay": 50}),
            vec![(1000.0, 7.0), (1049.0, 7.0), (1050.0, 0.0), (1100.0, 50.0), (1150.0, 100.0)],
        ),
        (json!({"startAt": 2000}), vec![(1999.0, 7.0), (2050.0, 50.0)]),
        (json!({"startAt": 500}), vec![(1000.0, 100.0)]),
        (
            json!({"repeat": 1}),
            vec![(1099.0, 99.0), (1100.0, 0.0), (1150.0, 50.0), (1200.0, 100.0), (1300.0, 100.0)],
        ),
        (
            json!({"repeat": 1, "yoyo": true}),
            vec![(1100.0, 100.0), (1150.0, 50.0), (1200.0, 0.0), (1300.0, 0.0)],
        ),
        (json!({"repeat": "forever"}), vec![(1_000_050.0, 50.0)]),
        (json!({"repeat": "forever", "yoyo": true}), vec![(1_000_110.0, 90.0)]),
    ] {
        let desk = moves(extra.clone());
        for (now, x) in places {
            assert_eq!(desk.x("a", now), x, "{extra} at {now}");
        }
    }
}

#[test]
fn a_patch_ends_what_it_touches_and_nothing_else() {
    let start = || {
        let mut desk = Desk::new();
        desk.create(json!({"id": "a", "content": {"kind": "shape", "shape": "circle"}, "effects": [{"type": "blur"}]}));
        desk.animate("a", json!({"id": "m", "tracks": [
            {"property": "position", "keyframes": [{"t": 0, "value": {"x": 0, "y": 0}}, {"t": 100, "value": {"x": 100, "y": 100}}]},
            {"property": "content.radius", "keyframes": [{"t": 0, "value": 10}, {"t": 100, "value": 20}]},
            {"property": "effects.0.radius", "keyframes": [{"t": 0, "value": 10}, {"t": 100, "value": 20}]},
        ]}), 0.0);
        desk
    };
    let all = "content.radius effects.0.radius transform.position.x transform.position.y";
    for (patch, left) in [
        (json!({"opacity": 0.5}), all),
        (json!({"name": "x"}), all),
        (json!({"transform": {"rotation": 5}}), all),
        (
            json!({"transform": {"position": {"x": 5}}}),
            "content.radius effects.0.radius transform.position.y",
        ),
        (json!({"transform": {"position": null}}), "content.radius effects.0.radius"),
        (json!({"content": {"style": {"strokeWidth": 3}}}), all),
        (json!({"content": {"radius": 3}}), "effects.0.radius transform.position.x transform.position.y"),
        (
            json!({"content": {"kind": "shape", "shape": "rectangle"}}),
            "effects.0.radius transform.position.x transform.position.y",
        ),
        (json!({"effects": []}), "content.radius transform.position.x transform.position.y"),
        (json!({"transform": null, "effects": null, "content": {"kind": "group"}}), ""),
    ] {
        let mut desk = start();
        desk.patch("a", patch.clone(), 50.0);
        let channels = desk.store.animations().iter().flat_map(|playing| playing.channels.iter());
        let mut channels: Vec<_> = channels.map(|channel| channel.name.to_string()).collect();
        channels.sort();
        assert_eq!(channels.join(" "), left, "{patch}");
    }
    let mut desk = start();
    desk.patch("a", json!({"transform": {"position": {"x": 5}}}), 50.0);
    assert_eq!(desk.x("a", 75.0), 5.0);
}

#[test]
fn a_way_without_a_beginning_begins_from_what_is_seen() {
    let mut desk = Desk::new();
    desk.create(text("a"));
    desk.animate("a", track("position.x", json!([{"t": 0, "value": 0}, {"t": 1000, "value": 100}])), 0.0);
    desk.animate("a", track("position.x", json!([{"t": 100, "value": 0}])), 500.0);
    for (now, x) in [(499.0, 49.9), (500.0, 50.0), (550.0, 25.0), (600.0, 0.0), (2000.0, 0.0)] {
        assert!((desk.x("a", now) - x).abs() < 1e-9, "{now}: {}", desk.x("a", now));
    }
    while desk.store.advance(2000.0).is_some() {}
    assert_eq!(desk.x("a", 2000.0), 0.0);
}

#[test]
fn held_and_set_animations_go_on_as_if_played_through() {
    let control = |desk: &mut Desk, body: Value, now: f64| {
        desk.run_at(&Command::Control { layer: id("box"), animation: id("move"), body }, now);
    };
    let mut desk = furnished();
    control(&mut desk, json!({"action": "pause"}), 300.0);
    assert_eq!(desk.x("box", 5000.0), 30.0);
    assert_eq!(desk.store.advance(5000.0), None);
    control(&mut desk, json!({"action": "play"}), 5000.0);
    assert_eq!(desk.x("box", 5200.0), 50.0);
    control(&mut desk, json!({"action": "seek", "t": 900}), 5200.0);
    assert_eq!(desk.x("box", 5250.0), 95.0);
    control(&mut desk, json!({"action": "pause"}), 5250.0);
    control(&mut desk, json!({"action": "seek", "t": 100}), 5300.0);
    assert_eq!(desk.x("box", 9000.0), 10.0);
    desk.run_at(&Command::Cancel { layer: id("box"), animation: id("move") }, 9000.0);
    assert_eq!(desk.x("box", 9000.0), 0.0);
}

#[test]
fn presets_end_where_the_layer_is_or_is_not() {
    for (preset, property, away) in [
        ("fade", "/opacity", 0.0),
        ("slide", "/transform/position/x", 40.0 - 1920.0),
        ("scale", "/transform/scale/x", 0.0),
        ("rotate", "/transform/rotation", 30.0 - 360.0),
        ("bounce", "/transform/scale/y", 0.0),
    ] {
        for direction in ["in", "out"] {
            let mut desk = Desk::new();
            desk.create(json!({"id": "a", "opacity": 0.75, "content": {"kind": "group"},
                "transform": {"position": {"x": 40, "y": 50}, "rotation": 30, "scale": {"x": 2, "y": 2}}}));
            let own = desk.layer("a").pointer(property).unwrap().as_f64().unwrap();
            desk.animate("a", json!({"preset": preset, "direction": direction, "duration": 400}), 0.0);
            let seen = |now: f64| {
                let layer = desk.store.layer_at(&id("a"), now).unwrap();
                serde_json::to_value(layer).unwrap().pointer(property).unwrap().as_f64().unwrap()
            };
            let out = if preset == "rotate" { 30.0 + 360.0 } else { away };
            let ends = if direction == "in" { (away, own) } else { (own, out) };
            assert_eq!((seen(0.0), seen(400.0)), ends, "{preset} {direction}");
        }
    }
}

#[test]
fn a_scene_goes_on_air_with_its_transition_and_is_not_changed_there() {
    let mut desk = furnished();
    desk.run(&Command::CreateScene(json!({"id": "kept", "name": "As it is"})));
    assert_eq!(desk.store.scene(&id("kept")).unwrap().layers.len(), 6);
    desk.run(&Command::CreateScene(
        json!({"id": "next", "canvas": {"background": "#123"}, "layers": [text("title")],
        "animations": [{"id": "in", "layerId": "title", "preset": "fade", "startAt": 100}]}),
    ));
    let body = json!({"transition": {"type": "fade", "duration": 1000}});
    desk.run_at(&Command::Activate { scene: id("next"), body }, 4000.0);
    assert_eq!((order(&desk).as_str(), desk.store.scene_on_air()), ("title", Some(&id("next"))));
    let mut frame = Frame::default();
    frame.evaluate(&desk.store, &(), 4500.0);
    let (turn, leaving) = frame.turn().unwrap();
    assert_eq!((turn.sides.entering.opacity, leaving.len(), frame.layers().len()), (0.5, 6, 1));
    assert_eq!(frame.background(), crate::Color::parse("#123").unwrap());
    desk.patch("title", json!({"content": {"text": "other"}}), 4500.0);
    assert_eq!(
        serde_json::to_value(&desk.store.scene(&id("next")).unwrap().layers[0]).unwrap()["content"]["text"],
        "title"
    );
    frame.evaluate(&desk.store, &(), 5000.0);
    assert!(frame.turn().is_none());
    let change = desk.store.advance(5000.0).unwrap();
    assert!(change.left || !change.layers.is_empty());
    while desk.store.advance(5000.0).is_some() {}
    desk.run(&Command::PatchScene { scene: id("next"), patch: json!({"name": "x"}), if_match: None });
    desk.run(&Command::DeleteScene { scene: id("next"), if_match: None });
    assert_eq!(desk.store.scenes().count(), 1);
}

#[test]
fn messages_and_values_are_kept_within_bounds() {
    let mut desk = Desk::new();
    for n in 0..300 {
        desk.run_at(&Command::Chat(json!({"author": "a", "text": format!("{n}")})), f64::from(n));
    }
    assert_eq!(desk.store.chat().len(), 200);
    assert_eq!(desk.store.chat().last().unwrap().at, 299.0);
    desk.run_at(&Command::SetValues(json!({"values": {"bid": 3.5, "who": "Ada"}})), 10.0);
    desk.run_at(&Command::SetValues(json!({"values": {"bid": null}})), 20.0);
    assert_eq!(desk.store.values().keys().collect::<Vec<_>>(), ["who"]);
    let all: serde_json::Map<_, _> = (0..1000).map(|n| (format!("v{n}"), json!(n))).collect();
    let refusal = desk.try_do(&Command::SetValues(json!({ "values": all })), 0.0).unwrap_err();
    assert_eq!(refusal, Refusal::Full { what: "values", most: 1000 });
}

#[test]
fn a_number_scales_both_sides_and_a_path_turns_with_the_layer() {
    let mut desk = Desk::new();
    desk.create(json!({"id": "a", "transform": {"rotation": 10}, "content": {"kind": "group"}}));
    desk.animate(
        "a",
        json!({"id": "m", "tracks": [
        {"property": "scale", "keyframes": [{"t": 0, "value": 1}, {"t": 100, "value": {"x": 3, "y": 5}}]},
        {"property": "position", "path": "M0,0 L0,100", "autoRotate": true,
            "keyframes": [{"t": 0, "value": 0, "easing": "back"}, {"t": 100, "value": 1}]}]}),
        0.0,
    );
    let seen = desk.store.layer_at(&id("a"), 50.0).unwrap().transform;
    assert_eq!((seen.scale.x, seen.scale.y, seen.rotation), (2.0, 3.0, 100.0));
    let state = State::read(&desk.state()).unwrap();
    let mut back = Store::restore(&state, Canvas::default(), 50).unwrap();
    assert_eq!(back.layer_at(&id("a"), 50.0).unwrap().transform, seen);
    while back.advance(100.0).is_some() {}
    assert_eq!(back.layer(&id("a")).unwrap().transform.rotation, 100.0);
}

#[test]
fn an_animation_says_what_it_is_doing() {
    let mut desk = Desk::new();
    desk.create(text("a"));
    desk.animate("a", json!({"id": "m", "preset": "fade", "delay": 100, "duration": 100}), 50.0);
    let status = |desk: &Desk, now: f64| desk.store.animations()[0].status(now).word();
    for (now, expected) in [(50.0, "waiting"), (150.0, "running"), (250.0, "over")] {
        assert_eq!(status(&desk, now), expected);
    }
    desk.run_at(
        &Command::Control { layer: id("a"), animation: id("m"), body: json!({"action": "pause"}) },
        160.0,
    );
    assert_eq!(status(&desk, 900.0), "paused");
    assert_eq!(desk.store.animations()[0].own_time(900.0), 110.0);
}

/// Commands of every sort on a few names, sensible or not.
fn commands() -> impl Strategy<Value = Command> {
    let name = || prop_oneof![Just("a"), Just("b"), Just("c"), Just("g"), Just("h")];
    let value = prop_oneof![
        Just(json!({"opacity": 0.5})),
        Just(json!({"transform": {"position": {"x": 5}}})),
        Just(json!({"parent": "g"})),
        Just(json!({"parent": "h"})),
        Just(json!({"parent": null})),
        Just(json!({"mask": {"layerId": "a"}})),
        Just(json!({"content": {"kind": "group"}})),
        Just(json!({"content": {"kind": "text", "text": "{{ values.v }}"}})),
        Just(json!({"zIndex": 3})),
        Just(json!({"effects": [{"type": "blur"}]})),
        Just(json!({"opacity": 9})),
    ];
    let animation = prop_oneof![
        Just(track("position.x", json!([{"t": 0, "value": 0}, {"t": 200, "value": 100, "easing": "ease"}]))),
        Just(track("position", json!([{"t": 100, "value": {"x": 50, "y": 60}}]))),
        Just(json!({"preset": "fade", "direction": "out", "delay": 50})),
        Just(json!({"preset": "rotate", "repeat": "forever", "yoyo": true})),
        Just(json!({"tracks": [{"property": "position", "path": "M0,0 C5,5 9,0 90,90", "autoRotate": true,
            "keyframes": [{"t": 0, "value": 0}, {"t": 150, "value": 1}]}], "startAt": 400})),
        Just(track("effects.0.radius", json!([{"t": 100, "value": 50}]))),
    ];
    prop_oneof![
        3 => (name(), any::<bool>()).prop_map(|(name, grouped)| create(if grouped { group(name) } else { text(name) })),
        4 => (name(), value).prop_map(|(name, value)| patch(name, value)),
        1 => name().prop_map(|name| Command::Delete { layer: id(name), if_match: None }),
        4 => (name(), animation).prop_map(|(name, animation)| animate(name, animation)),
        2 => (name(), 1..8_u32, prop_oneof![Just(json!({"action": "pause"})), Just(json!({"action": "play"})),
            Just(json!({"action": "seek", "t": 120}))])
            .prop_map(|(name, n, body)| Command::Control { layer: id(name), animation: id(&format!("id-{n}")), body }),
        1 => Just(Command::CreateScene(json!({}))),
        1 => (1..8_u32).prop_map(|n| Command::Activate { scene: id(&format!("id-{n}")),
            body: json!({"transition": {"type": "wipe", "duration": 120}}) }),
        1 => Just(Command::SetValues(json!({"values": {"v": 3}}))),
    ]
}

/// Animations that get in each other's way.
fn animation_commands() -> impl Strategy<Value = Command> {
    let keys = (1..400_u32, -100..100_i32).prop_map(|(t, value)| json!([{"t": t, "value": value}]));
    let property =
        prop_oneof![Just("position.x"), Just("position.x"), Just("rotation"), Just("effects.0.radius")];
    let other = prop_oneof![
        Just(json!({"preset": "slide", "duration": 150})),
        Just(json!({"preset": "rotate", "direction": "out", "repeat": 2, "yoyo": true})),
        Just(track(
            "position",
            json!([{"t": 0, "value": {"x": 1, "y": 2}}, {"t": 90, "value": {"x": 9, "y": 9}}])
        )),
    ];
    let own = (property, keys, 0..300_u32, 0..3_u32).prop_map(|(property, keys, delay, repeat)| {
        let mut animation = track(property, keys);
        (animation["delay"], animation["repeat"]) = (json!(delay), json!(repeat));
        animation
    });
    let animation = prop_oneof![3 => own, 1 => other];
    (prop_oneof![Just("a"), Just("b")], animation).prop_map(|(name, animation)| animate(name, animation))
}

/// Everything that is drawn, without what is counted.
fn picture(store: &Store, now: f64) -> Vec<Value> {
    let mut frame = Frame::default();
    frame.evaluate(store, &(), now);
    shown(&frame)
}

fn shown(frame: &Frame) -> Vec<Value> {
    let without = |layer: &Layer| {
        let mut json = serde_json::to_value(layer).unwrap();
        json["revision"] = json!(0);
        json
    };
    let leaving = frame.turn().map(|(_, list)| list);
    frame
        .layers()
        .iter()
        .chain(leaving.into_iter().flat_map(|list| list.iter()))
        .map(|drawn| without(drawn.layer))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_history_is_replayed_kept_and_drawn_the_same(steps in proptest::collection::vec((commands(), 0..150_u32), 1..40)) {
        let mut desk = Desk::new();
        let mut copy = desk.store.clone();
        let mut reused = Frame::default();
        let mut now = 0.0;
        for (command, wait) in steps {
            now += f64::from(wait);
            // What time does changes nothing that is seen.
            let ahead = picture(&desk.store, now);
            let mut changes = Vec::new();
            while let Some(change) = desk.store.advance(now) {
                changes.push(change);
                assert!(changes.len() < 100, "time stands still");
            }
            prop_assert_eq!(&picture(&desk.store, now), &ahead);
            let before = desk.state();
            match desk.try_do(&command, now) {
                Ok(change) => changes.push(change),
                Err(_) => prop_assert_eq!(desk.state(), before),
            }
            for change in changes {
                let sent = serde_json::to_value(&change).unwrap();
                copy.replay(&Change::read(&sent).unwrap()).unwrap();
            }
            prop_assert_eq!(serde_json::to_value(copy.state()).unwrap(), desk.state());
            let there = picture(&desk.store, now);
            prop_assert_eq!(&picture(&copy, now), &there);
            reused.evaluate(&desk.store, &(), now);
            prop_assert_eq!(&shown(&reused), &there);
            if desk.store.leaving.is_none() {
                let kept = State::read(&desk.state()).unwrap();
                let back = Store::restore(&kept, Canvas::default(), 50).unwrap();
                prop_assert_eq!(serde_json::to_value(back.state()).unwrap(), desk.state());
                prop_assert_eq!(&picture(&back, now + 77.0), &picture(&desk.store, now + 77.0));
            }
        }
    }

    #[test]
    fn who_slept_comes_to_the_same_layers(
        steps in proptest::collection::vec((animation_commands(), 0..100_u32), 1..12),
        sleep in 100..2000_u32,
    ) {
        let mut awake = Desk::new();
        for name in ["a", "b"] {
            awake.create(json!({"id": name, "content": {"kind": "text"}, "effects": [{"type": "blur"}]}));
        }
        let mut now = 0.0;
        for (command, wait) in steps {
            now += f64::from(wait);
            while awake.store.advance(now).is_some() {}
            drop(awake.try_do(&command, now));
        }
        let mut slept = awake.store.clone();
        for step in (0..=sleep).step_by(7) {
            let now = now + f64::from(step);
            while awake.store.advance(now).is_some() {}
        }
        let end = now + f64::from(sleep);
        while awake.store.advance(end).is_some() {}
        prop_assert_eq!(picture(&slept, end), picture(&awake.store, end));
        while slept.advance(end).is_some() {}
        prop_assert_eq!(picture(&slept, end), picture(&awake.store, end));
        prop_assert_eq!(slept.animations().len(), awake.store.animations().len());
    }
}

#[test]
fn a_video_begins_when_its_layer_is_made_shown_anew_or_entered() {
    let mut desk = Desk::new();
    let clip = |id: &str| json!({"id": id, "content": {"kind": "video", "src": "clip"}});
    desk.run_at(&Command::Create(clip("a")), 500.0);
    assert_eq!(desk.layer("a")["content"]["startAt"], 500.0);
    desk.patch("a", json!({"content": {"loop": true}}), 700.0);
    assert_eq!(desk.layer("a")["content"]["startAt"], 500.0, "it goes on");
    desk.patch("a", json!({"content": {"startAt": null}}), 900.0);
    assert_eq!(desk.layer("a")["content"]["startAt"], 900.0, "it begins anew");
    desk.run_at(&Command::CreateScene(json!({"id": "s", "name": "s"})), 1000.0);
    desk.run_at(&Command::Activate { scene: id("s"), body: json!({}) }, 2000.0);
    assert_eq!(desk.layer("a")["content"]["startAt"], 2000.0);
}
