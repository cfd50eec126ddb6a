//! Rules.

use super::Expression;
use super::uapi::{list, rule};
use super::userdata;
use crate::wire::attribute::{AttributeSet, Attributes};
use crate::wire::encoder::Encoder;

/// A rule: its expressions run in order until one breaks it off or gives a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The expressions.
    pub expressions: Vec<Expression>,
    /// A comment for people.
    pub comment: Option<String>,
}

/// A rule as the kernel lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRule {
    /// The chain that it stands in.
    pub chain: String,
    /// The kernel's number for it, unique in its table.
    pub handle: u64,
    /// What it does.
    pub rule: Rule,
}

impl Rule {
    pub(super) fn encode(&self, table: &str, chain: &str, encoder: &mut Encoder) {
        encoder.text(rule::TABLE, table);
        encoder.text(rule::CHAIN, chain);
        encoder.nested(rule::EXPRESSIONS, |encoder| {
            for expression in &self.expressions {
                expression.encode(encoder);
            }
        });
        if let Some(comment) = &self.comment {
            encoder.attribute(rule::USERDATA, &userdata::comment(userdata::COMMENT, comment));
        }
    }

    pub(super) fn decode(set: &AttributeSet<'_, 8>) -> Option<Rule> {
        let expressions = set.get(rule::EXPRESSIONS).unwrap_or_default();
        Some(Rule {
            expressions: Attributes::new(expressions)
                .map(|entry| entry.filter(|entry| entry.kind == list::ELEM))
                .map(|entry| Expression::decode(entry?.payload))
                .collect::<Option<_>>()?,
            comment: userdata::text(set.get(rule::USERDATA), userdata::COMMENT),
        })
    }
}

impl ListedRule {
    pub(super) fn decode(attributes: &[u8]) -> Option<ListedRule> {
        let set = AttributeSet::<8>::parse(attributes)?;
        Some(ListedRule {
            chain: set.text(rule::CHAIN)?.into_owned(),
            handle: set.be64(rule::HANDLE)?,
            rule: Rule::decode(&set)?,
        })
    }
}
