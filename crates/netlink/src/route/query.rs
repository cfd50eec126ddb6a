//! What is ours in the kernel.

use super::connection::{Listing, Routing};
use super::policy_rule::{family_name, family_number};
use super::uapi::{PROTOCOL, message, route};
use super::{LocalRoute, PolicyRule};
use crate::NetlinkError;

impl Routing {
    /// Our rules of both families. One that another program narrowed or that does anything
    /// but look up a table is left out, even if it carries our protocol number; a kernel
    /// without a family has no rules of it.
    pub fn rules(&mut self) -> Result<Vec<PolicyRule>, NetlinkError> {
        let mut rules = Vec::new();
        for v6 in [false, true] {
            let family = family_number(v6);
            rules.extend(self.list(&Listing {
                action: &format!("list {} rules", family_name(v6)),
                kind: message::GET_RULE,
                header: [family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                write: &|_| {},
                decode: &|payload| PolicyRule::decode(payload).filter(|rule| rule.v6 == v6),
            })?);
        }
        Ok(rules)
    }

    /// Our routes of both families in a table. There are none if there is no such table,
    /// and none of a family that the kernel has not.
    ///
    /// The kernel picks them (since Linux 4.20), so that the routes of a node that knows the
    /// whole internet are not copied for a few of ours; what an older kernel sends besides
    /// is left out here.
    pub fn routes(&mut self, table: u32) -> Result<Vec<LocalRoute>, NetlinkError> {
        let mut routes = Vec::new();
        for v6 in [false, true] {
            let family = family_number(v6);
            routes.extend(self.list(&Listing {
                action: &format!("list {} routes of table {table}", family_name(v6)),
                kind: message::GET_ROUTE,
                header: [family, 0, 0, 0, 0, PROTOCOL, 0, route::LOCAL, 0, 0, 0, 0],
                write: &|encoder| encoder.ne32(route::TABLE, table),
                decode: &|payload| {
                    LocalRoute::decode(payload)
                        .filter(|route| route.table == table && route.is_v6() == v6)
                },
            })?);
        }
        Ok(routes)
    }
}
