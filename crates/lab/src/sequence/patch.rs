use serde_json::Value;

/// JSON Merge Patch (RFC 7386): maps are merged, null removes, all else replaces.
pub(super) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_null_goes_maps_are_merged_and_the_rest_is_replaced() {
        let mut target = json!({"a": {"b": 1, "c": 2}, "d": [1, 2], "e": 3});
        merge(&mut target, &json!({"a": {"b": null, "f": {"g": null}}, "d": [3], "e": {"h": 4}}));
        assert_eq!(target, json!({"a": {"c": 2, "f": {}}, "d": [3], "e": {"h": 4}}));
    }
}
