use serde::Deserialize;
use serde_json::Value;

use super::SequenceError;
use super::patch::merge;

/// Something that a backend cannot do as the sequences say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deviation {
    /// The reason, for people.
    because: String,
    #[serde(rename = "where")]
    places: Vec<Place>,
}

/// A packet or question of a step, and what happens to it instead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    sequence: String,
    when: String,
    /// What the packet or question has, among other things.
    what: serde_json::Map<String, Value>,
    /// A JSON Merge Patch of it.
    instead: Value,
}

impl Deviation {
    /// Takes it in, where there is something that it is about.
    pub(super) fn apply(&self, raw: &mut [Value]) -> Result<(), SequenceError> {
        self.places.iter().try_for_each(|place| {
            let found = place.find(raw).ok_or_else(|| SequenceError {
                sequence: place.sequence.clone(),
                problem: format!(
                    "not one packet or question of the step {:?} has {:?}, of which \"{}\" speaks",
                    place.when,
                    place.what,
                    self.because.trim()
                ),
            })?;
            merge(found, &place.instead);
            Ok(())
        })
    }
}

impl Place {
    /// The only packet or question that has it all.
    fn find<'a>(&self, raw: &'a mut [Value]) -> Option<&'a mut Value> {
        let named = |it: &&mut Value, key: &str, name: &str| {
            it.get(key).and_then(Value::as_str) == Some(name)
        };
        let sequence = raw.iter_mut().find(|it| named(it, "sequence", &self.sequence))?;
        let steps = sequence.get_mut("steps")?.as_array_mut()?;
        let step = steps.iter_mut().find(|it| named(it, "when", &self.when))?.as_object_mut()?;
        let lists = step.iter_mut().filter(|(key, _)| ["packets", "asks"].contains(&key.as_str()));
        let mut fitting = lists
            .filter_map(|(_, list)| list.as_array_mut())
            .flatten()
            .filter(|it| self.what.iter().all(|(key, value)| it.get(key) == Some(value)));
        let found = fitting.next()?;
        fitting.next().is_none().then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw() -> Vec<Value> {
        let packets = json!([{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]);
        let asks = json!([{"from": "d", "unlike": "A"}]);
        let step = json!({"when": "now", "packets": packets, "asks": asks});
        vec![json!({"sequence": "one", "steps": [step]})]
    }

    fn deviation(sequence: &str, when: &str, what: &Value, instead: &Value) -> Deviation {
        let place = json!({"sequence": sequence, "when": when, "what": what, "instead": instead});
        serde_json::from_value(json!({"because": "of it", "where": [place]})).unwrap()
    }

    #[test]
    fn the_packet_or_question_that_is_meant_becomes_another() {
        let mut raw = raw();
        let packet = deviation("one", "now", &json!({"to": "b"}), &json!({"then": "silent"}));
        let ask = deviation("one", "now", &json!({"from": "d"}), &json!({"unlike": null}));
        packet.apply(&mut raw).unwrap();
        ask.apply(&mut raw).unwrap();
        let step = json!({
            "when": "now",
            "packets": [{"from": "a", "to": "b", "then": "silent"}, {"from": "a", "to": "c"}],
            "asks": [{"from": "d"}],
        });
        assert_eq!(raw, [json!({"sequence": "one", "steps": [step]})]);
    }

    #[test]
    fn what_means_nothing_or_more_than_one_thing_is_an_error() {
        for (sequence, when, what) in [
            ("another", "now", json!({"to": "b"})),
            ("one", "then", json!({"to": "b"})),
            ("one", "now", json!({"to": "z"})),
            ("one", "now", json!({"from": "a"})),
        ] {
            let error = deviation(sequence, when, &what, &json!({})).apply(&mut raw()).unwrap_err();
            assert!(error.to_string().contains("of it"), "{error}");
        }
    }
}
