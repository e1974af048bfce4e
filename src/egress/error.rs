//! Why a request failed, in words for people. No text has a path, a query or credentials in it.

use std::fmt;

/// A request that was not answered as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Our own policy forbids it.
    Refused {
        host: String,
        why: &'static str,
    },
    /// No address is known for the name.
    Dns {
        host: String,
    },
    Connect {
        host: String,
        what: String,
    },
    Tls {
        host: String,
        what: String,
    },
    /// Connecting or the first bytes of the answer took too long.
    Timeout {
        host: String,
    },
    /// The answer has this status.
    Status(u16),
    /// More bytes than the caller takes.
    TooLarge {
        most: u64,
    },
    BadUrl(&'static str),
    /// The server broke off, or does not speak HTTP.
    Closed {
        host: String,
        what: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { host, why } => {
                write!(f, "{host} is {why}, which egress.allow_private and egress.allow don't allow")
            }
            Self::Dns { host } => write!(f, "the name {host} has no address"),
            Self::Connect { host, what } => write!(f, "can't connect to {host}: {what}"),
            Self::Tls { host, what } => write!(f, "can't speak TLS with {host}: {what}"),
            Self::Timeout { host } => write!(f, "{host} did not answer in time"),
            Self::Status(status) => write!(f, "the server answered {status}"),
            Self::TooLarge { most } => write!(f, "the answer has more than {most} bytes"),
            Self::BadUrl(why) => write!(f, "the address can't be fetched: {why}"),
            Self::Closed { host, what } => write!(f, "{host} broke off: {what}"),
        }
    }
}

impl std::error::Error for Error {}
