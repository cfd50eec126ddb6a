//! Sets, maps and their keys as nft text.

use portolan_core::Family;
use portolan_netlink::nftables::{Field, SetData};

use super::{frontend_key, protocol};
use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::key::{Key, parse_address};

/// The declaration of what a set or map holds. A slot has no type name in nft, so maps that
/// have one are declared by the expressions that fill them.
pub(crate) fn container_type(container: Container, family: Family) -> String {
    let ip = protocol(family);
    if let Container::Endpoints(kind, ..) = container {
        let key = frontend_key(family, kind);
        return format!("typeof {key} . numgen random mod 2 : {ip} daddr . th dport");
    }
    let key = types(&container.key(family));
    match container.data(family) {
        None => format!("type {key}"),
        Some(SetData::Verdict) => format!("type {key} : verdict"),
        Some(SetData::Fields(fields)) => format!("type {key} : {}", types(&fields)),
    }
}

/// The flags of a set or map, if it has any.
pub(crate) const fn container_flags(container: Container) -> Option<&'static str> {
    match container {
        Container::SourceRanges => Some("interval"),
        Container::Affinity(..) => Some("dynamic,timeout"),
        _ => None,
    }
}

fn types(fields: &[Field]) -> String {
    let name = |field: &Field| match field {
        Field::Ipv4Address => "ipv4_addr",
        Field::Ipv6Address => "ipv6_addr",
        Field::Protocol => "inet_proto",
        Field::Port => "inet_service",
        Field::Priority => "classid",
        Field::InterfaceName => "ifname",
        Field::Slot | Field::Other { .. } => "integer",
    };
    fields.iter().map(name).collect::<Vec<_>>().join(" . ")
}

/// A number as nft prints a priority: two halves in hexadecimal.
pub(crate) fn priority_text(number: u32) -> String {
    match number {
        0 => "none".to_owned(),
        u32::MAX => "root".to_owned(),
        _ => format!("{:x}:{:x}", number >> 16, number & 0xffff),
    }
}

/// A key as nft prints it, field by field.
pub(crate) struct KeyText {
    fields: Vec<String>,
}

impl KeyText {
    /// The fields of a key of a container.
    pub(crate) fn new(container: Container, key: &Key) -> KeyText {
        let fields = match container.entry_kind() {
            None if container == Container::Hairpin => {
                addresses(key.as_bytes(), key.as_bytes().len() / 2)
            }
            None => addresses(key.as_bytes(), key.as_bytes().len()),
            Some(kind) => frontend(container, key, kind == EntryKind::Address),
        };
        KeyText { fields }
    }

    /// The fields.
    pub(crate) fn fields(&self) -> &[String] {
        &self.fields
    }
}

fn addresses(bytes: &[u8], length: usize) -> Vec<String> {
    let parts = bytes.chunks(length.max(1));
    parts.filter_map(parse_address).map(|ip| ip.to_string()).collect()
}

fn frontend(container: Container, key: &Key, by_address: bool) -> Vec<String> {
    let (key, client) = match container {
        Container::SourceRanges => key.split_client(),
        _ => (*key, None),
    };
    let Some(parsed) = key.parse_frontend(by_address) else { return Vec::new() };
    let mut fields: Vec<String> = parsed.address.iter().map(ToString::to_string).collect();
    fields.push(parsed.protocol.lower_case().to_owned());
    fields.push(parsed.port.to_string());
    fields.extend(parsed.slot.map(|number| match container {
        Container::Endpoints(..) => number.to_string(),
        _ => priority_text(number),
    }));
    fields.extend(client.map(|client| client.to_string()));
    fields
}
