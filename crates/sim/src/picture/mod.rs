//! Moving test pictures: what a camera, a game or a broken cable would send, with a frame number that
//! survives coding.
//!
//! Called by the stand-in publishers and by tests. A picture is a pure function of its name, size, frame
//! number and time: the same arguments give the same samples.

mod bars;
pub(crate) mod canvas;
mod counter;
mod court;
mod font;

use std::time::Duration;

use pixels::{I420, Matrix, Range};

use canvas::Canvas;
pub use counter::read_counter;

/// What a test picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Colour bars, a clock with a sweeping hand, a bouncing ball, the label and a large running time code.
    Bars,
    /// Two teams of robots after a ball on a marked floor, a score board with the label and the time.
    Court,
}

/// Draws the frames of one test stream.
#[derive(Debug)]
pub struct TestPicture {
    kind: Kind,
    label: String,
    /// Tells streams of different labels apart: 0 to 1.
    flavour: f32,
    /// What does not move, drawn once.
    still: I420,
}

impl TestPicture {
    /// A picture of `width` × `height` pixels (each taken as at least 16) that carries `label`.
    ///
    /// The frame number can be read back from 156 pixels of width on.
    #[must_use]
    pub fn new(kind: Kind, width: u32, height: u32, label: &str) -> Self {
        let mut still = I420::new(width.max(16), height.max(16), Range::Full, Matrix::Bt601);
        let flavour = flavour(label);
        let mut canvas = Canvas { picture: &mut still };
        match kind {
            Kind::Bars => bars::draw_still(&mut canvas, label),
            Kind::Court => court::draw_still(&mut canvas, label, flavour),
        }
        Self { kind, label: label.to_owned(), flavour, still }
    }

    /// Draws frame number `frame`, taken at `time` since the stream's start, into `out`.
    ///
    /// `out` gets the picture's size, full range and BT.601, whatever it was; its memory is reused. The
    /// counter carries the low 32 bits of `frame`.
    pub fn draw(&mut self, frame: u64, time: Duration, out: &mut I420) {
        (out.range, out.matrix) = (Range::Full, Matrix::Bt601);
        out.reshape(self.still.width, self.still.height);
        for (target, still) in out.planes_mut().into_iter().zip(self.still.planes()) {
            for y in 0..still.height {
                target.row_mut(y).copy_from_slice(still.row(y));
            }
        }
        let mut canvas = Canvas { picture: out };
        match self.kind {
            Kind::Bars => bars::draw_moving(&mut canvas, frame, time),
            Kind::Court => court::draw_moving(&mut canvas, frame, time, self.flavour),
        }
        let [.., b3, b2, b1, b0] = frame.to_be_bytes();
        counter::draw(&mut canvas, u32::from_be_bytes([b3, b2, b1, b0]));
    }

    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// Writes a number along the bottom that [`read_counter`] reads back.
pub(crate) fn draw_counter(picture: &mut I420, number: u32) {
    counter::draw(&mut Canvas { picture }, number);
}

/// A number from 0 to 1 that differs between labels (FNV-1a, its top 16 bits).
fn flavour(label: &str) -> f32 {
    let hash =
        label.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [high, low, ..] = hash.to_be_bytes();
    f32::from(u16::from_be_bytes([high, low])) / 65536.0
}

/// `HH:MM:SS.mmm`; hours go on beyond 24 and start again at 100.
fn time_code(time: Duration) -> String {
    let seconds = time.as_secs();
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600 % 100,
        seconds / 60 % 60,
        seconds % 60,
        time.subsec_millis()
    )
}

/// Part of the way through a period, 0 to 1.
pub(crate) fn phase(time: Duration, period: Duration) -> f32 {
    let (nanos, period) = (time.as_nanos() % period.as_nanos().max(1), period.as_nanos().max(1));
    // In thousandths of a turn's thousandth: exact in an f32, and fine enough for any screen.
    let millionths = u32::try_from(nanos * 1_000_000 / period).unwrap_or(0);
    canvas::position(millionths as usize) / 1_000_000.0
}
