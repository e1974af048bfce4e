//! What others need for a frame of the same scene.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Outcome;

/// Who composes.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    Onair,
    Ffmpeg,
    Gstreamer,
    Sharp,
    Canvas,
    /// As above, then encoded and packed as for a platform.
    FfmpegAir,
    GstreamerAir,
    /// Only the encoding, of pictures that are there.
    X264,
    /// The same, each picture when it is shown.
    X264Paced,
}

impl Way {
    pub(super) const PEERS: [Self; 4] = [Self::Ffmpeg, Self::Gstreamer, Self::Sharp, Self::Canvas];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Onair => "onair",
            Self::Ffmpeg => "ffmpeg's overlays",
            Self::Gstreamer => "GStreamer's compositor",
            Self::Sharp => "sharp",
            Self::Canvas => "@napi-rs/canvas",
            Self::FfmpegAir => "ffmpeg's overlays and x264",
            Self::GstreamerAir => "GStreamer's compositor and x264enc",
            Self::X264 => "x264 alone",
            Self::X264Paced => "x264 alone, paced",
        }
    }

    /// Milliseconds of processor time a frame, all threads, and the version that took them.
    pub(crate) fn cost(self, folder: &Path) -> Outcome<(f64, String)> {
        self.cost_of(folder, None)
    }

    /// The same of what is encoded too: at so many frames a second, with that preset.
    pub(crate) fn cost_on_air(self, folder: &Path, fps: u32, preset: &str) -> Outcome<(f64, String)> {
        self.cost_of(folder, Some((fps, preset)))
    }

    fn cost_of(self, folder: &Path, air: Option<(u32, &str)>) -> Outcome<(f64, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let peers = root.join("bench/peers");
        let mut command = match self {
            // The system's Python: it has the bindings of GStreamer.
            Self::Sharp | Self::Canvas => node(&peers, &root.join("target/bench/node")),
            _ => python(&peers),
        };
        let word = match self {
            Self::Onair => "onair",
            Self::Ffmpeg => "ffmpeg",
            Self::Gstreamer => "gstreamer",
            Self::Sharp => "sharp",
            Self::Canvas => "canvas",
            Self::FfmpegAir => "ffmpeg-air",
            Self::GstreamerAir => "gstreamer-air",
            Self::X264 => "x264",
            Self::X264Paced => "x264-paced",
        };
        command.arg(word).arg(folder).env("ONAIR", super::binary());
        if let Some((fps, preset)) = air {
            command.env("AIR_FPS", fps.to_string()).env("AIR_PRESET", preset);
        }
        let output = command.output();
        let output = output
            .map_err(|e| format!("{}: {e}; ./dev bench installs it", command.get_program().display()))?;
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{} can't be measured: {why}", self.name()).into());
        }
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let cost = told["cpu_ms_per_frame"].as_f64().filter(|cost| *cost > 0.0);
        let cost = cost.ok_or_else(|| format!("{} gave no figure: {told}", self.name()))?;
        Ok((cost, told["version"].as_str().unwrap_or("").to_owned()))
    }
}

fn python(peers: &Path) -> Command {
    let mut command = Command::new("/usr/bin/python3");
    command.arg(peers.join("compose.py"));
    command
}

fn node(peers: &Path, modules: &PathBuf) -> Command {
    let mut command = Command::new("node");
    command.arg(peers.join("compose.mjs")).env("COMPOSE_MODULES", modules);
    command
}
