//! Addresses as settings write them: listening ports, ranges of addresses, origins of web pages.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Where a listener binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// Written `0`: no listener.
    Off,
    /// Written `auto`: any free port, for tests and several copies on one machine.
    Auto,
    Fixed(u16),
}

impl Port {
    /// The number to give to `bind`; `None` when there is nothing to bind.
    pub fn to_bind(self) -> Option<u16> {
        match self {
            Self::Off => None,
            Self::Auto => Some(0),
            Self::Fixed(port) => Some(port),
        }
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        if number == 0 { Self::Off } else { Self::Fixed(number) }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("0"),
            Self::Auto => f.write_str("auto"),
            Self::Fixed(port) => write!(f, "{port}"),
        }
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether `ip` is in the range. An IPv4 address that arrives in IPv6 clothes (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(ip)) => same_prefix(range.to_bits(), ip.to_bits(), self.prefix),
            (IpAddr::V6(range), IpAddr::V6(ip)) => {
                let (range, ip) = (range.to_bits(), ip.to_bits());
                self.prefix == 0 || (range ^ ip) >> (128 - u32::from(self.prefix)) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

fn same_prefix(a: u32, b: u32, prefix: u8) -> bool {
    prefix == 0 || (a ^ b) >> (32 - u32::from(prefix)) == 0
}

/// The text is neither an address nor a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a range of them")]
pub struct NotACidr;

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix)),
        };
        let address: IpAddr = address.parse().map_err(|_| NotACidr)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| NotACidr)?
            }
            Some(_) => return Err(NotACidr),
        };
        if prefix > longest { Err(NotACidr) } else { Ok(Self { address, prefix }) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// `text` as a browser writes the origin of a page (lower case, no port when it is the scheme's own), or `None` when it
/// is not `scheme://host[:port]` or `*`.
pub fn origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let numbered = bracketed.is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    let begins_well = scheme.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let scheme_ok = begins_well && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !scheme_ok || !(named || numbered) {
        return None;
    }
    match (scheme, port) {
        (_, None) | ("http", Some("80")) | ("https", Some("443")) => Some(format!("{scheme}://{host}")),
        (_, Some(port)) => {
            let port: u16 = port.parse().ok().filter(|&port| port > 0)?;
            Some(format!("{scheme}://{host}:{port}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_contains_what_begins_with_its_prefix() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("10.1.2.3/31", "10.1.2.2", "10.1.2.4"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("10.0.0.0/8", "::ffff:10.0.0.1", "::ffff:11.0.0.1"),
            ("fd00::/8", "fdff::1", "fe80::1"),
            ("::1", "::1", "::2"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            let cidr: Cidr = range.parse().unwrap();
            assert!(cidr.contains(inside.parse().unwrap()), "{range} has {inside}");
            assert!(!cidr.contains(outside.parse().unwrap()), "{range} has not {outside}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in
            ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "host/8", "10.0.0.0/8/8"]
        {
            assert_eq!(text.parse::<Cidr>(), Err(NotACidr), "{text}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (text, origin_of_it) in [
            ("*", Some("*")),
            ("https://Example.com", Some("https://example.com")),
            ("https://example.com:443", Some("https://example.com")),
            ("http://example.com:8080", Some("http://example.com:8080")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("http://[::1]", Some("http://[::1]")),
            ("http://10.0.0.7", Some("http://10.0.0.7")),
            ("example.com", None),
            ("https://example.com/", None),
            ("https://example.com/app", None),
            ("https://*.example.com", None),
            ("https://user@example.com", None),
            ("https://example.com:0", None),
            ("https://example.com:99999", None),
            ("https://[nonsense]", None),
            ("https://", None),
            ("://example.com", None),
            ("null", None),
        ] {
            assert_eq!(origin(text).as_deref(), origin_of_it, "{text}");
        }
    }
}
