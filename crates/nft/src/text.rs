//! Statements as nft text, in the words in which nft 1.0.6 prints them.

mod container;

use std::fmt::{self, Display, Formatter};

use ipnet::IpNet;
use portolan_core::Family;
use portolan_netlink::nftables::{ChainKind, Hook};

pub(crate) use self::container::{KeyText, container_flags, container_type, priority_text};
use crate::chain_name::EntryKind;
use crate::container::{Container, FIRST_SLOT};
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
            Statement::ClientIn(container) => write!(
                f,
                "{} . {ip} saddr @{}",
                frontend_key(family, EntryKind::Address),
                container.name()
            ),
            Statement::SourcePortAbove1023(protocol) => {
                write!(f, "{} sport >= 1024", protocol.lower_case())
            }
            Statement::Tcp => f.write_str("meta l4proto tcp"),
            Statement::BeginsTcp => f.write_str("tcp flags syn"),
            Statement::Translated => f.write_str("ct status dnat"),
            Statement::Marked(bit) => write!(f, "meta mark & {bit:#010x} == {bit:#010x}"),
            Statement::Mark(bit) => write!(f, "meta mark set meta mark | {bit:#010x}"),
            Statement::Unmark(bit) => write!(f, "meta mark set meta mark ^ {bit:#010x}"),
            Statement::ConnectionMarked(bit) if bit.is_power_of_two() => {
                write!(f, "ct mark & {bit:#010x} == {bit:#010x}")
            }
            Statement::ConnectionMarked(bits) => {
                write!(f, "ct mark & {bits:#010x} != {:#010x}", 0)
            }
            Statement::MarkConnection(bit) => write!(f, "ct mark set ct mark | {bit:#010x}"),
            Statement::Forth => f.write_str("ct direction original"),
            Statement::Dispatch(kind) => {
                write!(
                    f,
                    "{} vmap @{}",
                    frontend_key(family, *kind),
                    Container::Verdicts(*kind).name()
                )
            }
            Statement::Balance { kind, pool, slots } => write!(
                f,
                "dnat {ip} to {} . numgen random mod {slots} map @{}",
                frontend_key(family, *kind),
                Container::Endpoints(*kind, *pool).name()
            ),
            Statement::RecallSeat(kind, pool) => write!(
                f,
                "meta priority set {ip} saddr . {} map @{}",
                frontend_key(family, *kind),
                Container::Affinity(*kind, *pool).name()
            ),
            Statement::DrawSlot { slots } => {
                write!(f, "meta priority set numgen random mod {slots} offset {FIRST_SLOT}")
            }
            Statement::FindSeat(kind, pool) => write!(
                f,
                "meta priority set {} . meta priority map @{}",
                frontend_key(family, *kind),
                Container::Seats(*kind, *pool).name()
            ),
            Statement::RememberSeat { kind, pool, timeout } => write!(
                f,
                "update @{} {{ {ip} saddr . {} timeout {} : meta priority }}",
                Container::Affinity(*kind, *pool).name(),
                frontend_key(family, *kind),
                duration(*timeout)
            ),
            Statement::TranslateToSeat(kind, pool) => write!(
                f,
                "dnat {ip} to {} . meta priority map @{}",
                frontend_key(family, *kind),
                Container::SeatedEndpoints(*kind, *pool).name()
            ),
            Statement::Goto(chain) => write!(f, "goto {chain}"),
            Statement::RejectWithReset => f.write_str("reject with tcp reset"),
            Statement::Reject => f.write_str("reject"),
            Statement::Drop => f.write_str("drop"),
            Statement::Accept => f.write_str("accept"),
            Statement::Masquerade(None) => f.write_str("masquerade fully-random"),
            Statement::Masquerade(Some((first, last))) => {
                write!(f, "masquerade to :{first}-{last} fully-random")
            }
        }
    }
}

/// A duration as nft prints it: `1d2h3m4s`, without the parts that are zero.
fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (milliseconds % 1000, "ms"),
    ];
    let present = parts.into_iter().filter(|(count, _)| *count > 0);
    present.map(|(count, unit)| format!("{count}{unit}")).collect()
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
