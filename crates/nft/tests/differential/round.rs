//! The life of one cluster: the first programming, live changes, restarts, and packets
//! after each of them.

use std::ops::RangeInclusive;

use portolan_core::{Backend, Environment, Index, SyncReport};
use portolan_lab::Topology;

use crate::clients::Clients;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::explained::Explainer;
use crate::model::predict;
use crate::play::send;
use crate::ports_left::PortsLeft;
use crate::run::Proxy;
use crate::tally::Tally;
use crate::world::NODE;
use crate::{generate, packets, report};

/// How many times a cluster is changed.
const STEPS: usize = 6;
/// How many different packets are sent after each change.
const PACKETS: usize = 60;
/// How many more are sent of clients that are kept by an endpoint.
const KEPT: usize = 40;

/// What outlives a cluster.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) tally: Tally,
    clients: Clients,
    ports_left: PortsLeft,
    /// How often packets were sent.
    steps: u16,
}

/// One cluster on one node.
pub(crate) struct Round<'a> {
    proxy: &'a Proxy,
    topology: &'a Topology,
    seed: u64,
    number: u64,
    step: usize,
    dice: Dice,
    cluster: Cluster,
    index: Index,
    backend: Box<dyn Backend>,
}

impl<'a> Round<'a> {
    /// Another cluster, programmed over whatever the last one left in the kernel.
    pub(crate) fn new(
        proxy: &'a Proxy,
        topology: &'a Topology,
        seed: u64,
        number: u64,
    ) -> Round<'a> {
        let mut dice = Dice::new(seed, number);
        let cluster = generate::cluster(&mut dice);
        let mut index = Index::new(NODE);
        cluster.listed().into_iter().for_each(|update| index.apply(update));
        index.take_changes();
        let backend = topology.node().run(|| (proxy.open)(&cluster));
        let step = 0;
        let mut round =
            Round { proxy, topology, seed, number, step, dice, cluster, index, backend };
        round.start();
        round
    }

    /// As the agent does when it starts.
    fn start(&mut self) -> SyncReport {
        let environment = self.environment();
        let Round { proxy, topology, cluster, index, backend, .. } = self;
        topology.node().run(|| {
            *backend = (proxy.open)(cluster);
            backend.converge(&mut index.plans(), &environment).unwrap()
        })
    }

    fn environment(&self) -> Environment {
        (self.proxy.environment)(&self.cluster.environment)
    }

    /// Changes the cluster again and again.
    pub(crate) fn play(mut self, session: &mut Session) {
        session.clients.move_on();
        self.ask(session);
        for step in 1..=STEPS {
            if session.tally.has_enough() {
                return;
            }
            self.step = step;
            self.change();
            self.ask(session);
            if self.dice.percent(20) {
                session.tally.restarts += 1;
                let report = self.start();
                assert_eq!(report, SyncReport::default(), "{}: a restart", self.place());
            }
        }
    }

    fn change(&mut self) {
        let before = self.environment();
        for update in generate::edit(&mut self.dice, &mut self.cluster) {
            self.index.apply(update);
        }
        let changes = self.index.take_changes();
        let after = self.environment();
        let Round { topology, backend, .. } = self;
        topology.node().run(|| {
            backend.apply(&changes).unwrap();
            if before != after {
                backend.adapt(&after).unwrap();
            }
            assert!(!backend.is_disturbed().unwrap(), "by nobody");
        });
    }

    fn ask(&mut self, session: &mut Session) {
        let ports = self.use_new_ports(session);
        session.clients.forget(&self.cluster);
        let mut packets = packets::packets(&mut self.dice, &self.cluster, PACKETS);
        packets.extend(self.dice.several(&session.clients.packets(), KEPT));
        let predict = |packet| {
            let prediction = predict(&self.cluster, &packet);
            let left = self.proxy.keeps_ports && session.ports_left.concern(&packet, &prediction);
            (packet, if left { PortsLeft::prediction(prediction) } else { prediction })
        };
        let predicted = packets.into_iter().map(predict).collect();
        let environment = self.environment();
        let explainer = Explainer {
            index: &self.index,
            environment: &environment,
            masquerade_all: self.cluster.masquerade_all,
        };
        for observed in send(self.topology, &mut self.dice, predicted) {
            session.tally.count(&observed);
            session.ports_left.note(&observed);
            let is_node = |address| self.topology.is_node_address(address);
            let mut faults = observed.faults(is_node, &ports);
            faults.extend(explainer.faults(&observed, is_node, &ports));
            if observed.is_sticky() {
                faults.extend(session.clients.meet(&observed));
            }
            if !faults.is_empty() {
                let text = report::disagreement(&self.cluster, &observed, &faults);
                session.tally.faults.push(format!("{}: {text}", self.place()));
            }
        }
    }

    /// Connection tracking remembers what a port was answered with before a change. Every
    /// step sends from ports of its own, none of which is a NodePort, and comes back to them
    /// after longer than a UDP flow lives.
    fn use_new_ports(&self, session: &mut Session) -> RangeInclusive<u16> {
        const FIRST: u16 = 33_000;
        const EACH: u16 = 250;
        const RANGES: u16 = 130;
        let first = FIRST + session.steps % RANGES * EACH;
        let ports = first..=first + EACH - 1;
        session.steps += 1;
        let range = format!("{} {}", ports.start(), ports.end());
        for (_, host) in self.topology.hosts() {
            host.set_sysctl("net.ipv4.ip_local_port_range", &range).unwrap();
        }
        ports
    }

    fn place(&self) -> String {
        format!("PORTOLAN_MODEL_SEED={} round {} step {}", self.seed, self.number, self.step)
    }
}
