//! Project tasks behind `cargo xtask`: the test lanes, and the tools that they need.
//!
//! Everything here runs as an ordinary user, installs nothing and writes only below the
//! target directory.

pub mod bench;
pub mod command;
pub mod dependencies;
pub mod lanes;
pub mod tools;
pub mod vm;
