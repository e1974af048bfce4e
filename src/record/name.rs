//! What a recording's files are called: `<stream>_YYYYMMDD_HHMMSS[_n].mp4` and `.json`, UTC, in the folder
//! `<stream>`.
//!
//! Every path below the recordings folder is built from such a name and a checked stream name, and only files
//! called so are ours: whatever else lies there is never listed, served or deleted.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::base::clock::MediaTime;
use crate::base::error::{Error, Result};
use crate::streams::StreamName;

/// The name of one recording, without its ending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FileName {
    stream: StreamName,
    stamp: DateTime,
    /// 1 is not shown; the second recording begun in the same second is `_2`.
    number: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Mp4,
    Json,
}

impl Ending {
    const fn text(self) -> &'static str {
        match self {
            Self::Mp4 => ".mp4",
            Self::Json => ".json",
        }
    }
}

impl FileName {
    /// Recordings of one stream that may begin in the same second.
    pub(super) const MOST: u16 = 999;

    pub(super) fn new(stream: &StreamName, start: MediaTime) -> Self {
        let time = TimeZone::UTC.to_datetime(start.0);
        let stamp = time.with().subsec_nanosecond(0).build().unwrap_or(time);
        Self { stream: stream.clone(), stamp, number: 1 }
    }

    /// The next name for the same second; `None` after [`Self::MOST`].
    pub(super) fn next(self) -> Option<Self> {
        (self.number < Self::MOST).then(|| Self { number: self.number + 1, ..self })
    }

    /// `Some` if `file`, lying in the folder of `stream`, is called as we call files.
    pub(super) fn parse(stream: &StreamName, file: &str) -> Option<(Self, Ending)> {
        let rest = file.strip_prefix(stream.as_str())?.strip_prefix('_')?;
        let (rest, ending) = [Ending::Mp4, Ending::Json]
            .into_iter()
            .find_map(|ending| Some((rest.strip_suffix(ending.text())?, ending)))?;
        let (stamp, number) = rest.split_at_checked(15)?;
        let digits =
            stamp.bytes().enumerate().all(|(i, b)| if i == 8 { b == b'_' } else { b.is_ascii_digit() });
        if !digits {
            return None;
        }
        let stamp = DateTime::strptime("%Y%m%d_%H%M%S", stamp).ok()?;
        let number = match number.strip_prefix('_') {
            None if number.is_empty() => 1,
            None => return None,
            Some(digits) => digits.parse().ok().filter(|n| (2..=Self::MOST).contains(n))?,
        };
        let name = Self { stream: stream.clone(), stamp, number };
        (name.with(ending) == file).then_some((name, ending))
    }

    /// As [`Self::parse`], for a name a client sent.
    pub(super) fn asked(stream: &StreamName, file: &str) -> Result<(Self, Ending)> {
        Self::parse(stream, file)
            .ok_or_else(|| Error::not_found(format!("stream '{stream}' has no recording of that name")))
    }

    pub(super) fn with(&self, ending: Ending) -> String {
        format!("{self}{}", ending.text())
    }

    pub(super) fn mp4(&self) -> String {
        self.with(Ending::Mp4)
    }

    pub(super) fn json(&self) -> String {
        self.with(Ending::Json)
    }

    pub(super) fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// When the recording began, to the second.
    pub(super) fn start(&self) -> MediaTime {
        MediaTime(TimeZone::UTC.to_timestamp(self.stamp).unwrap_or(jiff::Timestamp::MIN))
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.stream, self.stamp.strftime("%Y%m%d_%H%M%S"))?;
        if self.number > 1 { write!(f, "_{}", self.number) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(name: &str) -> StreamName {
        StreamName::parse(name).unwrap()
    }

    #[test]
    fn a_name_is_the_utc_second_and_is_read_back() {
        let start = MediaTime("2026-01-21T11:30:00.999+01:00".parse().unwrap());
        let name = FileName::new(&stream("cam_1"), start);
        assert_eq!(name.mp4(), "cam_1_20260121_103000.mp4");
        assert_eq!(name.start().to_string(), "2026-01-21T10:30:00.000Z");
        let second = name.clone().next().unwrap();
        assert_eq!(second.json(), "cam_1_20260121_103000_2.json");
        for (text, ending) in [(second.mp4(), Ending::Mp4), (second.json(), Ending::Json)] {
            assert_eq!(FileName::parse(&stream("cam_1"), &text), Some((second.clone(), ending)));
        }
        assert!(name < second);
    }

    #[test]
    fn other_names_are_not_ours() {
        let cam = stream("cam");
        for foreign in [
            "",
            "cam",
            "cam_.mp4",
            "cam_20260121_103000",
            "cam_20260121_103000.mkv",
            "cam_20260121_103000.mp4.bak",
            "cam_20260121_103000_1.mp4",
            "cam_20260121_103000_02.mp4",
            "cam_20260121_103000_1000.mp4",
            "cam_20260121_103000_+2.mp4",
            "cam_20260121_103000__2.mp4",
            "cam_20261321_103000.mp4",
            "cam_20260121_106000.mp4",
            "cam_2026-121_103000.mp4",
            "cam_+2026121_103000.mp4",
            "cam_20260121 103000.mp4",
            "cam2_20260121_103000.mp4",
            "camé20260121_103000.mp4",
            ".cam_20260121_103000.json.new",
            "../cam/cam_20260121_103000.mp4",
            "cam_20260121_103000.mp4\n",
        ] {
            assert_eq!(FileName::parse(&cam, foreign), None, "{foreign:?}");
        }
    }
}
