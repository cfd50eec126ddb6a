//! Rulesets as JSON, in a form in which ours and those that nft prints are the same.

use portolan_core::Protocol;
use serde_json::Value;

/// Without handles, with sorted elements, and with names for protocols, which nft prints as
/// numbers where there is no /etc/protocols.
pub(crate) fn comparable(json: &Value) -> Vec<Value> {
    let mut objects = json.get("nftables").unwrap().as_array().unwrap().clone();
    objects.retain(|object| object.get("metainfo").is_none());
    for object in &mut objects {
        let properties = object.as_object_mut().unwrap().values_mut().next().unwrap();
        properties.as_object_mut().unwrap().remove("handle");
        name_protocols(properties);
        if let Some(Value::Array(elements)) = properties.get_mut("elem") {
            elements.sort_by_key(Value::to_string);
        }
    }
    objects
}

/// Where the key of an element is: of a map or a set, with and without a comment.
const KEYS: [&str; 4] = ["/0/elem/val/concat", "/0/concat", "/elem/val/concat", "/concat"];

fn name_protocols(properties: &mut Value) {
    let types = properties.get("type").and_then(Value::as_array).into_iter().flatten();
    let place = types.into_iter().position(|it| it == "inet_proto");
    let elements = properties.get_mut("elem").and_then(Value::as_array_mut);
    let (Some(place), Some(elements)) = (place, elements) else { return };
    for element in elements {
        let places = KEYS.map(|key| format!("{key}/{place}"));
        let path = places.iter().find(|path| element.pointer(path).is_some()).unwrap();
        let protocol = element.pointer_mut(path).unwrap();
        let number = protocol.as_u64().map(|number| u8::try_from(number).unwrap());
        if let Some(known) = number.and_then(Protocol::from_number) {
            *protocol = known.lower_case().into();
        }
    }
}
