//! What others need for a picture from the same playlist.

use std::path::Path;
use std::process::Command;

use super::world::World;
use crate::harness::Outcome;

/// How a picture is taken.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// `cv2.VideoCapture` in a fresh Python process: what the system that onair replaces does.
    Fresh,
    /// The same in a process that goes on.
    Warm,
    /// An `ffmpeg` process that decodes keyframes only.
    Ffmpeg,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Fresh, Self::Warm, Self::Ffmpeg];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "OpenCV in a fresh process",
            Self::Warm => "OpenCV in a warm process",
            Self::Ffmpeg => "an ffmpeg process",
        }
    }

    /// How many times as dear it has to be.
    pub(super) fn least(self) -> f64 {
        match self {
            Self::Fresh => 40.0,
            Self::Warm => 4.0,
            Self::Ffmpeg => 15.0,
        }
    }

    /// Milliseconds of processor time a picture, the middle of so many.
    pub(super) fn cost(self, world: &World, captures: u32) -> Outcome<f64> {
        let word = match self {
            Self::Fresh => "fresh",
            Self::Warm => "warm",
            Self::Ffmpeg => "ffmpeg",
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("target/venv/bin/python");
        let mut command = Command::new(&python);
        command.arg(root.join("bench/peers/capture_cv2.py")).arg(word).arg(world.playlist());
        command.args(["--captures", &captures.to_string()]);
        let output = command.output();
        let output = output.map_err(|e| format!("{}: {e}; ./dev bench installs it", python.display()))?;
        if !output.status.success() {
            return Err(format!("capture_cv2.py: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let told: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        told["cpu_ms_per_capture"].as_f64().ok_or_else(|| "capture_cv2.py gave no figure".into())
    }
}
