//! Coded media: the bits of containers and codecs.
//!
//! Called by the publish routes, the recorder, the pull sources and `onair publish`. The parsers and writers are sans-IO: bytes
//! in, bytes out, no clock, no socket, no thread.

pub mod air;
mod bitstream;
pub mod decode;
pub mod encode;
pub mod fmp4;
pub mod input;
pub mod keyframe;
pub mod listen;
pub mod live;
pub mod m3u8;
pub mod multipart;
pub mod mux;
pub mod rtmp;
pub mod segment;
pub mod sound;
pub mod tape;
pub mod time;
mod ts;

/// Makes FFmpeg ready and quiet: it would otherwise write to the terminal, past our log. Any number of times.
pub fn init() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        ffmpeg_next::init().expect("registering devices does not fail");
        ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Fatal);
        air::listen();
    });
}

/// The version of FFmpeg's codec library in use, e.g. `59.37.100`.
pub fn version() -> String {
    let version = ffmpeg_next::codec::version();
    format!("{}.{}.{}", version >> 16, version >> 8 & 0xff, version & 0xff)
}
