use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;

use super::RouteSocket;
use super::address::{family_of, octets};
use super::constants::netlink::{NLM_F_CREATE, NLM_F_REPLACE};
use super::constants::rtnetlink::{
    RT_SCOPE_LINK, RT_SCOPE_UNIVERSE, RT_TABLE_MAIN, RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PREFSRC,
    RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE, RTN_LOCAL, RTN_UNICAST, RTNH_F_ONLINK, RTPROT_STATIC,
};
use super::message::Request;
use crate::LabError;

/// `struct rtmsg`
const ROUTE_HEADER_LENGTH: usize = 12;
const ROUTE_TYPE_OFFSET: usize = 7;

/// By which way a route leaves the namespace.
#[derive(Debug, Clone, Copy)]
pub struct Gateway<'a> {
    /// The link to leave by.
    pub link: &'a str,
    /// The neighbour that takes the packet on; none if the destination itself is one. It
    /// need not lie in a network of the link (`onlink`).
    pub via: Option<IpAddr>,
    /// Source address of packets that this host itself sends without choosing one.
    pub source: Option<IpAddr>,
}

impl RouteSocket {
    /// Adds or replaces the route to `destination` (a prefix length of 0 makes the
    /// default route) in the main table.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if the link is missing or down, or the source is not local.
    pub fn add_route(&self, destination: IpNet, gateway: &Gateway<'_>) -> Result<(), LabError> {
        let request =
            self.route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, destination, gateway)?;
        self.change(request, &format!("add the route to {destination} by {}", gateway.link))
    }

    /// Removes the route to `destination` that [`RouteSocket::add_route`] added.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if there is no such route.
    pub fn delete_route(&self, destination: IpNet, gateway: &Gateway<'_>) -> Result<(), LabError> {
        let request = self.route(RTM_DELROUTE, 0, destination, gateway)?;
        self.change(request, &format!("remove the route to {destination} by {}", gateway.link))
    }

    /// Whether packets to `address` are delivered to this host itself.
    pub(super) fn is_local(&self, address: IpAddr) -> Result<bool, LabError> {
        let bytes = octets(address);
        let bits = u8::try_from(bytes.len() * 8).unwrap_or_default();
        let mut header = [0; ROUTE_HEADER_LENGTH];
        for (place, value) in header.iter_mut().zip([family_of(address), bits]) {
            *place = value;
        }
        let mut request = Request::new(RTM_GETROUTE, 0, &header);
        request.attribute(RTA_DST, &bytes);
        let action = format!("find the route to {address}");
        let kind = |payload: &[u8]| payload.get(ROUTE_TYPE_OFFSET).copied();
        match self.ask(request, &action, kind) {
            Ok(kind) => Ok(kind == Some(RTN_LOCAL)),
            Err(LabError::Route { errno: Errno::ENETUNREACH | Errno::EHOSTUNREACH, .. }) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn route(
        &self,
        kind: u16,
        flags: u16,
        destination: IpNet,
        gateway: &Gateway<'_>,
    ) -> Result<Request, LabError> {
        let scope = if gateway.via.is_some() || destination.addr().is_ipv6() {
            RT_SCOPE_UNIVERSE
        } else {
            RT_SCOPE_LINK
        };
        let family = family_of(destination.addr());
        // `struct rtmsg`: family, destination and source length, type of service, table,
        // protocol, scope, type, flags.
        let mut header = vec![family, destination.prefix_len(), 0, 0];
        header.extend([RT_TABLE_MAIN, RTPROT_STATIC, scope, RTN_UNICAST]);
        header.extend(if gateway.via.is_some() { RTNH_F_ONLINK } else { 0 }.to_ne_bytes());
        let mut request = Request::new(kind, flags, &header);
        request.attribute(RTA_DST, &octets(destination.network()));
        request.attribute(RTA_OIF, &self.link(gateway.link)?.index.to_ne_bytes());
        if let Some(via) = gateway.via {
            request.attribute(RTA_GATEWAY, &octets(via));
        }
        if let Some(source) = gateway.source {
            request.attribute(RTA_PREFSRC, &octets(source));
        }
        Ok(request)
    }
}
