//! Which Services `portolan dump` prints.

use anyhow::bail;
use portolan_core::ObjectName;

/// Which Services were asked for.
pub(super) struct Filter<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) services: &'a [String],
}

impl Filter<'_> {
    pub(super) fn wants(&self, namespace: &str, name: &str) -> bool {
        self.namespace.is_none_or(|wanted| wanted == namespace)
            && (self.services.is_empty()
                || self.services.iter().any(|wanted| matches(wanted, namespace, name)))
    }

    /// # Errors
    ///
    /// Names what was asked for and is not among `found`.
    pub(super) fn check(&self, found: impl Iterator<Item = ObjectName>) -> anyhow::Result<()> {
        let found: Vec<ObjectName> = found.collect();
        let is_found = |wanted: &&String| {
            found.iter().any(|found| matches(wanted, &found.namespace, &found.name))
        };
        let missing: Vec<&str> =
            self.services.iter().filter(|it| !is_found(it)).map(String::as_str).collect();
        let within = self.namespace.map(|namespace| format!(" in namespace {namespace}"));
        let within = within.unwrap_or_default();
        match missing.as_slice() {
            [] if found.is_empty() && self.namespace.is_some() => {
                bail!("no Service{within} is served here")
            }
            [] => Ok(()),
            [one] => bail!("no Service {one}{within} is served here"),
            many => bail!("no Services {}{within} are served here", many.join(", ")),
        }
    }
}

fn matches(wanted: &str, namespace: &str, name: &str) -> bool {
    match wanted.split_once('/') {
        Some(wanted) => wanted == (namespace, name),
        None => wanted == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_chosen_by_namespace_by_name_or_by_both() {
        let services = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let cases: [(Option<&str>, Vec<String>, [bool; 3]); 5] = [
            (None, services(&[]), [true, true, true]),
            (Some("shop"), services(&[]), [true, true, false]),
            (None, services(&["web"]), [true, false, true]),
            (None, services(&["shop/web", "api"]), [true, true, false]),
            (Some("other"), services(&["web"]), [false, false, true]),
        ];
        for (namespace, services, expected) in cases {
            let filter = Filter { namespace, services: &services };
            let wanted = [("shop", "web"), ("shop", "api"), ("other", "web")]
                .map(|(namespace, name)| filter.wants(namespace, name));
            assert_eq!(wanted, expected, "{namespace:?} {services:?}");
        }
    }

    #[test]
    fn a_service_that_is_not_there_is_named() {
        let services = ["shop/web".to_owned(), "api".to_owned()];
        let filter = Filter { namespace: None, services: &services };
        let error = filter.check([ObjectName::new("shop", "web")].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "no Service api is served here");
    }

    #[test]
    fn all_that_is_missing_is_named_with_its_namespace() {
        let told = |namespace, services: &[&str]| {
            let services: Vec<String> = services.iter().map(|it| (*it).to_owned()).collect();
            let filter = Filter { namespace, services: &services };
            filter.check([].into_iter()).err().map(|error| error.to_string())
        };
        assert_eq!(told(None, &[]), None, "there may be none");
        for (namespace, services, text) in [
            (None, &["a", "b"][..], "no Services a, b are served here"),
            (Some("shop"), &[], "no Service in namespace shop is served here"),
            (Some("shop"), &["a"], "no Service a in namespace shop is served here"),
            (Some("shop"), &["a", "b"], "no Services a, b in namespace shop are served here"),
        ] {
            assert_eq!(told(namespace, services).as_deref(), Some(text));
        }
    }
}
