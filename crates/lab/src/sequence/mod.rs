//! Packet sequences: the objects of a cluster change step by step, and after each step
//! packets show what became of them, in IPv4 and in IPv6.
//!
//! The data in `data/sequences/` name hosts and addresses by their part in `cast.yaml`, so
//! the same text is both families. [`Sequences::load`] reads them,
//! [`Sequences::in_family`] says what they are there. A sequence is played in a topology of
//! its own ([`Sequence::topology`]): for each [`Step`], [`Sequence::take`] says which
//! objects there are now, whoever tests a backend programs the node with what follows from
//! them, and [`Play::observe`] sends the packets and says what is wrong.

mod cast;
mod cluster;
mod data;
mod deviation;
mod hosts;
mod keep;
mod packets;
mod patch;
mod play;

use serde_json::Value;

pub use self::cast::{Cast, IpFamily};
pub use self::cluster::{
    Cluster, Endpoint, IpMode, Node, NodePorts, Policy, Port, Service, Settings, Slice, TargetPort,
};
pub use self::data::{Ask, Expected, Packet, Sequence, Step};
use self::deviation::Deviation;
pub use self::hosts::shared_topology;
pub use self::play::Play;

/// Why the data cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("sequence {sequence:?}: {problem}")]
pub struct SequenceError {
    /// The sequence, or the file.
    pub sequence: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The sequences that come with the lab, before they are those of one family.
#[derive(Debug, Clone)]
pub struct Sequences {
    cast: cast::Roles,
    raw: Vec<Value>,
}

const CAST: &str = include_str!("../../data/sequences/cast.yaml");

/// One file for each topic.
const TOPICS: [(&str, &str); 7] = [
    ("affinity.yaml", include_str!("../../data/sequences/affinity.yaml")),
    ("endpoints.yaml", include_str!("../../data/sequences/endpoints.yaml")),
    ("frontends.yaml", include_str!("../../data/sequences/frontends.yaml")),
    ("node.yaml", include_str!("../../data/sequences/node.yaml")),
    ("policies.yaml", include_str!("../../data/sequences/policies.yaml")),
    ("protocols.yaml", include_str!("../../data/sequences/protocols.yaml")),
    ("source-ranges.yaml", include_str!("../../data/sequences/source-ranges.yaml")),
];

/// What IPVS cannot do.
const ON_IPVS: &str = include_str!("../../data/sequences/ipvs.yaml");

impl Sequences {
    /// Reads the data.
    ///
    /// # Errors
    ///
    /// [`SequenceError`] never, as the data do not change after they were compiled in.
    pub fn load() -> Result<Sequences, SequenceError> {
        let cast = read("cast.yaml", CAST)?;
        let mut raw = Vec::new();
        for (file, text) in TOPICS {
            raw.extend(read::<Vec<Value>>(file, text)?);
        }
        Ok(Sequences { cast, raw })
    }

    /// The same sequences as they are played on IPVS: `ipvs.yaml` says what is another there,
    /// and why.
    ///
    /// # Errors
    ///
    /// As for [`Sequences::load`].
    pub fn on_ipvs(mut self) -> Result<Sequences, SequenceError> {
        for deviation in read::<Vec<Deviation>>("ipvs.yaml", ON_IPVS)? {
            deviation.apply(&mut self.raw)?;
        }
        Ok(self)
    }

    /// The sequences as they are in one family, without those that it does not have.
    ///
    /// # Errors
    ///
    /// As for [`Sequences::load`].
    pub fn in_family(&self, family: IpFamily) -> Result<Vec<Sequence>, SequenceError> {
        let cast = self.cast.of(family);
        let all = self.raw.iter().map(|raw| Sequence::read(raw, &cast));
        all.filter(|it| it.as_ref().map_or(true, |it| it.families.contains(&family))).collect()
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, SequenceError> {
    serde_saphyr::from_str(text)
        .map_err(|error| SequenceError { sequence: file.to_owned(), problem: error.to_string() })
}
