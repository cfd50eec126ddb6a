//! What the kernel has, seen from outside of whoever put it there.
//!
//! Two ways to see that a transaction of nf_tables is committed, for two purposes:
//!
//! * **Asking for the generation** ([`Changes`]), which every transaction raises, costs
//!   the asker three microseconds and the transaction nothing, whatever its size. So the
//!   starts are measured, where a transaction has a hundred thousand elements.
//! * **Notifications** ([`Observer`]) name every element, so a change is recognised among
//!   others, and they wake who waits at the moment of the commit. But once somebody
//!   listens, the kernel writes a message for each element within the transaction: six
//!   microseconds each on Linux 6.18, which makes a transaction of 155,000 elements take
//!   1.1 s instead of 0.13 s. So nobody listens while a start is measured. A change of two
//!   elements becomes 12 us slower by it. An arm that writes thousands of rules for one
//!   change would become slower by a good part, so for that one the generation is asked for
//!   where one change follows another, and only where many are under way somebody listens.
//!   Of several transactions for one change the last counts: kube-proxy begins with one that
//!   deletes what an earlier change left, or with another table.
//!
//! IPVS has neither generation nor notifications. There a start is measured by counting
//! virtual servers, and a change by listing the destinations of its service, over and over.
//! A listing waits for whoever programs IPVS, and that one for it, some 20 microseconds. How
//! often IPVS was changed, nobody can see.

mod contents;
mod destinations;
mod observer;
mod subscription;
mod tracker;
mod wire;

use std::time::{Duration, Instant};

use portolan_lab::Namespace;
use portolan_netlink::ipvs::Ipvs;
use portolan_netlink::nftables::Connection;

pub(crate) use self::contents::{Contents, EndpointMaps, Endpoints, Written};
pub(crate) use self::observer::{Calm, OVERRUN, Observer};
pub(crate) use self::subscription::{WANTED_BUFFER, hear_all, subscribe};

/// How the changes of an arm are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Each is recognised by its addresses.
    Notifications,
    /// The next transaction is it, while one follows another; else notifications.
    Generation,
    /// It is looked for in IPVS.
    Destinations,
}

/// How often the generation is asked for while a start is measured: what a time of half a
/// second is exact to, for half a percent of a processor.
const ASK_EVERY: Duration = Duration::from_micros(500);
/// How often virtual servers are listed, which takes longer.
const LIST_EVERY: Duration = Duration::from_millis(20);

/// Changes of what one namespace has, while nobody listens to them.
pub(crate) enum Changes {
    /// The generation of the ruleset.
    Generation { connection: Connection, last: u32 },
    /// IPVS has no generation: how many virtual servers there are.
    VirtualServers { ipvs: Ipvs, last: u32 },
}

impl Changes {
    pub(crate) fn open(namespace: &Namespace, contents: Contents) -> anyhow::Result<Changes> {
        let mut changes = match contents {
            Contents::VirtualServers => {
                Changes::VirtualServers { ipvs: namespace.run(Ipvs::open)?, last: 0 }
            }
            _ => return Changes::of_generation(namespace),
        };
        changes.ask()?;
        Ok(changes)
    }

    /// Of the ruleset, whatever else there is.
    fn of_generation(namespace: &Namespace) -> anyhow::Result<Changes> {
        let mut changes =
            Changes::Generation { connection: namespace.run(Connection::open)?, last: 0 };
        changes.ask()?;
        Ok(changes)
    }

    /// Waits a moment and says when something changed, if it did.
    pub(crate) fn next(&mut self) -> anyhow::Result<Option<Instant>> {
        std::thread::sleep(match self {
            Changes::Generation { .. } => ASK_EVERY,
            Changes::VirtualServers { .. } => LIST_EVERY,
        });
        let before = self.last();
        self.ask()?;
        Ok((self.last() != before).then(Instant::now))
    }

    /// How many transactions there were since it was `first`, if that can be known.
    pub(crate) fn transactions_since(&self, first: u32) -> Option<u32> {
        match self {
            Changes::Generation { last, .. } => Some(last.wrapping_sub(first)),
            Changes::VirtualServers { .. } => None,
        }
    }

    /// What it was when it was asked for last.
    pub(crate) fn last(&self) -> u32 {
        match self {
            Changes::Generation { last, .. } | Changes::VirtualServers { last, .. } => *last,
        }
    }

    fn ask(&mut self) -> anyhow::Result<()> {
        match self {
            Changes::Generation { connection, last } => *last = connection.generation()?,
            Changes::VirtualServers { ipvs, last } => {
                *last = u32::try_from(ipvs.servers()?.len())?;
            }
        }
        Ok(())
    }
}
