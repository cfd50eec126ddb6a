//! Addresses that cannot mean what they say.

use std::net::IpAddr;

/// What makes an address unfit to be an endpoint or an external IP, if anything.
///
/// The API server refuses these too (`ValidateEndpointIP`, `ValidateNonSpecialIP`); files
/// do not pass through it. Traffic sent to one of them would end up on the node itself.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(ip) => ip.is_link_local() || matches!(ip.octets(), [224, 0, 0, _]),
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local()
                || matches!(ip.octets(), [0xff, scope, ..] if scope & 0xf == 2)
        }
    };
    if address.is_unspecified() {
        Some("unspecified")
    } else if address.is_loopback() {
        Some("loopback")
    } else if link_local {
        Some("link-local")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_never_leave_the_link_are_special() {
        let cases = [
            ("0.0.0.0", Some("unspecified")),
            ("::", Some("unspecified")),
            ("127.1.2.3", Some("loopback")),
            ("::1", Some("loopback")),
            ("169.254.169.254", Some("link-local")),
            ("fe80::1", Some("link-local")),
            ("224.0.0.251", Some("link-local")),
            ("ff02::fb", Some("link-local")),
            ("ff12::fb", Some("link-local")),
            ("10.0.0.1", None),
            ("224.0.1.1", None),
            ("2001:db8::1", None),
            ("ff05::1", None),
        ];
        for (address, expected) in cases {
            assert_eq!(special(address.parse().unwrap()), expected, "{address}");
        }
    }
}
