//! Which kernel modules the tests need, and in which order they load.
//!
//! `depmod` runs when a kernel is installed, and this one is not. So the order comes from
//! where `depmod` has it: each module's `.modinfo` section, which is a list of
//! `name=value`, each ended by a zero byte (`include/linux/moduleparam.h`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Modules that every kernel has, perhaps built in.
const NEEDED: &[&str] = &[
    // The nftables backend.
    "nf_tables",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
    "nft_fib_ipv4",
    "nft_fib_ipv6",
    "nft_hash",
    "nft_limit",
    "nft_log",
    "nft_masq",
    "nft_nat",
    "nft_numgen",
    "nft_quota",
    "nft_redir",
    "nft_reject_inet",
    "nft_reject_ipv4",
    "nft_reject_ipv6",
    "nf_conntrack_netlink",
    // IPVS.
    "ip_vs",
    "ip_vs_dh",
    "ip_vs_fo",
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_lc",
    "ip_vs_mh",
    "ip_vs_nq",
    "ip_vs_ovf",
    "ip_vs_rr",
    "ip_vs_sed",
    "ip_vs_sh",
    "ip_vs_wlc",
    "ip_vs_wrr",
    // The lab, and what nodes of a cluster have loaded.
    "br_netfilter",
    "bridge",
    "dummy",
    "sctp",
    "veth",
];

/// Modules of some kernels: counters are part of `nf_tables` since 5.18 and references to
/// objects since 6.2, and Debian's 6.12 is the first with this scheduler.
const WHERE_PRESENT: &[&str] = &["nft_counter", "nft_objref", "ip_vs_twos"];

/// A module, not compressed.
#[derive(Debug)]
pub(super) struct Module {
    /// Its name, with underscores.
    pub(super) name: String,
    /// The file.
    pub(super) content: Vec<u8>,
}

/// The modules for the tests below `lib/modules/RELEASE`, each after those it depends on.
///
/// # Errors
/// When a module is missing or cannot be read.
pub(super) fn in_load_order(directory: &Path) -> Result<Vec<Module>> {
    let mut tree = Tree::read(directory)?;
    for name in NEEDED {
        tree.load(name)?;
    }
    for name in WHERE_PRESENT {
        if tree.files.contains_key(*name) {
            tree.load(name)?;
        }
    }
    Ok(tree.loaded)
}

struct Tree {
    files: BTreeMap<String, PathBuf>,
    known: BTreeSet<String>,
    loaded: Vec<Module>,
}

impl Tree {
    fn read(directory: &Path) -> Result<Tree> {
        let mut files = BTreeMap::new();
        find(&directory.join("kernel"), &mut files)?;
        let path = directory.join("modules.builtin");
        let built_in =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let known = built_in.lines().filter_map(|line| name_of(Path::new(line))).collect();
        Ok(Tree { files, known, loaded: Vec::new() })
    }

    /// Adds a module and what it depends on, unless they are there.
    fn load(&mut self, name: &str) -> Result<()> {
        if !self.known.insert(name.to_owned()) {
            return Ok(());
        }
        let path = self.files.get(name);
        let path = path.with_context(|| format!("this kernel has no module {name}"))?;
        let content = read(path).with_context(|| format!("cannot read {}", path.display()))?;
        for dependency in dependencies(&content) {
            self.load(&dependency)?;
        }
        self.loaded.push(Module { name: name.to_owned(), content });
        Ok(())
    }
}

fn find(directory: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if let Some(name) = name_of(&path) {
            files.insert(name, path);
        }
    }
    Ok(())
}

/// `br_netfilter` of `…/br_netfilter.ko.xz`. File names may have `-` where the kernel
/// knows only `_`.
fn name_of(path: &Path) -> Option<String> {
    let file = path.file_name()?.to_str()?;
    let name = file.strip_suffix(".xz").unwrap_or(file).strip_suffix(".ko")?;
    Some(name.replace('-', "_"))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_none_or(|extension| extension != "xz") {
        return Ok(fs::read(path)?);
    }
    let output = Command::new("xz")
        .args(["--decompress", "--stdout"])
        .arg(path)
        .output()
        .context("cannot start xz; install the package xz-utils")?;
    if !output.status.success() {
        bail!("xz: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

fn dependencies(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"depends=";
    let entry = module.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(KEY));
    let names = String::from_utf8_lossy(entry.unwrap_or_default()).into_owned();
    names.split(',').filter(|name| !name.is_empty()).map(|it| it.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(depends: &str) -> Vec<u8> {
        format!("\x7fELF\0license=GPL\0depends={depends}\0name=x\0").into_bytes()
    }

    /// A kernel whose modules need what is said.
    fn kernel(modules: &[(&str, &str)], built_in: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("kernel/net")).unwrap();
        for (name, depends) in modules {
            let path = directory.path().join(format!("kernel/net/{name}.ko"));
            fs::write(path, module(depends)).unwrap();
        }
        fs::write(directory.path().join("modules.builtin"), built_in).unwrap();
        directory
    }

    fn order(tree: &Tree) -> Vec<&str> {
        tree.loaded.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn a_module_loads_once_and_after_all_that_it_depends_on() {
        let modules = [("a", "b,c"), ("b", "c-d"), ("c-d", ""), ("c", "c_d")];
        let directory = kernel(&modules, "");
        let mut tree = Tree::read(directory.path()).unwrap();
        tree.load("a").unwrap();
        tree.load("b").unwrap();
        assert_eq!(order(&tree), ["c_d", "b", "c", "a"]);
    }

    #[test]
    fn what_is_built_in_is_not_loaded() {
        let directory = kernel(&[("a", "b")], "kernel/net/b.ko\n");
        let mut tree = Tree::read(directory.path()).unwrap();
        tree.load("a").unwrap();
        assert_eq!(order(&tree), ["a"]);
    }

    #[test]
    fn a_missing_module_is_named() {
        let directory = kernel(&[("a", "b")], "");
        let error = Tree::read(directory.path()).unwrap().load("a").unwrap_err();
        assert!(error.to_string().contains("no module b"), "{error}");
        let error = in_load_order(directory.path()).unwrap_err();
        assert!(error.to_string().contains("no module nf_tables"), "{error}");
    }
}
