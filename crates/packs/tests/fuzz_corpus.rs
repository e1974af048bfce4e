//! Replays the committed fuzz corpus, so that what fuzzing found stays found where no fuzzer runs.

use std::path::Path;

#[path = "../../../fuzz/checks/pack.rs"]
mod pack;

#[test]
fn packs_are_taken_or_refused_with_a_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/pack");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        pack::pack(&std::fs::read(path).expect("the seed can be read"));
        seen += 1;
    }
    assert!(seen > 0, "{} is empty", folder.display());
}

#[test]
fn the_packs_in_the_corpus_say_what_is_wrong_with_them() {
    let load = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/pack").join(name);
        let files =
            std::collections::BTreeMap::from([("pack.toml".to_owned(), std::fs::read(path).unwrap())]);
        packs::Pack::load(&files, &std::collections::BTreeMap::new())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert!(load("full").is_ok(), "{:?}", load("full").err());
    assert!(load("board").is_ok(), "{:?}", load("board").err());
    let said = |name: &str, words: &str| {
        let problems = load(name).expect_err(name);
        assert!(problems.iter().any(|problem| problem.contains(words)), "{name}: {problems:?}");
    };
    said("cyclic", "pack.toml:36:1: value[0].is: twice is made of itself");
    said("no_toml", "pack.toml:1:");
    said("huge_box", "screen[0].region[2].box: ");
}
