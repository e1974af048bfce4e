//! Why a capture was none, as a state people and metrics can act on.

use std::fmt;

use crate::egress;

/// A capture that gave no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// For people; without secrets.
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The channel is not broadcasting, or there is no such channel.
    Offline,
    /// It shows advertisements.
    Ad,
    /// Nothing newer than the last capture yet.
    Unchanged,
    Error(Cause),
}

/// What went wrong, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Our own policy forbids the address.
    Refused,
    Dns,
    Connect,
    Tls,
    Timeout,
    /// The platform gave no access.
    Token,
    /// The platform demands what only a browser can give.
    Integrity,
    /// The address leads to nothing we can follow.
    Resolve,
    Playlist,
    /// The playlist does not move.
    Frozen,
    /// The playlist goes backwards.
    Backwards,
    Segment,
    Encrypted,
    NoVideo,
    Codec,
    /// A segment without a whole keyframe.
    Keyframe,
    /// A live input or file that can't be read.
    Input,
    Streamlink,
}

impl Cause {
    pub const ALL: [Self; 18] = [
        Self::Refused,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Token,
        Self::Integrity,
        Self::Resolve,
        Self::Playlist,
        Self::Frozen,
        Self::Backwards,
        Self::Segment,
        Self::Encrypted,
        Self::NoVideo,
        Self::Codec,
        Self::Keyframe,
        Self::Input,
        Self::Streamlink,
    ];

    /// As metrics and the API name it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Token => "token",
            Self::Integrity => "integrity",
            Self::Resolve => "resolve",
            Self::Playlist => "playlist",
            Self::Frozen => "frozen",
            Self::Backwards => "backwards",
            Self::Segment => "segment",
            Self::Encrypted => "encrypted",
            Self::NoVideo => "no_video",
            Self::Codec => "codec",
            Self::Keyframe => "keyframe",
            Self::Input => "input",
            Self::Streamlink => "streamlink",
        }
    }
}

impl Failure {
    pub fn error(cause: Cause, reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Error(cause), reason: reason.into() }
    }

    pub fn offline(reason: impl Into<String>) -> Self {
        Self { kind: FailureKind::Offline, reason: reason.into() }
    }

    /// A request for `what` that failed; `cause` when the network can't be blamed.
    pub(super) fn request(error: &egress::Error, what: &str, cause: Cause) -> Self {
        let cause = match error {
            egress::Error::Refused { .. } | egress::Error::BadUrl(_) => Cause::Refused,
            egress::Error::Dns { .. } => Cause::Dns,
            egress::Error::Connect { .. } => Cause::Connect,
            egress::Error::Tls { .. } => Cause::Tls,
            egress::Error::Timeout { .. } => Cause::Timeout,
            egress::Error::Status(_) | egress::Error::TooLarge { .. } | egress::Error::Closed { .. } => cause,
        };
        Self::error(cause, format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}
