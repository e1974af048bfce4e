//! Films on disk, so that a second start makes none.
//!
//! Called by the library on a blocking thread. A file is named by what its film was made from and checked
//! when read; one that doesn't fit is made anew and written over. Losing the folder costs time only.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::{Buf, Bytes};
use media::encode::steady::Picture;
use media::sound::Frame;

use crate::dice::Dice;
use crate::film::{Coded, Recipe};

/// The largest film that is read back: a minute of video at 30 Mbit/s.
const LARGEST: u64 = 256 << 20;

/// What was coded for `recipe`, if the folder has it whole.
pub(crate) fn read(folder: &Path, recipe: &Recipe) -> Option<Coded> {
    let path = path(folder, recipe);
    if fs::metadata(&path).ok()?.len() > LARGEST {
        return None;
    }
    parse(fs::read(path).ok()?.into(), &recipe.fingerprint())
}

/// # Errors
/// When the disk fails; what was there stays.
pub(crate) fn write(folder: &Path, recipe: &Recipe, coded: &Coded) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = path(folder, recipe);
    // Two starts may write at a time.
    let half = path.with_extension(std::process::id().to_string());
    let mut file = fs::File::create(&half)?;
    file.write_all(&bytes(coded, &recipe.fingerprint()))?;
    fs::rename(half, path)
}

fn path(folder: &Path, recipe: &Recipe) -> PathBuf {
    let mut dice = Dice::new(0, &recipe.fingerprint(), 0xca);
    folder.join(format!("{}-{:016x}.film", recipe.rendition.id, dice.roll()))
}

/// Fingerprint, pictures, frames of sound, check; each list after its length, each block of bytes too.
/// Numbers are big-endian.
fn bytes(coded: &Coded, fingerprint: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let block = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend((bytes.len() as u64).to_be_bytes());
        out.extend(bytes);
    };
    block(&mut out, fingerprint.as_bytes());
    out.extend((coded.pictures.len() as u64).to_be_bytes());
    for picture in &coded.pictures {
        out.extend(picture.pts.to_be_bytes());
        out.extend(picture.dts.to_be_bytes());
        out.push(u8::from(picture.keyframe));
        block(&mut out, &picture.data);
    }
    out.extend((coded.sound.len() as u64).to_be_bytes());
    for frame in &coded.sound {
        out.extend(frame.start.to_be_bytes());
        block(&mut out, &frame.data);
    }
    let check = check(&out);
    out.extend(check.to_be_bytes());
    out
}

fn parse(mut bytes: Bytes, fingerprint: &str) -> Option<Coded> {
    let body = bytes.len().checked_sub(8)?;
    if bytes.split_off(body).get_u64() != check(&bytes) {
        return None;
    }
    fn block(bytes: &mut Bytes) -> Option<Bytes> {
        let length = usize::try_from(bytes.try_get_u64().ok()?).ok()?;
        (length <= bytes.len()).then(|| bytes.split_to(length))
    }
    if block(&mut bytes)? != fingerprint.as_bytes() {
        return None;
    }
    let mut coded = Coded::default();
    for _ in 0..bytes.try_get_u64().ok()? {
        let (pts, dts) = (bytes.try_get_i64().ok()?, bytes.try_get_i64().ok()?);
        let keyframe = bytes.try_get_u8().ok()? == 1;
        coded.pictures.push(Picture { data: block(&mut bytes)?, pts, dts, keyframe });
    }
    for _ in 0..bytes.try_get_u64().ok()? {
        let start = bytes.try_get_i64().ok()?;
        coded.sound.push(Frame { data: block(&mut bytes)?, start });
    }
    bytes.is_empty().then_some(coded)
}

/// FNV-1a: finds damage, not malice.
fn check(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_damage_is_noticed() {
        let picture =
            |pts| Picture { data: Bytes::from_static(b"picture"), pts, dts: -2, keyframe: pts == 0 };
        let frame = Frame { data: Bytes::from_static(b"sound"), start: 1024 };
        let coded = Coded { pictures: vec![picture(0), picture(1)], sound: vec![frame] };
        let written = bytes(&coded, "key");
        assert_eq!(parse(written.clone().into(), "key"), Some(coded));
        assert_eq!(parse(written.clone().into(), "other key"), None);
        for at in 0..written.len() {
            let mut bad = written.clone();
            bad[at] ^= 1;
            assert_eq!(parse(bad.into(), "key"), None, "byte {at}");
            assert_eq!(parse(written[..at].to_vec().into(), "key"), None, "cut at {at}");
        }
    }
}
