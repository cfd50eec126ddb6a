//! Plays packet sequences on a node that any backend programs.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::Duration;

use portolan_core::{Backend, Environment, Index, SyncReport};
use portolan_lab::Topology;
use portolan_lab::sequence::{Cast, Cluster, IpFamily, Sequence, Sequences, Step, shared_topology};

use crate::sequence_objects;

/// What programs the node under test.
pub(crate) struct Proxy {
    /// Makes a backend that has seen nothing, for objects with these settings.
    pub(crate) open: fn(&Cluster) -> Box<dyn Backend>,
    /// What a backend is told of the node.
    pub(crate) environment: fn(&Cluster, &Cast) -> Environment,
    /// On how many nodes. Most of a sequence is waiting, for silence or for clients to be
    /// forgotten; but the kernel is slow where many namespaces come and go.
    pub(crate) at_once: usize,
}

/// Plays only sequences whose names contain this; for whoever looks into one of them.
pub(crate) const ONLY: &str = "PORTOLAN_SEQUENCE";

/// Each sequence as it is in one family, and in the other one if it has it.
pub(crate) fn by_name(all: &Sequences) -> Vec<Vec<Sequence>> {
    let mut groups: Vec<Vec<Sequence>> = Vec::new();
    for sequence in IpFamily::BOTH.into_iter().flat_map(|it| all.in_family(it).unwrap()) {
        let same = |group: &&mut Vec<Sequence>| {
            group.first().is_some_and(|first| first.name == sequence.name)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(sequence),
            None => groups.push(vec![sequence]),
        }
    }
    groups
}

/// The same, of those that were asked for.
pub(crate) fn chosen(all: &Sequences) -> Vec<Vec<Sequence>> {
    let mut groups = by_name(all);
    if let Ok(wanted) = std::env::var(ONLY) {
        groups.retain(|group| group.iter().any(|it| it.name.contains(&wanted)));
        assert!(!groups.is_empty(), "no sequence has {wanted:?} in its name");
    }
    groups
}

/// Plays the sequences of each group one after the other on one node, and the groups side by
/// side; returns what is wrong, by sequence.
pub(crate) fn play_all(groups: Vec<Vec<Sequence>>, proxy: &Proxy) -> Vec<String> {
    let waiting = Mutex::new(VecDeque::from(groups));
    let faults = Mutex::new(Vec::new());
    scope(|scope| {
        for _ in 0..proxy.at_once {
            scope.spawn(|| {
                while let Some(group) = { waiting.lock().unwrap().pop_front() } {
                    let seen = play(&group, proxy);
                    faults.lock().unwrap().extend(seen);
                }
            });
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort();
    faults
}

/// What the faults of a sequence begin with.
pub(crate) fn title(sequence: &Sequence) -> String {
    format!("{}, {:?}", sequence.name, sequence.cast.as_ref().unwrap().family)
}

fn play(group: &[Sequence], proxy: &Proxy) -> Vec<String> {
    let mut topology = shared_topology(group).unwrap().build().unwrap();
    for (name, value) in group.iter().flat_map(|sequence| &sequence.sysctls) {
        topology.node().set_sysctl(name, value).unwrap();
    }
    let mut faults = Vec::new();
    for sequence in group {
        faults.extend(play_on(&mut topology, sequence, proxy));
    }
    faults
}

fn play_on(topology: &mut Topology, sequence: &Sequence, proxy: &Proxy) -> Vec<String> {
    let cast = sequence.cast.as_ref().unwrap();
    let mut play = sequence.begin();
    let index = Index::new(sequence_objects::NODE);
    let mut node = Node { proxy, topology, index, running: None };
    let mut first = None;
    let mut faults = Vec::new();
    for step in &sequence.steps {
        sleep(Duration::from_millis(step.wait));
        let objects = sequence.take(step, &mut play).unwrap();
        first.get_or_insert_with(|| interface(&objects));
        let mut seen = Vec::from_iter(node.take(step, objects, cast));
        seen.extend(play.observe(step, node.topology));
        seen.extend(node.has_nothing_to_do());
        let place = format!("{}, {}", title(sequence), step.when);
        faults.extend(seen.into_iter().map(|fault| format!("{place}: {fault}")));
    }
    if let (Some(first), Some(last)) = (first, &node.running) {
        let last = interface(&last.objects);
        node.follow_interface(&last, &first, cast);
    }
    faults
}

fn interface(objects: &Cluster) -> BTreeSet<IpAddr> {
    objects.this_node.interface.iter().copied().collect()
}

/// The node under test.
struct Node<'a> {
    proxy: &'a Proxy,
    topology: &'a mut Topology,
    index: Index,
    running: Option<Running>,
}

/// What it was told last.
struct Running {
    backend: Box<dyn Backend>,
    objects: Cluster,
    environment: Environment,
}

impl Node<'_> {
    /// Takes in what changed since the last step, as the agent does: plans first, then the
    /// environment; or all of it by a backend that has just started.
    fn take(&mut self, step: &Step, objects: Cluster, cast: &Cast) -> Option<String> {
        let before = self.running.take();
        let had = before.as_ref().map_or(interface(&objects), |it| interface(&it.objects));
        self.follow_interface(&had, &interface(&objects), cast);
        let known = before.as_ref().map(|running| &running.objects);
        sequence_objects::tell(&mut self.index, known, &objects, cast);
        let changes = self.index.take_changes();
        let environment = (self.proxy.environment)(&objects, cast);
        let (index, open, mut fault) = (&self.index, self.proxy.open, None);
        let backend = self.topology.node().run(|| match before {
            Some(mut running) if !step.restart => {
                running.backend.apply(&changes).unwrap();
                if environment != running.environment {
                    running.backend.adapt(&environment).unwrap();
                }
                running.backend
            }
            before => {
                let mut backend = open(&objects);
                let report = backend.converge(&mut index.plans(), &environment).unwrap();
                let same = before.is_some_and(|it| it.environment == environment);
                if same && changes.is_empty() {
                    fault = sent("a restart", report);
                }
                backend
            }
        });
        self.running = Some(Running { backend, objects, environment });
        fault
    }

    fn follow_interface(&mut self, had: &BTreeSet<IpAddr>, has: &BTreeSet<IpAddr>, cast: &Cast) {
        for address in has.difference(had) {
            self.topology.add_node_address(cast.network_of(*address).unwrap()).unwrap();
        }
        for address in had.difference(has) {
            self.topology.remove_node_address(cast.network_of(*address).unwrap()).unwrap();
        }
    }

    /// What the backend left undone: a new one finds the kernel as it should be.
    fn has_nothing_to_do(&self) -> Option<String> {
        let Running { objects, environment, .. } = self.running.as_ref()?;
        let (index, open) = (&self.index, self.proxy.open);
        let report = self
            .topology
            .node()
            .run(|| open(objects).converge(&mut index.plans(), environment).unwrap());
        sent("a backend that starts after that", report)
    }
}

fn sent(who: &str, report: SyncReport) -> Option<String> {
    (report != SyncReport::default()).then(|| format!("{who} sends {report:?}"))
}
