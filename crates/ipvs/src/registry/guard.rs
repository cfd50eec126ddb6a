//! Rules that let nothing reach IPVS but what the table hands over.
//!
//! IPVS takes whatever this node sends to a virtual server, and whatever is for one at an
//! address of this node: a mark is needed only to get there what is for neither. So it would
//! refuse clients from when a server is added until that has a destination, and serve them
//! from then until the table says who is let in and who is masqueraded.
//!
//! It would also take the repetitions of a first packet that connection tracking knows as one
//! to somebody else. Nothing can translate that any more (`nf_nat_setup_info`), its answers
//! do not belong to it, and the connection breaks when the flow is forgotten, as the agent
//! does with TCP that was begun too early. Of UDP such a flow may be one that IPVS already
//! has, begun while somebody else had deleted these tables, and would be kept from it for as
//! long as the client sends; so it is left alone.
//!
//! ```text
//!  early-output  (filter, output)  TCP, known, and not handed over ──▶ dropped, to be sent again
//!  new-output    (nat, output)     new, and not handed over ──▶ not-handed-over
//!  input         (filter, input)   either ──▶ not-handed-over
//! ```

use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{
    BaseChain, Batch, Chain, ChainKind, Comparison, Connection, CtKey, Expression, Family,
    FibFlags, FibResult, Hook, MetaKey, OwnedVerdict, PayloadBase, Policy, Register, RejectWith,
    Rule,
};

/// Where packets end that were not handed over.
const REFUSE: &str = "not-handed-over";

/// Before address translation, so that nft has no name for it. What that translates is told
/// apart by its status.
const EARLY_PRIORITY: i32 = -115;

/// After the table's `nat-output`, and as that before IPVS: nat chains are called from -100,
/// in the order of their priorities. No nft has a name here.
const NEW_PRIORITY: i32 = -88;

/// Before IPVS looks at what is for this node (`ip_vs_ops4`: 98). No nft has a name here.
const INPUT_PRIORITY: i32 = 80;

/// Bits of `enum ip_conntrack_status` (`linux/netfilter/nf_conntrack_common.h`).
const SEEN_REPLY: u32 = 1 << 1;
const CONFIRMED: u32 = 1 << 3;
const DESTINATION_TRANSLATED: u32 = 1 << 5;

/// `RTN_LOCAL` of `linux/rtnetlink.h`: an address of this node.
const LOCAL_ADDRESS: u32 = 2;

/// `IPPROTO_TCP`.
const TCP: u8 = 6;

const FIRST: Register = Register::Word(0);

/// The rules of one family's table.
pub(super) struct Guard<'a> {
    pub(super) family: Family,
    pub(super) table: &'a str,
    /// The set of all virtual servers.
    pub(super) servers: &'a str,
    /// The bits of the connection's mark of which one says that it was handed over.
    pub(super) marks: u32,
}

impl Guard<'_> {
    /// Whether the kernel has the chains and rules, and no others in this table.
    pub(super) fn is_there(&self, connection: &mut Connection) -> Result<bool, NetlinkError> {
        let there = connection.chains(self.family, self.table)?;
        let rules = connection.rules(self.family, self.table)?;
        let wanted = self.chains();
        let is_as_wanted = |(chain, wanted): &(Chain, Vec<Rule>)| {
            let found = rules.iter().filter(|rule| rule.chain == chain.name);
            there.contains(chain) && found.map(|found| &found.rule).eq(wanted)
        };
        Ok(there.len() == wanted.len() && wanted.iter().all(is_as_wanted))
    }

    /// Deletes all chains of the table.
    pub(super) fn delete_all(
        &self,
        connection: &mut Connection,
        batch: &mut Batch,
    ) -> Result<(), NetlinkError> {
        let there = connection.chains(self.family, self.table)?;
        there.iter().for_each(|it| batch.flush_chain(self.family, self.table, &it.name));
        there.iter().for_each(|it| batch.delete_chain(self.family, self.table, &it.name));
        Ok(())
    }

    /// Makes the chains and rules where there are none, or none any more. No packet finds the
    /// table without them if one transaction does both.
    pub(super) fn write(&self, batch: &mut Batch) {
        let wanted = self.chains();
        wanted.iter().for_each(|(chain, _)| batch.add_chain(self.family, self.table, chain));
        for (chain, rules) in &wanted {
            for rule in rules {
                batch.add_rule(self.family, self.table, &chain.name, rule);
            }
        }
    }

    fn chains(&self) -> Vec<(Chain, Vec<Rule>)> {
        let known = status(SEEN_REPLY | CONFIRMED | DESTINATION_TRANSLATED, CONFIRMED);
        let early = [is_tcp(), known].concat();
        let unanswered = status(SEEN_REPLY | DESTINATION_TRANSLATED, 0);
        let refuse = || Expression::Verdict(OwnedVerdict::Goto(REFUSE.to_owned()));
        let base = |name, kind, hook, priority, rule| {
            let base = Some(BaseChain { kind, hook, priority, policy: Policy::Accept });
            (chain(name, base), vec![rule])
        };
        let (filter, nat) = (ChainKind::Filter, ChainKind::Nat);
        vec![
            (chain(REFUSE, None), self.refuse()),
            base("early-output", filter, Hook::Output, EARLY_PRIORITY, self.rule(early, dropped())),
            base("new-output", nat, Hook::Output, NEW_PRIORITY, self.rule(Vec::new(), refuse())),
            base("input", filter, Hook::Input, INPUT_PRIORITY, self.rule(unanswered, refuse())),
        ]
    }

    /// Of what is for a virtual server and has not been handed over.
    fn rule(&self, begin: Vec<Expression>, end: Expression) -> Rule {
        let not_handed_over = vec![
            Expression::CtLoad { key: CtKey::Mark, register: FIRST },
            masked(self.marks),
            compare(Comparison::Equal, &[0; 4]),
        ];
        rule([begin, not_handed_over, self.is_for_a_server()].concat(), end)
    }

    fn is_for_a_server(&self) -> Vec<Expression> {
        let (offset, words) = match self.family {
            Family::Ip => (16, 1),
            Family::Ip6 => (24, 4),
        };
        let (base, length) = (PayloadBase::Network, u32::from(words) * 4);
        let port = Register::Word(words + 1);
        vec![
            Expression::Payload { base, offset, length, register: FIRST },
            Expression::Meta { key: MetaKey::Protocol, register: Register::Word(words) },
            Expression::Payload {
                base: PayloadBase::Transport,
                offset: 2,
                length: 2,
                register: port,
            },
            Expression::Lookup {
                set: self.servers.to_owned(),
                register: FIRST,
                destination: None,
                inverted: false,
            },
        ]
    }

    /// New ones are sent again, and may be handed over by then. But at the node's own
    /// addresses it is as if the port were closed.
    fn refuse(&self) -> Vec<Rule> {
        let known = || {
            let status = Expression::CtLoad { key: CtKey::Status, register: FIRST };
            vec![status, masked(CONFIRMED), compare(Comparison::NotEqual, &[0; 4])]
        };
        let (flags, result) = (FibFlags::DESTINATION, FibResult::AddressType);
        let remote = vec![
            Expression::Fib { flags, result, register: FIRST },
            compare(Comparison::NotEqual, &LOCAL_ADDRESS.to_ne_bytes()),
        ];
        let port_unreachable = RejectWith::IcmpUnreachable(match self.family {
            Family::Ip => 3,
            Family::Ip6 => 4,
        });
        vec![
            rule([known(), is_tcp()].concat(), dropped()),
            rule(known(), Expression::Verdict(OwnedVerdict::Accept)),
            rule(remote, dropped()),
            rule(is_tcp(), Expression::Reject(RejectWith::TcpReset)),
            rule(Vec::new(), Expression::Reject(port_unreachable)),
        ]
    }
}

fn rule(mut expressions: Vec<Expression>, end: Expression) -> Rule {
    expressions.push(end);
    Rule { expressions, comment: None }
}

fn chain(name: &str, base: Option<BaseChain>) -> Chain {
    Chain { name: name.to_owned(), base, comment: None }
}

fn dropped() -> Expression {
    Expression::Verdict(OwnedVerdict::Drop)
}

fn is_tcp() -> Vec<Expression> {
    let protocol = Expression::Meta { key: MetaKey::Protocol, register: FIRST };
    vec![protocol, compare(Comparison::Equal, &[TCP])]
}

/// Of these bits of the connection's status, these are set and no others.
fn status(bits: u32, set: u32) -> Vec<Expression> {
    vec![
        Expression::CtLoad { key: CtKey::Status, register: FIRST },
        masked(bits),
        compare(Comparison::Equal, &set.to_ne_bytes()),
    ]
}

fn masked(mask: u32) -> Expression {
    Expression::Bitwise {
        source: FIRST,
        destination: FIRST,
        mask: mask.to_ne_bytes().to_vec(),
        xor: vec![0; 4],
    }
}

fn compare(comparison: Comparison, value: &[u8]) -> Expression {
    Expression::Cmp { comparison, register: FIRST, value: value.to_vec() }
}
