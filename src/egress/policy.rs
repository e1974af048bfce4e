//! Which addresses may be connected to. Pure.
//!
//! Asked by the connector before each connection. Addresses the operator wrote are not checked; addresses that come from
//! anyone else must be public, or allowed by setting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::Url;

use crate::base::config::Cidr;

/// Who an address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Configuration, environment, command line, streams file.
    Operator,
    /// The API, a playlist, a redirect, a pack.
    Outside,
}

impl Trust {
    /// The trust in `to`, which a document or redirect of `from` named.
    ///
    /// Whoever the operator trusts may send us to itself (a camera's playlist names the camera's segments) and nowhere
    /// else: same scheme, host and port.
    #[must_use]
    pub fn through(self, from: &Url, to: &Url) -> Self {
        let same = from.scheme() == to.scheme()
            && from.host() == to.host()
            && from.port_or_known_default() == to.port_or_known_default();
        if self == Self::Operator && same { Self::Operator } else { Self::Outside }
    }
}

/// What [`Trust::Outside`] may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Addresses that are not public, too.
    pub allow_private: bool,
    pub allow: Vec<Allowed>,
}

/// An exception the operator made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    Range(Cidr),
    /// A name, whatever it resolves to; in lower case.
    Host(String),
}

impl FromStr for Allowed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Host(text.to_ascii_lowercase()), Self::Range))
    }
}

impl Policy {
    /// Why `address`, which `host` resolved to, must not be connected to.
    pub(super) fn objection(&self, host: &str, address: IpAddr, trust: Trust) -> Option<&'static str> {
        let listed = |allowed: &Allowed| match allowed {
            Allowed::Range(range) => range.contains(address),
            Allowed::Host(name) => name.eq_ignore_ascii_case(host),
        };
        if trust == Trust::Operator || self.allow.iter().any(listed) {
            return None;
        }
        let class = class(address);
        match class {
            Class::Public => None,
            Class::Near(_) if self.allow_private => None,
            Class::Near(why) | Class::Never(why) => Some(why),
        }
    }
}

enum Class {
    Public,
    /// This machine, its networks, and what is set aside for trials.
    Near(&'static str),
    /// Nobody listens there.
    Never(&'static str),
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

/// After the registries of special-purpose addresses (RFC 6890 and its successors).
fn class_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        [127, ..] => Class::Near("a loopback address"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Class::Near("a private address"),
        [169, 254, ..] => Class::Near("a link-local address"),
        [100, 64..=127, ..] => Class::Near("an address behind a carrier's NAT"),
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18 | 19, ..] => {
            Class::Near("an address set aside for protocols, documentation or tests")
        }
        [0, ..] => Class::Never("an unspecified address"),
        [224..=239, ..] => Class::Never("a multicast address"),
        [240..=255, ..] | [192, 88, 99, _] => Class::Never("a reserved address"),
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    let embedded = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        class_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Never("an unspecified address"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Near("a loopback address"),
        // IPv4 in IPv6 clothes: mapped, NAT64, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] => Class::Near("a private address"),
        [0xfc00..=0xfdff, ..] => Class::Near("a private address"),
        [0xfe80..=0xfeff, ..] => Class::Near("a link-local address"),
        [0xff00..=0xffff, ..] => Class::Never("a multicast address"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2001, 2, 0, ..] => {
            Class::Near("an address set aside for protocols, documentation or tests")
        }
        // Global unicast is 2000::/3; Teredo, in it, hides IPv4 addresses.
        [0x2001, 0, ..] => Class::Never("a tunnel's address"),
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Never("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objection(policy: &Policy, host: &str, address: &str) -> Option<&'static str> {
        policy.objection(host, address.parse().unwrap(), Trust::Outside)
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_unless_the_operator_says_so() {
        let closed = Policy::default();
        let open = Policy { allow_private: true, ..Policy::default() };
        for (address, refused, even_when_open) in [
            ("8.8.8.8", false, false),
            ("2606:4700::1111", false, false),
            ("172.15.0.1", false, false),
            ("172.32.0.1", false, false),
            ("100.63.0.1", false, false),
            ("127.0.0.1", true, false),
            ("127.9.9.9", true, false),
            ("10.1.2.3", true, false),
            ("172.16.0.1", true, false),
            ("172.31.255.255", true, false),
            ("192.168.1.1", true, false),
            ("169.254.169.254", true, false),
            ("100.64.0.1", true, false),
            ("198.18.0.1", true, false),
            ("192.0.2.1", true, false),
            ("::1", true, false),
            ("fd00::1", true, false),
            ("fe80::1", true, false),
            ("fec0::1", true, false),
            ("2001:db8::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("::ffff:8.8.8.8", false, false),
            ("64:ff9b::127.0.0.1", true, false),
            ("64:ff9b::8.8.8.8", false, false),
            ("64:ff9b:1::1", true, false),
            ("2002:7f00:1::", true, false),
            ("2002:808:808::", false, false),
            ("0.0.0.0", true, true),
            ("224.0.0.1", true, true),
            ("255.255.255.255", true, true),
            ("::", true, true),
            ("::127.0.0.1", true, true),
            ("ff02::1", true, true),
            ("2001:0:1::1", true, true),
            ("100::1", true, true),
        ] {
            assert_eq!(objection(&closed, "h", address).is_some(), refused, "{address}");
            assert_eq!(objection(&open, "h", address).is_some(), even_when_open, "{address} when open");
            let operator = closed.objection("h", address.parse().unwrap(), Trust::Operator);
            assert_eq!(operator, None, "{address} from the operator");
        }
    }

    #[test]
    fn a_listed_range_or_name_is_an_exception_of_its_own() {
        let policy = Policy {
            allow_private: false,
            allow: ["10.0.0.0/8", "Camera.lan", "fd00::/8"].map(|text| text.parse().unwrap()).into(),
        };
        for (host, address, refused) in [
            ("h", "10.9.9.9", false),
            ("h", "::ffff:10.9.9.9", false),
            ("h", "11.9.9.9", false),
            ("h", "192.168.0.1", true),
            ("camera.lan", "192.168.0.1", false),
            ("evil.camera.lan", "192.168.0.1", true),
            ("h", "fd12::1", false),
            ("h", "127.0.0.1", true),
        ] {
            assert_eq!(objection(&policy, host, address).is_some(), refused, "{host} {address}");
        }
    }

    #[test]
    fn trust_reaches_no_further_than_the_server_that_has_it() {
        let from: Url = "http://camera.lan:80/live.m3u8".parse().unwrap();
        for (to, trust) in [
            ("http://camera.lan/a.ts", Trust::Operator),
            ("http://CAMERA.lan:80/a.ts", Trust::Operator),
            ("http://camera.lan:81/a.ts", Trust::Outside),
            ("https://camera.lan/a.ts", Trust::Outside),
            ("http://router.lan/a.ts", Trust::Outside),
        ] {
            assert_eq!(Trust::Operator.through(&from, &to.parse().unwrap()), trust, "{to}");
            assert_eq!(Trust::Outside.through(&from, &to.parse().unwrap()), Trust::Outside, "{to}");
        }
    }
}
