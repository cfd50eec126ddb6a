//! Into how many maps the endpoints are divided.
//!
//! The kernel lists a map in pieces of 32 KiB and walks from the first element to the beginning of
//! each (`nft_hash_walk`, net/netfilter/nft_set_hash.c), so that the cost of a listing grows with
//! the square of the map's size: one of 500,000 elements walks over 170 million. And for a rule
//! that comes to use a map it walks over all of it once (`nf_tables_bind_set`,
//! net/netfilter/nf_tables_api.c). So the map that has nearly all
//! elements of nearly all clusters is divided: each of its parts has the endpoints of some
//! frontends, and chains of its own that look into it. Those of frontends with session
//! affinity, of NodePorts and of clients confined to this node are not.
//!
//! A new table gets as many parts as its endpoints take. It keeps that number, whatever becomes of
//! its services, until a start finds that it has become far too small.

use std::sync::Arc;

use portolan_core::{Family, Pool, ServicePlan};

use crate::chain_name::EntryKind;
use crate::element::in_parts;
use crate::key::Key;

/// The most parts that there are. Every endpoint count has chains of its own in each part, and
/// the kernel walks over all chains for every transaction (`nf_tables_commit`,
/// net/netfilter/nf_tables_api.c): benches/COSTS.md, "Restart", has what 8, 16 and 64 cost.
const MOST: u16 = 16;

/// How many times as many elements as a part is made for the parts of a table that is there may
/// have, or its only map, before a start divides it anew, which sends all of them again.
const TOLERANCE: u16 = 4;

/// The number of parts of one family's map of endpoints: a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts(u16);

impl Parts {
    /// The map is not divided.
    pub(crate) const ONE: Parts = Parts(1);
    /// The map is divided as far as it ever is.
    pub(crate) const ALL: Parts = Parts(MOST);

    /// As many as it takes that no part has many more elements than `each`.
    pub(crate) fn for_elements(count: usize, each: usize) -> Parts {
        let wanted = count.div_ceil(each.max(1)).clamp(1, usize::from(MOST));
        Parts(u16::try_from(wanted.next_power_of_two()).unwrap_or(MOST))
    }

    /// As many as it takes for a part of this number to be among them.
    pub(crate) fn with(last: u16) -> Parts {
        Parts((last.min(MOST - 1) + 1).next_power_of_two())
    }

    /// As many as a table that has `there` is to have for so many elements.
    fn beside(there: Parts, count: usize, each: usize) -> Parts {
        let wanted = Parts::for_elements(count, each);
        let bearable = each.saturating_mul(usize::from(TOLERANCE) * usize::from(there.0));
        if wanted.0 <= there.0 || count <= bearable { there } else { wanted }
    }

    /// The numbers of the parts.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u16> + Clone {
        0..self.0
    }

    /// The part that has the endpoints of a frontend: always zero but in the map for ClusterIPs
    /// and external addresses, and everyone or those inside, which is the large one.
    ///
    /// A restart finds who is in which slot by the chain that a verdict leads to, so that nobody
    /// would lose a slot if this came to choose another part. But all endpoints would be sent
    /// again, and those of a frontend whose verdict somebody deleted are looked for here.
    pub(crate) fn of(self, kind: EntryKind, side: Pool, frontend: &Key) -> u16 {
        if (kind, side) != (EntryKind::Address, Pool::Cluster) {
            return 0;
        }
        // FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/
        let hash = frontend.as_bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let [high, low] = [hash >> 16, hash & 0xffff];
        u16::try_from((high ^ low) & u32::from(self.0 - 1)).unwrap_or_default()
    }
}

impl Default for Parts {
    fn default() -> Parts {
        Parts::ONE
    }
}

/// The parts of both families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    v4: Parts,
    v6: Parts,
}

impl Partition {
    /// The partition of tables that get the endpoints of these plans. `each` says how many a part
    /// is made for, and `there` what a family's table has already.
    pub(crate) fn new(
        plans: &[Arc<ServicePlan>],
        each: usize,
        there: &dyn Fn(Family) -> Option<Parts>,
    ) -> Partition {
        let (mut v4, mut v6) = (0, 0);
        for port in plans.iter().flat_map(|plan| &plan.ports) {
            let count = match port.family {
                Family::V4 => &mut v4,
                Family::V6 => &mut v6,
            };
            *count += in_parts(port).map(|(_, pool)| port.pool(pool).len()).sum::<usize>();
        }
        let parts = |family, count| match there(family) {
            Some(there) => Parts::beside(there, count, each),
            None => Parts::for_elements(count, each),
        };
        Partition { v4: parts(Family::V4, v4), v6: parts(Family::V6, v6) }
    }

    /// The parts of one family.
    pub(crate) fn of(self, family: Family) -> Parts {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use portolan_core::Protocol;

    use super::*;

    #[test]
    fn there_are_as_many_parts_as_it_takes_and_a_power_of_two() {
        let cases = [(0, 1), (100, 1), (101, 2), (300, 4), (401, 8), (1_000_000, 16)];
        for (count, parts) in cases {
            assert_eq!(Parts::for_elements(count, 100), Parts(parts), "{count} elements");
        }
        for (last, parts) in [(0, 1), (1, 2), (2, 4), (7, 8), (15, 16), (u16::MAX, 16)] {
            assert_eq!(Parts::with(last), Parts(parts), "part {last}");
        }
    }

    #[test]
    fn a_table_is_divided_anew_only_when_its_parts_are_far_too_large() {
        for (count, there, parts) in [
            (1, 1, 1),
            (400, 1, 1),
            (401, 1, 8),
            (800, 2, 2),
            (1_600, 4, 4),
            (1_601, 4, 16),
            (3_201, 8, 16),
            (1_000_000, 16, 16),
            (1, 16, 16),
        ] {
            let found = Parts::beside(Parts(there), count, 100);
            assert_eq!(found, Parts(parts), "{count} elements, {there} parts");
        }
    }

    #[test]
    fn frontends_are_spread_evenly_whether_addresses_or_ports_differ() {
        let by_address = (0..8000u16).map(|number| {
            let [high, low] = number.to_be_bytes();
            Key::frontend(Some([10, 96, high, low].into()), Protocol::Tcp, 443)
        });
        let by_port = (1..8001u16)
            .map(|port| Key::frontend(Some([10, 96, 0, 1].into()), Protocol::Tcp, port));
        for keys in [by_address.collect::<Vec<_>>(), by_port.collect()] {
            let mut sizes: BTreeMap<u16, usize> = BTreeMap::new();
            for key in &keys {
                *sizes.entry(Parts(8).of(EntryKind::Address, Pool::Cluster, key)).or_default() += 1;
            }
            assert!(
                sizes.len() == 8 && sizes.values().all(|it| (800..1200).contains(it)),
                "{sizes:?}"
            );
        }
    }

    #[test]
    fn the_part_of_a_frontend_never_changes() {
        let keys = [("10.96.0.1", 443), ("10.96.0.10", 53), ("fd00:96::a", 53)]
            .map(|(ip, port)| Key::frontend(Some(ip.parse().unwrap()), Protocol::Tcp, port));
        let parts = |kind, side| keys.map(|key| Parts::ALL.of(kind, side, &key));
        assert_eq!(parts(EntryKind::Address, Pool::Cluster), [1, 2, 5]);
        assert_eq!(parts(EntryKind::Address, Pool::Local), [0, 0, 0]);
        assert_eq!(parts(EntryKind::NodePort, Pool::Cluster), [0, 0, 0]);
    }
}
