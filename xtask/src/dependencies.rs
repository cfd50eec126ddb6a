//! `deny.toml` held against what the workspace depends on, without cargo-deny.

mod policy;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{capture, cargo, workspace_root};
use policy::Policy;

/// Where every dependency must come from. Cargo calls it so whatever mirror serves it.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A package that the workspace depends on, on a target that it is built for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The SPDX expression, or empty.
    licence: String,
    /// Empty for a package of the workspace.
    source: String,
}

/// Fails with every dependency that `deny.toml` does not admit.
///
/// # Errors
/// Besides those, when `deny.toml` or Cargo's answer cannot be read.
pub fn check() -> Result<()> {
    let path = workspace_root().join("deny.toml");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let policy = Policy::parse(&text).context("deny.toml")?;
    let packages = packages(&policy.targets)?;
    let complaints = policy.complaints(&packages);
    if !complaints.is_empty() {
        bail!("deny.toml refuses {} dependencies:\n{}", complaints.len(), complaints.join("\n"));
    }
    println!("{} packages comply with deny.toml", packages.len());
    Ok(())
}

fn packages(targets: &[String]) -> Result<Vec<Package>> {
    let mut command = cargo(["metadata", "--format-version", "1"]);
    for target in targets {
        command.args(["--filter-platform", target]);
    }
    let metadata: Value = serde_json::from_str(&capture(&mut command)?)?;
    let list = metadata.get("packages").and_then(Value::as_array).context("no packages")?;
    let mut packages: Vec<Package> = list.iter().map(package).collect();
    packages.sort();
    Ok(packages)
}

fn package(value: &Value) -> Package {
    let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Package {
        name: text("name"),
        version: text("version"),
        licence: text("license"),
        source: text("source"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_of_the_workspace_has_no_source() {
        let value = serde_json::json!({"name": "a", "version": "1.0.0", "source": null});
        assert_eq!(package(&value).source, "");
    }
}
