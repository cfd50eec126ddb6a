//! Session affinity: how a client is kept on one endpoint.
//!
//! Clients remember seats, not endpoints. An endpoint keeps its seat while it lives, so it
//! keeps its clients whatever happens to others; one that goes leaves its seat to the next
//! new endpoint, or empty. Nothing has to be searched or forgotten when endpoints change, and
//! a frontend without affinity knows nothing of all this.
//!
//! A rule cannot change the value of an element that is there (`nft_rhash_update`), and one
//! that deletes it makes the kernel lose count of the set (`nft_dynset_eval`;
//! net/netfilter/nft_set_hash.c and nft_dynset.c). So a client whose seat is empty keeps it for one
//! tick of the kernel's clock: its connection goes to any endpoint, and its next one finds
//! nothing remembered.
//!
//! While no more clients can be remembered, further ones are balanced as if there were no
//! affinity: an update without room ends its rule (`nft_dynset_eval`).

use portolan_core::Pool;
use portolan_netlink::nftables::Expression;

use crate::chain_name::EntryKind;
use crate::statement::Statement;

/// The rules of a chain that balances over so many slots and keeps clients for so long.
pub(crate) fn rules(kind: EntryKind, pool: Pool, slots: u32, seconds: u32) -> Vec<Vec<Statement>> {
    let recall = Statement::RecallSeat(kind, pool);
    let find = Statement::FindSeat(kind, pool);
    let remember = |timeout| Statement::RememberSeat { kind, pool, timeout };
    let translate = Statement::TranslateToSeat(kind, pool);
    let draw = Statement::DrawSlot { slots };
    let lifetime = u64::from(seconds.max(1)) * 1000;
    let shortest = Expression::SHORTEST_TIMEOUT;
    vec![
        vec![recall.clone(), find.clone(), remember(lifetime), translate.clone()],
        vec![recall, remember(shortest), draw.clone(), find.clone(), translate.clone()],
        vec![draw.clone(), find.clone(), remember(lifetime), translate.clone()],
        vec![draw, find, translate],
        vec![Statement::Drop],
    ]
}
