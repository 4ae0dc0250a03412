//! Where a session comes from: networks in CIDR form, or no network at all.
//!
//! An IPv4 address that is written as an IPv6 one (`::ffff:10.0.0.1`, as a server with one socket for both sees it) is
//! the IPv4 address. Not for how an address is found out.

use std::net::IpAddr;

/// The word for a session without a remote address.
pub const LOCAL: &str = "local";

/// One value of `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// No remote address.
    Local,
    /// An address whose first bits are these.
    Network { base: IpAddr, prefix: u32 },
}

impl Origin {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        if text == LOCAL {
            return Ok(Self::Local);
        }
        let bad = |why: String| format!("{text:?} {why}");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let written: IpAddr = address.parse().map_err(|_| {
            bad(format!("is no network: write one such as 10.0.0.0/8 or 2001:db8::/32, an address, or {LOCAL:?}"))
        })?;
        let most = bits(written).1;
        let prefix = match prefix {
            None => most,
            // `parse` would take a sign.
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().unwrap_or(u32::MAX),
            Some(_) => u32::MAX,
        };
        if prefix > most {
            return Err(bad(format!("is no network: what follows the slash is a number from 0 to {most}")));
        }
        let (base, prefix) = match (plain(written), most) {
            (base @ IpAddr::V4(_), 128) if prefix < 96 => {
                return Err(bad(format!(
                    "is a network of IPv6 with an address of IPv4: write {base}, with its own prefix"
                )));
            }
            (base @ IpAddr::V4(_), 128) => (base, prefix - 96),
            (base, _) => (base, prefix),
        };
        let origin = Self::Network { base, prefix };
        let first = masked(base, prefix);
        if first != base {
            return Err(bad(format!(
                "has bits beyond its prefix: write {first}/{prefix} for the network, or {base} for the address"
            )));
        }
        Ok(origin)
    }

    pub(super) fn holds(self, from: Option<IpAddr>) -> bool {
        match (self, from.map(plain)) {
            (Self::Local, from) => from.is_none(),
            (Self::Network { .. }, None) => false,
            (Self::Network { base, prefix }, Some(from)) => {
                from.is_ipv4() == base.is_ipv4() && masked(from, prefix) == base
            }
        }
    }
}

fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// The address without the bits beyond the prefix.
fn masked(address: IpAddr, prefix: u32) -> IpAddr {
    let (value, most) = bits(address);
    let beyond = most.saturating_sub(prefix);
    let kept = value.checked_shr(beyond).and_then(|value| value.checked_shl(beyond)).unwrap_or(0);
    match address {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(kept).unwrap_or(0).into()),
        IpAddr::V6(_) => IpAddr::V6(kept.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, from: &str) -> bool {
        Origin::new(network).unwrap().holds((from != LOCAL).then(|| from.parse().unwrap()))
    }

    #[test]
    fn networks_hold_their_addresses() {
        for (network, from, expected) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("10.0.0.0/8", "local", false),
            ("local", "local", true),
            ("local", "127.0.0.1", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7/32", "192.0.2.8", false),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("192.0.2.128/25", "192.0.2.127", false),
        ] {
            assert_eq!(holds(network, from), expected, "{network} {from}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_way_out() {
        for (text, said) in [
            ("10.0.0/8", "is no network"),
            ("10.0.0.0/33", "from 0 to 32"),
            ("10.0.0.0/+8", "from 0 to 32"),
            ("10.0.0.0/", "from 0 to 32"),
            ("::/129", "from 0 to 128"),
            ("10.0.0.5/8", "10.0.0.0/8"),
            ("::ffff:10.0.0.0/90", "with its own prefix"),
            ("Local", "is no network"),
            ("", "is no network"),
            ("10.0.0.0/99999999999999999999", "from 0 to 32"),
        ] {
            let error = Origin::new(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
