//! A video file as a layer shows it: which picture is shown at which time, for ever if it is looped.
//!
//! Owns the decoder. Every call may block on the disk and decodes as many pictures as it needs; called by threads of videos,
//! by whoever makes a single frame, and by scenes offline, with the same pictures for all.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use media::input::{Input, Picture};
use pixels::{I420, Plane};

/// A decoded picture. `alpha` has the size of its luma.
pub(super) struct Shot {
    pub(super) picture: I420,
    pub(super) alpha: Option<Plane>,
    /// When it is shown first: ms since the video's beginning, passes before this one included.
    pub(super) from: f64,
}

pub(super) struct Film {
    input: Input,
    looped: bool,
    /// ms of one picture, where nothing better is known.
    step: f64,
    /// ms from the first picture to where it begins again.
    length: Option<f64>,
    /// When this pass began, in ms.
    offset: f64,
    /// The last time that was decoded in this pass.
    last: Option<f64>,
    ended: bool,
    /// From the one that is shown on, in order.
    shots: VecDeque<Arc<Shot>>,
}

impl Film {
    /// Further ahead than this is sought, nearer is decoded.
    const NEAR: f64 = 2000.0;

    /// # Errors
    /// Why it can't be shown, for whoever made the layer.
    pub(super) fn open(path: &Path, looped: bool) -> Result<Self, String> {
        let input = Input::open_film(path).map_err(|e| match e {
            // Where it lies is nobody's business.
            media::input::Error::Open(_, why) => format!("the video can't be opened: {why}"),
            media::input::Error::NoVideo(_) => "there is no video in it".to_owned(),
            media::input::Error::NoDecoder(_, what) => format!("there is no decoder for the video ({what})"),
            e => e.to_string(),
        })?;
        let info = input.info();
        let step = 1000.0 / info.fps.unwrap_or(25.0).clamp(1.0, 1000.0);
        let length = info.duration.filter(|_| looped).map(|duration| duration.as_secs_f64() * 1000.0);
        let (offset, last, ended, shots) = (0.0, None, false, VecDeque::new());
        Ok(Self { input, looped, step, length, offset, last, ended, shots })
    }

    /// The picture at `at` (ms since the beginning), with those decoded that follow it: `ahead` of them at least. Before the
    /// beginning there is none; after the end the last one stays.
    pub(super) fn at(&mut self, at: f64, ahead: usize) -> &VecDeque<Arc<Shot>> {
        let back = self.shots.front().is_some_and(|first| first.from > at && (first.from > 0.0 || at >= 0.0));
        let far = self.shots.back().map_or(at, |last| at - last.from) > Self::NEAR;
        if back || (far && !self.ended) {
            self.seek(at);
        }
        while self.shots.back().is_none_or(|last| last.from <= at) && self.decode() {
            self.pass(at);
        }
        while self.shots.len() <= ahead && self.decode() {}
        self.pass(at);
        &self.shots
    }

    /// Lets go what is over.
    fn pass(&mut self, at: f64) {
        while self.shots.get(1).is_some_and(|next| next.from <= at) {
            self.shots.pop_front();
        }
    }

    fn seek(&mut self, at: f64) {
        let at = at.max(0.0);
        let pass =
            self.length.filter(|length| *length > 0.0).map_or(0.0, |length| (at / length).floor() * length);
        let within = Duration::try_from_secs_f64((at - pass) / 1000.0).unwrap_or_default();
        if self.input.seek(within).is_err() && self.input.rewind().is_err() {
            self.ended = true;
            return;
        }
        (self.offset, self.last, self.ended) = (pass, None, false);
        self.shots.clear();
    }

    /// Decodes one more; whether there was one.
    fn decode(&mut self) -> bool {
        while !self.ended {
            match self.input.next() {
                Ok(Some((Picture::I420(picture), time))) => {
                    let time = time.as_secs_f64() * 1000.0;
                    self.last = Some(time);
                    let alpha = self.input.alpha().cloned();
                    self.shots.push_back(Arc::new(Shot { picture, alpha, from: self.offset + time }));
                    return true;
                }
                Ok(Some((Picture::Jpeg(_), _))) => {}
                Ok(None) => self.end(),
                Err(_) => self.ended = true,
            }
        }
        false
    }

    /// The file is over: begins again, or stays.
    fn end(&mut self) {
        let Some(last) = self.last.take() else {
            // A pass without pictures would be followed by others without end.
            self.ended = true;
            return;
        };
        let length = *self.length.get_or_insert(last + self.step);
        self.ended = !self.looped || self.input.rewind().is_err();
        self.offset += length.max(last + 1.0);
    }
}

#[cfg(test)]
mod tests {
    use media::encode::steady::{Picture as Coded, Settings, Steady};

    use super::*;

    /// Ten pictures, 100 ms each; picture n has luma 20n + 20.
    fn video() -> tempfile::NamedTempFile {
        let settings = Settings {
            width: 64,
            height: 64,
            fps: 10,
            kbps: 500,
            preset: "ultrafast",
            group: 5,
            b_frames: 0,
            matrix: pixels::Matrix::Bt709,
        };
        let mut encoder = Steady::new(&settings).unwrap();
        let mut coded = Vec::new();
        for n in 0..10 {
            let mut picture = I420::new(64, 64, pixels::Range::Limited, pixels::Matrix::Bt709);
            picture.y.fill(20 * n + 20);
            coded.extend(encoder.encode(&picture).unwrap());
        }
        coded.extend(encoder.finish().unwrap());
        let (full_range, matrix) = (false, pixels::Matrix::Bt709);
        let codec = coded.iter().find_map(Coded::codec).unwrap();
        let track =
            media::fmp4::Track { codec, width: 64, height: 64, rotation: 0, full_range, matrix, created: 0 };
        let (mut writer, mut file) = media::fmp4::Writer::new(&track);
        let tick = u64::from(media::time::TIMESCALE) / 10;
        for picture in &coded {
            let pts = picture.pts.unsigned_abs() * tick;
            writer.push(media::fmp4::Sample { pts, data: picture.sample(), keyframe: picture.keyframe });
        }
        let finish = writer.finish(10 * tick);
        file.extend(finish.tail);
        for (offset, bytes) in finish.patches {
            let at = usize::try_from(offset).unwrap();
            file[at..at + bytes.len()].copy_from_slice(&bytes);
        }
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), file).unwrap();
        named
    }

    #[test]
    fn each_time_has_its_picture_in_whatever_order_it_is_asked_for() {
        let file = video();
        let number = |film: &mut Film, at: f64| {
            let shots = film.at(at, 2);
            let first = shots.front().filter(|shot| shot.from <= at)?;
            Some((first.picture.y.row(32)[32] + 5) / 20 - 1)
        };
        let mut once = Film::open(file.path(), false).unwrap();
        for (at, expected) in [
            (-50.0, None),
            (0.0, Some(0)),
            (99.0, Some(0)),
            (100.0, Some(1)),
            (450.0, Some(4)),
            (120.0, Some(1)),
            (999.0, Some(9)),
            (60_000.0, Some(9)),
            (300.0, Some(3)),
        ] {
            assert_eq!(number(&mut once, at), expected, "{at} ms");
        }
        let mut looped = Film::open(file.path(), true).unwrap();
        for (at, expected) in [
            (0.0, Some(0)),
            (950.0, Some(9)),
            (1_050.0, Some(0)),
            (2_350.0, Some(3)),
            (3_600_750.0, Some(7)),
            (150.0, Some(1)),
        ] {
            assert_eq!(number(&mut looped, at), expected, "{at} ms of a loop");
        }
        assert!(Film::open(Path::new("nowhere.mp4"), false).is_err_and(|why| !why.contains("nowhere")));
    }
}
