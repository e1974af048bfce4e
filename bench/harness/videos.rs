//! What is in recordings, as FFmpeg sees them.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Outcome;

/// Every video below that folder.
pub(crate) fn below(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "mp4") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Frames of that video and what they are coded as.
pub(crate) fn probe(file: &Path) -> Outcome<(u64, String)> {
    let show = "stream=codec_name,nb_read_packets";
    let arguments =
        ["-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", show, "-of", "csv=p=0"];
    let output =
        Command::new("ffprobe").args(arguments).arg(file).output().map_err(|e| format!("ffprobe: {e}"))?;
    let told = String::from_utf8(output.stdout)?;
    let (codec, frames) = told.trim().split_once(',').ok_or("ffprobe found no video")?;
    Ok((frames.parse()?, codec.to_owned()))
}
