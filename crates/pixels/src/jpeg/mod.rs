//! JPEG: is it whole and allowed, how big is it, its pixels, and pixels back into it.
//!
//! Called for every pushed frame ([`inspect`]), by whoever needs pixels of one ([`Decoder`]) and by the
//! snapshot route and the stand-in world ([`Encoder`]). [`inspect`] is our own walk over the markers and
//! never decodes; decoding and encoding are libjpeg-turbo's. Nothing here trusts a length, an offset or a
//! size before it has been checked.

mod decode;
mod encode;
mod exif;
mod inspect;
mod markers;
mod tables;

pub use decode::Decoder;
pub use encode::Encoder;
pub use inspect::inspect;
pub use tables::with_huffman_tables;

/// What [`inspect`] found out about a whole JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns as coded, before `orientation`.
    pub width: u16,
    /// Rows as coded, before `orientation`.
    pub height: u16,
    /// 1 (grey), 3 (YCbCr, rarely RGB) or 4 (CMYK, YCCK).
    pub components: u8,
    pub sampling: Sampling,
    pub progressive: bool,
    /// False for AVI1-style Motion JPEG, which leaves the standard tables out; see [`with_huffman_tables`].
    pub huffman_tables: bool,
    /// EXIF orientation 1–8 (TIFF 6.0 tag 274); 1, upright, when the file has none or an impossible one.
    pub orientation: u8,
    /// Bytes up to and including the end-of-image marker. What follows (padding, a second picture) is to be
    /// cut off.
    pub len: usize,
    /// Bytes before the first start-of-scan marker.
    pub first_scan: usize,
    /// Colour transform byte of the Adobe APP14 segment, when there is one: 0 none, 1 YCbCr, 2 YCCK.
    pub adobe_transform: Option<u8>,
}

impl Header {
    /// Width and height as a viewer shows them, after `orientation`.
    #[must_use]
    pub fn shown_size(&self) -> (u16, u16) {
        if self.orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) }
    }
}

/// How many chroma samples there are for the luma samples, by the ratio of the sampling factors (T.81 A.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    S420,
    S422,
    S440,
    S444,
    S411,
    S441,
    S410,
    /// One component.
    Grey,
    /// Chroma planes of different sizes, luma smaller than chroma and the like: decoded by way of RGB.
    Other,
}

/// Why a picture is not taken in. The text is meant for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no data; send one whole JPEG")]
    Empty,
    #[error("this is not a JPEG: it does not begin with the bytes FF D8 FF")]
    NotJpeg,
    #[error("the JPEG is cut short: it ends before its picture is complete")]
    CutShort,
    #[error("the JPEG is {width}x{height} pixels; at most {max_side} pixels a side are allowed")]
    TooManyPixels { width: u16, height: u16, max_side: u16 },
    #[error(
        "the JPEG uses {0}, which is not supported; send an 8-bit Huffman-coded baseline or progressive JPEG"
    )]
    Unsupported(&'static str),
    #[error("the JPEG is damaged: {0}")]
    Malformed(&'static str),
}

/// Why decoding or encoding failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The decoder gave up; damage that still leaves a picture is not an error.
    #[error("the JPEG cannot be decoded: {0}")]
    Undecodable(String),
    /// The bytes are not those the header was read from.
    #[error("the JPEG and the header given with it do not belong together")]
    OtherHeader,
    #[error("JPEG quality is {0}; 1 to 100 is allowed")]
    Quality(u8),
    #[error("the picture cannot be encoded as JPEG: {0}")]
    Unencodable(String),
    #[error("the JPEG library did not start: {0}")]
    Library(String),
}
