//! The statements that our rules are made of. Each can be written as nft text, as nft JSON
//! and as the bytecode that nft itself would emit for that text.

use ipnet::IpNet;

use crate::chain_name::EntryKind;
use crate::container::Container;
use portolan_core::{Pool, Protocol};

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
    /// Destination address, protocol, port and source address together are in a set.
    ClientIn(Container),
    /// The protocol is this, and the source port is not a privileged one.
    SourcePortAbove1023(Protocol),
    /// The protocol is TCP.
    Tcp,
    /// The protocol is TCP, and the packet begins a connection: its flag SYN is set.
    BeginsTcp,
    /// The connection's destination has been translated.
    Translated,
    /// The masquerade mark is set.
    Marked(u32),
    /// Sets a mark of the packet.
    Mark(u32),
    /// Flips a mark of the packet: clears one that is set.
    Unmark(u32),
    /// At least one of these marks of the connection is set.
    ConnectionMarked(u32),
    /// Sets a mark of the connection.
    MarkConnection(u32),
    /// The packet goes the way of the connection's first one.
    Forth,
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
    /// Sets the packet's priority to the seat that the client remembers for the frontend.
    ///
    /// The priority serves as a register from here to the end of the chain: nothing else that
    /// nft's language has can carry a number from one look-up to the next.
    RecallSeat(EntryKind, Pool),
    /// Sets the packet's priority to the number of one of `slots` slots, at random.
    DrawSlot {
        /// How many slots; not zero.
        slots: u32,
    },
    /// Sets the packet's priority from the number of a seat or slot to that of the seat, if
    /// an endpoint is there.
    FindSeat(EntryKind, Pool),
    /// Makes the client remember the seat for so long, in milliseconds; if it remembers one
    /// already, that one for so long.
    RememberSeat {
        /// How the frontend is keyed.
        kind: EntryKind,
        /// Whose endpoints.
        pool: Pool,
        /// Milliseconds.
        timeout: u64,
    },
    /// Translates the destination to the endpoint in the seat.
    TranslateToSeat(EntryKind, Pool),
    /// Goes to another chain and does not come back.
    Goto(String),
    /// Answers with a TCP reset.
    RejectWithReset,
    /// Answers with ICMP port unreachable.
    Reject,
    /// Ends without an answer.
    Drop,
    /// Ends, and the packet goes on as it is.
    Accept,
    /// Gives the connection a source address of this node and a random source port: from
    /// this range, both ends included, or of the kernel's choice.
    Masquerade(Option<(u16, u16)>),
}

impl Statement {
    /// The set or map that the statement looks into or adds to.
    pub(crate) fn container(&self) -> Option<Container> {
        Some(match self {
            Statement::DestinationIn(container)
            | Statement::PairIn(container)
            | Statement::ClientIn(container) => *container,
            Statement::Dispatch(kind) => Container::Verdicts(*kind),
            Statement::Balance { kind, pool, .. } => Container::Endpoints(*kind, *pool),
            Statement::RecallSeat(kind, pool) | Statement::RememberSeat { kind, pool, .. } => {
                Container::Affinity(*kind, *pool)
            }
            Statement::FindSeat(kind, pool) => Container::Seats(*kind, *pool),
            Statement::TranslateToSeat(kind, pool) => Container::SeatedEndpoints(*kind, *pool),
            _ => return None,
        })
    }
}
