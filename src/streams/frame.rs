//! One coded picture and when it was seen.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use pixels::jpeg::Header;

use crate::base::clock::{MediaTime, Monotonic};

/// Boundary of every MJPEG answer.
pub const BOUNDARY: &str = "frame";

/// Stands before the first part, and at the end of each: a browser shows a picture when it has seen the delimiter
/// after it, so that one must not wait for the next frame.
pub const DELIMITER: &[u8] = b"--frame\r\n";

/// A whole JPEG as it was sent (given its Huffman tables if it came without). Shared by all who watch, record or read.
#[derive(Debug)]
pub struct Frame {
    pub jpeg: Bytes,
    pub header: Header,
    /// When it arrived.
    pub at: Monotonic,
    /// When it was seen, as well as we know.
    pub media_time: MediaTime,
    /// When its publisher says it was seen.
    pub source_time: Option<MediaTime>,
    /// Counts from 1 within its stream, without gaps.
    pub sequence: u64,
    part: OnceLock<Bytes>,
}

impl Frame {
    pub(super) fn new(
        jpeg: Bytes,
        header: Header,
        at: Monotonic,
        media_time: MediaTime,
        source_time: Option<MediaTime>,
        sequence: u64,
    ) -> Arc<Self> {
        Arc::new(Self { jpeg, header, at, media_time, source_time, sequence, part: OnceLock::new() })
    }

    /// What stands before the JPEG in a part of `multipart/x-mixed-replace`.
    pub fn part_head(&self) -> String {
        let source = self.source_time.map(|time| format!("X-Source-Timestamp: {time}\r\n"));
        format!(
            "Content-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n{}\r\n",
            self.jpeg.len(),
            self.media_time,
            source.unwrap_or_default()
        )
    }

    /// The frame as one part of `multipart/x-mixed-replace`: head, JPEG, and the [`DELIMITER`] of the next part.
    ///
    /// Made by the first viewer who asks, in one allocation; all others share the bytes.
    pub fn part(&self) -> Bytes {
        let make = || {
            let head = self.part_head();
            let mut part = BytesMut::with_capacity(head.len() + self.jpeg.len() + 2 + DELIMITER.len());
            part.put_slice(head.as_bytes());
            part.put_slice(&self.jpeg);
            part.put_slice(b"\r\n");
            part.put_slice(DELIMITER);
            part.freeze()
        };
        self.part.get_or_init(make).clone()
    }
}
