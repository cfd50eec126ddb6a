//! The fields of keys and values, with nft's numbers for their types.

/// One field of a key or value. In a concatenation each starts at a multiple of 4 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `ipv4_addr`: 4 bytes, network byte order.
    Ipv4Address,
    /// `ipv6_addr`: 16 bytes, network byte order.
    Ipv6Address,
    /// `inet_proto`: 1 byte.
    Protocol,
    /// `inet_service`: 2 bytes, network byte order.
    Port,
    /// A number from `numgen random`: 4 bytes, host byte order. It has no type of its own
    /// in nft's language: a set that has one is written and listed with `typeof`, and nft
    /// before 1.0.6 cannot load it. Beside `typeof` it is declared as `mark`, which has the
    /// same form: nft 0.9.8 does not know the `typeof` of numbers, and aborts when it sorts
    /// the elements of a field whose type, `integer`, has no length.
    Slot,
    /// `classid`, the type of a packet's priority: 4 bytes, host byte order. nft prints the
    /// halves in hexadecimal: 3 is `0:3`, and zero is `none`.
    Priority,
    /// `ifname`: 16 bytes, padded with zero bytes.
    InterfaceName,
    /// A type that Portolan does not use.
    Other {
        /// nft's number of the type.
        kind: u8,
        /// The length in bytes; zero where a listing does not tell it.
        length: u8,
    },
}

/// nft gives every field of a concatenation 6 bits of the type's number.
const BITS_PER_FIELD: u32 = 6;
const FIELD_MASK: u32 = (1 << BITS_PER_FIELD) - 1;

/// What nft and the kernel know about a field.
pub(super) struct Properties {
    /// nft's number of the type (`enum datatypes` in its `datatype.h`).
    pub(super) kind: u8,
    pub(super) length: u8,
    pub(super) byte_order: ByteOrder,
}

/// `enum byteorder` of nft. A single byte has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    None = 0,
    Host = 1,
    Network = 2,
}

impl Field {
    /// The length in bytes, without padding.
    pub fn length(self) -> usize {
        usize::from(self.properties().length)
    }

    pub(super) const fn properties(self) -> Properties {
        let (kind, length, byte_order) = match self {
            Field::Ipv4Address => (7, 4, ByteOrder::Network),
            Field::Ipv6Address => (8, 16, ByteOrder::Network),
            Field::Protocol => (12, 1, ByteOrder::None),
            Field::Port => (13, 2, ByteOrder::Network),
            Field::Slot => (19, 4, ByteOrder::Host),
            Field::Priority => (23, 4, ByteOrder::Host),
            Field::InterfaceName => (41, 16, ByteOrder::Host),
            Field::Other { kind, length } => (kind, length, ByteOrder::None),
        };
        Properties { kind, length, byte_order }
    }

    fn from_number(kind: u8) -> Field {
        match kind {
            7 => Field::Ipv4Address,
            8 => Field::Ipv6Address,
            12 => Field::Protocol,
            13 => Field::Port,
            // Declared by us, or by nft when it loads what it listed.
            19 | 4 => Field::Slot,
            23 => Field::Priority,
            41 => Field::InterfaceName,
            kind => Field::Other { kind, length: 0 },
        }
    }
}

/// The type's number of a key or value with these fields.
pub(super) fn type_number(fields: &[Field]) -> u32 {
    fields
        .iter()
        .fold(0, |number, field| (number << BITS_PER_FIELD) | u32::from(field.properties().kind))
}

/// The length of a key or value with these fields: padded if there are several.
pub(super) fn total_length(fields: &[Field]) -> usize {
    match fields {
        [single] => single.length(),
        several => several.iter().map(|field| crate::wire::align(field.length())).sum(),
    }
}

/// The fields of a key or value with this type and length. If the two do not agree, it is
/// one field of another type.
pub(super) fn from_type(mut number: u32, length: u32) -> Vec<Field> {
    let mut fields = Vec::new();
    let first_kind = u8::try_from(number & FIELD_MASK).unwrap_or(0);
    while number != 0 {
        fields.push(Field::from_number(u8::try_from(number & FIELD_MASK).unwrap_or(0)));
        number >>= BITS_PER_FIELD;
    }
    fields.reverse();
    let length = u8::try_from(length).unwrap_or(u8::MAX);
    let known = !fields.iter().any(|field| matches!(field, Field::Other { .. }));
    let single = fields.len() < 2;
    if single && !known || known && total_length(&fields) != usize::from(length) {
        return vec![Field::Other { kind: first_kind, length }];
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concatenations_have_the_numbers_and_lengths_that_nft_gives_them() {
        use Field::{InterfaceName, Ipv4Address, Ipv6Address, Port, Priority, Protocol, Slot};
        for (fields, number, length) in [
            (&[Ipv4Address, Protocol, Port][..], 0x730d, 12),
            (&[Ipv4Address, Protocol, Port, Slot], 0x1c_c353, 16),
            (&[Ipv6Address, Protocol, Port, Slot], 0x20_c353, 28),
            (&[Ipv4Address, Protocol, Port, Priority], 0x1c_c357, 16),
            (&[Priority], 23, 4),
            (&[Ipv6Address, Port], 0x20d, 20),
            (&[Protocol, Port], 0x30d, 8),
            (&[Ipv4Address, InterfaceName], 0x1e9, 20),
            (&[Port], 13, 2),
            (&[Protocol], 12, 1),
        ] {
            assert_eq!((type_number(fields), total_length(fields)), (number, length));
            assert_eq!(from_type(number, u32::try_from(length).unwrap()), fields);
        }
    }

    #[test]
    fn a_slot_is_also_known_by_the_type_that_nft_gives_it_when_it_loads_a_listing() {
        use Field::{Ipv4Address, Port, Protocol, Slot};
        assert_eq!(from_type(0x1c_c344, 16), [Ipv4Address, Protocol, Port, Slot]);
    }

    #[test]
    fn a_type_that_does_not_fit_its_length_is_another_type() {
        assert_eq!(from_type(7, 6), [Field::Other { kind: 7, length: 6 }]);
        assert_eq!(from_type(0, 4), [Field::Other { kind: 0, length: 4 }]);
        assert_eq!(from_type(9, 6), [Field::Other { kind: 9, length: 6 }]);
        assert_eq!(from_type(0x1cd, 400), [Field::Other { kind: 13, length: 255 }]);
        assert_eq!(from_type(0x1c9, 12), [Field::Ipv4Address, Field::Other { kind: 9, length: 0 }]);
    }
}
