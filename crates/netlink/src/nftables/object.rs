//! Tables, chains and rules.

use super::Expression;

/// The family of a table (`NFPROTO_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, `ip` in nft's language, number 2.
    Ip,
    /// IPv6, `ip6` in nft's language, number 10.
    Ip6,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The name, at most 255 bytes.
    pub name: String,
    /// A comment for people. Kernels before 5.10 do not keep it.
    pub comment: Option<String>,
    /// The base chains see no packets (`NFT_TABLE_F_DORMANT`). Adding a table that exists
    /// changes this.
    pub dormant: bool,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The name, at most 255 bytes.
    pub name: String,
    /// Where packets come from; `None` for a chain that other chains go to.
    pub base: Option<BaseChain>,
    /// A comment for people. Kernels before 5.10 do not keep it.
    pub comment: Option<String>,
}

/// Where a base chain is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// The chain's type.
    pub kind: ChainKind,
    /// The hook.
    pub hook: Hook,
    /// The order among the chains of one hook, lowest first.
    pub priority: i32,
    /// What happens to a packet that leaves the chain at its end.
    pub policy: Policy,
}

/// The type of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// `filter`: sees every packet.
    Filter,
    /// `nat`: sees the first packet of each connection.
    Nat,
    /// `route`: reroutes packets that it changes. Portolan has none.
    Route,
}

/// Where in the network stack a base chain sees packets (`NF_INET_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Before the routing decision.
    Prerouting,
    /// After it, packets for this node.
    Input,
    /// After it, packets for others.
    Forward,
    /// Packets made on this node.
    Output,
    /// Last, packets that leave this node.
    Postrouting,
}

/// The policy of a base chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Packets go on.
    #[default]
    Accept,
    /// Packets are dropped.
    Drop,
}

/// A rule: its expressions run in order until one breaks it off or gives a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The expressions.
    pub expressions: Vec<Expression>,
    /// A comment for people.
    pub comment: Option<String>,
}

/// A rule as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRule {
    /// The chain that it stands in.
    pub chain: String,
    /// The kernel's number for it, unique in its table.
    pub handle: u64,
    /// What it does.
    pub rule: Rule,
}
