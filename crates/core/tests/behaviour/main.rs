//! How core behaves, through its public interface.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod selection;
mod support;
