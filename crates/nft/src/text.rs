//! Statements as nft text, in the words in which nft 1.0.6 prints them.

use std::fmt::{self, Display, Formatter};

use ipnet::IpNet;
use portolan_core::Family;
use portolan_netlink::nftables::{ChainKind, Hook};

use crate::chain_name::EntryKind;
use crate::container::Container;
use crate::key::{Key, parse_address};
use crate::statement::Statement;
use crate::structure::Chain;

/// A statement in the table of a family, displayed as nft text.
pub(crate) struct StatementText<'a>(pub(crate) &'a Statement, pub(crate) Family);

/// The name of a family's protocol in nft: of tables, and of header fields.
pub(crate) const fn protocol(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}

/// What looks up a frontend of a kind: the left side of `vmap` and `map`.
pub(crate) const fn frontend_key(family: Family, kind: EntryKind) -> &'static str {
    match (family, kind) {
        (Family::V4, EntryKind::Address) => "ip daddr . meta l4proto . th dport",
        (Family::V6, EntryKind::Address) => "ip6 daddr . meta l4proto . th dport",
        (_, EntryKind::NodePort) => "meta l4proto . th dport",
    }
}

/// A network as nft prints it: a host without its prefix length.
pub(crate) fn network(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

impl Display for StatementText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let StatementText(statement, family) = *self;
        let ip = protocol(family);
        let not = |negated: bool| if negated { "!= " } else { "" };
        match statement {
            Statement::Source { net, negated } => {
                write!(f, "{ip} saddr {}{}", not(*negated), network(net))
            }
            Statement::Destination { net, negated } => {
                write!(f, "{ip} daddr {}{}", not(*negated), network(net))
            }
            Statement::InputInterface { name, prefix, negated } => {
                let star = if *prefix { "*" } else { "" };
                write!(f, "iifname {}\"{name}{star}\"", not(*negated))
            }
            Statement::SourceIsLocal => f.write_str("fib saddr type local"),
            Statement::DestinationIsLocal => f.write_str("fib daddr type local"),
            Statement::DestinationIsRemote => f.write_str("fib daddr type != local"),
            Statement::DestinationIn(container) => write!(f, "{ip} daddr @{}", container.name()),
            Statement::PairIn(container) => {
                write!(f, "{ip} saddr . {ip} daddr @{}", container.name())
            }
            Statement::Tcp => f.write_str("meta l4proto tcp"),
            Statement::Translated => f.write_str("ct status dnat"),
            Statement::Marked(bit) => write!(f, "meta mark & {bit:#010x} == {bit:#010x}"),
            Statement::Mark(bit) => write!(f, "meta mark set meta mark | {bit:#010x}"),
            Statement::Unmark(bit) => write!(f, "meta mark set meta mark ^ {bit:#010x}"),
            Statement::Dispatch(kind) => {
                write!(f, "{} vmap @{}", frontend_key(family, *kind), kind.verdicts().name())
            }
            Statement::Balance { kind, pool, slots } => write!(
                f,
                "dnat {ip} to {} . numgen random mod {slots} map @{}",
                frontend_key(family, *kind),
                kind.endpoints(*pool).name()
            ),
            Statement::Goto(chain) => write!(f, "goto {chain}"),
            Statement::RejectWithReset => f.write_str("reject with tcp reset"),
            Statement::Reject => f.write_str("reject"),
            Statement::Drop => f.write_str("drop"),
            Statement::Masquerade => f.write_str("masquerade fully-random"),
        }
    }
}

/// The declaration of what a set or map holds. A slot has no type name in nft, so maps that
/// have one are declared by the expressions that fill them.
pub(crate) fn container_type(container: Container, family: Family) -> String {
    let ip = protocol(family);
    if container.has_slots() {
        let kind = if container.by_address() { EntryKind::Address } else { EntryKind::NodePort };
        let key = frontend_key(family, kind);
        return format!("typeof {key} . numgen random mod 2 : {ip} daddr . th dport");
    }
    let address = match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    };
    match container {
        Container::Services => {
            format!("type {address} . inet_proto . inet_service : verdict")
        }
        Container::NodePorts => "type inet_proto . inet_service : verdict".to_owned(),
        Container::Hairpin => format!("type {address} . {address}"),
        _ => format!("type {address}"),
    }
}

/// A key as nft prints it, field by field.
pub(crate) struct KeyText {
    fields: Vec<String>,
}

impl KeyText {
    /// The fields of a key of a container.
    pub(crate) fn new(container: Container, key: &Key) -> KeyText {
        let fields = match container {
            Container::ClusterIps | Container::NodePortIps => {
                addresses(key.as_bytes(), key.as_bytes().len())
            }
            Container::Hairpin => addresses(key.as_bytes(), key.as_bytes().len() / 2),
            _ => frontend(key, container.by_address()),
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

fn frontend(key: &Key, by_address: bool) -> Vec<String> {
    let Some(parsed) = key.parse_frontend(by_address) else { return Vec::new() };
    let mut fields: Vec<String> = parsed.address.iter().map(ToString::to_string).collect();
    fields.push(parsed.protocol.lower_case().to_owned());
    fields.push(parsed.port.to_string());
    fields.extend(parsed.slot.map(|slot| slot.to_string()));
    fields
}

impl Chain {
    /// Where the kernel calls the chain, if it does.
    pub(crate) fn base_text(&self) -> Option<String> {
        let base = self.base?;
        let (kind, hook) = (chain_kind(base.kind), hook(base.hook));
        let priority = priority(base.priority);
        Some(format!("type {kind} hook {hook} priority {priority}; policy accept;"))
    }
}

/// The name of a chain's type.
pub(crate) const fn chain_kind(kind: ChainKind) -> &'static str {
    match kind {
        ChainKind::Filter => "filter",
        ChainKind::Nat => "nat",
        ChainKind::Route => "route",
    }
}

/// The name of a hook.
pub(crate) const fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Prerouting => "prerouting",
        Hook::Input => "input",
        Hook::Forward => "forward",
        Hook::Output => "output",
        Hook::Postrouting => "postrouting",
    }
}

fn priority(priority: i32) -> String {
    match priority {
        -100 => "dstnat".to_owned(),
        100 => "srcnat".to_owned(),
        other => other.to_string(),
    }
}
