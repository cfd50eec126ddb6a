//! Short ways to write objects down.
