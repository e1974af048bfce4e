//! FFmpeg's muxers and sockets, with what the binding does not offer on outputs: a callback that ends blocking calls.
//!
//! Called by [`super::Outlet`]. Each call has a deadline or a bound on its waiting, and looks at the flag ten times a second.
#![expect(
    unsafe_code,
    reason = "the binding has no interrupts on outputs, and no way to describe a stream without an encoder"
)]

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use ffmpeg_next::util::error::EINVAL;
use ffmpeg_next::util::interrupt;
use ffmpeg_next::{Dictionary, Error, Packet as Raw, Rational, ffi};

use super::destination::{destination, lost, not_opened};
use super::heard::Heard;
use super::watch::Watch;
use super::{Limits, OutletError, Peer, Way};
use crate::air::{Packet, RATE, SoundCodec, TICKS, Track, Tracks, VideoCodec};
use crate::encode::annexb;

/// An open muxer and what it writes to.
pub(super) struct Muxer {
    context: *mut ffi::AVFormatContext,
    watch: Arc<Watch>,
    /// Freed after the context, whose callback it holds.
    _interrupt: interrupt::InterruptGuard,
    way: Way,
    /// What a unit of each stream's time is.
    bases: [Rational; 2],
    /// The record with the parameter sets, where the container takes pictures with start codes.
    start_codes: Option<Bytes>,
}

// SAFETY: FFmpeg binds no context to a thread; it is used through `&mut` and dropped by one owner.
unsafe impl Send for Muxer {}

impl Muxer {
    pub(super) fn open(
        way: &Way,
        peer: &Peer,
        tracks: &Tracks,
        limits: Limits,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, OutletError> {
        let (url, format, options) = destination(way, peer, limits)?;
        let watch = Watch::begin(stop, limits.connect);
        let mut muxer = Self::describe(way, format, tracks, watch)?;
        let heard = Heard::start();
        let opened = muxer.connect(&url, &options).and_then(|()| muxer.begin());
        let said = heard.end();
        if let Err(error) = opened {
            return Err(not_opened(&muxer.way, muxer.watch.stopped(), error, &said));
        }
        #[cfg(target_os = "linux")]
        if let (Way::Flv(url), Some(address)) = (way, peer.address) {
            super::patience::bound(address, url, limits.stall);
        }
        muxer.watch.opened();
        Ok(muxer)
    }

    /// A muxer of that format that knows its streams and has nowhere to write to.
    fn describe(
        way: &Way,
        format: &'static CStr,
        tracks: &Tracks,
        watch: Arc<Watch>,
    ) -> Result<Self, OutletError> {
        let missing = || OutletError::Unsupported("this machine's FFmpeg lacks that container".to_owned());
        let seen = Arc::clone(&watch);
        let interrupt = interrupt::new(Box::new(move || seen.interrupts()));
        let mut context = ptr::null_mut();
        // SAFETY: the name lives for the call; FFmpeg sets the pointer, or leaves it null when it fails.
        let status = unsafe {
            ffi::avformat_alloc_output_context2(&raw mut context, ptr::null(), format.as_ptr(), ptr::null())
        };
        if status < 0 || context.is_null() {
            return Err(missing());
        }
        // SAFETY: the context is FFmpeg's own and ours alone.
        unsafe {
            (*context).interrupt_callback = interrupt.interrupt;
            (*context).flags |= ffi::AVFMT_FLAG_FLUSH_PACKETS;
            (*context).avoid_negative_ts = 0;
        }
        let bases = [Rational(1, TICKS.cast_signed()); 2];
        let start_codes = matches!(way, Way::MpegTs(_)).then(|| tracks.picture.config.clone());
        let mut muxer =
            Self { context, watch, _interrupt: interrupt.guard, way: way.clone(), bases, start_codes };
        muxer.add_picture(tracks).ok_or_else(missing)?;
        if tracks.sound.is_some() {
            muxer.add_sound(tracks).ok_or_else(missing)?;
        }
        Ok(muxer)
    }

    fn add_picture(&mut self, tracks: &Tracks) -> Option<()> {
        let track = &tracks.picture;
        let rate = Rational(track.fps.cast_signed(), 1);
        let config = if self.start_codes.is_some() { Bytes::new() } else { track.config.clone() };
        let (stream, parameters) = self.add(i64::from(track.kbps), &config)?;
        // SAFETY: both are live until the context is freed; these are plain fields.
        unsafe {
            (*parameters).codec_type = ffi::AVMediaType::AVMEDIA_TYPE_VIDEO;
            (*parameters).codec_id = match track.codec {
                VideoCodec::H264 => ffi::AVCodecID::AV_CODEC_ID_H264,
                VideoCodec::Vp8 => ffi::AVCodecID::AV_CODEC_ID_VP8,
                VideoCodec::Vp9 => ffi::AVCodecID::AV_CODEC_ID_VP9,
            };
            (*parameters).format = ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32;
            (*parameters).width = track.width.cast_signed();
            (*parameters).height = track.height.cast_signed();
            (*parameters).sample_aspect_ratio = Rational(1, 1).into();
            (*parameters).color_range = ffi::AVColorRange::AVCOL_RANGE_MPEG;
            (*parameters).color_primaries = ffi::AVColorPrimaries::AVCOL_PRI_BT709;
            (*parameters).color_trc = ffi::AVColorTransferCharacteristic::AVCOL_TRC_BT709;
            (*parameters).color_space = match track.codec {
                VideoCodec::Vp8 => ffi::AVColorSpace::AVCOL_SPC_SMPTE170M,
                VideoCodec::H264 | VideoCodec::Vp9 => ffi::AVColorSpace::AVCOL_SPC_BT709,
            };
            if let [_, profile, _, level, ..] = track.config[..] {
                (*parameters).profile = profile.into();
                (*parameters).level = level.into();
            }
            (*stream).avg_frame_rate = rate.into();
            (*stream).r_frame_rate = rate.into();
        }
        Some(())
    }

    fn add_sound(&mut self, tracks: &Tracks) -> Option<()> {
        let track = tracks.sound.as_ref()?;
        let (_, parameters) = self.add(i64::from(track.kbps), &track.config)?;
        // SAFETY: it is live until the context is freed; these are plain fields, and the layout is set as FFmpeg wants it.
        unsafe {
            (*parameters).codec_type = ffi::AVMediaType::AVMEDIA_TYPE_AUDIO;
            (*parameters).sample_rate = RATE.cast_signed();
            (*parameters).format = ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP as i32;
            let (codec, frame) = match track.codec {
                SoundCodec::Aac => (ffi::AVCodecID::AV_CODEC_ID_AAC, 1024),
                SoundCodec::Opus => (ffi::AVCodecID::AV_CODEC_ID_OPUS, 960),
            };
            (*parameters).codec_id = codec;
            (*parameters).frame_size = frame;
            if track.codec == SoundCodec::Opus {
                (*parameters).initial_padding =
                    track.config.get(10..12).map_or(0, |skip| i32::from(skip[0]) | i32::from(skip[1]) << 8);
            }
            ffi::av_channel_layout_default(&raw mut (*parameters).ch_layout, 2);
        }
        Some(())
    }

    /// A new stream with these headers.
    fn add(
        &mut self,
        kbps: i64,
        config: &Bytes,
    ) -> Option<(*mut ffi::AVStream, *mut ffi::AVCodecParameters)> {
        let size = i32::try_from(config.len()).ok()?;
        // SAFETY: the context is live and has not begun. The headers are copied into memory of FFmpeg's, which has the padding
        // it reads past the end and is freed with the stream.
        unsafe {
            let stream = ffi::avformat_new_stream(self.context, ptr::null());
            if stream.is_null() {
                return None;
            }
            (*stream).time_base = Rational(1, TICKS.cast_signed()).into();
            let parameters = (*stream).codecpar;
            (*parameters).bit_rate = kbps * 1000;
            if size > 0 {
                let bytes = config.len() + ffi::AV_INPUT_BUFFER_PADDING_SIZE as usize;
                let copy = ffi::av_mallocz(bytes).cast::<u8>();
                if copy.is_null() {
                    return None;
                }
                ptr::copy_nonoverlapping(config.as_ptr(), copy, config.len());
                (*parameters).extradata = copy;
                (*parameters).extradata_size = size;
            }
            Some((stream, parameters))
        }
    }

    fn connect(&mut self, url: &str, options: &[(&'static str, String)]) -> Result<(), Error> {
        let url = CString::new(url).map_err(|_| Error::Other { errno: EINVAL })?;
        let mut settings = Dictionary::new();
        for (name, value) in options {
            settings.set(name, value);
        }
        // SAFETY: the URL and the callback's box live longer than the calls; the dictionary is taken back whatever FFmpeg made
        // of it.
        unsafe {
            let mut settings = settings.disown();
            let status = ffi::avio_open2(
                &raw mut (*self.context).pb,
                url.as_ptr(),
                ffi::AVIO_FLAG_WRITE,
                &raw const (*self.context).interrupt_callback,
                &raw mut settings,
            );
            drop(Dictionary::own(settings));
            if status < 0 { Err(Error::from(status)) } else { Ok(()) }
        }
    }

    fn begin(&mut self) -> Result<(), Error> {
        let mut settings = Dictionary::new();
        match &self.way {
            // A connection can't be sought in to write how long it became.
            Way::Flv(_) => settings.set("flvflags", "no_duration_filesize"),
            Way::WebM(_) => settings.set("cluster_time_limit", "1000"),
            Way::MpegTs(_) | Way::Mp4(_) => {}
        }
        // SAFETY: the context is live and has somewhere to write to; its streams are live afterwards, with the times of
        // this container.
        unsafe {
            let mut settings = settings.disown();
            let status = ffi::avformat_write_header(self.context, &raw mut settings);
            drop(Dictionary::own(settings));
            if status < 0 {
                return Err(Error::from(status));
            }
            ffi::avio_flush((*self.context).pb);
            let streams = (*self.context).nb_streams as usize;
            for (at, base) in self.bases.iter_mut().enumerate().take(streams) {
                *base = (**(*self.context).streams.add(at)).time_base.into();
            }
            if (*(*self.context).pb).error < 0 {
                Err(Error::from((*(*self.context).pb).error))
            } else {
                Ok(())
            }
        }
    }

    pub(super) fn write(&mut self, packet: &Packet, base: i64) -> Result<(), OutletError> {
        let index = usize::from(packet.track == Track::Sound);
        let mut raw = match &self.start_codes {
            Some(record) if packet.track == Track::Picture => {
                let record = packet.keyframe.then_some(&record[..]);
                Raw::copy(&annexb::with_start_codes(&packet.data, record))
            }
            _ => Raw::copy(&packet.data),
        };
        raw.set_stream(index);
        raw.set_pts(Some(packet.pts - base));
        raw.set_dts(Some(packet.dts - base));
        raw.set_duration(packet.duration.into());
        if packet.keyframe {
            raw.set_flags(ffmpeg_next::packet::Flags::KEY);
        }
        raw.rescale_ts(Rational(1, TICKS.cast_signed()), self.bases[index]);
        let heard = Heard::start();
        // SAFETY: context and packet are live; the packet has its own data, which FFmpeg leaves to us.
        let status =
            unsafe { ffi::av_write_frame(self.context, ffmpeg_next::packet::Mut::as_mut_ptr(&mut raw)) };
        let said = heard.end();
        if status < 0 {
            Err(lost(&self.way, self.watch.stopped(), Error::from(status), &said))
        } else {
            Ok(())
        }
    }

    pub(super) fn sent(&self) -> u64 {
        // SAFETY: the context is live; where it writes to is too, from opening until it is dropped.
        let written =
            unsafe { if (*self.context).pb.is_null() { 0 } else { (*(*self.context).pb).bytes_written } };
        u64::try_from(written).unwrap_or(0)
    }

    pub(super) fn finish(self) -> Result<(), OutletError> {
        self.watch.end();
        let heard = Heard::start();
        // SAFETY: the header was written; nothing is written after this. Closing sets the pointer to null.
        let status = unsafe {
            let trailer = ffi::av_write_trailer(self.context);
            let closed = ffi::avio_closep(&raw mut (*self.context).pb);
            if trailer < 0 { trailer } else { closed }
        };
        let said = heard.end();
        if status < 0 {
            Err(lost(&self.way, self.watch.stopped(), Error::from(status), &said))
        } else {
            Ok(())
        }
    }
}

impl Drop for Muxer {
    fn drop(&mut self) {
        self.watch.abandon();
        // SAFETY: the context is live and freed here only. What it writes to is closed first, which takes null; the callback's
        // box is a field and goes after this.
        unsafe {
            ffi::avio_closep(&raw mut (*self.context).pb);
            ffi::avformat_free_context(self.context);
        }
    }
}
