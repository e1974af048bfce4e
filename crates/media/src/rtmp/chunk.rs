//! Chunks into messages, and messages into chunks (RTMP 1.0, section 5.3).

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};

use super::{Error, MAX_MESSAGE};

/// Chunk streams a peer may use; publishers use about five.
const MAX_STREAMS: usize = 32;
/// A timestamp field that says the true one follows in four bytes.
const EXTENDED: u32 = 0xff_ffff;
/// Until the sender says otherwise.
const FIRST_CHUNK_SIZE: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// Milliseconds, from an arbitrary start, modulo 2³².
    pub(super) timestamp: u32,
    pub(super) kind: u8,
    pub(super) stream: u32,
    pub(super) payload: Bytes,
}

#[derive(Debug)]
pub(super) struct Reader {
    chunk_size: usize,
    streams: BTreeMap<u32, Stream>,
    /// Bytes in all streams' unfinished messages.
    unfinished: usize,
}

/// What the next chunk of a chunk stream may leave out.
#[derive(Debug, Default)]
struct Stream {
    timestamp: u32,
    /// As in the last header that had one.
    field: u32,
    extended: bool,
    length: usize,
    kind: u8,
    stream: u32,
    begun: bool,
    payload: BytesMut,
}

/// The head of one chunk.
struct Head {
    format: u8,
    id: u32,
    /// Of both basic and message header.
    bytes: usize,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { chunk_size: FIRST_CHUNK_SIZE, streams: BTreeMap::new(), unfinished: 0 }
    }

    pub(super) fn set_chunk_size(&mut self, size: u32) -> Result<(), Error> {
        let usable = usize::try_from(size).ok().filter(|size| (1..=MAX_MESSAGE).contains(size));
        self.chunk_size = usable.ok_or(Error::ChunkSize(size))?;
        Ok(())
    }

    /// Forgets the unfinished message of that chunk stream.
    pub(super) fn abort(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id) {
            self.unfinished -= stream.payload.len();
            stream.payload.clear();
            stream.begun = false;
        }
    }

    /// Takes chunks from `input` until a message is whole; `None`: more bytes are needed.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Message>, Error> {
        while let Some(head) = head(input) {
            let Some((data, length)) = self.peek(&head, input)? else { return Ok(None) };
            if let Some(message) = self.chunk(&head, input, data, length)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Where the chunk's data begins and how much there is, if all of it has come.
    fn peek(&self, head: &Head, input: &BytesMut) -> Result<Option<(usize, usize)>, Error> {
        let known = self.streams.get(&head.id);
        if known.is_none() && head.format != 0 {
            return Err(Error::NothingBegun);
        }
        if known.is_none() && self.streams.len() >= MAX_STREAMS {
            return Err(Error::TooManyChunkStreams);
        }
        let fields = head.bytes - header_bytes(head.format);
        let extended = match head.format {
            3 => known.is_some_and(|stream| stream.extended),
            _ => number(&input[fields..fields + 3]) == EXTENDED,
        };
        let length = match head.format {
            0 | 1 => usize::try_from(number(&input[fields + 3..fields + 6])).unwrap_or(usize::MAX),
            _ => known.map_or(0, |stream| stream.length),
        };
        if length > MAX_MESSAGE {
            return Err(Error::TooLarge(length));
        }
        let goes_on = known.filter(|stream| stream.begun && head.format == 3);
        let missing = length - goes_on.map_or(0, |stream| stream.payload.len());
        let data = head.bytes + if extended { 4 } else { 0 };
        let length = missing.min(self.chunk_size);
        if self.unfinished + length > MAX_MESSAGE + self.chunk_size {
            return Err(Error::TooMuchUnfinished);
        }
        Ok((input.len() >= data + length).then_some((data, length)))
    }

    /// Takes one whole chunk; the message, if it is the last of one.
    fn chunk(
        &mut self,
        head: &Head,
        input: &mut BytesMut,
        data: usize,
        length: usize,
    ) -> Result<Option<Message>, Error> {
        let mut header = input.split_to(data);
        header.advance(head.bytes - header_bytes(head.format));
        let stream = self.streams.entry(head.id).or_default();
        let goes_on = stream.begun && head.format == 3;
        if !goes_on {
            // A message that was begun and never ended is gone.
            self.unfinished -= stream.payload.len();
            stream.payload.clear();
        }
        stream.take(head.format, &header);
        if !goes_on {
            let step = stream.field;
            stream.timestamp = if head.format == 0 { step } else { stream.timestamp.wrapping_add(step) };
        }
        stream.begun = true;
        stream.payload.extend_from_slice(&input.split_to(length));
        self.unfinished += length;
        if stream.payload.len() < stream.length {
            return if self.unfinished > MAX_MESSAGE { Err(Error::TooMuchUnfinished) } else { Ok(None) };
        }
        self.unfinished -= stream.payload.len();
        stream.begun = false;
        Ok(Some(Message {
            timestamp: stream.timestamp,
            kind: stream.kind,
            stream: stream.stream,
            payload: stream.payload.split().freeze(),
        }))
    }
}

impl Stream {
    /// Takes over what a message header, and the extended timestamp behind it, say.
    fn take(&mut self, format: u8, header: &[u8]) {
        if format < 3 {
            self.field = number(&header[..3]);
            self.extended = self.field == EXTENDED;
        }
        if format < 2 {
            self.length = usize::try_from(number(&header[3..6])).unwrap_or(usize::MAX);
            self.kind = header[6];
        }
        if format == 0 {
            self.stream = u32::from_le_bytes([header[7], header[8], header[9], header[10]]);
        }
        if self.extended {
            let at = header_bytes(format);
            self.field = number(&header[at..at + 4]);
        }
    }
}

/// Bytes of the message header.
const fn header_bytes(format: u8) -> usize {
    match format {
        0 => 11,
        1 => 7,
        2 => 3,
        _ => 0,
    }
}

/// Up to four bytes, the highest first.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The head at the start of `input`, if it is whole.
fn head(input: &[u8]) -> Option<Head> {
    let first = *input.first()?;
    let (id, basic) = match first & 0x3f {
        0 => (64 + u32::from(*input.get(1)?), 2),
        1 => (64 + u32::from(*input.get(1)?) + 256 * u32::from(*input.get(2)?), 3),
        id => (u32::from(id), 1),
    };
    let bytes = basic + header_bytes(first >> 6);
    (input.len() >= bytes).then_some(Head { format: first >> 6, id, bytes })
}

/// Chunk size of what we send; said to the peer before anything longer than 128 bytes.
pub(super) const OUR_CHUNK_SIZE: u32 = 4096;

/// One message as chunks. `id` must be from 2 to 63. What it says is a timestamp of zero: we send no media.
pub(super) fn write(id: u8, kind: u8, stream: u32, payload: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(payload.len()).expect("we send short messages").to_be_bytes();
    out.extend([id, 0, 0, 0]);
    out.extend(&length[1..]);
    out.push(kind);
    out.extend(stream.to_le_bytes());
    for (i, part) in payload.chunks(OUR_CHUNK_SIZE as usize).enumerate() {
        if i > 0 {
            out.push(0xc0 | id);
        }
        out.extend(part);
    }
}
