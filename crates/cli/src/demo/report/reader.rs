//! Whoever reads the report, who may leave before its end.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Write};

/// Whoever reads what is printed has left, as `head` does.
#[derive(Debug)]
pub(in crate::demo) struct ReaderLeft;

impl fmt::Display for ReaderLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads on")
    }
}

impl Error for ReaderLeft {}

impl ReaderLeft {
    /// Whether this is why something failed.
    pub(in crate::demo) fn is_behind(error: &anyhow::Error) -> bool {
        error.chain().any(|cause| {
            let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            inner.is_some_and(|inner| inner.is::<ReaderLeft>())
        })
    }
}

/// Tells a reader who has left from a broken pipe of the traffic.
pub(super) struct Printed {
    out: Box<dyn Write>,
}

impl Printed {
    pub(super) fn to(out: Box<dyn Write>) -> Printed {
        Printed { out }
    }

    fn error(error: io::Error) -> io::Error {
        match error.kind() {
            ErrorKind::BrokenPipe => io::Error::new(ErrorKind::BrokenPipe, ReaderLeft),
            _ => error,
        }
    }
}

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes).map_err(Printed::error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush().map_err(Printed::error)
    }
}
