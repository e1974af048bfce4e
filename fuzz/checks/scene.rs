//! What must hold for any JSON sent to the scene. Run by the fuzz target on made-up input and by `crates/scene/tests` on
//! the corpus.

use scene::{Canvas, Change, Command, Frame, Id, SceneFile, State, Store};
use serde_json::{Value, json};

/// # Panics
/// If a refusal changes anything or names nothing, or what was done can't be replayed, kept, and drawn.
pub(crate) fn scene(input: &[u8]) {
    let Ok(json) = serde_json::from_slice::<Value>(input) else { return };
    let mut made = 0;
    let mut ids = || {
        made += 1;
        id(&format!("id-{made}"))
    };
    match SceneFile::read(&json) {
        Err(problems) => {
            assert!(!problems.is_empty() && problems.iter().all(|problem| !problem.message.is_empty()))
        }
        Ok(file) => {
            let again = serde_json::to_value(&file).expect("a scene is JSON");
            assert_eq!(SceneFile::read(&again).as_ref(), Ok(&file));
            if let Ok(store) = Store::open(&file, 50, &mut ids) {
                draw(&store);
            }
        }
    }
    for command in commands(&json) {
        let mut store = furnished();
        let (before, mut copy) = (store.state(), store.clone());
        match store.apply(&command, 700.0, &mut ids) {
            Err(refusal) => {
                assert!(!refusal.to_string().is_empty());
                assert_eq!(store.state(), before);
            }
            Ok(change) => {
                let sent = serde_json::to_value(&change).expect("a change is JSON");
                copy.replay(&Change::read(&sent).expect("what was done can be read"))
                    .expect("and done again");
                assert_eq!(store.state(), copy.state());
                let kept = serde_json::to_value(store.state()).expect("a state is JSON");
                Store::restore(&State::read(&kept).expect("what is kept can be read"), Canvas::default(), 50)
                    .expect("and is whole");
                draw(&store);
                let mut events = 0;
                while store.advance(1e9).is_some() {
                    events += 1;
                    assert!(events < 10_000, "time stands still");
                }
                draw(&store);
            }
        }
    }
}

fn commands(json: &Value) -> Vec<Command> {
    let (json, layer) = (|| json.clone(), || id("box"));
    vec![
        Command::Create(json()),
        Command::Patch { layer: layer(), patch: json(), if_match: None },
        Command::Patch { layer: id("title"), patch: json(), if_match: None },
        Command::Update(json!({"updates": [{"id": "group", "visible": false}, json()]})),
        Command::Animate { layer: layer(), animation: json() },
        Command::Timeline(json!({"animations": [json()]})),
        Command::Control { layer: layer(), animation: id("move"), body: json() },
        Command::CreateScene(json()),
        Command::SetValues(json()),
        Command::Chat(json()),
    ]
}

fn furnished() -> Store {
    let file = json!({
        "layers": [
            {"id": "title", "content": {"kind": "text", "text": "{{ values.bid }}"}},
            {"id": "group", "content": {"kind": "group"}},
            {"id": "box", "parent": "group", "content": {"kind": "shape", "shape": "circle"}, "effects": [{"type": "blur"}]}],
        "animations": [{"id": "move", "layerId": "box", "tracks": [{"property": "position",
            "keyframes": [{"t": 0, "value": {"x": 0, "y": 0}}, {"t": 1000, "value": {"x": 9, "y": 9}}]}]}]});
    let file = SceneFile::read(&file).expect("it is a scene");
    Store::open(&file, 50, &mut || id("never")).expect("it is whole")
}

fn draw(store: &Store) {
    let mut frame = Frame::default();
    for now in [0.0, 0.1, 700.0, 1234.5, 1e6] {
        frame.evaluate(store, &(), now);
        for drawn in frame.layers().iter() {
            let layer = drawn.layer;
            assert!((0.0..=1.0).contains(&layer.opacity), "{}", layer.opacity);
            assert!(layer.transform.matrix(100.0, 100.0).iter().all(|part| part.is_finite()));
        }
    }
}

fn id(text: &str) -> Id {
    Id::parse(text).expect("it is an id")
}
