//! Sets and maps.

use super::field::{self, Field};
use super::set_userdata;
use super::uapi::{DATA_TYPE_VERDICT, set, set_description, set_field, set_flag};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// A named set, or a map if it has data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The name, at most 255 bytes.
    pub name: String,
    /// The fields of the key; more than one make a concatenation.
    pub key: Vec<Field>,
    /// What a key maps to; `None` for a set.
    pub data: Option<SetData>,
    /// How many elements it can hold. Declare it: a set without is slower to fill, and a
    /// listing right after a large change may miss elements.
    pub size: Option<u32>,
    /// The elements are ranges. Concatenations of ranges are one range per field.
    pub interval: bool,
    /// Rules add elements ([`Expression::Update`](super::Expression)).
    pub dynamic: bool,
    /// Elements may end by themselves.
    pub timeout: bool,
    /// A comment for people. It shares 256 bytes with the description that nft needs, and
    /// is cut to what is left.
    pub comment: Option<String>,
    /// Flags (`NFT_SET_*`) that Portolan does not use, as the kernel listed them; zero in
    /// sets made here. They are not written.
    pub other_flags: u32,
    /// The kernel listed statements that each new element gets (`counter`, `limit`). Sets made
    /// here have none, and none are written.
    pub has_statements: bool,
}

impl Set {
    /// Whether another set is declared in the same way, whatever the sizes. Comments are for people,
    /// and old kernels do not keep them.
    pub fn is_declared_as(&self, other: &Set) -> bool {
        let bare = |set: &Set| Set { comment: None, size: None, ..set.clone() };
        bare(self) == bare(other)
    }
}

/// What the keys of a map lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetData {
    /// A verdict.
    Verdict,
    /// A value, or several one after the other.
    Fields(Vec<Field>),
}

impl Set {
    /// Writes a new set. `id` need only be unique in its batch.
    pub(super) fn encode(&self, table: &str, id: u32, encoder: &mut Encoder) {
        encoder.text(set::TABLE, table);
        encoder.text(set::NAME, &self.name);
        encoder.be32(set::FLAGS, self.flags());
        encoder.be32(set::KEY_TYPE, field::type_number(&self.key));
        encoder.be32(set::KEY_LEN, length(&self.key));
        match &self.data {
            None => {}
            Some(SetData::Verdict) => {
                encoder.be32(set::DATA_TYPE, DATA_TYPE_VERDICT);
                encoder.be32(set::DATA_LEN, 0);
            }
            Some(SetData::Fields(fields)) => {
                encoder.be32(set::DATA_TYPE, field::type_number(fields));
                encoder.be32(set::DATA_LEN, length(fields));
            }
        }
        encoder.be32(set::ID, id);
        self.encode_description(encoder);
        encoder.attribute(set::USERDATA, &set_userdata::encode(self));
    }

    fn encode_description(&self, encoder: &mut Encoder) {
        if self.size.is_none() && !self.concatenates_ranges() {
            return;
        }
        encoder.nested(set::DESC, |encoder| {
            if let Some(size) = self.size {
                encoder.be32(set_description::SIZE, size);
            }
            if self.concatenates_ranges() {
                encoder.nested(set_description::CONCAT, |encoder| {
                    for field in &self.key {
                        encoder.nested(super::uapi::list::ELEM, |encoder| {
                            encoder.be32(set_field::LEN, length(&[*field]));
                        });
                    }
                });
            }
        });
    }

    pub(super) fn decode(attributes: &[u8]) -> Option<Set> {
        let attributes = AttributeSet::<19>::parse(attributes)?;
        let flags = attributes.optional(set::FLAGS, |a| a.be32(set::FLAGS))?.unwrap_or(0);
        let description = attributes.nested::<3>(set::DESC);
        let mut decoded = Set {
            name: attributes.text(set::NAME)?.into_owned(),
            key: field::from_type(attributes.be32(set::KEY_TYPE)?, attributes.be32(set::KEY_LEN)?),
            data: attributes.optional(set::DATA_TYPE, decode_data)?,
            size: description.and_then(|description| description.be32(set_description::SIZE)),
            interval: flags & set_flag::INTERVAL != 0,
            dynamic: flags & set_flag::DYNAMIC != 0,
            timeout: flags & set_flag::TIMEOUT != 0,
            comment: set_userdata::comment(attributes.get(set::USERDATA)),
            other_flags: 0,
            has_statements: [set::EXPR, set::EXPRESSIONS]
                .iter()
                .any(|kind| attributes.get(*kind).is_some()),
        };
        decoded.other_flags = flags & !decoded.flags();
        Some(decoded)
    }

    /// Only these concatenations carry `NFT_SET_CONCAT`: nft sets it for no other.
    fn concatenates_ranges(&self) -> bool {
        self.interval && self.key.len() > 1
    }

    fn flags(&self) -> u32 {
        let flag = |condition, flag| if condition { flag } else { 0 };
        flag(self.interval, set_flag::INTERVAL)
            | flag(self.data.is_some(), set_flag::MAP)
            | flag(self.timeout, set_flag::TIMEOUT)
            | flag(self.dynamic, set_flag::DYNAMIC)
            | flag(self.concatenates_ranges(), set_flag::CONCATENATION)
    }
}

fn length(fields: &[Field]) -> u32 {
    u32::try_from(field::total_length(fields)).unwrap_or(u32::MAX)
}

fn decode_data(attributes: &AttributeSet<'_, 19>) -> Option<SetData> {
    match attributes.be32(set::DATA_TYPE)? {
        DATA_TYPE_VERDICT => Some(SetData::Verdict),
        number => Some(SetData::Fields(field::from_type(number, attributes.be32(set::DATA_LEN)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(set: &Set) {
        let mut encoder = Encoder::default();
        set.encode("portolan", 1, &mut encoder);
        assert_eq!(Set::decode(encoder.bytes()), Some(set.clone()));
    }

    #[test]
    fn a_set_is_decoded_as_it_was_encoded() {
        let addresses = [Field::Ipv4Address, Field::Ipv6Address];
        for address in addresses {
            for data in [None, Some(SetData::Verdict), Some(SetData::Fields(vec![address]))] {
                for interval in [false, true] {
                    for key in [vec![address], vec![address, Field::Protocol, Field::Port]] {
                        check(&Set {
                            name: "s".into(),
                            key,
                            data: data.clone(),
                            size: interval.then_some(64),
                            interval,
                            dynamic: !interval,
                            timeout: !interval,
                            comment: Some("why".into()),
                            other_flags: 0,
                            has_statements: false,
                        });
                    }
                }
            }
        }
    }

    #[test]
    fn flags_that_we_never_set_are_kept_so_that_the_set_compares_unequal() {
        let mut encoder = Encoder::default();
        let set = Set { name: "s".into(), key: vec![Field::Slot], ..Set::default() };
        set.encode("t", 1, &mut encoder);
        encoder.be32(set::FLAGS, 2 | set_flag::CONCATENATION);
        let decoded = Set::decode(encoder.bytes()).unwrap();
        assert_eq!(decoded.other_flags, 2 | set_flag::CONCATENATION);
    }
}
