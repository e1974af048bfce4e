//! What can go wrong with a channel, and when it does so by itself.
//!
//! A fault is data: the server and the playlists look at it and misbehave. Called by the control API, the
//! command line and tests. Pure: random faults are a function of seed, name and rate.

use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// One way for a channel to misbehave, as the control API writes it: `{"fault": "slow", "bytes_per_second":
/// 2000}`.
///
/// Those in the picture (see [`Fault::is_in_picture`]) belong to the segments of their time and stay in them;
/// the others act on every request while they last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// No token, no master playlist (404), no segments (404).
    Offline {},
    /// The token says forbidden, the master playlist is refused (403).
    Banned {},
    /// The login is unknown; the channel goes on under `to` (by default its name with `_new`).
    Renamed {
        #[serde(default)]
        to: Option<String>,
    },
    /// What was given out before is refused (403): token, playlists and segments; a new token helps.
    TokenExpired {},
    /// The token endpoint demands a `Client-Integrity` header, which only a browser can make.
    ClientIntegrity {},
    /// Some of the answers are errors of the server.
    ServerErrors {
        /// 0 to 1.
        #[serde(default = "usual::probability")]
        probability: f64,
        #[serde(default = "usual::status")]
        status: u16,
        #[serde(default)]
        on: Scope,
    },
    /// The media playlist does not change any more.
    PlaylistFrozen {},
    /// The media playlist runs backwards.
    PlaylistBackwards {},
    /// An HTML page with status 200 instead of the media playlist.
    PlaylistHtml {},
    /// A media playlist of so many MB, most of it comments.
    PlaylistHuge {
        #[serde(default = "usual::megabytes")]
        megabytes: u32,
    },
    /// A media playlist of so many segments.
    PlaylistMany {
        #[serde(default = "usual::entries")]
        entries: u32,
    },
    /// Segments named `file:///etc/passwd`, `/etc/passwd` and `../../etc/passwd`.
    PlaylistFileUris {},
    /// A media playlist without segments.
    PlaylistEmpty {},
    /// Segments of no bytes.
    SegmentEmpty {},
    /// Segments that end in the middle of their first picture.
    SegmentTruncated {},
    /// An HTML page with status 200 instead of a segment.
    SegmentHtml {},
    /// Segments that are listed and answered with 404.
    SegmentMissing {},
    /// Scrambled packets; `declared`: the playlist says so with EXT-X-KEY, whose key is refused.
    Encrypted {
        #[serde(default = "usual::declared")]
        declared: bool,
    },
    /// Sound without pictures.
    AudioOnly {},
    /// Each segment's times are somewhere else.
    WrongPts {},
    /// Pictures of three quarters of the size.
    ResolutionChange {},
    /// The answer's head comes, its body never does.
    Stall {
        #[serde(default)]
        on: Scope,
    },
    /// One byte a second.
    Trickle {
        #[serde(default)]
        on: Scope,
    },
    /// Ignores `Range`: always the whole segment with status 200.
    NoRange {},
    /// The connection breaks (RST) half-way through the body.
    Reset {
        #[serde(default)]
        on: Scope,
    },
    /// No more than so many bytes a second on each connection.
    Slow {
        #[serde(default = "usual::bytes_per_second")]
        bytes_per_second: u32,
        #[serde(default)]
        on: Scope,
    },
    /// EXT-X-PROGRAM-DATE-TIME is off by so many seconds.
    ClockSkew {
        #[serde(default = "usual::skew")]
        seconds: f64,
    },
    /// Advertisements: marked by DATERANGE, title and discontinuities, with other pictures and times. They
    /// end by themselves.
    Ads {
        #[serde(default = "usual::ads")]
        seconds: u32,
    },
    /// EXT-X-DISCONTINUITY and another origin of times, at the beginning and at the end.
    Discontinuity {},
    /// EXT-X-GAP: listed, and not there.
    Gap {},
}

/// Which answers a fault strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    All,
    Token,
    Master,
    Playlist,
    Segment,
}

mod usual {
    pub(super) fn probability() -> f64 {
        1.0
    }
    pub(super) fn status() -> u16 {
        503
    }
    pub(super) fn megabytes() -> u32 {
        50
    }
    pub(super) fn entries() -> u32 {
        100_000
    }
    pub(super) fn declared() -> bool {
        true
    }
    pub(super) fn bytes_per_second() -> u32 {
        20_000
    }
    pub(super) fn skew() -> f64 {
        90.0
    }
    pub(super) fn ads() -> u32 {
        30
    }
}

impl Fault {
    /// Every fault with its usual numbers.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let on = Scope::All;
        vec![
            Self::Offline {},
            Self::Banned {},
            Self::Renamed { to: None },
            Self::TokenExpired {},
            Self::ClientIntegrity {},
            Self::ServerErrors { probability: usual::probability(), status: usual::status(), on },
            Self::PlaylistFrozen {},
            Self::PlaylistBackwards {},
            Self::PlaylistHtml {},
            Self::PlaylistHuge { megabytes: usual::megabytes() },
            Self::PlaylistMany { entries: usual::entries() },
            Self::PlaylistFileUris {},
            Self::PlaylistEmpty {},
            Self::SegmentEmpty {},
            Self::SegmentTruncated {},
            Self::SegmentHtml {},
            Self::SegmentMissing {},
            Self::Encrypted { declared: true },
            Self::AudioOnly {},
            Self::WrongPts {},
            Self::ResolutionChange {},
            Self::Stall { on },
            Self::Trickle { on },
            Self::NoRange {},
            Self::Reset { on },
            Self::Slow { bytes_per_second: usual::bytes_per_second(), on },
            Self::ClockSkew { seconds: usual::skew() },
            Self::Ads { seconds: usual::ads() },
            Self::Discontinuity {},
            Self::Gap {},
        ]
    }

    /// Whether it lies in how segments were made rather than in how they are served.
    #[must_use]
    pub fn is_in_picture(&self) -> bool {
        matches!(
            self,
            Self::Encrypted { .. }
                | Self::AudioOnly {}
                | Self::WrongPts {}
                | Self::ResolutionChange {}
                | Self::Ads { .. }
                | Self::Discontinuity {}
                | Self::Gap {}
        )
    }

    /// Whether the playlist marks a discontinuity where it begins and ends.
    pub(crate) fn breaks_time(&self) -> bool {
        matches!(self, Self::Ads { .. } | Self::Discontinuity {})
    }
}

impl Scope {
    pub(crate) fn includes(self, other: Self) -> bool {
        self == Self::All || self == other
    }
}

/// A stretch of random misbehaviour, in milliseconds since the world's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub from: u64,
    pub until: u64,
    pub fault: Fault,
}

/// The random faults of one channel, without end: the same for the same seed, name and rate.
#[derive(Clone, Debug)]
pub struct Episodes {
    dice: Dice,
    /// Millionths of the time to be spent in faults.
    rate: u64,
    at: u64,
}

impl Episodes {
    /// How long a fault lasts, in ms.
    const LENGTHS: std::ops::Range<u64> = 5_000..60_000;

    /// `rate`: the share of its time a channel misbehaves, 0 to 1; at 0 there are none.
    #[must_use]
    pub fn new(seed: u64, channel: &str, rate: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to a million")]
        let rate = (rate.clamp(0.0, 1.0) * 1e6) as u64;
        Self { dice: Dice::new(seed, channel, 0xfa), rate, at: 0 }
    }
}

impl Iterator for Episodes {
    type Item = Episode;

    fn next(&mut self) -> Option<Episode> {
        if self.rate == 0 {
            return None;
        }
        let Self { dice, rate, at } = self;
        let mean = (Self::LENGTHS.start + Self::LENGTHS.end) / 2;
        let gap = mean * (1_000_000 - *rate) / *rate;
        let from = *at + dice.within(0..2 * gap + 1);
        let until = from + dice.within(Self::LENGTHS);
        *at = until;
        let all = Fault::all();
        let which = usize::try_from(dice.within(0..all.len() as u64)).expect("an index");
        let fault = all.into_iter().nth(which)?;
        Some(Episode { from, until, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_written_and_read_back_and_known_by_name_alone() {
        for fault in Fault::all() {
            let text = serde_json::to_value(&fault).unwrap();
            assert_eq!(serde_json::from_value::<Fault>(text.clone()).unwrap(), fault);
            let name = serde_json::json!({ "fault": text["fault"] });
            assert_eq!(serde_json::from_value::<Fault>(name).unwrap(), fault, "{text}");
        }
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for text in ["{}", r#"{"fault":"x"}"#, r#"{"fault":"offline","x":1}"#, r#"{"fault":"slow","on":"x"}"#]
        {
            assert!(serde_json::from_str::<Fault>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn random_faults_repeat_by_seed_and_keep_their_rate() {
        let first = |seed, name| Episodes::new(seed, name, 0.2).take(500).collect::<Vec<_>>();
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(2, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        for rate in [0.01, 0.2, 0.9, 1.0] {
            let episodes: Vec<_> = Episodes::new(7, "c", rate).take(2000).collect();
            assert!(episodes.windows(2).all(|two| two[0].until <= two[1].from));
            let faulty: u64 = episodes.iter().map(|episode| episode.until - episode.from).sum();
            let share = faulty as f64 / episodes.last().unwrap().until as f64;
            assert!((share - rate).abs() < rate * 0.1, "{share} instead of {rate}");
        }
        assert_eq!(Episodes::new(1, "a", 0.0).next(), None);
    }
}
