//! What layers show, drawn into pixels: text, shapes, images, cards, chats, clocks, tickers.
//!
//! Called by the compositor's workers whenever the content of a layer changed, never for one that stayed as it was. Pure:
//! contents in, [`Bitmap`]s out. Nothing here moves or blends layers, reads a clock (time is given), opens a socket, or
//! reads a file but those of the fonts that the system has ([`Fonts::with_system`]). What is drawn comes from outside:
//! every size is bounded, and a library that panics on a hostile font or picture makes an [`Error`] here.

mod painter;

mod card;
mod shape;
mod text;

pub mod chat;
pub mod clock;
pub mod ticker;

mod canvas;
mod drawn;
mod error;
mod seam;
mod shadow;

pub mod fonts;
pub mod image;

pub use drawn::Drawn;
pub use error::Error;
pub use fonts::Fonts;
pub use painter::Painter;
pub use pixels::compose::Bitmap;

/// Most pixels a side of anything that is drawn or decoded.
pub const MAX_SIDE: u32 = 8192;
/// Most pixels of anything that is drawn or decoded: 128 MiB of them.
pub const MAX_PIXELS: u64 = 32 << 20;
