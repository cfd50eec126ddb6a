//! How the hosts of a lab are connected.
//!
//! ```text
//!   pod            pod                       node                       outside
//!   eth0           eth0     pod0  pod1 ┌──────────────┐
//!    └──────────────┼────────┘     │   │              │
//!                   └──────────────┴─ cni0          eth0 ────── lan0 (bridge, clients)
//!                                      └──────────────┘          │
//!                                                    remote eth0 ┘ (other nodes' pods)
//! ```
//!
//! Every host but the node sends everything to the node, so that nothing gets around it.
//! The node sends what it knows no better way for to the outside, which drops it; thus
//! packets to service addresses are forwarded unless something translates them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;

use ipnet::IpNet;
use nix::errno::Errno;

use crate::patience::wait_until;
use crate::{Bridge, Gateway, LabError, Namespace, RouteSocket, VethPair};

/// The pods' bridge on the node.
pub(super) const POD_BRIDGE: &str = "cni0";
/// The node's link to the outside, and the only link of pods and remote pods.
pub(super) const ETHERNET: &str = "eth0";
/// The outside's bridge, which also holds the clients' addresses.
pub(super) const LAN: &str = "lan0";

/// Neighbours are known by link-local addresses, to leave all others to the lab's users.
/// Their narrow scope also keeps the kernel from masquerading to them.
struct LinkLocal {
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

const POD_GATEWAY: LinkLocal =
    LinkLocal { v4: Ipv4Addr::new(169, 254, 1, 1), v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1) };
const OUTSIDE: LinkLocal =
    LinkLocal { v4: Ipv4Addr::new(169, 254, 0, 1), v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1) };
const OTHER_NODES: LinkLocal =
    LinkLocal { v4: Ipv4Addr::new(169, 254, 0, 2), v6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2) };

/// Locally administered, so that they collide with no real device.
const POD_BRIDGE_HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 1];
const LAN_HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 2];

impl LinkLocal {
    fn of(&self, like: IpAddr) -> IpAddr {
        if like.is_ipv4() { self.v4.into() } else { self.v6.into() }
    }
}

/// The node's main address of each family that it speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct MainAddresses {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

impl MainAddresses {
    pub(super) fn of(addresses: &[IpNet]) -> Self {
        let first =
            |is_wanted: fn(&IpAddr) -> bool| addresses.iter().map(IpNet::addr).find(is_wanted);
        Self { v4: first(IpAddr::is_ipv4), v6: first(IpAddr::is_ipv6) }
    }

    fn each(self) -> impl Iterator<Item = IpAddr> {
        self.v4.into_iter().chain(self.v6)
    }

    fn like(self, address: IpAddr) -> Option<IpAddr> {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// Connects the node, the outside and the other nodes.
pub(super) fn connect_hosts(
    node: &Namespace,
    outside: &Namespace,
    others: &Namespace,
    addresses: &[IpNet],
) -> Result<(), LabError> {
    let main = MainAddresses::of(addresses);
    let ports = ["node", "others"];
    outside.run(|| -> Result<(), LabError> {
        let route = RouteSocket::open()?;
        route.add_bridge(&Bridge { name: LAN, hardware_address: LAN_HARDWARE })?;
        ports.iter().zip([node, others]).try_for_each(|(name, host)| {
            let peer_namespace = host.as_fd();
            let bridge = Some(LAN);
            route.add_veth(&VethPair { name, peer_name: ETHERNET, peer_namespace, bridge })
        })
    })?;
    others.run(|| {
        let route = RouteSocket::open()?;
        route.set_up(ETHERNET)?;
        reach_everything_by_the_node(&route, ETHERNET, &OTHER_NODES, main)
    })?;
    node.run(|| set_up_node(addresses, main))?;
    outside.run(|| {
        let route = RouteSocket::open()?;
        reach_everything_by_the_node(&route, LAN, &OUTSIDE, main)?;
        await_links(&route, &ports)
    })
}

fn set_up_node(addresses: &[IpNet], main: MainAddresses) -> Result<(), LabError> {
    let route = RouteSocket::open()?;
    route.add_bridge(&Bridge { name: POD_BRIDGE, hardware_address: POD_BRIDGE_HARDWARE })?;
    route.set_up(ETHERNET)?;
    for address in addresses {
        route.add_address(ETHERNET, *address)?;
    }
    for source in main.each() {
        route.add_address(POD_BRIDGE, POD_GATEWAY.of(source).into())?;
        route.add_route(
            everything_like(source),
            &Gateway { link: ETHERNET, via: Some(OUTSIDE.of(source)), source: Some(source) },
        )?;
    }
    Ok(())
}

fn reach_everything_by_the_node(
    route: &RouteSocket,
    link: &str,
    own: &LinkLocal,
    node: MainAddresses,
) -> Result<(), LabError> {
    for via in node.each() {
        route.add_address(link, own.of(via).into())?;
        let gateway = Gateway { link, via: Some(via), source: None };
        route.add_route(everything_like(via), &gateway)?;
    }
    Ok(())
}

/// Name of the node's link to a pod.
pub(super) fn port(pod: u32) -> String {
    format!("pod{pod}")
}

/// Connects a pod to the node by the node's link `port`.
pub(super) fn connect_pod(
    node: &Namespace,
    pod: &Namespace,
    port: &str,
    addresses: &[IpAddr],
    main: MainAddresses,
) -> Result<(), LabError> {
    node.run(|| -> Result<(), LabError> {
        let route = RouteSocket::open()?;
        let (peer_namespace, bridge) = (pod.as_fd(), Some(POD_BRIDGE));
        route.add_veth(&VethPair { name: port, peer_name: ETHERNET, peer_namespace, bridge })?;
        route.set_hairpin(port)
    })?;
    pod.run(|| -> Result<(), LabError> {
        let route = RouteSocket::open()?;
        route.set_up(ETHERNET)?;
        addresses.iter().try_for_each(|address| {
            route.add_address(ETHERNET, (*address).into())?;
            let via = Some(POD_GATEWAY.of(*address));
            let gateway = Gateway { link: ETHERNET, via, source: Some(*address) };
            route.add_route(everything_like(*address), &gateway)
        })
    })?;
    node.run(|| {
        let route = RouteSocket::open()?;
        for address in addresses {
            let source = main.like(*address);
            let gateway = Gateway { link: POD_BRIDGE, via: None, source };
            route.add_route((*address).into(), &gateway)?;
        }
        await_links(&route, &[port])
    })
}

/// Gives the host of the other nodes' pods one more address, and the node the way there.
pub(super) fn connect_remote_pod(
    node: &Namespace,
    others: &Namespace,
    address: IpAddr,
    main: MainAddresses,
) -> Result<(), LabError> {
    others.run(|| RouteSocket::open()?.add_address(ETHERNET, address.into()))?;
    let via = Some(OTHER_NODES.of(address));
    let gateway = Gateway { link: ETHERNET, via, source: main.like(address) };
    node.run(|| RouteSocket::open()?.add_route(address.into(), &gateway))
}

fn everything_like(address: IpAddr) -> IpNet {
    if address.is_ipv4() {
        ipnet::Ipv4Net::default().into()
    } else {
        ipnet::Ipv6Net::default().into()
    }
}

/// Waits until packets pass: the kernel follows a change of carrier in the background.
fn await_links(route: &RouteSocket, names: &[&str]) -> Result<(), LabError> {
    for name in names {
        if !wait_until(|| Ok(route.link(name)?.ready))? {
            let action = format!("use the link {name}, which has no carrier");
            return Err(LabError::system(action, Errno::ENETDOWN));
        }
    }
    Ok(())
}
