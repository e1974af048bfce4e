//! What must hold for any `pack.toml`. Run by the fuzz target on made-up input and by `crates/packs/tests` on the corpus.

use std::collections::BTreeMap;
use std::time::Duration;

use packs::{Pack, Session, Tools};
use pixels::{I420, Matrix, Range};

/// # Panics
/// If a mistake has no place in the file, or a pack that was taken can't read a picture.
pub(crate) fn pack(input: &[u8]) {
    let files = BTreeMap::from([("pack.toml".to_owned(), input.to_vec())]);
    let lines = input.split(|byte| *byte == b'\n').count();
    match Pack::load(&files, &BTreeMap::new()) {
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem}");
                assert!(!problem.message.is_empty());
            }
        }
        Ok(pack) => {
            let packs = [pack.into()];
            let (mut session, mut tools) = (Session::default(), Tools::default());
            for (width, height) in [(64, 36), (1, 1), (90, 20)] {
                let picture = I420::new(width, height, Range::Limited, Matrix::Bt709);
                let outcome = session.read(&packs, &picture, &mut tools, &|| Duration::ZERO);
                if let Some(reading) = outcome.reading {
                    assert!(reading.values.values().all(|read| (0.0..=1.0).contains(&read.confidence)));
                    let _ = (reading.values_json(), reading.confidence_json());
                }
            }
        }
    }
}
