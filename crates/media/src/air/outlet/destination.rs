//! Where FFmpeg is led, with what options, and what is made of its errors.
//!
//! Called by [`super::raw`]. Opens nothing.

use std::ffi::CStr;

use ffmpeg_next::Error;
use ffmpeg_next::util::error as errno;

use super::secret::scrubbed;
use super::{Limits, OutletError, Peer, Way, heard};
use crate::live::{Options, target};

/// Bytes the kernel may hold for a connection that takes none: less than a second, so that a stall is seen at once.
const KERNEL_BUFFER: &str = "262144";

/// URL, format and options.
pub(super) type Destination = (String, &'static CStr, Vec<(&'static str, String)>);

pub(super) fn destination(way: &Way, peer: &Peer, limits: Limits) -> Result<Destination, OutletError> {
    let (url, schemes, format): (_, &[&str], _) = match way {
        Way::Flv(url) => (url, &["rtmp", "rtmps"], c"flv"),
        Way::MpegTs(url) => (url, &["srt"], c"mpegts"),
        Way::Mp4(path) | Way::WebM(path) => {
            let name = path.to_str().filter(|name| !name.contains('\0'));
            let name =
                name.ok_or_else(|| OutletError::Unsupported("the file's name is not valid text".to_owned()))?;
            let whitelist = vec![("protocol_whitelist", "file".to_owned())];
            // With the prefix a colon in the name can't be taken for a protocol.
            return Ok((format!("file:{name}"), c"webm", whitelist));
        }
    };
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if !schemes.contains(&scheme.to_ascii_lowercase().as_str()) {
        return Err(OutletError::Unsupported(format!(
            "the address must begin with {}://",
            schemes.join(":// or ")
        )));
    }
    let given =
        Options { timeout: limits.stall, authorities: peer.authorities.clone(), ..Options::default() };
    let target = target(url, peer.address, &given)
        .map_err(|e| OutletError::Unsupported(scrubbed(&e.to_string(), url)))?;
    let mut options = target.options;
    if format == c"flv" {
        options.push(("send_buffer_size", KERNEL_BUFFER.to_owned()));
        options.push(("tcp_nodelay", "1".to_owned()));
        options.push(("rtmp_live", "live".to_owned()));
    }
    if format == c"mpegts" {
        // What is on its way when it ends has a second to arrive.
        options.push(("linger", "1".to_owned()));
    }
    Ok((target.url, format, options))
}

/// Why opening failed.
pub(super) fn not_opened(way: &Way, stopped: bool, error: Error, said: &[String]) -> OutletError {
    let url = match way {
        Way::Flv(url) | Way::MpegTs(url) => url,
        Way::Mp4(_) | Way::WebM(_) => return OutletError::Disk(error.to_string()),
    };
    if stopped {
        return OutletError::Stopped;
    }
    let reason = reason(error, said, url);
    let unreachable = [errno::ECONNREFUSED, errno::EHOSTUNREACH, errno::ENETUNREACH, errno::EADDRNOTAVAIL];
    match error {
        Error::Exit | Error::Other { errno: errno::ETIMEDOUT } => OutletError::Timeout,
        // What FFmpeg says then is only that it could not.
        Error::Other { errno } if unreachable.contains(&errno) => OutletError::Unreachable(error.to_string()),
        _ if said.iter().any(|line| heard::is_of_names(line)) => {
            OutletError::Unreachable("its name is not known".to_owned())
        }
        _ if said.iter().any(|line| heard::is_of_tls(line)) => OutletError::Tls(reason),
        Error::ProtocolNotFound => {
            OutletError::Unsupported("this machine's FFmpeg lacks that protocol".to_owned())
        }
        _ => OutletError::Refused(reason),
    }
}

/// Why what was open is no more.
pub(super) fn lost(way: &Way, stopped: bool, error: Error, said: &[String]) -> OutletError {
    let url = match way {
        Way::Flv(url) | Way::MpegTs(url) => url,
        Way::Mp4(_) | Way::WebM(_) => return OutletError::Disk(error.to_string()),
    };
    match error {
        _ if stopped => OutletError::Stopped,
        Error::Exit | Error::Other { errno: errno::ETIMEDOUT } => OutletError::Stalled,
        _ => OutletError::Unreachable(format!("the connection was lost: {}", reason(error, said, url))),
    }
}

/// What FFmpeg said of it, or what its number means; without what is secret in `url`.
fn reason(error: Error, said: &[String], url: &str) -> String {
    let telling = said.iter().rev().find(|line| !line.starts_with("Cannot open connection"));
    let text = telling.cloned().unwrap_or_else(|| match error {
        Error::Other { errno: errno::EPERM | errno::EPIPE | errno::ECONNRESET }
        | Error::Unknown
        | Error::Eof => "it ended the connection without a reason".to_owned(),
        error => error.to_string(),
    });
    scrubbed(&text, url)
}
