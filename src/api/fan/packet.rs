//! A frame as it is written to every viewer: one chunk of an HTTP/1.1 answer.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use rustix::fs::{MemfdFlags, memfd_create, sendfile};
use tokio::net::TcpStream;

use crate::streams::{DELIMITER, Frame};

pub(super) struct Packet {
    pub(super) frame: Arc<Frame>,
    len: usize,
    data: Data,
}

enum Data {
    Copied(Bytes),
    /// Pages the kernel sends without copying them.
    Shared(File),
}

impl Packet {
    /// Viewers from which on pages are cheaper, though they must be made first (measured: `docs/benchmarks.md`).
    const MANY: usize = 8;

    pub(super) fn new(frame: &Arc<Frame>, viewers: usize) -> Self {
        let head = frame.part_head();
        let len = head.len() + frame.jpeg.len() + 2 + DELIMITER.len();
        let chunk = format!("{len:X}\r\n{head}");
        let parts = [chunk.as_bytes(), &frame.jpeg, b"\r\n", DELIMITER, b"\r\n"];
        let shared = if viewers >= Self::MANY { pages(&parts).ok() } else { None };
        let data = shared.map_or_else(|| Data::Copied(parts.concat().into()), Data::Shared);
        Self { frame: Arc::clone(frame), len: parts.iter().map(|part| part.len()).sum(), data }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Writes what stands from there on, as far as it goes without waiting.
    pub(super) fn write(&self, tcp: &TcpStream, from: usize) -> io::Result<usize> {
        match &self.data {
            Data::Copied(bytes) => Ok(rustix::io::write(tcp, &bytes[from..])?),
            Data::Shared(file) => Ok(sendfile(tcp, file, Some(&mut (from as u64)), self.len - from)?),
        }
    }
}

fn pages(parts: &[&[u8]]) -> io::Result<File> {
    let mut file = File::from(memfd_create("onair-frame", MemfdFlags::CLOEXEC)?);
    parts.iter().try_for_each(|part| file.write_all(part))?;
    Ok(file)
}
