//! What the fuzz target checks, on its corpus.

use std::path::Path;

#[path = "../../../fuzz/checks/scene.rs"]
mod check;

#[test]
fn the_corpus_of_the_fuzz_target_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/scene");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        let input = std::fs::read(&file).unwrap();
        check::scene(&input);
        // Cut and damaged ones too.
        for at in (0..input.len()).step_by(41) {
            check::scene(&input[..at]);
            let mut damaged = input.clone();
            damaged[at] = damaged[at].wrapping_add(1);
            check::scene(&damaged);
        }
    }
}
