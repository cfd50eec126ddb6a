//! Whether this user may measure a cluster of a size at all, before anything is measured.

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use portolan_core::Backend as _;
use portolan_netlink::nftables::Connection;
use portolan_nft::{NftBackend, NftOptions, cleanup, first_transaction};

use super::super::burst::DRAINED;
use crate::arguments::Load;
use crate::cluster::{Cluster, Spec};
use crate::feed::{Feed, environment};
use crate::observe::{OVERRUN, WANTED_BUFFER, hear_all, subscribe};

/// Services whose bytes are room for what is not counted.
const SPARE: u32 = 50;

/// Sends the first transaction of a cluster as the agent would, and hears of the largest
/// burst.
///
/// # Errors
///
/// If the transaction is larger than this process may send: the agent would say so in its
/// log and try again, and would be waited for in vain. If the notifications of the burst in
/// one transaction, which nobody reads meanwhile, are more than this process may keep.
pub(crate) fn fits(load: &Load) -> anyhow::Result<()> {
    let services = load.spec.services;
    let complaint = || format!("{services} services cannot be measured by this user");
    // Those for the traffic, and what the agent knows of its node.
    let spec = Spec { services: services + SPARE, ..load.spec.clone() };
    let mut cluster = Cluster::new(&spec);
    let mut feed = Feed::new(&cluster)?;
    let options = NftOptions::default();
    let mut batch = first_transaction(&feed.plans(), &environment()?, &options);
    Connection::open()?.commit(&mut batch).with_context(complaint)?;
    let mut backend = NftBackend::open(options.clone())?;
    backend.converge(&mut feed.plans().iter(), &environment()?).map_err(anyhow::Error::msg)?;
    let listener = subscribe(WANTED_BUFFER)?;
    for round in 0..DRAINED.min(services) {
        let service = cluster.spread(round);
        for update in feed.updates(&cluster.scale_down(service))? {
            feed.index.apply(update);
        }
    }
    backend.apply(&feed.index.take_changes()).map_err(anyhow::Error::msg)?;
    match hear_all(&listener) {
        Err(Errno::ENOBUFS) => bail!("{}: {OVERRUN}", complaint()),
        heard => heard.context("cannot listen to nf_tables")?,
    }
    cleanup(&options.table)?;
    Ok(())
}
