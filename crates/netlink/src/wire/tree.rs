//! Attributes as a tree, for tests that compare messages whatever the order of attributes.

use super::attribute::{Attributes, HEADER};

/// The bit of the kind that marks an attribute that holds attributes.
const NESTED: u16 = 1 << 15;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: u16,
    pub(crate) payload: Payload,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Bytes(Vec<u8>),
    Nested(Vec<Node>),
}

/// The attributes sorted by kind; those of one kind keep their order.
pub(crate) fn tree(bytes: &[u8]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Attributes::new(bytes)
        .map(|entry| {
            let entry = entry.expect("attributes from end to end");
            let header = &bytes[entry.start..][..HEADER];
            let payload = match u16::from_ne_bytes([header[2], header[3]]) & NESTED {
                0 => Payload::Bytes(entry.payload.to_vec()),
                _ => Payload::Nested(tree(entry.payload)),
            };
            Node { kind: entry.kind, payload }
        })
        .collect();
    nodes.sort_by_key(|node| node.kind);
    nodes
}
