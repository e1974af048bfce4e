//! Decodes a tape's pictures, one after the other.

use ffmpeg_next::codec::{self, Parameters, decoder, threading};
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Rational, format::Pixel, frame};
use pixels::{I420, Matrix, Range, convert};

use super::{Coded, Decoded, micros};
use crate::decode::raw;
use crate::input::planes::Converter;
use crate::live::Error;

/// What decodes the pictures of one tape.
pub struct Screen {
    decoder: decoder::Video,
    base: Rational,
    converter: Converter,
    /// EXIF's numbering; 1 is upright.
    turned: u8,
    /// Pixels a side.
    most: u32,
}

/// More pixels than this take more than one thread can do.
const ONE_THREAD: u64 = 1920 * 1088;
const THREADS: usize = 4;

impl Screen {
    pub(super) fn new(parameters: Parameters, base: Rational, turned: u8, most: u32) -> Result<Self, Error> {
        let name = || Error::Codec(parameters.id().name().to_owned());
        let library = decoder::find(parameters.id()).ok_or_else(name)?;
        let mut context = codec::Context::from_parameters(parameters.clone()).map_err(|_| name())?;
        let side = i64::from(most) + 128;
        raw::prepare(&mut context, &[], side * side, raw::Edges::Smoothed).map_err(Error::Open)?;
        let size = raw::size(&context);
        // Further threads cost, and hold as many pictures back.
        let threads = if u64::from(size.0) * u64::from(size.1) > ONE_THREAD { THREADS } else { 1 };
        context.set_threading(threading::Config::count(threads));
        let opened = context.decoder().open_as(library).and_then(decoder::Opened::video);
        let decoder = opened.map_err(|_| name())?;
        Ok(Self { decoder, base, converter: Converter::new(1), turned, most })
    }

    /// Takes the next part; [`Self::receive`] is to be asked until it has nothing before the next.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn send(&mut self, coded: &Coded) -> Result<(), Error> {
        self.decoder.send_packet(&coded.packet).map_err(Error::Read)
    }

    /// No more parts come.
    ///
    /// # Errors
    /// When the decoder fails.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.decoder.send_eof().map_err(Error::Read)
    }

    /// The next picture in the order they are shown, and when (µs); `None`: another part is needed. Pictures that lack
    /// something are passed over.
    ///
    /// # Errors
    /// When it can't be decoded or converted, or is larger than allowed.
    pub fn receive(&mut self) -> Result<Option<(Option<i64>, Decoded)>, Error> {
        loop {
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) if frame.is_corrupt() || raw::made_up(&frame) => {}
                Ok(()) => {
                    let at = frame.timestamp().or(frame.pts()).map(|time| micros(time, self.base));
                    return self.shown(frame).map(|decoded| Some((at, decoded)));
                }
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => {
                    return Ok(None);
                }
                Err(e) => return Err(Error::Read(e)),
            }
        }
    }

    fn shown(&mut self, frame: frame::Video) -> Result<Decoded, Error> {
        if frame.width().max(frame.height()) > self.most || frame.width() == 0 || frame.height() == 0 {
            return Err(Error::TooLarge);
        }
        if self.turned != 1 {
            let mut picture = I420::new(2, 2, Range::Limited, Matrix::Bt709);
            self.converter.copy(&frame, &mut picture).map_err(Error::Read)?;
            let mut upright = I420::new(2, 2, picture.range, picture.matrix);
            convert::upright(&picture, self.turned, &mut upright);
            return Ok(Decoded::own(upright));
        }
        if matches!(frame.format(), Pixel::YUV420P | Pixel::YUVJ420P) {
            return Ok(Decoded::frame(frame));
        }
        self.converter.planar(&frame).map(Decoded::frame).map_err(Error::Read)
    }
}
