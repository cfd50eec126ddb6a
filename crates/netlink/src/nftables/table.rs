//! Tables.

use super::uapi::{TABLE_DORMANT, table};
use super::userdata;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The name, at most 255 bytes.
    pub name: String,
    /// A comment for people. Kernels before 5.10 do not keep it.
    pub comment: Option<String>,
    /// The base chains see no packets (`NFT_TABLE_F_DORMANT`). Adding a table that exists
    /// changes this.
    pub dormant: bool,
}

impl Table {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder.text(table::NAME, &self.name);
        encoder.be32(table::FLAGS, if self.dormant { TABLE_DORMANT } else { 0 });
        if let Some(comment) = &self.comment {
            encoder.attribute(table::USERDATA, &userdata::comment(userdata::COMMENT, comment));
        }
    }

    pub(super) fn decode(attributes: &[u8]) -> Option<Table> {
        let set = AttributeSet::<7>::parse(attributes)?;
        Some(Table {
            name: set.text(table::NAME)?.into_owned(),
            comment: userdata::text(set.get(table::USERDATA), userdata::COMMENT),
            dormant: set.optional(table::FLAGS, |set| set.be32(table::FLAGS))?.unwrap_or(0)
                & TABLE_DORMANT
                != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_decoded_as_it_was_encoded() {
        for table in [
            Table { name: "portolan".into(), comment: Some("hello".into()), dormant: false },
            Table { name: "t".into(), comment: None, dormant: true },
        ] {
            let mut encoder = Encoder::default();
            table.encode(&mut encoder);
            assert_eq!(Table::decode(encoder.bytes()), Some(table));
        }
    }
}
