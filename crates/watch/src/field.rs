//! One field of a Kubernetes object, read without ever failing.
//!
//! A field of the wrong type must not cost the whole object, and an object that cannot
//! be decoded would stay stale in a watch. So every field accepts every type and keeps
//! what went wrong; the conversion names the field when it gets there. Only broken JSON
//! or YAML syntax is left as an error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a document says about one field.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Field<T> {
    /// Nothing, or `null`, which the API treats alike.
    #[default]
    Absent,
    /// A value of the right type.
    Value(T),
    /// A value of another type, which this describes.
    Wrong(&'static str),
}

impl<T> Field<T> {
    /// The value, if there is one of the right type.
    pub(crate) fn value(&self) -> Option<&T> {
        match self {
            Field::Value(value) => Some(value),
            Field::Absent | Field::Wrong(_) => None,
        }
    }

    /// Whether anything but `null` stands there.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Field::Absent)
    }
}

/// A list whose elements are read independently of each other.
pub(crate) type List<T> = Field<Vec<Field<T>>>;

/// A type that a field can have. Each method is one type of JSON value; what a type does
/// not override is of the wrong type for it.
pub(crate) trait Readable: Sized {
    /// The type, as it stands in "where … is expected".
    const EXPECTED: &'static str;

    /// From a text.
    fn from_text(_: &str) -> Option<Self> {
        None
    }

    /// From an integer.
    fn from_integer(_: i64) -> Option<Self> {
        None
    }

    /// From `true` or `false`.
    fn from_flag(_: bool) -> Option<Self> {
        None
    }

    /// From a list, which is read to its end in any case.
    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// From a mapping, which is read to its end in any case.
    fn from_mapping<'de, A: MapAccess<'de>>(mut mapping: A) -> Result<Option<Self>, A::Error> {
        while mapping.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Readable for String {
    const EXPECTED: &'static str = "a text";

    fn from_text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

impl Readable for i64 {
    const EXPECTED: &'static str = "an integer";

    fn from_integer(integer: i64) -> Option<i64> {
        Some(integer)
    }
}

impl Readable for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_flag(flag: bool) -> Option<bool> {
        Some(flag)
    }
}

impl<T: Readable> Readable for Vec<Field<T>> {
    const EXPECTED: &'static str = "a list";

    fn from_list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

/// Reads a structure of fields from a mapping: the body of [`Readable::from_mapping`].
pub(crate) fn structure<'de, T, A>(mapping: A) -> Result<Option<T>, A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    T::deserialize(MapAccessDeserializer::new(mapping)).map(Some)
}

impl<'de, T: Readable> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<T>, D::Error> {
        deserializer.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

fn or_wrong<T>(value: Option<T>, found: &'static str) -> Field<T> {
    value.map_or(Field::Wrong(found), Field::Value)
}

const LARGE: &str = "a number beyond 64 bits";

impl<'de, T: Readable> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_none<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<T>, E> {
        Ok(or_wrong(T::from_flag(flag), "true or false"))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Field<T>, E> {
        Ok(or_wrong(T::from_integer(integer), "a number"))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Field<T>, E> {
        let Ok(integer) = i64::try_from(integer) else { return Ok(Field::Wrong(LARGE)) };
        Ok(or_wrong(T::from_integer(integer), "a number"))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Field<T>, E> {
        Ok(Field::Wrong(LARGE))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Field<T>, E> {
        Ok(Field::Wrong(LARGE))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<T>, E> {
        Ok(Field::Wrong("a fraction"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<T>, E> {
        Ok(or_wrong(T::from_text(text), "a text"))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Field<T>, E> {
        Ok(Field::Wrong("bytes"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Field<T>, A::Error> {
        Ok(or_wrong(T::from_list(list)?, "a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mapping: A) -> Result<Field<T>, A::Error> {
        Ok(or_wrong(T::from_mapping(mapping)?, "a mapping"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Readable>(json: &str) -> Field<T> {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn every_json_type_is_read_or_described() {
        let cases = [
            ("null", Field::Absent, Field::Absent, Field::Absent),
            ("7", Field::Wrong("a number"), Field::Value(7), Field::Wrong("a number")),
            ("-7", Field::Wrong("a number"), Field::Value(-7), Field::Wrong("a number")),
            (
                "7.5",
                Field::Wrong("a fraction"),
                Field::Wrong("a fraction"),
                Field::Wrong("a fraction"),
            ),
            ("18446744073709551615", Field::Wrong(LARGE), Field::Wrong(LARGE), Field::Wrong(LARGE)),
            (
                "true",
                Field::Wrong("true or false"),
                Field::Wrong("true or false"),
                Field::Value(true),
            ),
            ("\"7\"", Field::Value("7".to_owned()), Field::Wrong("a text"), Field::Wrong("a text")),
            (
                "[1, {\"a\": []}]",
                Field::Wrong("a list"),
                Field::Wrong("a list"),
                Field::Wrong("a list"),
            ),
            (
                "{\"a\": [1]}",
                Field::Wrong("a mapping"),
                Field::Wrong("a mapping"),
                Field::Wrong("a mapping"),
            ),
        ];
        for (json, text, integer, flag) in cases {
            assert_eq!(read::<String>(json), text, "{json} as a text");
            assert_eq!(read::<i64>(json), integer, "{json} as an integer");
            assert_eq!(read::<bool>(json), flag, "{json} as a flag");
        }
    }

    #[test]
    fn a_bad_element_leaves_the_rest_of_a_list_alone() {
        assert_eq!(
            read::<Vec<Field<i64>>>("[1, \"2\", null, 3]"),
            Field::Value(vec![
                Field::Value(1),
                Field::Wrong("a text"),
                Field::Absent,
                Field::Value(3)
            ])
        );
        assert_eq!(read::<Vec<Field<i64>>>("\"1\""), Field::Wrong("a text"));
    }

    #[test]
    fn broken_syntax_is_an_error() {
        assert!(serde_json::from_str::<Field<i64>>("{\"a\": ").is_err());
        assert!(serde_json::from_str::<Field<i64>>("[1,,2]").is_err());
    }
}
