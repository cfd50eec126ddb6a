//! The rules of `deny.toml`, as far as they are used here. The file's format is that of
//! cargo-deny: <https://embarkstudios.github.io/cargo-deny/checks/cfg.html>.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use spdx::{Expression, Licensee, ParseMode};
use toml::{Table, Value};

use super::{CRATES_IO, Package};

/// What `deny.toml` says.
pub(super) struct Policy {
    /// `graph.targets`: the target triples that count.
    pub(super) targets: Vec<String>,
    allowed: Vec<Licensee>,
    banned: Vec<(String, String)>,
    skipped: Vec<String>,
}

impl Policy {
    /// Reads the text of `deny.toml`.
    pub(super) fn parse(text: &str) -> Result<Policy> {
        let file: Table = text.parse()?;
        let allowed = strings(list(&file, "licenses", "allow")?)
            .map(|name| Licensee::parse(name).with_context(|| format!("licenses.allow: {name}")))
            .collect::<Result<_>>()?;
        let banned = entries(&file, "deny")?;
        let skipped = entries(&file, "skip")?.into_iter().map(|(name, _)| name).collect();
        let targets = strings(list(&file, "graph", "targets")?).map(str::to_owned).collect();
        Ok(Policy { targets, allowed, banned, skipped })
    }

    /// A line for each rule that a package breaks.
    pub(super) fn complaints(&self, packages: &[Package]) -> Vec<String> {
        let each = packages.iter().flat_map(|package| {
            [self.licence(package), self.ban(package), source(package)].into_iter().flatten()
        });
        each.chain(self.duplicates(packages)).collect()
    }

    fn licence(&self, package: &Package) -> Option<String> {
        // Some packages still write `MIT/Apache-2.0`, as was usual before SPDX.
        let admitted = Expression::parse_mode(&package.licence, ParseMode::LAX)
            .is_ok_and(|it| it.evaluate(|term| self.allowed.iter().any(|a| a.satisfies(term))));
        let Package { name, version, licence, .. } = package;
        (!admitted).then(|| format!("{name} {version}: licence {licence:?} is not allowed"))
    }

    fn ban(&self, package: &Package) -> Option<String> {
        let (_, reason) = self.banned.iter().find(|(name, _)| *name == package.name)?;
        Some(format!("{} {}: banned: {reason}", package.name, package.version))
    }

    fn duplicates(&self, packages: &[Package]) -> Vec<String> {
        let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for package in packages.iter().filter(|package| !self.is_skipped(package)) {
            versions.entry(&package.name).or_default().push(&package.version);
        }
        versions.retain(|_, versions| versions.len() > 1);
        let line = |(name, versions): (_, Vec<_>)| {
            format!("{name}: several versions: {}", versions.join(", "))
        };
        versions.into_iter().map(line).collect()
    }

    /// `name@0.22` skips every 0.22.x.
    fn is_skipped(&self, package: &Package) -> bool {
        self.skipped.iter().any(|skipped| match skipped.split_once('@') {
            Some((name, version)) => {
                let rest = package.version.strip_prefix(version);
                name == package.name
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
            None => *skipped == package.name,
        })
    }
}

fn source(package: &Package) -> Option<String> {
    let Package { name, version, source, .. } = package;
    let known = source.is_empty() || source == CRATES_IO;
    (!known).then(|| format!("{name} {version}: comes from {source}, not from crates.io"))
}

fn list<'a>(file: &'a Table, section: &str, key: &str) -> Result<&'a [Value]> {
    let value = file.get(section).and_then(|section| section.get(key));
    let items = value.and_then(Value::as_array).map(Vec::as_slice);
    items.with_context(|| format!("{section}.{key} must be a list"))
}

fn strings(items: &[Value]) -> impl Iterator<Item = &str> {
    items.iter().filter_map(Value::as_str)
}

/// The names of the packages in `bans.KEY`, each with its reason, which is demanded here.
fn entries(file: &Table, key: &str) -> Result<Vec<(String, String)>> {
    let field = |entry: &Value, field: &str| {
        let text = entry.get(field).and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("bans.{key}: {entry:?} lacks `{field}`"))
    };
    let entries = list(file, "bans", key)?.iter();
    entries.map(|entry| Ok((field(entry, "crate")?, field(entry, "reason")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        graph.targets = []
        licenses.allow = ["MIT", "Apache-2.0 WITH LLVM-exception"]
        bans.deny = [{ crate = "bad", reason = "it is bad" }]
        bans.skip = [{ crate = "two@0.2", reason = "late" }]
    "#;

    fn package(name: &str, version: &str, licence: &str) -> Package {
        let [name, version, licence] = [name, version, licence].map(str::to_owned);
        Package { name, version, licence, source: CRATES_IO.to_owned() }
    }

    fn complaints(packages: &[Package]) -> Vec<String> {
        Policy::parse(POLICY).unwrap().complaints(packages)
    }

    #[test]
    fn a_licence_is_admitted_if_one_choice_of_it_is() {
        for (licence, admitted) in [
            ("MIT", true),
            ("GPL-3.0-only OR MIT", true),
            ("GPL-3.0-only/MIT", true),
            ("MIT AND Apache-2.0 WITH LLVM-exception", true),
            ("MIT AND GPL-3.0-only", false),
            ("Apache-2.0", false),
            ("nonsense", false),
            ("", false),
        ] {
            let found = complaints(&[package("a", "1.0.0", licence)]);
            assert_eq!(found.is_empty(), admitted, "{licence}: {found:?}");
        }
    }

    #[test]
    fn a_ban_is_reported_with_its_reason() {
        let found = complaints(&[package("bad", "1.0.0", "MIT")]);
        assert_eq!(found, ["bad 1.0.0: banned: it is bad"]);
    }

    #[test]
    fn a_second_version_is_refused_unless_it_is_skipped() {
        let versions = |list: &[&str]| {
            let packages: Vec<_> = list.iter().map(|it| package("two", it, "MIT")).collect();
            complaints(&packages)
        };
        assert_eq!(versions(&["0.2.9", "0.3.0"]), [""; 0]);
        assert_eq!(versions(&["0.20.0", "0.3.0"]), ["two: several versions: 0.20.0, 0.3.0"]);
    }

    #[test]
    fn only_crates_io_is_a_source() {
        let stranger =
            Package { source: "git+https://a.test".into(), ..package("a", "1.0.0", "MIT") };
        assert_eq!(complaints(&[stranger]).len(), 1);
    }

    #[test]
    fn an_exception_to_the_rules_needs_a_reason() {
        let text = POLICY.replace(", reason = \"late\"", "");
        let error = Policy::parse(&text).err().unwrap().to_string();
        assert!(error.contains("bans.skip") && error.contains("reason"), "{error}");
    }
}
