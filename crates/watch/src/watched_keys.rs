//! A mapping that is read into a structure, whose keys are looked at on the way.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess};

use crate::field::Field;
use crate::manifest::OWN_PREFIX;

/// Collects the keys that begin with [`OWN_PREFIX`]; a structure forgets those that it does
/// not know.
pub(crate) struct WatchedKeys<'a, A> {
    pub(crate) mapping: A,
    pub(crate) own: &'a mut Vec<String>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WatchedKeys<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let Some(key) = self.mapping.next_key::<Field<String>>()? else { return Ok(None) };
        // A key that is no text is none that is known.
        let key = key.value().map_or("", String::as_str);
        if key.starts_with(OWN_PREFIX) {
            self.own.push(key.to_owned());
        }
        let key: StrDeserializer<'_, A::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.mapping.next_value_seed(seed)
    }
}
