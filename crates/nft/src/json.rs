//! The ruleset as nft JSON (libnftables-json(5)), as `nft -j list ruleset` of nft 1.0.6
//! prints it.
//!
//! The objects are those of the `nftables` crate. Where its schema and nft differ,
//! `nft_form` makes of the crate's form what nft prints.

mod container;
mod expression;
mod nft_form;
mod statement;

use nftables::schema::{self, MetainfoObject, NfListObject, Rule, Table};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook};
use portolan_core::Family;
use portolan_netlink::nftables::{BaseChain, ChainKind, Hook, Policy};
use serde_json::Value;

use crate::Ruleset;
use crate::structure::Chain;
use crate::table::DesiredTable;

impl Ruleset {
    /// The ruleset as nft JSON: an object whose only property, `nftables`, is an array of
    /// tables, sets, maps, chains and rules, without handles.
    ///
    /// It is for reading. No nft loads the form in which nft 1.0.6 prints a map whose keys
    /// end in a slot; what a ruleset displays as text loads from 1.0.6 on.
    ///
    /// # Errors
    /// When an object cannot be written as JSON, which no ruleset is known to cause.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        let schema = MetainfoObject { json_schema_version: Some(1), ..MetainfoObject::default() };
        let mut objects = vec![serde_json::to_value(NfListObject::MetainfoObject(schema))?];
        for table in &self.tables {
            let writer = TableWriter { name: &self.name, family: table.family };
            writer.write(table, &mut objects)?;
        }
        Ok([("nftables", Value::Array(objects))].into_iter().collect())
    }
}

/// Writes the objects of one family's table.
struct TableWriter<'a> {
    name: &'a str,
    family: Family,
}

impl TableWriter<'_> {
    /// Appends in the order in which nft lists: containers, chains, the rules of all chains.
    fn write(&self, table: &DesiredTable, objects: &mut Vec<Value>) -> serde_json::Result<()> {
        let name = self.name.into();
        let head = Table { family: self.nft_family(), name, handle: None };
        objects.push(serde_json::to_value(NfListObject::Table(head))?);
        for container in table.containers() {
            objects.push(self.container(table, container)?);
        }
        for chain in &table.chains {
            objects.push(serde_json::to_value(NfListObject::Chain(self.chain(chain)))?);
        }
        for rule in table.chains.iter().flat_map(|chain| self.rules(chain)) {
            let mut object = serde_json::to_value(NfListObject::Rule(rule))?;
            nft_form::rule(&mut object);
            objects.push(object);
        }
        Ok(())
    }

    const fn nft_family(&self) -> NfFamily {
        match self.family {
            Family::V4 => NfFamily::IP,
            Family::V6 => NfFamily::IP6,
        }
    }

    fn chain<'a>(&'a self, chain: &'a Chain) -> schema::Chain<'a> {
        let base = chain.base.as_ref();
        schema::Chain {
            family: self.nft_family(),
            table: self.name.into(),
            name: chain.name.as_str().into(),
            _type: base.map(chain_type),
            hook: base.map(hook),
            prio: base.map(|base| base.priority),
            policy: base.map(policy),
            ..schema::Chain::default()
        }
    }

    fn rules<'a>(&'a self, chain: &'a Chain) -> impl Iterator<Item = Rule<'a>> {
        chain.rules.iter().map(|rule| Rule {
            family: self.nft_family(),
            table: self.name.into(),
            chain: chain.name.as_str().into(),
            expr: statement::statements(rule, self.family).into(),
            ..Rule::default()
        })
    }
}

const fn chain_type(base: &BaseChain) -> NfChainType {
    match base.kind {
        ChainKind::Filter => NfChainType::Filter,
        ChainKind::Nat => NfChainType::NAT,
        ChainKind::Route => NfChainType::Route,
    }
}

const fn hook(base: &BaseChain) -> NfHook {
    match base.hook {
        Hook::Prerouting => NfHook::Prerouting,
        Hook::Input => NfHook::Input,
        Hook::Forward => NfHook::Forward,
        Hook::Output => NfHook::Output,
        Hook::Postrouting => NfHook::Postrouting,
    }
}

const fn policy(base: &BaseChain) -> NfChainPolicy {
    match base.policy {
        Policy::Accept => NfChainPolicy::Accept,
        Policy::Drop => NfChainPolicy::Drop,
    }
}
