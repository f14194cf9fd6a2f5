//! Addresses: which of them a download may reach, and what an operator allows beyond that.
//! Does not resolve names and opens no connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is not public, IPv4: the IANA special-purpose registry, as far as it can be reached from a host.
const CLOSED_V4: [(Ipv4Addr, u8, &str); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "private (a carrier's)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "reserved for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a relay's"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "reserved for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "reserved for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "reserved for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::BROADCAST, 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// What is not public, IPv6; whatever carries an IPv4 address inside is among it, or it would go around the list above.
const CLOSED_V6: [(Ipv6Addr, u8, &str); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "reserved"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "reserved for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "IPv4 inside IPv6"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "private"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// In words what closes an address to downloads; `None` for a public one.
pub fn closed(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => CLOSED_V4
            .iter()
            .find(|(base, bits, _)| {
                same_bits(address.to_bits().into(), base.to_bits().into(), 32, *bits)
            })
            .map(|(_, _, why)| *why),
        IpAddr::V6(address) => CLOSED_V6
            .iter()
            .find(|(base, bits, _)| same_bits(address.to_bits(), base.to_bits(), 128, *bits))
            .map(|(_, _, why)| *why),
    }
}

/// Whether the first `bits` of two numbers of `width` bits agree.
fn same_bits(one: u128, other: u128, width: u8, bits: u8) -> bool {
    let differing = one ^ other;
    bits == 0 || differing >> (width - bits) == 0
}

/// Something that `[fetch] allow` names: it may be reached although it is not public.
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
        // As the host of a URL is written once it is parsed: in lower case, in ASCII, numbers as addresses.
        let host = ::url::Host::parse(name).map_err(|_| AllowedError::Host)?.to_string();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        if !host.bytes().all(plain) {
            return Err(AllowedError::Host);
        }
        Ok(Self::Host { name: host, port })
    }

    /// Whether a connection to this address of this host is allowed. `host` is the one of a parsed URL.
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

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn within(base: IpAddr, bits: u8, address: IpAddr) -> bool {
    match (base, address) {
        (IpAddr::V4(base), IpAddr::V4(address)) => {
            same_bits(base.to_bits().into(), address.to_bits().into(), 32, bits)
        }
        (IpAddr::V6(base), IpAddr::V6(address)) => {
            same_bits(base.to_bits(), address.to_bits(), 128, bits)
        }
        _ => false,
    }
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
    fn every_range_that_is_not_public_is_closed_at_both_ends() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("224.0.0.0", "239.255.255.255"),
            ("240.0.0.0", "255.255.255.255"),
            ("::", "::1"),
            ("fc00::", "fdff:ffff::"),
            ("fe80::", "febf:ffff::"),
            ("ff00::", "ffff::1"),
            ("::ffff:0:0", "::ffff:255.255.255.255"),
            ("::ffff:93.184.216.34", "::93.184.216.34"),
            ("64:ff9b::", "64:ff9b::ffff:ffff"),
            ("2002::", "2002:ffff::"),
        ] {
            assert!(closed(address(first)).is_some(), "{first}");
            assert!(closed(address(last)).is_some(), "{last}");
        }
    }

    #[test]
    fn what_lies_beside_a_closed_range_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "93.184.216.34",
            "2606:2800:220:1:248:1893:25c8:1946",
            "2001:4860:4860::8888",
            "2003::1",
        ] {
            assert_eq!(closed(address(text)), None, "{text}");
        }
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
