//! Where nft 1.0.6 prints what the `nftables` crate, 0.6, has no words for or words
//! otherwise.

use serde_json::Value;

/// A rule: nft prints a single flag by itself, the crate knows only arrays of flags.
pub(super) fn rule(object: &mut Value) {
    let statements = object.pointer_mut("/rule/expr").and_then(Value::as_array_mut);
    for statement in statements.into_iter().flatten() {
        remember_in_map(statement);
        let Some(flags) = statement.pointer_mut("/masquerade/flags") else { continue };
        if let Some([flag]) = flags.as_array().map(Vec::as_slice) {
            *flags = flag.clone();
        }
    }
}

/// The crate has words for what adds to a set only. Ours all add to maps.
fn remember_in_map(statement: &mut Value) {
    let Some(Value::Object(mut update)) = statement.get_mut("set").map(Value::take) else { return };
    if let Some(map) = update.remove("set") {
        update.insert("map".to_owned(), map);
    }
    let priority = [("meta", [("key", "priority")].into_iter().collect::<Value>())];
    update.insert("data".to_owned(), priority.into_iter().collect());
    if let Some(elem) = update.get_mut("elem").and_then(|it| it.get_mut("elem"))
        && let Some(properties) = elem.as_object_mut()
    {
        properties.retain(|_, property| !property.is_null());
    }
    *statement = [("map", Value::Object(update))].into_iter().collect();
}

/// A set or a map. The crate has neither the type `integer`, which nft gives to the slot
/// that may end a key, nor `verdict`, and nft joins the types of a map's value to one string.
pub(super) fn container(object: &mut Value, ends_in_slot: bool) {
    let Some(object) = object.as_object_mut().and_then(|it| it.values_mut().next()) else { return };
    if let Some(types) = object.get_mut("type").and_then(Value::as_array_mut)
        && ends_in_slot
    {
        types.push("integer".into());
    }
    for name in ["type", "map"] {
        if let Some(types) = object.get_mut(name) {
            priorities(types);
        }
    }
    if let Some(value) = object.get_mut("map").filter(|it| it.is_array()) {
        let types: Vec<&str> =
            value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        *value = if types.is_empty() { "verdict".into() } else { types.join(" . ").into() };
    }
    let has_verdicts = object.get("map").is_some_and(|value| value == "verdict");
    let elements = object.get_mut("elem").and_then(Value::as_array_mut);
    elements.into_iter().flatten().for_each(|it| element(it, has_verdicts));
}

/// Types that the crate has no name for are called `mark` on the way here.
fn priorities(types: &mut Value) {
    match types {
        Value::String(name) if name == "mark" => *name = "classid".to_owned(),
        Value::Array(names) => names.iter_mut().filter(|it| it.is_string()).for_each(priorities),
        _ => {}
    }
}

/// An element: nft leaves out properties that are not there and prints verdicts as
/// objects; the crate writes null, and verdicts without a chain as bare words.
fn element(element: &mut Value, has_verdicts: bool) {
    let Some([key, data]) = element.as_array_mut().map(Vec::as_mut_slice) else { return };
    if let Some(properties) = key.get_mut("elem").and_then(Value::as_object_mut) {
        properties.retain(|_, property| !property.is_null());
    }
    if let Value::String(verdict) = data
        && has_verdicts
    {
        *data = [(verdict.as_str(), Value::Null)].into_iter().collect();
    }
}
