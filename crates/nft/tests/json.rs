//! The ruleset as nft JSON says what the ruleset as text says, in words that the `nftables`
//! crate reads.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "common/settings.rs"]
mod settings;

use std::collections::BTreeMap;

use nftables::schema::{NfListObject, NfObject, Nftables};
use portolan_core::Environment;
use portolan_nft::{NftOptions, Ruleset, render};
use serde_json::{Value, json};

fn rulesets() -> impl Iterator<Item = Ruleset> {
    let plans = common::one_of_each();
    let settings = settings::settings().into_iter();
    settings.map(move |(environment, options)| render(&plans, &environment, &options))
}

fn objects(ruleset: &Ruleset) -> Vec<Value> {
    ruleset.json().unwrap().get("nftables").unwrap().as_array().unwrap().clone()
}

fn kind_and_properties(object: &Value) -> (&str, &Value) {
    let (kind, properties) = object.as_object().unwrap().iter().next().unwrap();
    (kind, properties)
}

/// What the `nftables` crate makes of one object.
fn parse(object: &Value) -> serde_json::Result<NfObject<'static>> {
    let document: Nftables<'_> = serde_json::from_value(json!({ "nftables": [object] }))?;
    Ok(document.objects.first().unwrap().clone())
}

#[test]
fn the_nftables_crate_reads_all_that_it_has_words_for() {
    for ruleset in rulesets() {
        for object in objects(&ruleset) {
            let (kind, properties) = kind_and_properties(&object);
            // Its schema lacks the types `verdict` and `integer` and does not take the types of
            // a map's value as one string, nor a flag of masquerade by itself.
            let masquerades = properties.to_string().contains("{\"masquerade\":");
            let without_words = kind == "map" || (kind == "rule" && masquerades);
            match parse(&object) {
                Ok(parsed) => {
                    assert!(!without_words, "the crate has learnt to read {object}");
                    assert!(matches!(parsed, NfObject::ListObject(_)), "{object}");
                    assert_eq!(serde_json::to_value(parsed).unwrap(), object);
                }
                Err(error) => assert!(without_words, "{error}: {object}"),
            }
        }
    }
}

#[test]
fn elements_of_maps_are_read_once_the_map_has_types_that_the_crate_knows() {
    let mut elements = 0;
    for mut object in rulesets().flat_map(|ruleset| objects(&ruleset)) {
        let Some(map) = object.get_mut("map").and_then(Value::as_object_mut) else { continue };
        map.insert("type".to_owned(), "mark".into());
        map.insert("map".to_owned(), "mark".into());
        let NfObject::ListObject(NfListObject::Map(map)) = parse(&object).unwrap() else {
            panic!("no map: {object}");
        };
        elements += map.elem.unwrap_or_default().len();
    }
    assert!(elements > 160, "only {elements} elements");
}

/// How many rules each chain has and how many elements each container, and how many tables
/// there are, by `family kind name`.
type Contents = BTreeMap<String, usize>;

fn contents_of_text(text: &str) -> Contents {
    let (mut contents, mut family, mut current) = (Contents::new(), "", String::new());
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["table", of, name, "{"] => {
                family = of;
                contents.insert(format!("{family} table {name}"), 0);
            }
            [kind @ ("set" | "map" | "chain"), name, "{"] => {
                current = format!("{family} {kind} {name}");
                contents.insert(current.clone(), 0);
            }
            ["type" | "typeof" | "size" | "flags" | "comment" | "}", ..] | [] => {}
            _ => *contents.get_mut(&current).unwrap() += 1,
        }
    }
    contents
}

fn contents_of_json(objects: &[Value]) -> Contents {
    let mut contents = Contents::new();
    for object in objects {
        let (kind, properties) = kind_and_properties(object);
        let text = |key: &str| properties.get(key).and_then(Value::as_str).unwrap_or_default();
        let elements = properties.get("elem").and_then(Value::as_array).map_or(0, Vec::len);
        let family = text("family");
        match kind {
            "rule" => *contents.get_mut(&format!("{family} chain {}", text("chain"))).unwrap() += 1,
            "metainfo" => {}
            _ => {
                let earlier =
                    contents.insert(format!("{family} {kind} {}", text("name")), elements);
                assert_eq!(earlier, None, "twice: {object}");
            }
        }
    }
    contents
}

#[test]
fn every_chain_rule_and_element_of_the_text_is_in_the_json() {
    for ruleset in rulesets() {
        let text = contents_of_text(&ruleset.to_string());
        assert_eq!(contents_of_json(&objects(&ruleset)), text);
        assert!(text.values().sum::<usize>() > 90, "{text:?}");
    }
}

#[test]
fn no_services_make_two_tables_with_empty_containers() {
    let empty = render([], &Environment::default(), &NftOptions::default());
    let objects = objects(&empty);
    assert_eq!(contents_of_json(&objects), contents_of_text(&empty.to_string()));
    assert!(objects.iter().all(|object| kind_and_properties(object).1.get("elem").is_none()));
}
