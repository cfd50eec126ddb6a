//! Which backend has new connections.

/// Which way new connections take to endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The table balances and translates them.
    Nftables,
    /// The table hands them to IPVS.
    Ipvs,
}

impl Mode {
    /// The mode that operators call so.
    pub fn from_name(name: &str) -> Option<Mode> {
        [Mode::Nftables, Mode::Ipvs].into_iter().find(|mode| mode.name() == name)
    }

    /// What operators call it.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Nftables => "nftables",
            Mode::Ipvs => "ipvs",
        }
    }
}
