//! The door every pushed JPEG passes, whatever carried it: looks at it, mends what can be mended, refuses the rest by
//! name, and hands it to the hub. Never decodes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use pixels::jpeg::{self, Refusal};

use crate::base::clock::MediaTime;
use crate::base::error::{Error, Kind, Result};
use crate::base::queue::Counter;
use crate::streams::{Frame, Picture, Publisher, Registry, StreamName};

/// Takes pushed JPEGs in. Cheap to clone.
#[derive(Clone)]
pub struct Push(Arc<Inner>);

struct Inner {
    registry: Registry,
    limits: Limits,
    connections: AtomicU64,
    refused: Refused,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one JPEG.
    pub max_bytes: usize,
    /// Pixels of its longer side.
    pub max_side: u16,
}

/// JPEGs that were not taken, by what was wrong with them.
#[derive(Debug, Default)]
pub struct Refused {
    pub not_jpeg: Counter,
    pub cut_short: Counter,
    pub too_large: Counter,
    pub unsupported: Counter,
    /// No room for one more stream.
    pub full: Counter,
}

impl Push {
    pub fn new(registry: Registry, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            registry,
            limits,
            connections: AtomicU64::new(0),
            refused: Refused::default(),
        }))
    }

    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    pub fn refused(&self) -> &Refused {
        &self.0.refused
    }

    /// A name for a connection that will send many frames.
    pub fn connection(&self) -> Publisher {
        Publisher::Connection(self.0.connections.fetch_add(1, Ordering::Relaxed))
    }

    /// Puts one JPEG into the stream `name`.
    ///
    /// # Errors
    /// `TooLarge`, `WrongType`, `Invalid` for a JPEG we don't take; `Unavailable` when there is no room for one more
    /// stream.
    pub fn accept(
        &self,
        name: &StreamName,
        bytes: Bytes,
        source_time: Option<MediaTime>,
        from: Publisher,
    ) -> Result<Arc<Frame>> {
        if bytes.len() > self.0.limits.max_bytes {
            self.0.refused.too_large.add(1);
            return Err(self.too_large());
        }
        let header =
            jpeg::inspect(&bytes, self.0.limits.max_side).map_err(|refusal| self.refuse(&refusal))?;
        let jpeg = if header.huffman_tables {
            bytes.slice(..header.len)
        } else {
            Bytes::from(jpeg::with_huffman_tables(&bytes, &header))
        };
        let picture = Picture { jpeg, header, source_time, media_time: None };
        self.0.registry.publish(name, picture, from).inspect_err(|_| self.0.refused.full.add(1))
    }

    /// The refusal of a body whose length alone is too much.
    pub fn too_large(&self) -> Error {
        let most = self.0.limits.max_bytes;
        Error::new(
            Kind::TooLarge,
            format!("a frame may have {most} bytes at most (server.max_frame_size_mb)"),
        )
    }

    fn refuse(&self, refusal: &Refusal) -> Error {
        let refused = &self.0.refused;
        match refusal {
            Refusal::Empty => {
                refused.cut_short.add(1);
                Error::invalid("frame", refusal.to_string())
            }
            Refusal::NotJpeg => {
                refused.not_jpeg.add(1);
                Error::new(Kind::WrongType, refusal.to_string())
            }
            Refusal::Unsupported(_) => {
                refused.unsupported.add(1);
                Error::new(Kind::WrongType, refusal.to_string())
            }
            Refusal::TooManyPixels { .. } => {
                refused.too_large.add(1);
                Error::invalid("frame", refusal.to_string())
            }
            Refusal::CutShort | Refusal::Malformed(_) => {
                refused.cut_short.add(1);
                Error::invalid("frame", refusal.to_string())
            }
        }
    }
}
