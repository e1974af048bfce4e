//! RTMP as a server meets it: bytes from a publisher in, what it publishes and bytes for it out. No I/O, no clock.
//!
//! Called by whoever owns the socket. Takes what OBS, FFmpeg and hardware encoders send: the plain handshake, chunks of any
//! interleaving, AMF0 commands, H.264 and AAC as in FLV. What a peer can make us keep is bounded by the constants here.
//! After Adobe's RTMP 1.0 and FLV 10.1 specifications.
//!
//! ```text
//! bytes ──► handshake ──► chunk (messages) ──► server (commands, by amf) ──► Event
//!                                                 └── flv (what is in a video or audio message)
//! ```

mod amf;
mod chunk;
mod flv;
mod server;
#[cfg(test)]
mod tests;

pub use flv::{FLV_HEADER, Sound, Video, sound_tag, video_tag};
pub use server::{Event, Server};

/// Bytes of one message.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Why a connection can't go on. The text is for whoever publishes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("this is not RTMP")]
    NotRtmp,
    #[error("the chunk size {0} is not from 1 to {MAX_MESSAGE}")]
    ChunkSize(u32),
    #[error("a chunk goes on a message that was never begun")]
    NothingBegun,
    #[error("too many chunk streams are used at once")]
    TooManyChunkStreams,
    #[error("a message of {0} bytes is more than {MAX_MESSAGE}")]
    TooLarge(usize),
    #[error("unfinished messages hold more than {MAX_MESSAGE} bytes")]
    TooMuchUnfinished,
    #[error("a command can't be read: {0}")]
    Command(&'static str),
    #[error("commands in a wrong order: {0}")]
    Order(&'static str),
    #[error("a video or audio message is cut short")]
    Media,
    #[error("the video is {0}; send H.264")]
    Codec(&'static str),
}
