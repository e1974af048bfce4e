//! What must hold for any bytes of an RTMP publisher. Run by the fuzz target on made-up input and by `crates/media/tests` on the
//! corpus.

use media::rtmp::{Error, Event, Server};

/// The first byte of `input` seeds the sizes of the pieces, the second says whether a handshake is put before the rest.
///
/// # Panics
/// If the way the bytes are cut into pieces changes what is understood.
pub(crate) fn rtmp(input: &[u8]) {
    let [seed, shaken, rest @ ..] = input else { return };
    let hello = if shaken & 1 == 1 { [vec![3], vec![0; 2 * 1536]].concat() } else { Vec::new() };
    let bytes = [&hello, rest].concat();
    let whole = understood(&bytes, || usize::MAX);
    let mut state = u32::from(*seed) | 1;
    let cut = understood(&bytes, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (state >> 24) as usize % 64
    });
    assert_eq!(whole, cut, "the pieces change what is understood");
}

fn understood(mut bytes: &[u8], mut size: impl FnMut() -> usize) -> (Vec<Event>, Option<Error>) {
    let (mut server, mut events) = (Server::new(), Vec::new());
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(size().min(bytes.len()));
        bytes = rest;
        if let Err(e) = server.push(piece) {
            return (events, Some(e));
        }
        loop {
            match server.next() {
                Ok(Some(event)) => {
                    if matches!(event, Event::Publish { .. }) {
                        server.accept();
                    }
                    events.push(event);
                }
                Ok(None) => break,
                Err(e) => return (events, Some(e)),
            }
        }
    }
    (events, None)
}
