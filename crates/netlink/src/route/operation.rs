//! Changes to rules and routes, one request each.

use std::fmt;

use nix::errno::Errno;

use super::policy_rule::family_name;
use super::uapi::{HEADER, flag, message};
use super::{LocalRoute, PolicyRule};
use crate::wire::encoder::Encoder;

/// One change. There are no transactions: each takes effect by itself, in the order in
/// which they are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A rule is added, unless it is there.
    AddRule(PolicyRule),
    /// A rule is deleted, if it is there.
    DeleteRule(PolicyRule),
    /// A route is added, unless it is there. Another program's route to the same network in
    /// the same table stays, but ours is asked first.
    AddRoute(LocalRoute),
    /// A route is deleted, if it is there.
    DeleteRoute(LocalRoute),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::AddRule(rule) => write!(f, "add the {rule}"),
            Operation::DeleteRule(rule) => write!(f, "delete the {rule}"),
            Operation::AddRoute(route) => write!(f, "add the {route}"),
            Operation::DeleteRoute(route) => write!(f, "delete the {route}"),
        }
    }
}

impl Operation {
    pub(super) const fn kind(&self) -> u16 {
        match self {
            Operation::AddRule(_) => message::NEW_RULE,
            Operation::DeleteRule(_) => message::DELETE_RULE,
            Operation::AddRoute(_) => message::NEW_ROUTE,
            Operation::DeleteRoute(_) => message::DELETE_ROUTE,
        }
    }

    /// The flags beside `NLM_F_REQUEST`. Without the flag of exclusiveness the kernel adds
    /// a rule that is there a second time, and answers for a route that exactly the same is
    /// there; with it, it would answer so for any route to the same network.
    pub(super) const fn flags(&self) -> u16 {
        match self {
            Operation::AddRule(_) => flag::CREATE | flag::EXCLUSIVE,
            Operation::AddRoute(_) => flag::CREATE,
            Operation::DeleteRule(_) | Operation::DeleteRoute(_) => 0,
        }
    }

    /// The family's own header.
    pub(super) fn header(&self) -> [u8; HEADER] {
        match self {
            Operation::AddRule(rule) | Operation::DeleteRule(rule) => rule.header(),
            Operation::AddRoute(route) | Operation::DeleteRoute(route) => route.header(),
        }
    }

    /// Writes the attributes of the request.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        match self {
            Operation::AddRule(rule) | Operation::DeleteRule(rule) => rule.encode(encoder),
            Operation::AddRoute(route) => {
                route.encode(encoder);
                route.encode_metric(encoder);
            }
            Operation::DeleteRoute(route) => route.encode(encoder),
        }
    }

    /// Whether this answer says that there is nothing to do.
    pub(super) const fn is_done(&self, errno: Errno) -> bool {
        match self {
            Operation::AddRule(_) | Operation::AddRoute(_) => matches!(errno, Errno::EEXIST),
            Operation::DeleteRule(_) | Operation::DeleteRoute(_) => {
                matches!(errno, Errno::ENOENT | Errno::ESRCH)
            }
        }
    }

    /// What the operator should check, where that is known.
    pub(super) fn hint(&self, errno: Errno) -> Option<String> {
        let v6 = match self {
            Operation::AddRule(rule) | Operation::DeleteRule(rule) => rule.v6,
            Operation::AddRoute(route) | Operation::DeleteRoute(route) => route.is_v6(),
        };
        match errno {
            // The answer of `fib6_nh_init`.
            Errno::EACCES if v6 => Some(
                "IPv6 is disabled on lo: the sysctls net.ipv6.conf.all.disable_ipv6 and \
                 net.ipv6.conf.lo.disable_ipv6 must be 0"
                    .to_owned(),
            ),
            Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP => {
                let (option, off) = match v6 {
                    true => {
                        ("CONFIG_IPV6_MULTIPLE_TABLES", ", or was it started with ipv6.disable=1")
                    }
                    false => ("CONFIG_IP_MULTIPLE_TABLES", ""),
                };
                let family = family_name(v6);
                Some(format!("has this kernel no policy routing for {family} ({option}){off}?"))
            }
            Errno::ENETDOWN => Some("the interface lo must be up: `ip link set lo up`".to_owned()),
            _ => None,
        }
    }
}
