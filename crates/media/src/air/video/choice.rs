//! Which of FFmpeg's encoders does it, and what it is told.
//!
//! Called by [`super::VideoEncoder`] when it opens and when its preset changes.

use ffmpeg_next::{Dictionary, Rational, codec, color, encoder, format::Pixel, frame};

use super::{Inner, VideoSettings};
use crate::air::{Acceleration, Error, Preset, VideoCodec};

/// What was opened, and why it is not what was asked for.
pub(super) struct Choice {
    pub(super) inner: Inner,
    pub(super) warning: Option<String>,
}

/// How an encoder wants its pictures.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// FFmpeg's name of the encoder.
    pub(super) encoder: &'static str,
    width: u32,
    height: u32,
    /// Whether the planes of colour are one, sample by sample in turns (NV12).
    pub(super) interleaved: bool,
}

/// Hardware by the order [`Acceleration::Auto`] tries it in.
const HARDWARE: [(Acceleration, &str, &str); 3] = [
    (Acceleration::Nvenc, "h264_nvenc", "nvenc"),
    (Acceleration::Qsv, "h264_qsv", "qsv"),
    (Acceleration::Vaapi, "h264_vaapi", "vaapi"),
];

pub(super) fn open(settings: &VideoSettings) -> Result<Choice, Error> {
    let software = match settings.codec {
        VideoCodec::H264 => "libx264",
        VideoCodec::Vp8 => "libvpx",
        VideoCodec::Vp9 => "libvpx-vp9",
    };
    if settings.acceleration == Acceleration::None {
        return Ok(Choice { inner: again(software, settings)?, warning: None });
    }
    let mut failures = Vec::new();
    for (kind, encoder, name) in HARDWARE {
        if settings.codec != VideoCodec::H264 || ![kind, Acceleration::Auto].contains(&settings.acceleration)
        {
            continue;
        }
        match again(encoder, settings) {
            Ok(inner) => return Ok(Choice { inner, warning: None }),
            Err(why) => failures.push(format!("{name}: {why}")),
        }
    }
    let why = if failures.is_empty() {
        "no hardware here encodes that codec".to_owned()
    } else {
        failures.join("; ")
    };
    let warning = Some(format!("encoding in software ({software}), for the hardware is not there: {why}"));
    Ok(Choice { inner: again(software, settings)?, warning })
}

/// Opens the encoder of that name.
pub(super) fn again(name: &'static str, settings: &VideoSettings) -> Result<Inner, Error> {
    if name == "h264_vaapi" {
        return Err(Error::Settings("pictures can't be given to this hardware yet".to_owned()));
    }
    let found = codec::encoder::find_by_name(name).ok_or(Error::Missing(name))?;
    let refused = |source| Error::Open { name, source };
    let layout = Layout {
        encoder: name,
        width: settings.width,
        height: settings.height,
        interleaved: name == "h264_qsv",
    };
    let mut context = codec::Context::new_with_codec(found);
    context.set_flags(codec::Flags::GLOBAL_HEADER | codec::Flags::CLOSED_GOP);
    let mut video = context.encoder().video().map_err(refused)?;
    video.set_width(settings.width);
    video.set_height(settings.height);
    video.set_format(layout.pixel());
    let fps = settings.fps.cast_signed();
    video.set_time_base(Rational(1, fps));
    video.set_frame_rate(Some(Rational(fps, 1)));
    video.set_max_b_frames(0);
    // Keyframes are asked for; this is what hardware and rate control expect.
    video.set_gop(settings.fps * settings.keyframe_every_s);
    video.set_colorspace(color::Space::BT709);
    video.set_color_range(color::Range::MPEG);
    video.set_color_primaries(color::Primaries::BT709);
    video.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
    video.set_aspect_ratio(Rational(1, 1));
    let mut options = Dictionary::new();
    let rate = settings.kbps * 1000;
    options.set("b", &rate.to_string());
    options.set("maxrate", &rate.to_string());
    options.set("bufsize", &(u64::from(rate) * 3 / 2).to_string());
    for (option, value) in own_options(name, settings) {
        options.set(option, &value);
    }
    let encoder = video.open_with(options).map_err(refused)?;
    Ok(Inner { encoder, layout, input: None })
}

impl Layout {
    fn pixel(&self) -> Pixel {
        if self.interleaved { Pixel::NV12 } else { Pixel::YUV420P }
    }

    /// A picture for the encoder, its samples undefined.
    pub(super) fn blank(&self) -> frame::Video {
        let mut blank = frame::Video::new(self.pixel(), self.width, self.height);
        self.colour(&mut blank);
        blank
    }

    /// Says what the samples mean.
    pub(super) fn colour(&self, frame: &mut frame::Video) {
        debug_assert_eq!((frame.width(), frame.height()), (self.width, self.height));
        frame.set_color_range(color::Range::MPEG);
        frame.set_color_space(color::Space::BT709);
    }

    pub(super) fn hand_over(&self, encoder: &mut encoder::Video, input: &frame::Video) -> Result<(), Error> {
        encoder.send_frame(input).map_err(Error::Encode)
    }
}

/// What only this encoder understands.
fn own_options(name: &str, settings: &VideoSettings) -> Vec<(&'static str, String)> {
    let text = |option, value: &str| (option, value.to_owned());
    match name {
        "libx264" => vec![
            text("preset", settings.preset.name()),
            text("tune", "zerolatency"),
            text("profile", "high"),
            text("forced-idr", "1"),
            text("nal-hrd", "vbr"),
            ("x264-params", x264(settings)),
        ],
        "libvpx" | "libvpx-vp9" => {
            let mut options = vec![
                text("deadline", "realtime"),
                ("cpu-used", vpx_speed(settings.preset).to_string()),
                text("lag-in-frames", "0"),
                text("auto-alt-ref", "0"),
                text("error-resilient", "0"),
                ("minrate", (settings.kbps * 1000).to_string()),
                ("threads", threads(settings).to_string()),
            ];
            if name == "libvpx-vp9" {
                options.extend([text("row-mt", "1"), text("tile-columns", "2")]);
            }
            options
        }
        "h264_nvenc" => vec![
            text("preset", if settings.preset <= Preset::Veryfast { "p1" } else { "p4" }),
            text("tune", "ull"),
            text("profile", "high"),
            text("rc", "cbr"),
            text("forced-idr", "1"),
            text("delay", "0"),
            text("zerolatency", "1"),
        ],
        "h264_qsv" => vec![
            text("preset", if settings.preset <= Preset::Veryfast { "veryfast" } else { "medium" }),
            text("profile", "high"),
            text("forced_idr", "1"),
            text("async_depth", "1"),
        ],
        _ => Vec::new(),
    }
}

/// What x264's presets would choose differently, and what decoders must know of: entropy coding, transform, references, weights
/// and the offset of the chroma quantiser stand in SPS and PPS, which all presets share here. The
/// frame rate counts as constant, for otherwise x264 waits for the next picture to know how long one lasts: where frames are left
/// out, those that are not stay as large.
fn x264(settings: &VideoSettings) -> String {
    // From `fast` on x264's psychovisual search lowers the offset by 2.
    let chroma = if settings.preset >= Preset::Fast { 2 } else { 0 };
    let threads = threads(settings);
    format!(
        "keyint=infinite:scenecut=0:bframes=0:cabac=1:8x8dct=1:ref=1:weightp=0:chroma-qp-offset={chroma}:\
         threads={threads}:sliced-threads=1"
    )
}

/// Slices at once: two take as much processor time as one and two thirds of the wait, where frames at once would each wait for the
/// one before.
fn threads(settings: &VideoSettings) -> u32 {
    let cores =
        std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
    let samples = u64::from(settings.width) * u64::from(settings.height) * u64::from(settings.fps);
    // 720p30 is a third of what one core does.
    let wanted = u32::try_from(samples / (1280 * 720 * 30)).unwrap_or(u32::MAX);
    wanted.clamp(1, 4).min(cores)
}

/// libvpx's `cpu-used` of about that effort in real time.
fn vpx_speed(preset: Preset) -> u32 {
    match preset {
        Preset::Ultrafast | Preset::Superfast => 8,
        Preset::Veryfast => 7,
        Preset::Faster => 6,
        _ => 5,
    }
}
