use std::io::ErrorKind;

use crate::{LabError, Namespace};

/// What every host of a lab has in common. Without these a lab waits for duplicate address
/// detection, learns shortcuts around its node, or loses rejections to rate limits.
const EVERY_HOST: [(&str, &str); 18] = [
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
    ("net.ipv4.conf.all.send_redirects", "0"),
    ("net.ipv4.conf.default.send_redirects", "0"),
    ("net.ipv4.conf.all.accept_redirects", "0"),
    ("net.ipv4.conf.default.accept_redirects", "0"),
    ("net.ipv4.icmp_ratelimit", "0"),
    ("net.ipv4.icmp_ratemask", "0"),
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv6.conf.default.accept_redirects", "0"),
    ("net.ipv6.conf.default.router_solicitations", "0"),
    ("net.ipv6.icmp.ratelimit", "0"),
    // Only a type that nobody sends counts for the limit of all namespaces together
    // (`icmp_global_allow` in `net/ipv4/icmp.c`), which loses an error now and then.
    ("net.ipv6.icmp.ratemask", "255"),
    // Packets that only cross a bridge are none of the packet filter's business here.
    ("net.bridge.bridge-nf-call-iptables", "0"),
    ("net.bridge.bridge-nf-call-ip6tables", "0"),
    ("net.bridge.bridge-nf-call-arptables", "0"),
];

const FORWARDING: [&str; 2] = ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"];

impl Namespace {
    /// Writes a kernel setting of the namespace, for example `net.ipv4.ip_forward`.
    ///
    /// # Errors
    ///
    /// [`LabError::File`] if there is no such setting, or it belongs to the whole host.
    pub fn set_sysctl(&self, name: &str, value: &str) -> Result<(), LabError> {
        self.run(|| write(name, value))
    }

    /// Settles what is inherited from the host, and whether packets are forwarded. To be
    /// called before the namespace has links, which start with the `default` settings.
    pub(crate) fn set_up_host(&self, forwards: bool) -> Result<(), LabError> {
        let forwarding = FORWARDING.map(|name| (name, if forwards { "1" } else { "0" }));
        self.run(|| {
            // Forwarding comes first because switching it changes some of the others.
            for (name, value) in forwarding.into_iter().chain(EVERY_HOST) {
                match write(name, value) {
                    // A kernel without IPv6 or bridge filtering needs no such setting.
                    Err(LabError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                    result => result?,
                }
            }
            Ok(())
        })
    }
}

/// Works on the calling thread's network namespace.
fn write(name: &str, value: &str) -> Result<(), LabError> {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    std::fs::write(&path, value).map_err(|source| LabError::File { path, source })
}
