//! The example scenes: each is read, opened, and looked at over ten seconds; what it names lies beside it.

use std::path::{Path, PathBuf};

use scene::{Frame, Id, SceneFile, Store};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/scenes")
}

/// The scenes by name, as JSON.
fn examples() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(folder()).expect("the examples are there");
    let files = files.map(|entry| entry.expect("the folder can be read").path());
    let scenes = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("an example can be read");
        let json = serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        (path.file_stem().expect("it has a name").to_string_lossy().into_owned(), json)
    };
    let mut examples: Vec<_> = scenes.map(read).collect();
    examples.sort_by(|a, b| a.0.cmp(&b.0));
    examples
}

fn open(name: &str, json: &Value) -> Store {
    let file = SceneFile::read(json).unwrap_or_else(|problems| panic!("{name}: {problems:#?}"));
    let mut ids = || -> Id { panic!("{name}: something has no id") };
    Store::open(&file, 50, &mut ids).unwrap_or_else(|refusal| panic!("{name}: {refusal}"))
}

#[test]
fn every_example_can_be_shown() {
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for (name, json) in examples {
        let store = open(&name, &json);
        let mut frame = Frame::default();
        for now in 0..100 {
            frame.evaluate(&store, &(), f64::from(now) * 100.0);
        }
        assert_eq!(frame.layers().len(), json["layers"].as_array().unwrap().len(), "{name}");
    }
}

#[test]
fn what_an_example_names_lies_beside_it() {
    for (name, json) in examples() {
        let store = open(&name, &json);
        for layer in store.layers() {
            let mask = layer.mask.iter().filter_map(|mask| mask.src.as_deref());
            for source in layer.content.sources().into_iter().chain(mask) {
                assert!(folder().join(source).is_file(), "{name}: layer {} names {source}", layer.id);
            }
        }
    }
}

#[test]
fn an_example_reads_back_as_it_was_written() {
    for (name, json) in examples() {
        let file = SceneFile::read(&json).unwrap();
        let again = serde_json::to_value(&file).unwrap();
        assert_eq!(SceneFile::read(&again).unwrap(), file, "{name}");
    }
}

#[test]
fn the_examples_together_show_every_kind_and_every_effect() {
    let all = examples().into_iter().map(|(_, json)| json.to_string()).collect::<String>();
    for word in scene::Content::WORDS.iter().filter(|word| **word != "video") {
        assert!(all.contains(&format!("\"kind\":\"{word}\"")), "no example shows {word}");
    }
    for word in scene::Effect::WORDS.iter().filter(|word| **word != "shader") {
        assert!(all.contains(&format!("\"type\":\"{word}\"")), "no example shows the effect {word}");
    }
}

/// `UPDATE_EXAMPLES=1` writes it anew.
#[test]
fn the_schema_in_the_docs_is_made_from_the_code() {
    let made = format!("{}\n", serde_json::to_string_pretty(&scene::schema()).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scene.schema.json");
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == made, "run it again with UPDATE_EXAMPLES=1");
}
