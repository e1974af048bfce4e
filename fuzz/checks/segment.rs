//! What must hold for the bytes of any segment. Run by the fuzz targets on made-up input and by `crates/media/tests` on the corpora.

use media::keyframe::Keyframe;
use media::segment::{Error, Finder, Limits};

const LIMITS: Limits = Limits { max_bytes: 16 << 10, max_side: 512 };

/// The first byte of `input` seeds the sizes of the pieces, the rest is the segment.
///
/// # Panics
/// If the way a segment is cut into pieces changes what is found, or if what is found breaks its promises.
pub(crate) fn segment(input: &[u8]) {
    let Some((&seed, segment)) = input.split_first() else { return };
    let whole = find(Finder::new(LIMITS), segment, || usize::MAX);
    let mut state = u32::from(seed) | 1;
    let cut = find(Finder::new(LIMITS), segment, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 24) as usize
    });
    assert_eq!(whole, cut, "the pieces matter");
    if let Ok(found) = whole {
        assert!((1..=LIMITS.max_bytes).contains(&found.data.len()));
        assert!(
            (1..=LIMITS.max_side).contains(&found.width) && (1..=LIMITS.max_side).contains(&found.height)
        );
    }
}

/// The same where a header comes apart from the segment: the first two bytes of `input` say how long it is.
///
/// # Panics
/// As [`segment`].
pub(crate) fn with_init(input: &[u8]) {
    let Some((&[high, low], rest)) = input.split_first_chunk() else { return };
    let (init, segment) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes([high, low]))));
    let Ok(finder) = Finder::with_init(init, LIMITS) else { return };
    let whole = find(finder, segment, || usize::MAX);
    let finder = Finder::with_init(init, LIMITS).expect("it was read a moment ago");
    assert_eq!(whole, find(finder, segment, || 7), "the pieces matter");
}

fn find(mut finder: Finder, mut segment: &[u8], mut size: impl FnMut() -> usize) -> Result<Keyframe, Error> {
    while !segment.is_empty() {
        let (piece, rest) = segment.split_at(size().min(segment.len()));
        segment = rest;
        if let Some(found) = finder.push(piece)? {
            return Ok(found);
        }
    }
    finder.finish()
}
