//! Noticing that others changed our tables.
//!
//! Every transaction of any program raises the generation of the ruleset by one. If it is
//! not where our own transactions left it, the chains, rules and declarations of our tables
//! are compared, which takes a listing of a few dozen objects, and of a few dozen more for each
//! further part of the map of endpoints. Elements are too many for that: they are compared by
//! converging, once in a while and only after such a change.

use std::time::{Duration, Instant};

use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::Connection;

use crate::diff::has_structure;
use crate::observe::observe_structure;
use crate::pace::Pace;
use crate::state::State;

/// What is known about changes by others.
#[derive(Debug)]
pub(crate) struct Disturbance {
    /// The generation after our last transaction; `None` if others had theirs in between.
    generation: Option<u32>,
    /// Others changed something since our elements were last compared.
    suspected: bool,
    pace: Pace,
}

impl Disturbance {
    /// Nothing is known yet.
    pub(crate) fn new() -> Disturbance {
        Disturbance { generation: None, suspected: false, pace: Pace::new(Instant::now()) }
    }

    /// The generation that our next transaction expects.
    pub(crate) const fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// Our tables are read at this generation, to be compared.
    pub(crate) fn reading(&mut self, generation: u32) {
        self.generation = Some(generation);
        self.suspected = false;
    }

    /// Our tables have been compared and mended, which took so long.
    pub(crate) fn mended(&mut self, cost: Duration) {
        self.pace.compared(Instant::now(), cost);
    }

    /// A transaction of ours took effect; one that changes nothing would not raise the
    /// generation, and none of ours is such.
    pub(crate) fn committed(&mut self) {
        // The kernel skips zero (net/netfilter/nf_tables_api.c, `nf_tables_commit`, v6.1).
        self.generation = self.generation.map(|it| it.checked_add(1).unwrap_or(1));
    }

    /// Others had a transaction before ours.
    pub(crate) fn overtaken(&mut self) {
        self.generation = None;
        self.suspected = true;
    }

    /// Whether it is time to converge because of others.
    pub(crate) fn look(
        &mut self,
        connection: &mut Connection,
        state: &State,
        table: &str,
        now: Instant,
    ) -> Result<bool, NetlinkError> {
        let generation = connection.generation()?;
        self.look_at(generation, now, || is_intact(connection, state, table))
    }

    /// The same, where the ruleset has this generation.
    fn look_at<E>(
        &mut self,
        generation: u32,
        now: Instant,
        is_intact: impl FnOnce() -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.generation != Some(generation) {
            self.suspected = true;
            let intact = is_intact()?;
            // Not before: what could not be compared is to be compared next time.
            self.generation = Some(generation);
            if !intact {
                return Ok(true);
            }
        }
        Ok(self.suspected && self.pace.is_due(now))
    }
}

/// Whether chains, rules and declarations are as they should be.
fn is_intact(
    connection: &mut Connection,
    state: &State,
    table: &str,
) -> Result<bool, NetlinkError> {
    for (family, expected) in &state.families {
        let Some(observed) = observe_structure(connection, *family, table)? else {
            return Ok(false);
        };
        if !has_structure(expected, observed, table) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use portolan_core::{Backend as _, Environment, Family};
    use portolan_lab::namespaced;
    use portolan_netlink::nftables::{Batch, ElementOperation, Table};

    use super::*;
    use crate::lower::kernel_family;
    use crate::structure::FamilySettings;
    use crate::{NftBackend, NftOptions, first_transaction};

    #[test]
    fn edited_elements_are_suspected_after_a_while_and_only_once_something_happened() {
        let name = "disturbance::tests::\
                    edited_elements_are_suspected_after_a_while_and_only_once_something_happened";
        namespaced(name, || {
            let (options, environment) = (NftOptions::default(), Environment::default());
            let table = options.table.as_str();
            let mut connection = Connection::open().unwrap();
            connection.commit(&mut first_transaction(&[], &environment, &options)).unwrap();
            let settings = Family::BOTH.map(|it| FamilySettings::new(it, &environment, &options));
            let state = State::new(Default::default(), settings.into(), Default::default());
            let mut disturbance = Disturbance::new();
            disturbance.reading(connection.generation().unwrap());
            disturbance.mended(Duration::ZERO);
            let now = Instant::now();
            let later = now + Duration::from_secs(61);
            assert!(!disturbance.look(&mut connection, &state, table, later).unwrap());

            let mut batch = Batch::new(None);
            batch
                .elements(kernel_family(Family::V4), table, "cluster-ips", ElementOperation::Add)
                .push(&[9, 9, 9, 9], None, None);
            connection.commit(&mut batch).unwrap();
            assert!(!disturbance.look(&mut connection, &state, table, now).unwrap());
            assert!(disturbance.look(&mut connection, &state, table, later).unwrap());

            disturbance.reading(connection.generation().unwrap());
            assert!(!disturbance.look(&mut connection, &state, table, later).unwrap());
        });
    }
    #[test]
    fn transactions_of_the_same_agent_are_no_changes_by_others() {
        let name = "disturbance::tests::transactions_of_the_same_agent_are_no_changes_by_others";
        namespaced(name, || {
            let (options, environment) = (NftOptions::default(), Environment::default());
            let mut backend = NftBackend::open(options).unwrap();
            backend.converge(&mut [].iter(), &environment).unwrap();
            let later = Instant::now() + Duration::from_secs(61);
            let mut connection = Connection::open().unwrap();
            for (number, told, disturbed) in [(1, 1, false), (2, 2, false), (2, 1, true)] {
                for _ in 0..number {
                    let mut batch = Batch::new(None);
                    batch.add_table(kernel_family(Family::V4), &beside());
                    batch.delete_table(kernel_family(Family::V4), "beside");
                    connection.commit(&mut batch).unwrap();
                }
                backend.account_for(told);
                assert_eq!(backend.is_disturbed_at(later).unwrap(), disturbed, "{number} {told}");
            }
        });
    }

    #[test]
    fn a_comparison_that_failed_is_made_up_for_with_the_next_look() {
        let (mut disturbance, now) = (Disturbance::new(), Instant::now());
        let looks = [
            (1, Ok(true), Ok(false)),
            (2, Err("no answer"), Err("no answer")),
            (2, Err("no answer"), Err("no answer")),
            (2, Ok(false), Ok(true)),
        ];
        for (number, (generation, comparison, answer)) in looks.into_iter().enumerate() {
            let looked = disturbance.look_at(generation, now, || comparison);
            assert_eq!(looked, answer, "look {number}");
        }
        let nothing_new = || -> Result<bool, &str> { panic!("nothing has happened since") };
        assert_eq!(disturbance.look_at(2, now, nothing_new), Ok(false));
    }

    fn beside() -> Table {
        Table { name: "beside".to_owned(), ..Table::default() }
    }
}
