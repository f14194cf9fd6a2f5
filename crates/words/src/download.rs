//! The policy for downloads from the web, as an operator sets it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::byte_count::ByteCount;
use crate::locator;

/// The limits of a download, and the addresses beside public ones that it may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    pub allow: Vec<Allowed>,
    /// The longest file, where a field would take a longer one.
    pub max_size: Option<ByteCount>,
    /// The time from resolving the name to the last byte.
    pub timeout: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self { allow: Vec::new(), max_size: None, timeout: Duration::from_secs(60) }
    }
}

/// An entry of `[fetch] allow`: addresses that may be reached although they are not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// `192.168.0.0/16`, or one address.
    Range { base: IpAddr, bits: u8 },
    /// `cdn.internal`, or only one port of it: `cdn.internal:8080`.
    Host { name: String, port: Option<u16> },
}

impl Allowed {
    /// Accepts an address, a range in CIDR notation, or a host with or without a port.
    pub fn parse(text: &str) -> Result<Self, AllowedError> {
        if let Some((base, bits)) = text.split_once('/') {
            return range(base, bits);
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(Self::Range { base: address, bits: width(address) });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().map_err(|_| AllowedError::Port)?)),
            None => (text, None),
        };
        let host = locator::host(name).ok_or(AllowedError::Host)?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !host.bytes().all(plain) {
            return Err(AllowedError::Host);
        }
        Ok(Self::Host { name: host, port })
    }

    /// Whether a connection to this address of this host, written as in a parsed URL, is allowed.
    pub fn covers(&self, host: &str, port: u16, address: IpAddr) -> bool {
        match self {
            Self::Range { base, bits } => {
                within(*base, *bits, address) || within(*base, *bits, address.to_canonical())
            }
            Self::Host { name, port: only } => name == host && only.is_none_or(|only| only == port),
        }
    }
}

fn range(base: &str, bits: &str) -> Result<Allowed, AllowedError> {
    let base: IpAddr = base.parse().map_err(|_| AllowedError::Range)?;
    let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
    let bits = bits.parse().ok().filter(|bits| digits && *bits <= width(base));
    let bits = bits.ok_or(AllowedError::Range)?;
    Ok(Allowed::Range { base, bits })
}

/// How many bits an address has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Whether an address is in a range.
pub fn within(base: IpAddr, bits: u8, address: IpAddr) -> bool {
    let differing = match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => u128::from(base.to_bits() ^ address.to_bits()),
        (IpAddr::V6(base), IpAddr::V6(address)) => base.to_bits() ^ address.to_bits(),
        _ => return false,
    };
    bits == 0 || differing >> (width(base) - bits) == 0
}

impl fmt::Display for Allowed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { base, bits } => write!(out, "{base}/{bits}"),
            Self::Host { name, port: Some(port) } => write!(out, "{name}:{port}"),
            Self::Host { name, port: None } => write!(out, "{name}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AllowedError {
    #[error("a range is an address and a number of bits, such as \"192.168.0.0/16\"")]
    Range,
    #[error("a port is a number up to 65535, as in \"cdn.internal:8080\"")]
    Port,
    #[error("expected a range such as \"192.168.0.0/16\", or a host such as \"cdn.internal\"")]
    Host,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_operator_allows_ranges_addresses_hosts_and_single_ports() {
        let covers = |allowed: &str, host, port, to: &str| {
            Allowed::parse(allowed).expect(allowed).covers(host, port, address(to))
        };
        assert!(covers("192.168.0.0/16", "nas", 80, "192.168.3.4"));
        assert!(covers("192.168.0.0/16", "nas", 80, "::ffff:192.168.3.4"));
        assert!(!covers("192.168.0.0/16", "nas", 80, "192.169.0.1"));
        assert!(covers("0.0.0.0/0", "nas", 80, "127.0.0.1"));
        assert!(!covers("0.0.0.0/0", "nas", 80, "::1"));
        assert!(covers("127.0.0.1", "localhost", 80, "127.0.0.1"));
        assert!(!covers("127.0.0.1", "localhost", 80, "127.0.0.2"));
        assert!(covers("fd00::/8", "nas", 80, "fd12::1") && covers("::1", "x", 1, "::1"));
        assert!(covers("CDN.internal", "cdn.internal", 8080, "10.0.0.1"));
        assert!(covers("cdn.internal:8080", "cdn.internal", 8080, "10.0.0.1"));
        assert!(!covers("cdn.internal:8080", "cdn.internal", 22, "10.0.0.1"));
        assert!(!covers("cdn.internal", "evil.cdn.internal", 80, "10.0.0.1"));
        assert!(covers("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1"));
        assert!(covers("[::1]:80", "[::1]", 80, "::1"));
    }

    #[test]
    fn what_is_no_range_and_no_host_is_refused() {
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "10.0.0/8", "::/129", "a/8"] {
            assert_eq!(Allowed::parse(text), Err(AllowedError::Range), "{text}");
        }
        assert_eq!(Allowed::parse("cdn.internal:70000"), Err(AllowedError::Port));
        assert_eq!(Allowed::parse("cdn.internal:"), Err(AllowedError::Port));
        for text in ["", "a b", "http://x", "a@b", "*.example.org"] {
            assert!(Allowed::parse(text).is_err(), "{text}");
        }
    }
}
