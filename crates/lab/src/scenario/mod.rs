//! Packet scenarios: objects of a cluster, packets, and what must become of each.
//!
//! The data say in objects what the tests of kube-proxy's nftables backend check, and a
//! few cases more. A scenario is played in three steps: [`Scenario::topology`] says which
//! hosts it takes; whoever tests a backend programs the node with what follows from the
//! objects of a [`Phase`]; [`Phase::play`] sends its packets and compares.

mod hosts;
mod ipv6;
mod model;
mod play;

pub use model::{
    Conditions, Config, Endpoint, EndpointPort, EndpointSlice, Expected, Ingress, Packet, Phase,
    Scenario, Scenarios, Service, ServicePort,
};
pub use play::Observation;

const DATA: &str = include_str!("../../data/packet-scenarios.json");

impl Scenarios {
    /// The scenarios that come with the lab.
    ///
    /// # Errors
    ///
    /// Never, as the data do not change after they were compiled in.
    pub fn load() -> serde_json::Result<Self> {
        serde_json::from_str(DATA)
    }

    /// Those that kube-proxy is tested with, and those that follow from its rules.
    pub fn all(&self) -> impl Iterator<Item = &Scenario> {
        self.packet_scenarios.iter().chain(&self.derived_scenarios)
    }
}
