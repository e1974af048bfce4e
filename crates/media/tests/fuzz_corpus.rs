//! Replays the committed fuzz corpora, so that what fuzzing found stays found where no fuzzer runs.

use std::path::Path;

#[path = "../../../fuzz/checks/m3u8.rs"]
mod m3u8;
#[path = "../../../fuzz/checks/multipart.rs"]
mod multipart;
#[path = "../../../fuzz/checks/rtmp.rs"]
mod rtmp;
#[path = "../../../fuzz/checks/segment.rs"]
mod segment;

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

#[test]
fn segment_corpora_give_the_same_keyframes_whatever_the_pieces() {
    replay("ts", segment::segment);
    replay("fmp4_segment", |input| {
        segment::segment(input);
        segment::with_init(input);
    });
}

#[test]
fn playlist_corpus_never_says_more_than_its_text() {
    replay("m3u8", m3u8::m3u8);
}

#[test]
fn publishers_are_understood_the_same_whatever_the_pieces() {
    replay("rtmp", rtmp::rtmp);
}
