//! The statements that our rules are made of. Each can be written as nft text, as nft JSON
//! and as the bytecode that nft itself would emit for that text.

use ipnet::IpNet;

use crate::chain_name::EntryKind;
use crate::container::Container;
use portolan_core::Pool;

/// One statement of a rule. Matches come first; a rule ends at the first that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// The source address is in a network, or is not.
    Source {
        /// The network; its prefix is not empty.
        net: IpNet,
        /// Match what is outside.
        negated: bool,
    },
    /// The destination address is in a network, or is not.
    Destination {
        /// The network; its prefix is not empty.
        net: IpNet,
        /// Match what is outside.
        negated: bool,
    },
    /// The packet came in on an interface, or did not.
    InputInterface {
        /// The name, or its first characters.
        name: String,
        /// `name` is only the beginning.
        prefix: bool,
        /// Match the others, and packets of this node itself.
        negated: bool,
    },
    /// The source is an address of this node.
    SourceIsLocal,
    /// The destination is an address of this node.
    DestinationIsLocal,
    /// The destination is no address of this node.
    DestinationIsRemote,
    /// The destination address is in a set.
    DestinationIn(Container),
    /// Source and destination address together are in a set.
    PairIn(Container),
    /// The protocol is TCP.
    Tcp,
    /// The connection's destination has been translated.
    Translated,
    /// The masquerade mark is set.
    Marked(u32),
    /// Sets the masquerade mark.
    Mark(u32),
    /// Clears the masquerade mark, which is set.
    Unmark(u32),
    /// Goes to the chain that the frontend's element names, if there is one.
    Dispatch(EntryKind),
    /// Translates the destination to the endpoint in one of `slots` slots, at random.
    Balance {
        /// How the frontend is keyed.
        kind: EntryKind,
        /// Whose endpoints.
        pool: Pool,
        /// How many slots; not zero.
        slots: u32,
    },
    /// Goes to another chain and does not come back.
    Goto(String),
    /// Answers with a TCP reset.
    RejectWithReset,
    /// Answers with ICMP port unreachable.
    Reject,
    /// Ends without an answer.
    Drop,
    /// Gives the connection a source address of this node and a random source port.
    Masquerade,
}

impl EntryKind {
    /// The map from frontends of this kind to chains.
    pub(crate) const fn verdicts(self) -> Container {
        match self {
            EntryKind::Address => Container::Services,
            EntryKind::NodePort => Container::NodePorts,
        }
    }

    /// The map from frontends of this kind and slots to endpoints.
    pub(crate) const fn endpoints(self, pool: Pool) -> Container {
        match (self, pool) {
            (EntryKind::Address, Pool::Cluster) => Container::Endpoints,
            (EntryKind::Address, Pool::Local) => Container::LocalEndpoints,
            (EntryKind::NodePort, Pool::Cluster) => Container::NodePortEndpoints,
            (EntryKind::NodePort, Pool::Local) => Container::NodePortLocalEndpoints,
        }
    }
}

impl Statement {
    /// The set or map that the statement looks into.
    pub(crate) fn container(&self) -> Option<Container> {
        match self {
            Statement::DestinationIn(container) | Statement::PairIn(container) => Some(*container),
            Statement::Dispatch(kind) => Some(kind.verdicts()),
            Statement::Balance { kind, pool, .. } => Some(kind.endpoints(*pool)),
            _ => None,
        }
    }
}
