//! What happens to a cluster: each edit is the objects to write, and the pods by whose
//! addresses the kernel shows that it has them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::Value;

use super::network::{pod_v4, pod_v6};
use super::{Cluster, SLICE_ENDPOINTS, names};

/// An address, protocol and port that a service has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Frontend {
    pub(crate) address: SocketAddr,
    /// Not TCP.
    pub(crate) udp: bool,
}

/// A pod of one service, as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PodAddresses {
    pub(crate) v4: Ipv4Addr,
    /// Of services of both families.
    pub(crate) v6: Option<Ipv6Addr>,
}

impl PodAddresses {
    pub(crate) fn all(self) -> impl Iterator<Item = IpAddr> {
        std::iter::once(IpAddr::V4(self.v4)).chain(self.v6.map(IpAddr::V6))
    }
}

/// A change of one service's endpoints.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// The service, by its number.
    pub(crate) service: u32,
    /// One that it has.
    pub(crate) frontend: Frontend,
    /// The slices to write.
    pub(crate) objects: Vec<Value>,
    /// Pods with addresses that no pod had before.
    pub(crate) fresh: Vec<PodAddresses>,
    /// Pods with addresses that no pod has any more.
    pub(crate) gone: Vec<PodAddresses>,
}

impl Cluster {
    /// Neighbouring rounds touch services that are far apart, and all of them before one is
    /// touched again.
    pub(crate) fn spread(&self, round: u32) -> u32 {
        let services = self.spec.services.max(1);
        // A prime that no size of a cluster is a multiple of, as long as it is smaller.
        round.wrapping_mul(if services.is_multiple_of(7_919) { 7_907 } else { 7_919 }) % services
    }

    /// One pod of the service whose turn it is in this round is replaced by another.
    pub(crate) fn replace_next(&mut self, round: u32) -> Edit {
        let place = usize::try_from(round).unwrap_or_default();
        self.replace(self.spread(round), place, 1)
    }

    /// So many pods of a service are replaced, beginning with the one at `first` of all.
    pub(crate) fn replace(&mut self, service: u32, first: usize, count: usize) -> Edit {
        let mut edit = self.edit(service);
        let mut slices = self.pods(service);
        let total: usize = slices.iter().map(Vec::len).sum();
        let places = (first..first + count.min(total)).map(|place| place % total.max(1));
        let places: std::collections::BTreeSet<usize> = places.collect();
        let mut touched = Vec::new();
        let mut start = 0;
        for (number, slice) in slices.iter_mut().enumerate() {
            for place in places.range(start..start + slice.len()) {
                let Some(pod) = slice.get_mut(place - start) else { continue };
                edit.gone.push(self.addresses_of(service, *pod));
                *pod = self.next_pod;
                self.next_pod += 1;
                edit.fresh.push(self.addresses_of(service, *pod));
                touched.push(number);
            }
            start += slice.len();
        }
        self.finish(edit, slices, touched)
    }

    /// A service gains a pod.
    pub(crate) fn scale_up(&mut self, service: u32) -> Edit {
        let mut slices = self.pods(service);
        let pod = self.next_pod;
        self.next_pod += 1;
        if slices.last().is_none_or(|slice| slice.len() >= SLICE_ENDPOINTS) {
            slices.push(Vec::new());
        }
        let last = slices.len().saturating_sub(1);
        if let Some(slice) = slices.last_mut() {
            slice.push(pod);
        }
        let edit = Edit { fresh: vec![self.addresses_of(service, pod)], ..self.edit(service) };
        self.finish(edit, slices, vec![last])
    }

    /// A service loses the first of its pods.
    pub(crate) fn scale_down(&mut self, service: u32) -> Edit {
        let mut slices = self.pods(service);
        let mut edit = self.edit(service);
        if let Some(slice) = slices.first_mut().filter(|slice| !slice.is_empty()) {
            edit.gone.push(self.addresses_of(service, slice.remove(0)));
        }
        self.finish(edit, slices, vec![0])
    }

    /// A namespace with its services: the name, all objects to write to have it again, and
    /// what goes with it.
    pub(crate) fn namespace_of(&self, service: u32) -> (String, Vec<Value>, Vec<Edit>) {
        let members = || names::together_with(service).filter(|it| *it < self.spec.services);
        let services = members().map(|it| self.service(it));
        let objects = services.chain(members().flat_map(|it| self.slices(it))).collect();
        let gone = members().map(|it| {
            let pods = self.pods(it).concat();
            let gone = pods.into_iter().map(|pod| self.addresses_of(it, pod)).collect();
            Edit { gone, ..self.edit(it) }
        });
        (names::namespace(service), objects, gone.collect())
    }

    pub(super) fn addresses_of(&self, service: u32, pod: u32) -> PodAddresses {
        let v6 = self.traits(service).dual_stack.then(|| pod_v6(pod));
        PodAddresses { v4: pod_v4(pod), v6 }
    }

    /// An edit that changes nothing yet.
    fn edit(&self, service: u32) -> Edit {
        let (objects, fresh, gone) = (Vec::new(), Vec::new(), Vec::new());
        Edit { service, frontend: self.frontend(service), objects, fresh, gone }
    }

    fn finish(&mut self, mut edit: Edit, slices: Vec<Vec<u32>>, mut touched: Vec<usize>) -> Edit {
        touched.dedup();
        let objects = touched.into_iter().flat_map(|it| self.slice(edit.service, it, &slices));
        edit.objects = objects.collect();
        self.edited.insert(edit.service, slices);
        edit
    }
}
