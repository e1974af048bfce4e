//! A coded picture that needs no other, and the seam between finding it and decoding it.
//!
//! Made by [`crate::segment`] and [`crate::live`], taken by [`crate::decode`] and by whoever keeps pictures as they were coded.

use bytes::Bytes;

/// Video codecs whose keyframes we find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    H264,
    Hevc,
    Av1,
}

impl Codec {
    /// What users call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::Hevc => "HEVC",
            Self::Av1 => "AV1",
        }
    }
}

/// A coded picture that can be decoded without any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyframe {
    pub codec: Codec,
    /// One access unit. With `config` as MP4 stores it (lengths before NAL units); without it a byte stream that brings its
    /// own parameter sets (Annex B; AV1: low-overhead OBUs).
    pub data: Bytes,
    /// Body of the `avcC`, `hvcC` or `av1C` box.
    pub config: Option<Bytes>,
    /// Pixels shown, after cropping.
    pub width: u32,
    pub height: u32,
    /// Ticks of 1/90000 s on the segment's clock.
    pub pts: u64,
}
