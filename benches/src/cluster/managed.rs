//! `managedFields`: who wrote which fields of an object, as API servers keep it since server
//! side apply (KEP-555). Whoever reads an object gets them, about a third more bytes.

use serde_json::{Map, Value, json};

/// Lets an object say that its fields were written by a manager. Those of a Service are by
/// field, since its ports are a list by key; lists of an EndpointSlice are one field each.
pub(super) fn add(mut object: Value, manager: &str, time: &str) -> Value {
    let mut fields = Map::new();
    fields.insert("f:metadata".to_owned(), of_metadata(&object));
    for (name, value) in object.as_object().into_iter().flatten() {
        let owned = match (name.as_str(), value) {
            ("apiVersion" | "kind" | "metadata" | "status", _) => continue,
            ("spec", spec) => of_spec(spec),
            _ => json!({}),
        };
        fields.insert(format!("f:{name}"), owned);
    }
    let api_version = object.get("apiVersion").cloned().unwrap_or_default();
    let entry = json!({
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    });
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), json!([entry]));
    }
    object
}

fn of_metadata(object: &Value) -> Value {
    let mut fields = Map::new();
    for name in ["annotations", "generateName", "labels", "ownerReferences"] {
        let owned = match object.pointer(&format!("/metadata/{name}")) {
            Some(Value::Object(entries)) => each(entries),
            Some(Value::Array(owners)) => keyed(owners, &["uid"], false),
            Some(_) => json!({}),
            None => continue,
        };
        fields.insert(format!("f:{name}"), owned);
    }
    fields.into()
}

fn of_spec(spec: &Value) -> Value {
    let fields = spec.as_object().into_iter().flatten();
    // Given by the API server itself, which manages nothing.
    let fields = fields.filter(|(name, _)| !name.starts_with("clusterIP"));
    let owned = fields.map(|(name, value)| {
        let owned = match (name.as_str(), value) {
            ("ports", Value::Array(ports)) => keyed(ports, &["port", "protocol"], true),
            // A selector is one field.
            _ => json!({}),
        };
        (format!("f:{name}"), owned)
    });
    Value::Object(owned.collect())
}

/// A map: the whole of it, and each entry.
fn each(entries: &Map<String, Value>) -> Value {
    let whole = std::iter::once((".".to_owned(), json!({})));
    let entries = entries.keys().map(|key| (format!("f:{key}"), json!({})));
    Value::Object(whole.chain(entries).collect())
}

/// A list whose items are known by some of their fields.
fn keyed(items: &[Value], keys: &[&str], with_fields: bool) -> Value {
    let whole = std::iter::once((".".to_owned(), json!({})));
    let items = items.iter().filter_map(Value::as_object).map(|item| {
        let key = keys.iter().filter_map(|key| Some(((*key).to_owned(), item.get(*key)?.clone())));
        let key = Value::Object(key.collect());
        (format!("k:{key}"), if with_fields { each(item) } else { json!({}) })
    });
    Value::Object(whole.chain(items).collect())
}
