//! Label and field selectors.

use crate::object::{Key, Selectable, Stored};
use crate::resource::Resource;

/// What a client wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Only objects of this namespace.
    pub(crate) namespace: Option<Box<str>>,
    pub(crate) labels: Vec<Requirement>,
    pub(crate) fields: Vec<FieldRequirement>,
}

/// One term of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    key: Box<str>,
    condition: Condition,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Exists,
    Absent,
    In(Vec<Box<str>>),
    /// An object without the label is selected too.
    NotIn(Vec<Box<str>>),
}

/// One term of a field selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldRequirement {
    field: SelectableField,
    value: Box<str>,
    equal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SelectableField {
    Name,
    Namespace,
    ClusterIp,
    ServiceType,
}

impl Selection {
    pub(crate) fn selects(&self, object: &Stored) -> bool {
        self.is_within(object)
            && self.labels.iter().all(|term| term.holds(&object.selectable))
            && self.fields.iter().all(|term| term.holds(&object.key, &object.selectable))
    }

    /// Whether an object is in the namespace that is looked at.
    pub(crate) fn is_within(&self, object: &Stored) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| *object.key.namespace == *namespace)
    }

    /// Whether it selects whatever there is.
    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

impl Requirement {
    fn holds(&self, object: &Selectable) -> bool {
        let value = object.labels.get(&self.key);
        match &self.condition {
            Condition::Exists => value.is_some(),
            Condition::Absent => value.is_none(),
            Condition::In(values) => value.is_some_and(|value| values.contains(value)),
            Condition::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        }
    }
}

impl FieldRequirement {
    fn holds(&self, key: &Key, object: &Selectable) -> bool {
        let value = match self.field {
            SelectableField::Name => Some(&*key.name),
            SelectableField::Namespace => Some(&*key.namespace),
            SelectableField::ClusterIp => object.cluster_ip.as_deref(),
            SelectableField::ServiceType => object.service_type.as_deref(),
        };
        (value.unwrap_or_default() == &*self.value) == self.equal
    }
}

/// Reads a label selector: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b, c)`,
/// `a notin (b, c)`, separated by commas. An error is what a client is told.
pub(crate) fn parse_labels(text: &str) -> Result<Vec<Requirement>, String> {
    terms(text).map(|term| label_term(term.trim())).collect()
}

/// Reads a field selector: `field=value`, `field==value`, `field!=value`, separated by
/// commas.
pub(crate) fn parse_fields(
    text: &str,
    resource: Resource,
) -> Result<Vec<FieldRequirement>, String> {
    terms(text).map(|term| field_term(term.trim(), resource)).collect()
}

/// What commas outside of parentheses separate.
fn terms(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    let separator = move |letter: char| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    };
    text.split(separator).filter(|term| !term.trim().is_empty())
}

fn label_term(term: &str) -> Result<Requirement, String> {
    let requirement = |key: &str, condition| {
        let key = key.trim();
        if key.is_empty() || key.contains(|letter: char| " !=()<>,".contains(letter)) {
            return Err(format!("unable to parse requirement: {term:?}"));
        }
        Ok(Requirement { key: key.into(), condition })
    };
    let one = |value: &str| vec![value.trim().into()];
    if let Some((key, values)) = term.strip_suffix(')').and_then(|term| term.split_once('(')) {
        let values = values.split(',').map(|value| value.trim().into()).collect();
        let key = key.trim();
        return match (key.strip_suffix(" notin"), key.strip_suffix(" in")) {
            (Some(key), _) => requirement(key, Condition::NotIn(values)),
            (None, Some(key)) => requirement(key, Condition::In(values)),
            (None, None) => Err(format!("unable to parse requirement: {term:?}")),
        };
    }
    if let Some((key, value)) = term.split_once("!=") {
        return requirement(key, Condition::NotIn(one(value)));
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return requirement(key, Condition::In(one(value)));
    }
    match term.strip_prefix('!') {
        Some(key) => requirement(key, Condition::Absent),
        None => requirement(term, Condition::Exists),
    }
}

fn field_term(term: &str, resource: Resource) -> Result<FieldRequirement, String> {
    let (field, value, equal) = if let Some((field, value)) = term.split_once("!=") {
        (field, value, false)
    } else if let Some((field, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        (field, value, true)
    } else {
        return Err(format!("invalid field selector: {term:?}"));
    };
    let field = match (field.trim(), resource) {
        ("metadata.name", _) => SelectableField::Name,
        ("metadata.namespace", _) if resource.is_namespaced() => SelectableField::Namespace,
        ("spec.clusterIP", Resource::Services) => SelectableField::ClusterIp,
        ("spec.type", Resource::Services) => SelectableField::ServiceType,
        (other, _) => return Err(format!("field label not supported: {other}")),
    };
    Ok(FieldRequirement { field, value: value.trim().into(), equal })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::object::Draft;

    fn object(labels: &serde_json::Value) -> Stored {
        let object = json!({
            "apiVersion": "v1", "kind": "Service", "spec": {"clusterIP": "None"},
            "metadata": {"name": "web", "namespace": "shop", "labels": labels},
        });
        Draft::new(&object).unwrap().seal(1)
    }

    fn selection(labels: &str, fields: &str) -> Selection {
        Selection {
            namespace: None,
            labels: parse_labels(labels).unwrap(),
            fields: parse_fields(fields, Resource::Services).unwrap(),
        }
    }

    #[test]
    fn each_form_of_a_label_selector_selects_what_it_says() {
        let proxy = "service.kubernetes.io/service-proxy-name";
        for (selector, labels, selected) in [
            ("", json!({}), true),
            ("a", json!({"a": ""}), true),
            ("a", json!({}), false),
            ("!a", json!({"a": ""}), false),
            ("!a", json!({"b": ""}), true),
            ("a=b", json!({"a": "b"}), true),
            ("a==b", json!({"a": "b"}), true),
            ("a=b", json!({"a": "c"}), false),
            ("a=b", json!({}), false),
            ("a=", json!({"a": ""}), true),
            ("a!=b", json!({"a": "c"}), true),
            ("a!=b", json!({"a": "b"}), false),
            ("a!=b", json!({}), true),
            ("a in (b,c)", json!({"a": "c"}), true),
            ("a in (b, c),d", json!({"a": "c"}), false),
            ("a notin (b,c)", json!({"a": "c"}), false),
            ("a notin (b,c)", json!({}), true),
            ("a notin (b), !c ,d=e", json!({"a": "x", "d": "e"}), true),
            (&format!("!{proxy},!service.kubernetes.io/headless"), json!({proxy: "x"}), false),
            (&format!("!{proxy},!service.kubernetes.io/headless"), json!({}), true),
        ] {
            let found = selection(selector, "").selects(&object(&labels));
            assert_eq!(found, selected, "{selector:?} on {labels}");
        }
    }

    #[test]
    fn each_field_selects_what_it_says() {
        for (selector, selected) in [
            ("metadata.name=web", true),
            ("metadata.name==other", false),
            ("metadata.namespace!=shop", false),
            ("metadata.namespace=shop,metadata.name=web", true),
            ("spec.clusterIP!=None", false),
            ("spec.type=", true),
        ] {
            let found = selection("", selector).selects(&object(&json!({})));
            assert_eq!(found, selected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for labels in ["a b", "=b", "a in b)", "a in", "a>1", "(a)", "!"] {
            assert!(parse_labels(labels).is_err(), "{labels}");
        }
        for fields in ["metadata.name", "status.phase=x"] {
            assert!(parse_fields(fields, Resource::Services).is_err(), "{fields}");
        }
        assert!(parse_fields("spec.clusterIP=None", Resource::Nodes).is_err());
        assert!(parse_fields("metadata.namespace=a", Resource::Nodes).is_err());
    }
}
