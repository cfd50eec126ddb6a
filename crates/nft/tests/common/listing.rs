//! What our tables do for each frontend, as `nft -j list ruleset` has it: sets, maps and
//! rules read with the `nftables` crate.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use nftables::expr::{Expression, NamedExpression, Verdict};
use nftables::stmt::{JumpTarget, NAT, Statement};
use portolan_core::{EndpointAddress, Family, Protocol};
use serde_json::Value;

use crate::serving::{FrontendKey, Serving};

/// The objects of a listing, by family and name.
#[derive(Default)]
struct Listing {
    elements: BTreeMap<(Family, String), Vec<Expression<'static>>>,
    statements: BTreeMap<(Family, String), Vec<Statement<'static>>>,
}

impl Serving {
    /// What a listing's tables do.
    pub(crate) fn listed(json: &Value) -> Serving {
        let listing = Listing::read(json);
        let mut serving = Serving::default();
        for ((family, name), elements) in &listing.elements {
            for element in elements {
                listing.add(&mut serving, *family, name, element);
            }
        }
        for (key, served) in &serving.frontends {
            assert!(!served.ends.is_empty(), "endpoints without a frontend: {key:?}");
        }
        serving
    }
}

impl Listing {
    /// Sets and maps differ in what the crate can read of their declarations, never in their
    /// elements. A statement that it cannot read is none that leads anywhere.
    fn read(json: &Value) -> Listing {
        let mut listing = Listing::default();
        for object in json.get("nftables").unwrap().as_array().unwrap() {
            let (kind, properties) = object.as_object().unwrap().iter().next().unwrap();
            let text = |key: &str| properties.get(key).and_then(Value::as_str).unwrap_or_default();
            let family = if text("family") == "ip6" { Family::V6 } else { Family::V4 };
            let array = |key: &str| properties.get(key).and_then(Value::as_array).cloned();
            match kind.as_str() {
                "set" | "map" => {
                    let elements = array("elem").unwrap_or_default();
                    let elements =
                        elements.into_iter().map(|it| serde_json::from_value(it).unwrap());
                    listing.elements.insert((family, text("name").to_owned()), elements.collect());
                }
                "rule" => {
                    let statements = array("expr").unwrap().into_iter();
                    let chain = listing.statements.entry((family, text("chain").to_owned()));
                    chain.or_default().extend(statements.flat_map(serde_json::from_value));
                }
                _ => {}
            }
        }
        listing
    }

    fn add(&self, serving: &mut Serving, family: Family, name: &str, element: &Expression<'_>) {
        let Expression::List(pair) = element else {
            let addresses = fields(element).into_iter().map(|field| field.parse().unwrap());
            let addresses: BTreeSet<IpAddr> = addresses.collect();
            assert_eq!(addresses.len(), 1, "a pair of different addresses: {element:?}");
            return serving.addresses(name).extend(addresses);
        };
        let [key, data] = pair.as_slice() else { panic!("no key and value: {element:?}") };
        let (frontend, slot) = frontend(family, name, &fields(key));
        let served = serving.frontends.entry(frontend).or_default();
        let Some(slot) = slot else {
            served.comment = comment(key);
            return self.follow(family, data, &mut served.ends);
        };
        let [ip, port] = fields(data).try_into().unwrap();
        let endpoint = EndpointAddress { ip: ip.parse().unwrap(), port: port.parse().unwrap() };
        let endpoints = served.endpoints.entry(name.to_owned()).or_default();
        assert!(endpoints.insert(endpoint), "{name}: {frontend:?}: {endpoint} twice, in {slot}");
    }

    /// Where a verdict of a map leads in the end.
    fn follow(&self, family: Family, verdict: &Expression<'_>, ends: &mut BTreeSet<String>) {
        match verdict {
            Expression::Verdict(Verdict::Drop) => {
                ends.insert("drop".to_owned());
            }
            Expression::Verdict(Verdict::Goto(JumpTarget { target })) => {
                self.follow_chain(family, target, ends);
            }
            other => panic!("no verdict of ours: {other:?}"),
        }
    }

    fn follow_chain(&self, family: Family, chain: &str, ends: &mut BTreeSet<String>) {
        for statement in self.statements.get(&(family, chain.to_owned())).unwrap() {
            match statement {
                Statement::Goto(JumpTarget { target }) => self.follow_chain(family, target, ends),
                Statement::Drop(_) => drop(ends.insert("drop".to_owned())),
                Statement::Reject(_) if chain.starts_with("reset-strays-") => {
                    ends.insert("reset strays".to_owned());
                }
                Statement::Reject(_) => drop(ends.insert("reject".to_owned())),
                Statement::DNAT(Some(NAT { addr: Some(address), .. })) => {
                    ends.insert(slots_and_map(address));
                    // What follows is for slots that have gone meanwhile.
                    return;
                }
                _ => {}
            }
        }
    }
}

/// `N of MAP`.
fn slots_and_map(address: &Expression<'_>) -> String {
    let Expression::Named(NamedExpression::Map(map)) = address else { panic!("{address:?}") };
    let Expression::Named(NamedExpression::Concat(key)) = &map.key else { panic!("{map:?}") };
    let Some(Expression::Named(NamedExpression::Numgen(slot))) = key.last() else {
        panic!("no slot in {key:?}");
    };
    let Expression::String(name) = &map.data else { panic!("{map:?}") };
    format!("{} of {}", slot.ng_mod, name.trim_start_matches('@'))
}

fn frontend(family: Family, map: &str, fields: &[String]) -> (FrontendKey, Option<u32>) {
    let mut fields = fields.iter();
    let address = if map.starts_with("node-port") { None } else { fields.next() };
    let address = address.map(|address| address.parse().unwrap());
    let protocol = fields.next().unwrap();
    // Without /etc/protocols nft prints numbers.
    let is_called =
        |it: &Protocol| *protocol == it.lower_case() || *protocol == it.number().to_string();
    let protocol = Protocol::ALL.into_iter().find(is_called).unwrap();
    let port = fields.next().unwrap().parse().unwrap();
    ((family, address, protocol, port), fields.next().map(|slot| slot.parse().unwrap()))
}

fn fields(expression: &Expression<'_>) -> Vec<String> {
    match expression {
        Expression::Named(NamedExpression::Elem(element)) => fields(&element.val),
        Expression::Named(NamedExpression::Concat(parts)) => {
            parts.iter().flat_map(fields).collect()
        }
        Expression::String(text) => vec![text.to_string()],
        Expression::Number(number) => vec![number.to_string()],
        other => panic!("no field of ours: {other:?}"),
    }
}

fn comment(key: &Expression<'_>) -> String {
    let Expression::Named(NamedExpression::Elem(element)) = key else { return String::new() };
    element.comment.clone().unwrap_or_default().into_owned()
}
