//! Conversations with the real kernel, in user and network namespaces of their own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod conntrack;
mod errors;
mod expressions;
mod growth;
mod large;
mod listings;
mod ranges;
mod route;
mod ruleset;
mod transactions;
mod whole_table;

use portolan_lab::kernel_is_at_least;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{
    Batch, Chain, Connection, Data, ElementOperation, Family, Field, OwnedVerdict, Receipt, Set,
    SetData, Table, Verdict,
};

const TABLE: &str = "portolan";

/// Whether this kernel may lack what the oldest kernel of the matrix (5.10) lacks and the
/// next (6.1) has.
fn may_be_like_5_10() -> bool {
    !kernel_is_at_least(6, 1)
}

/// Asserts that an error is `start`, the position of an element, and `end`. Linux 5.10 does
/// not tell the position.
#[track_caller]
fn assert_names_element(error: &str, start: &str, number: usize, end: &str) {
    if !may_be_like_5_10() || error != format!("{start}{end}") {
        assert_eq!(error, format!("{start} (at NFTA_SET_ELEM_LIST_ELEMENTS[{number}]){end}"));
    }
}

/// A connection, and a table for it to work on.
struct Kernel {
    connection: Connection,
}

/// An element as a listing has it, with everything owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Element {
    key: Vec<u8>,
    data: Option<OwnedData>,
    comment: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum OwnedData {
    Bytes(Vec<u8>),
    Verdict(OwnedVerdict),
}

impl Kernel {
    /// Opens a connection and makes an empty table of IPv4.
    fn with_table() -> Kernel {
        let mut kernel = Kernel { connection: Connection::open().unwrap() };
        kernel.apply(|batch| {
            batch.add_table(Family::Ip, &Table { name: TABLE.to_owned(), ..Table::default() });
        });
        kernel
    }

    fn try_apply(&mut self, fill: impl FnOnce(&mut Batch)) -> Result<Receipt, NetlinkError> {
        let mut batch = Batch::new(None);
        fill(&mut batch);
        self.connection.commit(&mut batch)
    }

    fn apply(&mut self, fill: impl FnOnce(&mut Batch)) {
        self.try_apply(fill).unwrap();
    }

    /// The text of the error that the kernel answers with.
    fn refusal(&mut self, fill: impl FnOnce(&mut Batch)) -> String {
        self.try_apply(fill).unwrap_err().to_string()
    }

    /// The elements of a set, sorted.
    fn elements(&mut self, set: &str) -> Vec<Element> {
        let mut elements = Vec::new();
        let count = self
            .connection
            .elements(Family::Ip, TABLE, set, &mut |element| {
                elements.push(Element {
                    key: element.key.to_vec(),
                    data: element.data.map(|data| match data {
                        Data::Bytes(bytes) => OwnedData::Bytes(bytes.to_vec()),
                        Data::Verdict(verdict) => OwnedData::Verdict(verdict.into()),
                    }),
                    comment: element.comment.map(str::to_owned),
                });
            })
            .unwrap();
        assert_eq!(elements.len(), count);
        elements.sort();
        elements
    }
}

/// A chain that other chains go to.
fn chain(name: &str) -> Chain {
    Chain { name: name.to_owned(), ..Chain::default() }
}

/// A map from addresses to addresses.
fn address_map(name: &str, size: u32) -> Set {
    Set {
        name: name.to_owned(),
        key: vec![Field::Ipv4Address],
        data: Some(SetData::Fields(vec![Field::Ipv4Address])),
        size: Some(size),
        ..Set::default()
    }
}

/// A map from addresses to verdicts.
fn verdict_map(name: &str, size: u32) -> Set {
    Set { data: Some(SetData::Verdict), ..address_map(name, size) }
}

/// Adds one element to a map of addresses.
fn add(batch: &mut Batch, set: &str, key: u32, value: u32) {
    batch.elements(Family::Ip, TABLE, set, ElementOperation::Add).push(
        &key.to_be_bytes(),
        Some(Data::Bytes(&value.to_be_bytes())),
        None,
    );
}

/// Adds one element that goes to a chain.
fn add_goto(batch: &mut Batch, set: &str, key: u32, chain: &str) {
    batch.elements(Family::Ip, TABLE, set, ElementOperation::Add).push(
        &key.to_be_bytes(),
        Some(Data::Verdict(Verdict::Goto(chain))),
        None,
    );
}

/// Deletes one element.
fn delete(batch: &mut Batch, set: &str, key: u32) {
    batch.elements(Family::Ip, TABLE, set, ElementOperation::Delete).push(
        &key.to_be_bytes(),
        None,
        None,
    );
}

/// What a listing has for [`add`].
fn element(key: u32, value: u32) -> Element {
    Element {
        key: key.to_be_bytes().to_vec(),
        data: Some(OwnedData::Bytes(value.to_be_bytes().to_vec())),
        comment: None,
    }
}

/// What a listing has for [`add_goto`].
fn goto_element(key: u32, chain: &str) -> Element {
    Element {
        key: key.to_be_bytes().to_vec(),
        data: Some(OwnedData::Verdict(OwnedVerdict::Goto(chain.to_owned()))),
        comment: None,
    }
}
