use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::cast::{Cast, IpFamily};
use super::cluster::{self, Cluster};
use super::patch::merge;
use super::{Play, SequenceError};
use crate::Protocol;

/// What happens to the objects of a cluster, and what packets show of it, in one family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sequence {
    /// What it shows, in a sentence.
    #[serde(rename = "sequence")]
    pub name: String,
    /// Where it makes sense.
    #[serde(default = "both")]
    pub families: Vec<IpFamily>,
    /// Settings of the node's kernel.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// What happens one after the other.
    pub steps: Vec<Step>,
    /// Who has which address.
    #[serde(skip)]
    pub cast: Option<Cast>,
}

/// A change of the objects, and what becomes of packets after it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What has just happened.
    pub when: String,
    /// Milliseconds to wait before that.
    #[serde(default)]
    pub wait: u64,
    /// The change of the [`Cluster`], as a JSON Merge Patch. A key `$NAME` stands for the
    /// endpoint that the client of [`Ask::remember`] got.
    #[serde(default)]
    pub change: Value,
    /// The proxy is started anew.
    #[serde(default)]
    pub restart: bool,
    /// Sent all at once.
    #[serde(default)]
    pub packets: Vec<Packet>,
    /// Sent after these, one after the other.
    #[serde(default)]
    pub asks: Vec<Ask>,
    /// Connections of [`Packet::open`] that must be alive after all that.
    #[serde(default)]
    pub alive: Vec<String>,
}

/// The first packet of a connection, sent several times, and what must become of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// Source address.
    pub from: IpAddr,
    /// Destination address.
    pub to: IpAddr,
    /// Destination port.
    #[serde(default = "cluster::http")]
    pub port: u16,
    /// Its protocol.
    #[serde(default = "cluster::tcp")]
    pub protocol: Protocol,
    /// What must become of it.
    pub then: Expected,
    /// The port that the endpoints must be reached on.
    #[serde(default = "cluster::target_port")]
    pub target_port: u16,
    /// Whether the endpoints must see a node address as its source, and not the original
    /// one. If so, its source port must not be a NodePort.
    #[serde(default)]
    pub masqueraded: bool,
    /// How often it is sent, if not as often as it takes to see all endpoints.
    pub times: Option<usize>,
    /// The source port of the first one; the next takes the next port.
    pub source_port: Option<u16>,
    /// The name by which one more connection is kept open, see [`Step::alive`].
    pub open: Option<String>,
}

/// What must become of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// Its sender is told at once: by a reset if it is TCP, which no kernel limit turns
    /// into silence, else by ICMP.
    Refused,
    /// It disappears.
    Silent,
    /// It goes where it would go on a node without services.
    Untouched,
    /// These endpoints answer, each of them at some time.
    #[serde(untagged)]
    Answered(Vec<IpAddr>),
}

/// Clients that ask several times, one time after the other, and must be answered by the
/// same endpoint each time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The clients.
    #[serde(deserialize_with = "one_or_more")]
    pub from: Vec<IpAddr>,
    /// Destination address.
    pub to: IpAddr,
    /// Destination port.
    #[serde(default = "cluster::http")]
    pub port: u16,
    /// The protocol.
    #[serde(default = "cluster::tcp")]
    pub protocol: Protocol,
    /// The endpoints that may answer.
    pub among: Vec<IpAddr>,
    /// Whether the endpoints must see a node address.
    #[serde(default)]
    pub masqueraded: bool,
    /// All from this source port, so that they are one flow; UDP only.
    pub source_port: Option<u16>,
    /// Keeps in mind, under this name, who got which endpoint.
    pub remember: Option<String>,
    /// The endpoints must be those remembered under this name.
    pub same_as: Option<String>,
    /// Clients that got the endpoint remembered under this name are exempt from that.
    pub except: Option<String>,
    /// At least one client must get another endpoint than the one remembered.
    pub unlike: Option<String>,
    /// No endpoint remembered under this name may answer anybody.
    pub never: Option<String>,
    /// Each asks once more before, and may be answered by another endpoint then: whoever has
    /// lost its endpoint settles on a new one with its second connection.
    #[serde(default)]
    pub settles: bool,
    /// How often each asks.
    #[serde(default = "often")]
    pub times: usize,
}

impl Sequence {
    pub(super) fn read(raw: &Value, cast: &Cast) -> Result<Sequence, SequenceError> {
        let name = raw.get("sequence").and_then(Value::as_str).unwrap_or_default();
        let fail = |error: serde_json::Error| SequenceError {
            sequence: name.to_owned(),
            problem: error.to_string(),
        };
        let mut sequence: Sequence =
            serde_json::from_value(cast.replace_names(raw)).map_err(fail)?;
        sequence.cast = Some(cast.clone());
        Ok(sequence)
    }

    /// Takes the next step: the objects after it. `play` knows those before it.
    ///
    /// # Errors
    ///
    /// [`SequenceError`] if the data make no sense, or name an endpoint that nobody was asked
    /// to remember.
    pub fn take(&self, step: &Step, play: &mut Play) -> Result<Cluster, SequenceError> {
        let fail =
            |problem| SequenceError { sequence: format!("{}: {}", self.name, step.when), problem };
        let patch = play.replace_remembered(&step.change).map_err(fail)?;
        merge(&mut play.objects, &patch);
        serde_json::from_value(play.objects.clone()).map_err(|error| fail(error.to_string()))
    }

    /// What there is before the first step.
    #[must_use]
    pub fn begin(&self) -> Play {
        let beginning = cluster::beginning();
        let objects = self.cast.as_ref().map(|cast| cast.replace_names(&beginning));
        Play::new(objects.unwrap_or(beginning))
    }
}

fn both() -> Vec<IpFamily> {
    IpFamily::BOTH.to_vec()
}

fn often() -> usize {
    6
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMore {
        One(IpAddr),
        More(Vec<IpAddr>),
    }
    Ok(match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(address) => vec![address],
        OneOrMore::More(addresses) => addresses,
    })
}
