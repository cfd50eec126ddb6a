//! What calls of the backend make true, for those who follow it.
//!
//! It is announced before a call and told once a call has succeeded: failed ones leave it
//! to the converge that makes up for them.

use std::collections::BTreeMap;

use portolan_core::{Change, ObjectName, ServicePlan};

/// Something that plans say of Services, as far as it changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announced<T> {
    /// `by_service` is all there is.
    pub(crate) complete: bool,
    /// `None` for a Service of which there is nothing to say now.
    pub(crate) by_service: BTreeMap<ObjectName, Option<T>>,
}

impl<T> Default for Announced<T> {
    fn default() -> Announced<T> {
        Announced { complete: false, by_service: BTreeMap::new() }
    }
}

impl<T: PartialEq> Announced<T> {
    /// Nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        !self.complete && self.by_service.is_empty()
    }

    /// The backend is about to be told of these changes; `of` is what a plan says.
    pub(crate) fn changes(&mut self, changes: &[Change], of: impl Fn(&ServicePlan) -> Option<T>) {
        for change in changes {
            let of = |plan: Option<&ServicePlan>| plan.and_then(&of);
            let new = of(change.new.as_deref());
            if of(change.old.as_deref()) != new {
                self.by_service.insert(change.service.clone(), new);
            }
        }
    }

    /// The backend is about to be told of all plans.
    pub(crate) fn all<'a>(
        &mut self,
        plans: impl Iterator<Item = &'a ServicePlan>,
        of: impl Fn(&ServicePlan) -> Option<T>,
    ) {
        let said = plans.filter_map(|plan| Some((plan.name.clone(), Some(of(plan)?))));
        self.by_service = said.collect();
        self.complete = true;
    }

    /// What changes for somebody who knows of the Services `known`: complete news leave
    /// out what is gone.
    pub(crate) fn since<'a>(
        self,
        known: impl Iterator<Item = &'a ObjectName>,
    ) -> BTreeMap<ObjectName, Option<T>> {
        let mut by_service = self.by_service;
        if self.complete {
            for service in known {
                by_service.entry(service.clone()).or_insert(None);
            }
        }
        by_service
    }
}
