//! How long the kernel waits for a peer that says nothing: as long as an outlet may stall, not the quarter of an hour that is usual.
//!
//! Called by [`super::raw`] once a connection is open. A network that is gone is not seen by who writes, for as long as what is
//! written fits into the kernel's buffers: for minutes, where little is sent. FFmpeg has no option for it and does not show its
//! sockets, so the one that is meant is known by its peer.
#![expect(unsafe_code, reason = "a descriptor of FFmpeg's is looked at by its number")]

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::net::sockopt::set_tcp_user_timeout;

/// Bounds the wait of this process's connections to that port of `peer`. Where that can't be, all is as usual.
pub(super) fn bound(peer: IpAddr, url: &str, patience: Duration) {
    let (Some(port), Ok(open)) = (port(url), std::fs::read_dir("/proc/self/fd")) else { return };
    let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX).max(1);
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for number in numbers.filter(|number| *number >= 0) {
        // SAFETY: it is used for these two calls only. One that was closed meanwhile is an error to them; one that has taken its
        // number is asked who its peer is before anything is set.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let named = rustix::net::getpeername(descriptor).ok().flatten();
        let address = named.and_then(|named| SocketAddr::try_from(named).ok());
        if address
            .is_some_and(|other| (other.ip().to_canonical(), other.port()) == (peer.to_canonical(), port))
        {
            let _ = set_tcp_user_timeout(descriptor, milliseconds);
        }
    }
}

/// The port that a URL leads to.
fn port(url: &str) -> Option<u16> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let after_host = &place[place.rfind(']').map_or(0, |end| end + 1)..];
    match after_host.split_once(':') {
        Some((_, port)) => port.parse().ok(),
        None if scheme.eq_ignore_ascii_case("rtmps") => Some(443),
        None => Some(1935),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::sockopt::tcp_user_timeout;

    use super::*;

    #[test]
    fn connections_to_that_peer_are_bounded_and_no_others() {
        let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [to_one, to_other] =
            [&one, &other].map(|to| TcpStream::connect(to.local_addr().unwrap()).unwrap());
        let url = format!("rtmp://me:x@127.0.0.1:{}/live/key:1935", one.local_addr().unwrap().port());
        bound([127, 0, 0, 1].into(), &url, Duration::from_secs(5));
        assert_eq!(tcp_user_timeout(&to_one).unwrap(), 5000);
        assert_eq!(tcp_user_timeout(&to_other).unwrap(), 0);
    }

    #[test]
    fn the_port_is_that_of_the_address_or_the_usual_one() {
        for (url, expected) in [
            ("rtmp://h/live", Some(1935)),
            ("RTMPS://h/live?x=:1", Some(443)),
            ("rtmp://u:7@h:8/live/a:9", Some(8)),
            ("rtmp://[::1]:8/live", Some(8)),
            ("rtmp://[::1]/live", Some(1935)),
            ("rtmp://h:99999/live", None),
            ("nonsense", None),
        ] {
            assert_eq!(port(url), expected, "{url}");
        }
    }
}
