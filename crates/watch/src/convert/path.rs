//! The path of a field, put together only when it is printed.

use std::fmt;

/// A path as the API writes it, e.g. `spec.ports[0].port`. Cheap: of a hundred thousand
/// endpoints hardly any is ever named.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    /// From the root of the object; empty for the object itself.
    Root(&'a str),
    /// A field of a mapping.
    Field(&'a Path<'a>, &'a str),
    /// An element of a list.
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// A field below this path.
    pub(super) fn field(&'a self, name: &'a str) -> Path<'a> {
        Path::Field(self, name)
    }

    /// An element of the list at this path.
    pub(super) fn index(&'a self, index: usize) -> Path<'a> {
        Path::Index(self, index)
    }
}

impl<'a> From<&'a str> for Path<'a> {
    fn from(root: &'a str) -> Path<'a> {
        Path::Root(root)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root(root) => f.write_str(root),
            Path::Field(parent, name) => write!(f, "{parent}.{name}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_the_api_writes_it() {
        let ports = Path::from("spec").field("ports").to_string();
        assert_eq!(ports, "spec.ports");
        assert_eq!(
            Path::from("spec.ports").index(3).field("port").to_string(),
            "spec.ports[3].port"
        );
    }
}
