//! The kernels of the matrix, and the tests whose outcome depends on the kernel.

use std::path::Path;

use nix::unistd::Uid;

use crate::tools::Suite;

/// A kernel that Debian maintains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its version, as `--kernel` wants it.
    pub name: &'static str,
    suite: Suite,
}

impl Kernel {
    /// The kernel of every run: that of Debian 12.
    pub const USUAL: Kernel = Kernel { name: "6.1", suite: Suite::Bookworm };

    /// All of them, oldest first.
    pub const ALL: [Kernel; 4] = [
        Kernel { name: "5.10", suite: Suite::Bullseye },
        Kernel::USUAL,
        Kernel { name: "6.12", suite: Suite::Trixie },
        Kernel { name: "newest", suite: Suite::Sid },
    ];

    /// The Debian release that it is from.
    pub(super) const fn suite(self) -> Suite {
        self.suite
    }
}

/// Programs that ask the kernel something, as package and test. Those that run `nft` are
/// not among them: they ask how each `nft` reads our table, which no kernel changes.
pub(super) const PROGRAMS: &[(&str, &str)] = &[
    ("portolan", "flows"),
    ("portolan", "ipvs_agent"),
    ("portolan", "ipvs_bench"),
    ("portolan", "ipvs_flows"),
    ("portolan-ipvs", "ipvs_differential"),
    ("portolan-ipvs", "ipvs_scenarios"),
    ("portolan-ipvs", "ipvs_sequences"),
    ("portolan-ipvs", "ipvs_swap"),
    ("portolan-ipvs", "ipvs_table"),
    ("portolan-netlink", "ipvs"),
    ("portolan-netlink", "kernel"),
    ("portolan-nft", "affinity"),
    ("portolan-nft", "kernel"),
    ("portolan-nft", "localhost"),
    ("portolan-nft", "refused"),
    ("portolan-nft", "scenarios"),
    ("portolan-nft", "strays"),
];

/// Names of programs that need IPVS, which most hosts have not: `cargo test` leaves them out.
pub fn tests_apart() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(_, test)| *test).filter(|test| test.starts_with("ipvs"))
}

/// Whether the programs of [`tests_apart`] run on this machine too: its kernel has IPVS
/// loaded, and this is the superuser, the only one whom IPVS obeys.
pub fn run_here_too() -> bool {
    Uid::effective().is_root() && Path::new("/proc/net/ip_vs").exists()
}
