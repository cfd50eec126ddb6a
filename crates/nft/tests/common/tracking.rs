//! Somebody else's rules.

use portolan_netlink::nftables::{
    BaseChain, Batch, Chain, ChainKind, Connection, CtKey, Expression, Family, Hook, Policy,
    Register, Rule, Table,
};

/// The kernel tracks connections of this namespace once a rule asks about them.
pub(crate) fn track(family: Family) {
    let name = "somebody-else".to_owned();
    let mut batch = Batch::new(None);
    batch.add_table(family, &Table { name: name.clone(), ..Table::default() });
    let ask = Expression::CtLoad { key: CtKey::Status, register: Register::Word(0) };
    for (chain, hook) in [("in", Hook::Prerouting), ("out", Hook::Output)] {
        let (kind, policy) = (ChainKind::Filter, Policy::Accept);
        let base = Some(BaseChain { kind, hook, priority: 0, policy });
        batch.add_chain(family, &name, &Chain { name: chain.to_owned(), base, comment: None });
        let rule = Rule { expressions: vec![ask.clone()], comment: None };
        batch.add_rule(family, &name, chain, &rule);
    }
    Connection::open().unwrap().commit(&mut batch).unwrap();
}
