//! Random sequences of updates: however the index got there, it must end in the same place.

mod flows;
mod generate;
mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use portolan_core::{Change, Index, ObjectName, ServicePlan, Update};
use proptest::prelude::*;

use self::generate::{Step, steps};
use self::model::{Cluster, frontends, owners};
use crate::support::NODE;

fn snapshot(index: &Index) -> BTreeMap<ObjectName, Arc<ServicePlan>> {
    index.plans().map(|plan| (plan.name.clone(), Arc::clone(plan))).collect()
}

fn told(updates: Vec<Update>) -> Index {
    let mut index = Index::new(NODE);
    updates.into_iter().for_each(|update| index.apply(update));
    index.take_changes();
    index
}

/// Folds changes over what they should have started from.
fn fold(
    folded: &mut BTreeMap<ObjectName, Arc<ServicePlan>>,
    changes: Vec<Change>,
) -> Result<(), TestCaseError> {
    for change in changes {
        prop_assert_ne!(&change.old, &change.new);
        let old = match change.new {
            Some(new) => folded.insert(change.service, new),
            None => folded.remove(&change.service),
        };
        prop_assert_eq!(old, change.old);
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_sum_of_all_changes_is_the_plans_and_no_frontend_ever_has_two_owners(steps in steps()) {
        let (mut index, mut folded) = (Index::new(NODE), BTreeMap::new());
        for step in steps {
            match step {
                Step::Update(update) => index.apply(update),
                Step::Look => {
                    fold(&mut folded, index.take_changes())?;
                    prop_assert_eq!(&folded, &snapshot(&index));
                    let all: Vec<_> = folded.values().flat_map(|plan| frontends(plan)).collect();
                    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
                    prop_assert_eq!(distinct.len(), all.len());
                }
            }
        }
    }

    #[test]
    fn an_index_that_followed_every_update_equals_one_built_from_the_result(steps in steps()) {
        let (mut index, mut cluster) = (Index::new(NODE), Cluster::default());
        for step in steps {
            match step {
                Step::Update(update) => {
                    cluster.apply(update.clone());
                    index.apply(update);
                }
                Step::Look => drop(index.take_changes()),
            }
        }
        index.take_changes();
        let fresh = told(cluster.lists());
        prop_assert_eq!(snapshot(&index), snapshot(&fresh));
        prop_assert_eq!(index.problems(), fresh.problems());
        prop_assert_eq!(index.counts(), fresh.counts());
        prop_assert_eq!(index.counts().problems, index.problems().len());
    }

    #[test]
    fn the_order_of_objects_does_not_matter(
        (objects, shuffled) in steps().prop_flat_map(|steps| {
            let objects = Cluster::after(steps).objects();
            (Just(objects.clone()), Just(objects).prop_shuffle())
        }),
    ) {
        let (one, other) = (told(objects), told(shuffled));
        prop_assert_eq!(snapshot(&one), snapshot(&other));
        prop_assert_eq!(one.problems(), other.problems());
    }

    #[test]
    fn the_service_whose_cluster_ip_it_is_else_the_oldest_has_a_frontend(steps in steps()) {
        let cluster = Cluster::after(steps);
        let index = told(cluster.lists());
        let owned: BTreeMap<_, _> = index
            .plans()
            .flat_map(|plan| frontends(plan).into_iter().map(|key| (key, plan.name.clone())))
            .collect();
        prop_assert_eq!(owned, owners(&cluster));
    }

    #[test]
    fn plans_keep_what_their_documentation_promises(steps in steps()) {
        let index = told(Cluster::after(steps).lists());
        for port in index.plans().flat_map(|plan| &plan.ports) {
            model::check(port)?;
        }
    }

    #[test]
    fn nothing_is_left_of_objects_that_are_gone(steps in steps()) {
        let mut index = Index::new(NODE);
        for step in steps {
            match step {
                Step::Update(update) => index.apply(update),
                Step::Look => drop(index.take_changes()),
            }
        }
        index.apply(Update::ServicesReset(vec![]));
        index.apply(Update::EndpointSlicesReset(vec![]));
        index.take_changes();
        prop_assert_eq!(index.counts(), portolan_core::IndexCounts::default());
        prop_assert_eq!(index.problems(), vec![]);
        prop_assert_eq!(index.plans().count(), 0);
    }
}
