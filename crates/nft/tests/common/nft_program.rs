//! The `nft` programs that tests read tables with.
#![allow(dead_code, clippy::allow_attributes, reason = "no test needs all of it")]

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::nft_text::NftText;

/// Debian's releases from 11 on: what `cargo xtask` calls the variables that name their `nft`.
const VARIABLES: [&str; 4] =
    ["PORTOLAN_NFT_BULLSEYE", "PORTOLAN_NFT_BOOKWORM", "PORTOLAN_NFT_TRIXIE", "PORTOLAN_NFT_SID"];

/// The first version that loads a map whose key ends in a slot.
const LOADS_SLOTS: [u32; 3] = [1, 0, 6];

/// An `nft` program.
pub(crate) struct Nft {
    path: PathBuf,
    version: [u32; 3],
}

impl Nft {
    /// All that the environment names, oldest first; else the one on the search path.
    pub(crate) fn all() -> Vec<Nft> {
        let named: Vec<Nft> = VARIABLES
            .iter()
            .filter_map(std::env::var_os)
            .map(|path| Nft::new(path.into()).unwrap())
            .collect();
        if !named.is_empty() {
            return named;
        }
        let installed = Nft::new("nft".into());
        assert!(
            installed.is_some(),
            "no nft here: run `cargo xtask test`, which fetches those of several Debian releases"
        );
        println!("only the installed nft: `cargo xtask test` tries those of several releases");
        installed.into_iter().collect()
    }

    /// Those that load what they and we write.
    pub(crate) fn all_that_load() -> Vec<Nft> {
        let programs: Vec<Nft> =
            Nft::all().into_iter().filter(|nft| nft.version >= LOADS_SLOTS).collect();
        assert!(!programs.is_empty(), "needs nft {LOADS_SLOTS:?} or newer: run `cargo xtask test`");
        programs
    }

    /// Whether it loads a rule that adds to a map by a key of more than 16 bytes: nft 1.0.6
    /// keeps one register for it and aborts.
    pub(crate) fn loads_long_updates(&self) -> bool {
        self.version >= [1, 1, 0]
    }

    /// The one of a version.
    pub(crate) fn of_version(version: [u32; 3]) -> Nft {
        let found = Nft::all().into_iter().find(|nft| nft.version == version);
        assert!(found.is_some(), "needs nft {version:?}: run `cargo xtask test`, which fetches it");
        found.unwrap()
    }

    fn new(path: PathBuf) -> Option<Nft> {
        let output = Command::new(&path).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.strip_prefix("nftables v")?.split_whitespace().next()?;
        let numbers: Option<Vec<u32>> = number.split('.').map(|it| it.parse().ok()).collect();
        Some(Nft { path, version: numbers?.try_into().ok()? })
    }

    /// `nft list ruleset` in this thread's namespace.
    pub(crate) fn list(&self) -> NftText {
        NftText::parse(&self.run(&["list", "ruleset"], ""))
    }

    /// `nft -j list ruleset` in this thread's namespace.
    pub(crate) fn list_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.run(&["-j", "list", "ruleset"], "")).unwrap()
    }

    /// `nft -f` of a few lines in this thread's namespace.
    pub(crate) fn edit(&self, lines: &str) {
        self.run(&["-f", "-"], lines);
    }

    /// `nft -f` in this thread's namespace.
    pub(crate) fn load(&self, ruleset: &NftText) {
        for file in ruleset.files() {
            self.run(&["-f", "-"], &file);
        }
    }

    fn run(&self, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(&self.path);
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that fails early reads nothing; its exit status tells.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self} {arguments:?}: {}\n{complaint}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }
}

impl fmt::Display for Nft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.version;
        write!(f, "nft {major}.{minor}.{patch}")
    }
}
