//! A live H.264 stream, picture after picture: for sources whose every frame somebody wants.
//!
//! Called on a thread of the stream's own. What is damaged is left out; the next keyframe mends it.

use ffmpeg_next::codec::{self, decoder, threading};
use ffmpeg_next::util::error::EAGAIN;
use ffmpeg_next::{Packet, frame};
use pixels::I420;

use super::{Edges, Error, raw};
use crate::input::planes::Converter;

/// One decoder with the pictures it refers to. A new configuration needs a new one.
pub struct StreamDecoder {
    decoder: decoder::Video,
    converter: Converter,
    decoded: frame::Video,
}

impl StreamDecoder {
    /// `config` is an `AVCDecoderConfigurationRecord` (ISO 14496-15); pictures of more than `max_side` pixels a side, rounded up
    /// to whole blocks, are refused.
    ///
    /// # Errors
    /// When this machine's FFmpeg has no H.264 decoder, or the configuration is none.
    pub fn h264(config: &[u8], max_side: u16) -> Result<Self, Error> {
        crate::init();
        let library = decoder::find(codec::Id::H264).ok_or(Error::Missing("H.264"))?;
        let mut context = codec::Context::new_with_codec(library);
        // More threads would hold as many pictures back.
        context.set_threading(threading::Config::count(1));
        let side = i64::from(max_side) + 128;
        raw::prepare(&mut context, config, side * side, Edges::Smoothed).map_err(Error::Decode)?;
        let opened = context.decoder().open_as(library).and_then(decoder::Opened::video);
        let decoder = opened.map_err(Error::Decode)?;
        Ok(Self { decoder, converter: Converter::new(1), decoded: frame::Video::empty() })
    }

    /// Takes one access unit whose units are preceded by their lengths, to be shown at `time` (any unit). [`Self::receive`] is
    /// to be asked until it has nothing, before the next.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn send(&mut self, unit: &[u8], time: i64) -> Result<(), Error> {
        let mut packet = Packet::copy(unit);
        packet.set_pts(Some(time));
        self.decoder.send_packet(&packet).map_err(Error::Decode)
    }

    /// The next picture in the order they are shown, and its time; `None`: another unit is needed. Pictures that lack
    /// something are passed over.
    ///
    /// # Errors
    /// When it can't be decoded or converted. `into` is then anything.
    pub fn receive(&mut self, into: &mut I420) -> Result<Option<i64>, Error> {
        loop {
            match self.decoder.receive_frame(&mut self.decoded) {
                Ok(()) if self.decoded.is_corrupt() || raw::made_up(&self.decoded) => {}
                Ok(()) => {
                    self.converter.copy(&self.decoded, into).map_err(Error::Convert)?;
                    return Ok(Some(self.decoded.timestamp().or(self.decoded.pts()).unwrap_or(0)));
                }
                Err(ffmpeg_next::Error::Other { errno: EAGAIN } | ffmpeg_next::Error::Eof) => {
                    return Ok(None);
                }
                Err(e) => return Err(Error::Decode(e)),
            }
        }
    }

    /// No more units come: [`Self::receive`] then gives what was held back.
    ///
    /// # Errors
    /// When the decoder fails.
    pub fn finish(&mut self) -> Result<(), Error> {
        self.decoder.send_eof().map_err(Error::Decode)
    }
}
