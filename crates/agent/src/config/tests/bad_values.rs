//! What is said about values that make no sense.

use super::*;

#[test]
fn bad_values_are_refused_with_their_origin_and_an_example() {
    let file = |keys: &str| own(&format!("nodeName: a\n{keys}")).and_then(|f| f.settings.resolve());
    let cases = [
        (
            "clusterCIDR: 10.0.0/8",
            "clusterCIDR in portolan.yaml: \"10.0.0/8\" is not a network; a right value is 10.244.0.0/16,fd00:10:244::/56",
        ),
        (
            "clusterCIDR: 10.0.0.1",
            "clusterCIDR in portolan.yaml: \"10.0.0.1\" lacks the prefix length of a network; a right value is 10.244.0.0/16,fd00:10:244::/56",
        ),
        (
            "clusterCIDR: 10.0.0.0/8,11.0.0.0/8",
            "clusterCIDR in portolan.yaml: \"10.0.0.0/8,11.0.0.0/8\" has more than one IPv4 network; a right value is 10.244.0.0/16,fd00:10:244::/56",
        ),
        (
            "clusterCIDR: 7",
            "clusterCIDR in portolan.yaml: 7 has the wrong type; a right value is a text in quotes",
        ),
        (
            "nodePortAddresses: [primary, 10.0.0.0/8]",
            "nodePortAddresses in portolan.yaml: primary stands alone, without networks beside it; a right value is primary, or 192.0.2.0/24,2001:db8::/64",
        ),
        (
            "nodePortAddresses: primary",
            "nodePortAddresses in portolan.yaml: \"primary\" has the wrong type; a right value is a list such as [\"192.0.2.0/24\"]",
        ),
        (
            "detectLocalMode: Bridge",
            "detectLocalMode in portolan.yaml: \"Bridge\" is none of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix; a right value is ClusterCIDR",
        ),
        (
            "detectLocalMode: BridgeInterface",
            "the bridge of the local pods, which --detect-local-mode BridgeInterface needs, is not set: use --pod-bridge-interface NAME (file: detectLocal.bridgeInterface), for example cni0",
        ),
        (
            "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: veth-of-a-pod-16}",
            "detectLocal.interfaceNamePrefix in portolan.yaml: \"veth-of-a-pod-16\" is longer than the 15 bytes of an interface name; a right value is veth",
        ),
        (
            "detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: veth*}",
            "detectLocal.interfaceNamePrefix in portolan.yaml: \"veth*\" has a wildcard; a prefix is written without one; a right value is veth",
        ),
        (
            "healthzBindAddress: localhost:1",
            "healthzBindAddress in portolan.yaml: \"localhost:1\" is not an IP address with a port; a right value is 0.0.0.0:10256",
        ),
        (
            "healthzBindAddress: 1.2.3.4:0",
            "healthzBindAddress in portolan.yaml: \"1.2.3.4:0\" has port 0; a right value is 0.0.0.0:10256",
        ),
        (
            "healthzBindAddress: 1.2.3.4:65536",
            "healthzBindAddress in portolan.yaml: \"1.2.3.4:65536\" is not an IP address with a port; a right value is 0.0.0.0:10256",
        ),
        (
            "ipvs: {scheduler: 'round robin'}",
            "ipvs.scheduler in portolan.yaml: \"round robin\" is no name of a scheduler; a right value is rr",
        ),
        (
            "drainTimeout: 5 minutes",
            "drainTimeout in portolan.yaml: \"5 minutes\" is not a duration in hours, minutes and seconds; a right value is 15m",
        ),
        (
            "metricsBindAddress: 1.2.3.4:0",
            "metricsBindAddress in portolan.yaml: \"1.2.3.4:0\" has port 0; a right value is 127.0.0.1:10249",
        ),
        (
            "serviceNodePortRange: 32767-30000",
            "serviceNodePortRange in portolan.yaml: \"32767-30000\" ends at 30000, before it begins at 32767; a right value is 30000-32767",
        ),
        (
            "serviceNodePortRange: 0-70000",
            "serviceNodePortRange in portolan.yaml: \"0-70000\" is not a range of ports from 1 to 65535; a right value is 30000-32767",
        ),
        (
            "nftables: {masqueradeBit: 32}",
            "nftables.masqueradeBit in portolan.yaml: 32 is not a bit of the packet mark, which has bits 0 to 31; a right value is 14",
        ),
        (
            "nftables: {masqueradeBit: -1}",
            "nftables.masqueradeBit in portolan.yaml: -1 has the wrong type; a right value is a whole number such as 14",
        ),
        (
            "nftables: {masqueradeAll: 'yes please'}",
            "nftables.masqueradeAll in portolan.yaml: \"yes please\" has the wrong type; a right value is true or false",
        ),
        (
            "backend: iptables",
            "backend in portolan.yaml: there is no backend \"iptables\", only nftables and ipvs; a right value is nftables",
        ),
        (
            "source: file:/x",
            "source in portolan.yaml: there is no source \"file:/x\"; a right value is kube, or dir:/etc/portolan/services",
        ),
        (
            "source: 'dir:'",
            "source in portolan.yaml: dir: lacks the path of a directory; a right value is kube, or dir:/etc/portolan/services",
        ),
        (
            "nftables: {masqueradeBits: 1}",
            "portolan.yaml has an unknown key nftables.masqueradeBits (did you mean nftables.masqueradeBit?)",
        ),
        (
            "masqueradeAll: true",
            "portolan.yaml has an unknown key masqueradeAll (did you mean nftables.masqueradeAll?)",
        ),
        (
            "hostnameOverride: x",
            "portolan.yaml has an unknown key hostnameOverride (did you mean nodeName?)",
        ),
        ("mode: nftables", "portolan.yaml has an unknown key mode (did you mean backend?)"),
        ("sails: square", "portolan.yaml has an unknown key sails"),
        (
            "nftables: 5",
            "nftables in portolan.yaml: 5 has the wrong type; a right value is keys and values",
        ),
        (
            "nftables.masqueradeBit: 5",
            "portolan.yaml has an unknown key \"nftables.masqueradeBit\" (write masqueradeBit below nftables)",
        ),
    ];
    for (keys, text) in cases {
        let error = file(keys).expect_err(keys);
        assert_eq!(told(&error), text, "{keys}");
    }
}
