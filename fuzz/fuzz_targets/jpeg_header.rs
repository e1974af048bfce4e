//! Any bytes: `inspect` must not panic, and what it passes must keep its promises through table repair and decoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pixels::jpeg::{Decoder, inspect, with_huffman_tables};
use pixels::{I420, Matrix, Range};

/// Small, so that the decoder's time goes into many inputs and not into one large picture.
const MAX_SIDE: u16 = 512;

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = inspect(bytes, MAX_SIDE) else { return };
    assert!(header.first_scan < header.len && header.len <= bytes.len());
    assert!((1..=MAX_SIDE).contains(&header.width) && (1..=MAX_SIDE).contains(&header.height));
    assert_eq!(inspect(&bytes[..header.len], MAX_SIDE), Ok(header), "what follows the picture does not matter");
    let complete = with_huffman_tables(bytes, &header);
    assert!(inspect(&complete, MAX_SIDE).is_ok_and(|again| again.huffman_tables && again.len == complete.len()));
    let mut out = I420::new(0, 0, Range::Full, Matrix::Bt601);
    let mut decoder = Decoder::new().expect("there is memory");
    if decoder.decode(bytes, &header, &mut out).is_ok() {
        let (width, height) = header.shown_size();
        assert_eq!((out.width, out.height), (u32::from(width), u32::from(height)));
    }
});
