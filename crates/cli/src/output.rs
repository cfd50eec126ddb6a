//! What a command prints.

use std::fmt;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;
use clap::ValueEnum;

/// For people or for programs.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Text,
    Json,
}

/// Prints a text. Whoever reads it may stop in the middle, as `head` does.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Says a line on standard error. If nobody reads that, there is nobody to tell.
pub(crate) fn complain(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
