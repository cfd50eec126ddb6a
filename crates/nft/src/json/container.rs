//! Sets, maps and their elements as objects of nft JSON.

use std::collections::HashSet;

use nftables::expr::{Elem, Expression, NamedExpression, Prefix, Verdict};
use nftables::schema::{Map, NfListObject, Set, SetFlag, SetType, SetTypeValue};
use nftables::stmt::JumpTarget;
use portolan_netlink::nftables::{Field, SetData};

use super::expression::{concatenation, text};
use super::{TableWriter, nft_form};
use crate::container::Container;
use crate::element::{Element, Value};
use crate::table::DesiredTable;
use crate::text::{KeyText, priority_text};

impl TableWriter<'_> {
    /// A container with its elements.
    pub(super) fn container(
        &self,
        table: &DesiredTable,
        container: Container,
    ) -> serde_json::Result<serde_json::Value> {
        let elements = table.elements(container).iter().map(|it| element(container, it));
        let elements: Vec<_> = elements.collect();
        let key = container.key(self.family);
        let data = container.data(self.family);
        let set = Set {
            family: self.nft_family(),
            table: self.name.into(),
            name: container.name().into(),
            set_type: types(&key),
            elem: (!elements.is_empty()).then(|| elements.into()),
            size: Some(table.size(container)),
            flags: flags(container),
            comment: Some(container.purpose().into()),
            ..Set::default()
        };
        let mut object = serde_json::to_value(match &data {
            None => NfListObject::Set(Box::new(set)),
            Some(data) => NfListObject::Map(Box::new(map(set, data))),
        })?;
        nft_form::container(&mut object, key.last() == Some(&Field::Slot));
        Ok(object)
    }
}

fn map<'a>(set: Set<'a>, data: &SetData) -> Map<'a> {
    Map {
        family: set.family,
        table: set.table,
        name: set.name,
        set_type: set.set_type,
        map: match data {
            SetData::Fields(fields) => types(fields),
            SetData::Verdict => types(&[]),
        },
        elem: set.elem,
        size: set.size,
        flags: set.flags,
        comment: set.comment,
        ..Map::default()
    }
}

fn flags(container: Container) -> Option<HashSet<SetFlag>> {
    let flags: &[SetFlag] = match container {
        Container::SourceRanges => &[SetFlag::Interval],
        // nft 1.0.6 does not print `dynamic` here.
        Container::Affinity(..) => &[SetFlag::Timeout],
        _ => return None,
    };
    Some(flags.iter().copied().collect())
}

/// The types of fields, without those that the crate has no name for.
fn types<'a>(fields: &[Field]) -> SetTypeValue<'a> {
    let types: Vec<SetType> = fields.iter().filter_map(set_type).collect();
    match types.as_slice() {
        [one] => SetTypeValue::Single(*one),
        _ => SetTypeValue::Concatenated(types.into()),
    }
}

const fn set_type(field: &Field) -> Option<SetType> {
    match field {
        Field::Ipv4Address => Some(SetType::Ipv4Addr),
        Field::Ipv6Address => Some(SetType::Ipv6Addr),
        Field::Protocol => Some(SetType::InetProto),
        Field::Port => Some(SetType::InetService),
        Field::InterfaceName => Some(SetType::Ifname),
        // `nft_form` gives it its own name; no container of ours has marks.
        Field::Priority => Some(SetType::Mark),
        Field::Slot | Field::Other { .. } => None,
    }
}

fn element(container: Container, element: &Element) -> Expression<'_> {
    let mut key = key(container, element);
    if let Some(comment) = element.comment.as_deref() {
        key = Expression::Named(NamedExpression::Elem(Elem {
            val: Box::new(key),
            comment: Some(comment.into()),
            ..Elem::default()
        }));
    }
    let data = match element.value {
        Value::Present | Value::Network(_) | Value::Foreign => return key,
        Value::Seat(seat) => text(priority_text(seat)),
        Value::Endpoint(endpoint) => {
            let port = Expression::Number(endpoint.port.into());
            concatenation(vec![text(endpoint.ip.to_string()), port])
        }
        Value::Chain(chain) => {
            Expression::Verdict(Verdict::Goto(JumpTarget { target: chain.to_string().into() }))
        }
        Value::Drop => Expression::Verdict(Verdict::Drop),
    };
    Expression::List(vec![key, data])
}

fn key<'a>(container: Container, element: &Element) -> Expression<'a> {
    // Ports and slots are numbers; no address or protocol reads as one.
    let field = |field: &String| match field.parse() {
        Ok(number) => Expression::Number(number),
        Err(_) => text(field.clone()),
    };
    let mut fields: Vec<_> =
        KeyText::new(container, &element.key).fields().iter().map(field).collect();
    if let Value::Network(length) = element.value
        && !element.is_single_client(length)
        && let Some(client) = fields.pop()
    {
        let prefix = Prefix { addr: Box::new(client), len: length.into() };
        fields.push(Expression::Named(NamedExpression::Prefix(prefix)));
    }
    if fields.len() == 1 { fields.remove(0) } else { concatenation(fields) }
}
