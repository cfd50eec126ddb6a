//! The text forms of single values.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use portolan_core::Family;

use super::{BackendKind, DEFAULT_IPVS_SCHEDULER, NodePortSelection};

/// Why a value is refused.
pub(super) struct Rejected(pub(super) String);

/// `--detect-local-mode`, before what each mode needs is looked up.
#[derive(Clone, Copy)]
pub(super) enum DetectLocalMode {
    ClusterCidr,
    NodeCidr,
    BridgeInterface,
    InterfaceNamePrefix,
}

/// Longest interface name, `IFNAMSIZ` of `linux/if.h` less the final zero byte.
const LONGEST_INTERFACE_NAME: usize = 15;

/// Longest name of a Kubernetes object, an RFC 1123 subdomain.
const LONGEST_NODE_NAME: usize = 253;

fn reject<T>(reason: String) -> Result<T, Rejected> {
    Err(Rejected(reason))
}

pub(super) fn node_name(text: &str) -> Result<String, Rejected> {
    let name = text.trim().to_lowercase();
    if name.is_empty() {
        return reject("the name of the node is blank".to_owned());
    }
    if name.len() > LONGEST_NODE_NAME {
        return reject(format!("{name:?} is longer than the {LONGEST_NODE_NAME} bytes of a name"));
    }
    if !name.split('.').all(is_name_part) {
        return reject(format!(
            "{name:?} is no name of a node: parts of a-z, 0-9 and - that start and end with a \
             letter or digit, separated by dots"
        ));
    }
    Ok(name)
}

fn is_name_part(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    part.bytes().all(|byte| plain(byte) || byte == b'-')
        && part.bytes().next().is_some_and(plain)
        && part.bytes().next_back().is_some_and(plain)
}

/// The directory of `dir:PATH`, or `None` for `kube`.
pub(super) fn source(text: &str) -> Result<Option<PathBuf>, Rejected> {
    match text.split_once(':') {
        None if text == "kube" => Ok(None),
        Some(("dir", "")) => reject("dir: lacks the path of a directory".to_owned()),
        Some(("dir", path)) => Ok(Some(path.into())),
        // An existing directory, or what only can be one.
        None if text.contains('/') || Path::new(text).is_dir() => {
            reject(format!("there is no source {text:?} (did you mean dir:{text}?)"))
        }
        _ => reject(format!("there is no source {text:?}")),
    }
}

pub(super) fn backend(text: &str) -> Result<BackendKind, Rejected> {
    match text {
        "nftables" => Ok(BackendKind::Nftables),
        "ipvs" => Ok(BackendKind::Ipvs),
        other => reject(format!("there is no backend {other:?}, only nftables and ipvs")),
    }
}

pub(super) fn masquerade_bit(bit: u64) -> Result<u8, Rejected> {
    match u8::try_from(bit) {
        Ok(bit) if bit < 32 => Ok(bit),
        _ => reject(format!("{bit} is not a bit of the packet mark, which has bits 0 to 31")),
    }
}

/// The longest name of a scheduler, `IP_VS_SCHEDNAME_MAXLEN` of `linux/ip_vs.h` less the
/// final zero byte.
const LONGEST_SCHEDULER: usize = 15;

/// The name of a scheduler of IPVS, e.g. `rr`; empty means that. Which there are is the
/// kernel's affair.
pub(super) fn scheduler(text: &str) -> Result<String, Rejected> {
    let name = text.trim();
    if name.is_empty() {
        return Ok(DEFAULT_IPVS_SCHEDULER.to_owned());
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.len() > LONGEST_SCHEDULER || !name.chars().all(plain) {
        return reject(format!("{name:?} is no name of a scheduler"));
    }
    Ok(name.to_owned())
}

/// A duration as Kubernetes writes it (`1h`, `90s`, `1m30s`), in whole seconds.
pub(super) fn seconds(text: &str) -> Result<u32, Rejected> {
    let text = text.trim();
    let wrong = || Rejected(format!("{text:?} is not a duration in hours, minutes and seconds"));
    let (mut total, mut number) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let count: u64 = number.parse().map_err(|_| wrong())?;
        total = count.checked_mul(unit).and_then(|it| total.checked_add(it)).ok_or_else(wrong)?;
        number.clear();
    }
    match number.as_str() {
        "" if !text.is_empty() => {}
        "0" if total == 0 => {}
        _ => return Err(wrong()),
    }
    u32::try_from(total).map_err(|_| wrong())
}

pub(super) fn node_port_selection(items: &[String]) -> Result<NodePortSelection, Rejected> {
    let items: Vec<&str> = separated(items.iter().map(String::as_str));
    if items.is_empty() || items == ["primary"] {
        return Ok(NodePortSelection::Primary);
    }
    if items.contains(&"primary") {
        return reject("primary stands alone, without networks beside it".to_owned());
    }
    items.into_iter().map(network).collect::<Result<_, _>>().map(NodePortSelection::Networks)
}

/// `LOW-HIGH`, both ends included, as kube-apiserver's `--service-node-port-range` takes it.
pub(super) fn port_range(text: &str) -> Result<(u16, u16), Rejected> {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port != 0);
    let ends = text.split_once('-').and_then(|(low, high)| Some((port(low)?, port(high)?)));
    match ends {
        Some((low, high)) if low <= high => Ok((low, high)),
        Some((low, high)) => reject(format!("{text:?} ends at {high}, before it begins at {low}")),
        None => reject(format!("{text:?} is not a range of ports from 1 to 65535")),
    }
}

pub(super) fn cluster_cidr(text: &str) -> Result<Vec<IpNet>, Rejected> {
    let networks: Vec<IpNet> =
        separated([text]).into_iter().map(network).collect::<Result<_, _>>()?;
    for family in Family::BOTH {
        if networks.iter().filter(|network| Family::of_net(network) == family).count() > 1 {
            return reject(format!("{text:?} has more than one {family} network"));
        }
    }
    Ok(networks)
}

pub(super) fn detect_local_mode(text: &str) -> Result<DetectLocalMode, Rejected> {
    match text {
        "" | "ClusterCIDR" => Ok(DetectLocalMode::ClusterCidr),
        "NodeCIDR" => Ok(DetectLocalMode::NodeCidr),
        "BridgeInterface" => Ok(DetectLocalMode::BridgeInterface),
        "InterfaceNamePrefix" => Ok(DetectLocalMode::InterfaceNamePrefix),
        _ => reject(format!(
            "{text:?} is none of ClusterCIDR, NodeCIDR, BridgeInterface, InterfaceNamePrefix"
        )),
    }
}

pub(super) fn interface_name(text: &str) -> Result<String, Rejected> {
    let name = text.trim();
    if name.len() > LONGEST_INTERFACE_NAME {
        return reject(format!(
            "{name:?} is longer than the {LONGEST_INTERFACE_NAME} bytes of an interface name"
        ));
    }
    if name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '"') {
        return reject(format!("{name:?} has a character that no interface name has"));
    }
    if name.contains('*') {
        return reject(format!("{name:?} has a wildcard; a prefix is written without one"));
    }
    Ok(name.to_owned())
}

/// `IP`, which gets `default_port`, `IP:PORT` or `[IP]:PORT`; `None` if empty.
pub(super) fn bind_address(text: &str, default_port: u16) -> Result<Option<SocketAddr>, Rejected> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(Some(SocketAddr::new(address, default_port)));
    }
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => reject(format!("{text:?} has port 0")),
        Ok(address) => Ok(Some(address)),
        Err(_) => reject(format!("{text:?} is not an IP address with a port")),
    }
}

fn network(text: &str) -> Result<IpNet, Rejected> {
    match text.parse::<IpNet>() {
        Ok(network) => Ok(network.trunc()),
        Err(_) if text.parse::<IpAddr>().is_ok() => {
            reject(format!("{text:?} lacks the prefix length of a network"))
        }
        Err(_) => reject(format!("{text:?} is not a network")),
    }
}

fn separated<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    items
        .into_iter()
        .flat_map(|item| item.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .collect()
}
