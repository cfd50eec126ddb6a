//! What the command line asks.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use anyhow::bail;
use portolan_core::explain::{Client, ClientKind, Packet, Question};
use portolan_core::{Family, ObjectName, Protocol};

/// Where packets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Packet(Protocol, SocketAddr),
    Service(ObjectName),
}

/// Who sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Who {
    kind: Option<ClientKind>,
    address: Option<IpAddr>,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if let Some((protocol, destination)) = text.split_once("://") {
            let known = Protocol::ALL.into_iter();
            let Some(protocol) = known.into_iter().find(|it| it.lower_case() == protocol) else {
                return Err(format!("there is no protocol {protocol:?}, only tcp, udp and sctp"));
            };
            let destination: SocketAddr = destination.parse().map_err(|_| {
                format!(
                    "{destination:?} is not an address and a port; a right value is \
                     10.96.0.10:53 or [fd00:10:96::10]:53"
                )
            })?;
            if destination.port() == 0 {
                return Err("there is no port 0".to_owned());
            }
            return Ok(Target::Packet(protocol, destination));
        }
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Ok(Target::Service(ObjectName::new(namespace, name)))
            }
            _ => Err("expected tcp://ADDRESS:PORT or NAMESPACE/NAME".to_owned()),
        }
    }
}

impl FromStr for Who {
    type Err = String;

    fn from_str(text: &str) -> Result<Who, String> {
        if let Ok(address) = text.parse() {
            return Ok(Who { kind: None, address: Some(address) });
        }
        let (kind, address) = match text.split_once('=') {
            Some((kind, address)) => (kind, Some(address)),
            None => (text, None),
        };
        let kind = match kind {
            "pod" => ClientKind::Pod,
            "node" => ClientKind::Node,
            "outside" => ClientKind::Outside,
            _ => {
                return Err(format!("{kind:?} is not an address, nor pod, node or outside"));
            }
        };
        let wrong = |address: &str| format!("{address:?} is not an address");
        let address = address.map(|it| it.parse().map_err(|_| wrong(it))).transpose()?;
        Ok(Who { kind: Some(kind), address })
    }
}

/// The client that was described.
pub(super) fn client(who: Option<Who>, interface: Option<&str>) -> anyhow::Result<Client> {
    let kind = who.and_then(|who| who.kind);
    if kind == Some(ClientKind::Node) && interface.is_some() {
        bail!("--interface: what the node sends comes in by none");
    }
    let address = who.and_then(|who| who.address);
    Ok(Client { kind, address, interface: interface.map(str::to_owned) })
}

/// The question about packets of a client.
pub(super) fn question(target: &Target, client: Client) -> anyhow::Result<Question> {
    let (protocol, destination) = match target {
        Target::Service(name) => return Ok(Question::Service { name: name.clone(), client }),
        Target::Packet(protocol, destination) => (*protocol, *destination),
    };
    let family = Family::of(destination.ip());
    if client.address.is_some_and(|address| Family::of(address) != family) {
        bail!("--from: an {family} packet has an {family} address as its source");
    }
    let (destination, port) = (destination.ip(), destination.port());
    Ok(Question::Packet(Packet { client, protocol, destination, port }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_or_a_service_is_asked_for() {
        let packet = |protocol, text: &str| Ok(Target::Packet(protocol, text.parse().unwrap()));
        let cases = [
            ("tcp://10.96.0.10:53", packet(Protocol::Tcp, "10.96.0.10:53")),
            ("udp://[fd00::1]:53", packet(Protocol::Udp, "[fd00::1]:53")),
            ("sctp://10.0.0.1:9", packet(Protocol::Sctp, "10.0.0.1:9")),
            ("shop/web", Ok(Target::Service(ObjectName::new("shop", "web")))),
            ("http://10.0.0.1:80", Err("no protocol")),
            ("tcp://10.0.0.1", Err("not an address and a port")),
            ("tcp://10.0.0.1:0", Err("no port 0")),
            ("tcp://web:80", Err("not an address and a port")),
            ("web", Err("expected")),
            ("/web", Err("expected")),
            ("shop/", Err("expected")),
        ];
        for (text, expected) in cases {
            match (Target::from_str(text), expected) {
                (Ok(target), Ok(expected)) => assert_eq!(target, expected, "{text}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (target, expected) => panic!("{text}: {target:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_client_is_an_address_a_kind_or_both() {
        let address = |text: &str| Some(text.parse().unwrap());
        let cases = [
            ("10.244.1.5", Ok((None, address("10.244.1.5")))),
            ("fd00::5", Ok((None, address("fd00::5")))),
            ("pod", Ok((Some(ClientKind::Pod), None))),
            ("node", Ok((Some(ClientKind::Node), None))),
            ("outside=fd00::5", Ok((Some(ClientKind::Outside), address("fd00::5")))),
            ("somebody", Err("nor pod, node or outside")),
            ("pod=web", Err("not an address")),
            ("10.0.0.0/8", Err("not an address")),
        ];
        for (text, expected) in cases {
            match (Who::from_str(text), expected) {
                (Ok(who), Ok(expected)) => assert_eq!((who.kind, who.address), expected, "{text}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
                (who, expected) => panic!("{text}: {who:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let target = "tcp://10.96.0.10:53".parse().unwrap();
        let other_family = client(Some("fd00::5".parse().unwrap()), None).unwrap();
        let error = question(&target, other_family).unwrap_err().to_string();
        assert!(error.starts_with("--from: an IPv4 packet"), "{error}");
        let error = client(Some("node".parse().unwrap()), Some("eth0")).unwrap_err().to_string();
        assert!(error.starts_with("--interface: "), "{error}");
    }
}
