//! A table with every kind of rule, set and chain that a service proxy needs.

use portolan_netlink::nftables::{
    BaseChain, Batch, Chain, ChainKind, CtKey, Data, ElementOperation, Expression, Family, Field,
    Hook, MetaKey, NatFlags, NatKind, OwnedVerdict, PayloadBase, Policy, Register, RejectWith,
    Rule, Set, SetData, Table, Verdict,
};

use super::expressions::{
    FIRST, absent, ct, destination_port, equal, goto, map, mark, masked, masquerade,
    masquerade_marked, masquerade_ports, member, meta, reject, reset, source_type, unequal,
    verdict,
};
use super::{TABLE, may_be_like_5_10};

/// The table in one family.
pub(super) struct Ruleset {
    pub(super) family: Family,
    pub(super) table: Table,
    pub(super) sets: Vec<Set>,
    pub(super) chains: Vec<Chain>,
    /// The name of the chain, and a rule.
    pub(super) rules: Vec<(String, Rule)>,
}

impl Ruleset {
    pub(super) fn new(family: Family) -> Ruleset {
        let table =
            Table { name: TABLE.to_owned(), comment: Some("hello".to_owned()), dormant: false };
        let address = Address(family);
        Ruleset { family, table, sets: address.sets(), chains: chains(), rules: address.rules() }
    }

    pub(super) fn write(&self, batch: &mut Batch) {
        batch.add_table(self.family, &self.table);
        self.sets.iter().for_each(|set| batch.add_set(self.family, TABLE, set));
        self.chains.iter().for_each(|chain| batch.add_chain(self.family, TABLE, chain));
        for (chain, rule) in &self.rules {
            batch.add_rule(self.family, TABLE, chain, rule);
        }
    }

    /// The keys of two endpoints of one service.
    pub(super) fn write_elements(&self, batch: &mut Batch) {
        let address = Address(self.family).sample();
        let service = [&address[..], &[6, 0, 0, 0], &[0, 80, 0, 0]].concat();
        let mut services = batch.elements(self.family, TABLE, "services", ElementOperation::Add);
        services.push(&service, Some(Data::Verdict(Verdict::Goto("lb-3"))), Some("a/b"));
        let mut endpoints = batch.elements(self.family, TABLE, "endpoints", ElementOperation::Add);
        for slot in 0..3_u32 {
            let key = [&service[..], &slot.to_ne_bytes()].concat();
            let value = [&address[..], &[0x1f, 0x90, 0, 0]].concat();
            endpoints.push(&key, Some(Data::Bytes(&value)), Some("a/b:c"));
        }
    }
}

/// What differs between the families.
struct Address(Family);

impl Address {
    fn field(&self) -> Field {
        match self.0 {
            Family::Ip => Field::Ipv4Address,
            Family::Ip6 => Field::Ipv6Address,
        }
    }

    fn sample(&self) -> Vec<u8> {
        match self.0 {
            Family::Ip => vec![172, 30, 0, 41],
            Family::Ip6 => (0x20..0x30).collect(),
        }
    }

    fn length(&self) -> u32 {
        u32::try_from(self.field().length()).unwrap()
    }

    fn words(&self) -> u8 {
        u8::try_from(self.length() / 4).unwrap()
    }

    fn sets(&self) -> Vec<Set> {
        let address = self.field();
        let frontend = vec![address, Field::Protocol, Field::Port];
        let slotted = [&frontend[..], &[Field::Slot]].concat();
        let endpoint = SetData::Fields(vec![address, Field::Port]);
        let set = |name: &str, key: &[Field], data: Option<SetData>, size| Set {
            name: name.to_owned(),
            key: key.to_vec(),
            data,
            size: Some(size),
            ..Set::default()
        };
        let mut services = set("services", &frontend, Some(SetData::Verdict), 1024);
        services.comment = Some("svc".to_owned());
        vec![
            services,
            set("endpoints", &slotted, Some(endpoint), 4096),
            set("nodeports", &[Field::Protocol, Field::Port], Some(SetData::Verdict), 64),
            set("hairpin", &[address, address], None, 64),
            set("cluster-ips", &[address], None, 64),
            Set { size: None, ..set("marks", &[Field::Slot, Field::InterfaceName], None, 0) },
            Set { interval: true, ..set("ranges", &[address], None, 64) },
            Set { interval: true, ..set("port-ranges", &[address, Field::Port], None, 64) },
        ]
    }

    fn load(&self, source: bool, register: Register) -> Expression {
        let offset = match (self.0, source) {
            (Family::Ip, true) => 12,
            (Family::Ip, false) => 16,
            (Family::Ip6, true) => 8,
            (Family::Ip6, false) => 24,
        };
        Expression::Payload { base: PayloadBase::Network, offset, length: self.length(), register }
    }

    fn frontend(&self) -> Vec<Expression> {
        let word = self.words();
        vec![
            self.load(false, FIRST),
            Expression::Meta { key: MetaKey::Protocol, register: Register::Word(word) },
            destination_port(word + 1),
        ]
    }

    fn rules(&self) -> Vec<(String, Rule)> {
        let comment = Some("why".to_owned());
        [self.service_rules(), self.hook_rules()]
            .concat()
            .into_iter()
            .map(|(chain, expressions)| {
                (chain.to_owned(), Rule { expressions, comment: comment.clone() })
            })
            .collect()
    }

    fn service_rules(&self) -> Vec<(&'static str, Vec<Expression>)> {
        let (source, destination) = (self.load(true, FIRST), self.load(false, FIRST));
        let drop = verdict(OwnedVerdict::Drop);
        let not_in_ten = vec![source.clone(), unequal(&[10])];
        let local = equal(&2_u32.to_ne_bytes());
        // Linux 5.10 has the code for both families in tables of both families only.
        let unreachable = if may_be_like_5_10() {
            RejectWith::IcmpUnreachable(1)
        } else {
            RejectWith::IcmpxUnreachable(1)
        };
        vec![
            ("reject-chain", vec![meta(MetaKey::Protocol), equal(&[6]), reset()]),
            ("reject-chain", vec![reject(RejectWith::IcmpUnreachable(3))]),
            ("reject-chain", vec![reject(unreachable)]),
            ("lb-3", self.balance(3)),
            ("cluster-3", [not_in_ten, mark()].concat()),
            ("cluster-3", vec![goto("lb-3")]),
            ("bridge-3", vec![meta(MetaKey::InputInterfaceName), equal(b"veth"), goto("lb-3")]),
            ("bridge-3", vec![source_type(), local, goto("lb-3")]),
            ("services", self.dispatch()),
            ("services", vec![destination.clone(), member("cluster-ips"), goto("reject-chain")]),
            ("services", vec![source, absent("ranges"), Expression::Counter]),
            ("services", vec![destination, equal(&[172, 30]), drop]),
        ]
    }

    fn hook_rules(&self) -> Vec<(&'static str, Vec<Expression>)> {
        let new = vec![ct(CtKey::State), masked(8), unequal(&[0; 4])];
        let accept = vec![verdict(OwnedVerdict::Accept)];
        vec![
            ("prerouting", vec![goto("services")]),
            ("output", vec![goto("services")]),
            ("postrouting", masquerade_marked()),
            ("postrouting", self.masquerade_hairpin()),
            ("postrouting", masquerade_ports()),
            ("filter-input", [new, accept].concat()),
        ]
    }

    fn balance(&self, slots: u32) -> Vec<Expression> {
        let slot = Register::Word(self.words() + 2);
        let mut expressions = self.frontend();
        expressions.push(Expression::Numgen { modulus: slots, offset: 0, register: slot });
        expressions.push(map("endpoints", FIRST));
        expressions.push(Expression::Nat {
            kind: NatKind::Destination,
            family: self.0,
            address: Some(FIRST),
            port: Some(Register::Word(self.words())),
            flags: NatFlags::default(),
        });
        expressions
    }

    fn dispatch(&self) -> Vec<Expression> {
        let mut expressions = self.frontend();
        expressions.push(map("services", Register::Verdict));
        expressions
    }

    fn masquerade_hairpin(&self) -> Vec<Expression> {
        vec![
            ct(CtKey::Status),
            masked(0x20),
            unequal(&[0; 4]),
            self.load(true, FIRST),
            self.load(false, Register::Word(self.words())),
            member("hairpin"),
            masquerade(None),
        ]
    }
}

fn chains() -> Vec<Chain> {
    let inner = ["reject-chain", "lb-3", "cluster-3", "bridge-3", "services"];
    let inner = inner.map(|name| Chain { name: name.to_owned(), ..Chain::default() });
    let base = [
        ("prerouting", ChainKind::Nat, Hook::Prerouting, -101, Policy::Accept),
        ("output", ChainKind::Nat, Hook::Output, -99, Policy::Accept),
        ("postrouting", ChainKind::Nat, Hook::Postrouting, 101, Policy::Accept),
        ("filter-input", ChainKind::Filter, Hook::Input, -110, Policy::Drop),
        ("filter-forward", ChainKind::Filter, Hook::Forward, 5, Policy::Accept),
    ];
    let base = base.map(|(name, kind, hook, priority, policy)| Chain {
        name: name.to_owned(),
        base: Some(BaseChain { kind, hook, priority, policy }),
        comment: Some(format!("the chain {name}")),
    });
    inner.into_iter().chain(base).collect()
}
