//! Which schedulers the kernel has, and what balances where it lacks one.
//!
//! Each scheduler is a module of its own, which the kernel loads by itself when a virtual
//! server asks for it; where it cannot, it refuses the server. Nothing tells beforehand, and
//! each refusal makes the kernel look for the module. So one server tries a scheduler for
//! all, and those that ask for one that is missing have the node's meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::IpvsScheduler;
use portolan_netlink::ipvs::{Server, ServerKey};

/// `IP_VS_SVC_F_SCHED_SH_FALLBACK`, `IP_VS_SVC_F_SCHED_MH_FALLBACK`
/// (`include/uapi/linux/ip_vs.h`)
const FALLBACK: u32 = 0x8;
/// `IP_VS_SVC_F_SCHED_SH_PORT`, `IP_VS_SVC_F_SCHED_MH_PORT`
const PORT: u32 = 0x10;
/// Has one destination for all clients of an address, and keeps to it when its weight is 0:
/// nobody is served then (`ip_vs_dh_schedule`, v6.1).
const ONE_FOR_ALL: &str = "dh";

/// The weight of destinations that get new connections. They are all alike; only `ovf` takes it
/// for the number of connections that a destination may have, and serves nobody beyond.
pub(crate) fn full_weight(scheduler: &str) -> u32 {
    if scheduler == "ovf" { 65_535 } else { 1 }
}

/// A scheduler as a virtual server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scheduler {
    /// The name by which the kernel knows it.
    pub(crate) name: String,
    /// Its flags, `IP_VS_SVC_F_SCHED…`.
    pub(crate) flags: u32,
}

impl Scheduler {
    /// The node's. `mh` hashes the client's port too, as kube-proxy sets it up: without, all
    /// connections of a node behind one address have the same destination.
    pub(crate) fn of_node(name: &str) -> Scheduler {
        Scheduler::new(name, name == "mh")
    }

    /// A Service's.
    pub(crate) fn of_service(scheduler: IpvsScheduler) -> Scheduler {
        Scheduler::new(scheduler.name(), scheduler.hashes_port())
    }

    /// Those that hash the client fall back to another destination, asked to or not: they
    /// would turn away whoever is hashed to one that drains.
    fn new(name: &str, hashes_port: bool) -> Scheduler {
        let hashes = matches!(name, "sh" | "mh");
        let flag = |is_set: bool, flag| if is_set { flag } else { 0 };
        Scheduler { name: name.to_owned(), flags: flag(hashes, FALLBACK) | flag(hashes_port, PORT) }
    }
}

/// What is known of the kernel's schedulers.
#[derive(Debug)]
pub(crate) struct Schedulers {
    of_node: Scheduler,
    /// Those that a virtual server of ours had when it was last looked at, and that one: the
    /// kernel unloads no module that a server uses.
    there: BTreeMap<String, ServerKey>,
    /// Those that the kernel refused a virtual server for.
    missing: BTreeSet<String>,
}

impl Schedulers {
    /// Nothing is known yet.
    pub(crate) fn new(of_node: Scheduler) -> Schedulers {
        Schedulers { of_node, there: BTreeMap::new(), missing: BTreeSet::new() }
    }

    /// The scheduler of the node.
    pub(crate) fn of_node(&self) -> &Scheduler {
        &self.of_node
    }

    /// A server as it can be had: with the node's scheduler where its own is missing, or is
    /// one that serves nobody while a destination of the server drains.
    pub(crate) fn available(&self, server: &Server, drains: bool) -> Server {
        let blocks = |name: &str| drains && name == ONE_FOR_ALL;
        if !self.missing.contains(&server.scheduler) && !blocks(&server.scheduler) {
            return server.clone();
        }
        let Scheduler { name, flags } = if blocks(&self.of_node.name) {
            Scheduler::of_node("rr")
        } else {
            self.of_node.clone()
        };
        Server { scheduler: name, flags, ..server.clone() }
    }

    /// Whether it is not known if the kernel has a scheduler. `has` tells whether a server of
    /// ours has it still.
    pub(crate) fn is_untried(&self, name: &str, has: impl Fn(&ServerKey) -> bool) -> bool {
        !self.missing.contains(name) && !self.there.get(name).is_some_and(has)
    }

    /// The kernel has it: this server of ours has it.
    pub(crate) fn found(&mut self, name: &str, key: ServerKey) {
        self.missing.remove(name);
        match self.there.get_mut(name) {
            Some(known) => *known = key,
            None => drop(self.there.insert(name.to_owned(), key)),
        }
    }

    /// The kernel has refused a server for it.
    pub(crate) fn refused(&mut self, name: &str) {
        self.there.remove(name);
        self.missing.insert(name.to_owned());
    }

    /// The next server that asks for one that was missing tries it again. Returns which.
    pub(crate) fn try_again(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.missing)
    }

    /// What is missing of what is asked for and what to do, one sentence each.
    pub(crate) fn problems(&self, is_asked_for: impl Fn(&str) -> bool) -> Vec<String> {
        let balances = &self.of_node.name;
        let problem = |name: &String| {
            format!(
                "this kernel has no scheduler {name} for IPVS: Services that ask for it \
                 (portolan.dev/ipvs-scheduler) are balanced by {balances}. Is its module \
                 ip_vs_{name} there, and may it be loaded? `modprobe ip_vs_{name}` on the node \
                 tells, and it is tried again every minute"
            )
        };
        self.missing.iter().filter(|name| is_asked_for(name)).map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_the_kernel() {
        for (text, flags) in [
            ("rr", 0),
            ("dh", 0),
            ("sh", 0x8),
            ("sh,sh-fallback", 0x8),
            ("sh,sh-port", 0x18),
            ("mh", 0x8),
            ("mh,mh-port,mh-fallback", 0x18),
        ] {
            let name = text.split(',').next().unwrap().to_owned();
            let expected = Scheduler { name, flags };
            assert_eq!(Scheduler::of_service(text.parse().unwrap()), expected, "{text}");
        }
        assert_eq!(Scheduler::of_node("mh").flags, 0x18);
        assert_eq!(Scheduler::of_node("sh").flags, 0x8);
    }

    #[test]
    fn what_is_missing_is_told_with_its_module() {
        let mut schedulers = Schedulers::new(Scheduler::of_node("wlc"));
        let key = ServerKey::Mark { mark: 1, v6: false };
        assert!(schedulers.is_untried("twos", |_| true));
        schedulers.refused("twos");
        let [problem] = <[String; 1]>::try_from(schedulers.problems(|_| true)).unwrap();
        for words in ["no scheduler twos", "balanced by wlc", "`modprobe ip_vs_twos`"] {
            assert!(problem.contains(words), "{problem}");
        }
        assert_eq!(schedulers.problems(|name| name != "twos"), Vec::<String>::new());
        schedulers.found("twos", key);
        assert_eq!(schedulers.problems(|_| true), Vec::<String>::new());
        for still in [true, false] {
            assert_eq!(schedulers.is_untried("twos", |it| still && *it == key), !still);
        }
    }
}
