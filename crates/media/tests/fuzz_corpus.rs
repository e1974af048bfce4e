//! Replays the committed fuzz corpora, so that what fuzzing found stays found where no fuzzer runs.

use std::path::Path;

#[path = "../../../fuzz/checks/multipart.rs"]
mod multipart;

fn replay(corpus: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(corpus);
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        check(&std::fs::read(path).expect("the seed can be read"));
        seen += 1;
    }
    assert!(seen > 0, "{} is empty", folder.display());
}

#[test]
fn multipart_corpus_reads_the_same_whatever_the_chunks() {
    replay("multipart", multipart::multipart);
}
