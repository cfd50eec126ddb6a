//! A ruleset as nft text, its elements apart from the rest.
#![allow(dead_code, clippy::allow_attributes, reason = "no test needs all of it")]

use std::collections::BTreeMap;

/// Elements that one transaction of nft may add in a user namespace. There nft 1.0.6 has to
/// do with the default send buffer, and the others with `net.core.wmem_max`.
const ELEMENTS_AT_ONCE: usize = 500;

/// A ruleset as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NftText {
    /// Everything but elements.
    skeleton: String,
    /// The elements by `FAMILY TABLE SET`, sorted.
    elements: BTreeMap<String, Vec<String>>,
}

impl NftText {
    /// Reads what nft or the backend prints. No name in it has a comma.
    pub(crate) fn parse(ruleset: &str) -> NftText {
        let mut text = NftText::default();
        let (mut table, mut set, mut in_elements) = ("", String::new(), false);
        for line in ruleset.lines() {
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["table", .., "{"] => {
                    table = line.trim_start_matches("table ").trim_end_matches(" {")
                }
                ["set" | "map", name, "{"] => set = format!("{table} {name}"),
                ["elements", ..] => in_elements = true,
                _ => {}
            }
            if !in_elements {
                text.skeleton.push_str(line);
                text.skeleton.push('\n');
                continue;
            }
            in_elements = !line.ends_with('}');
            let elements = line.trim().trim_start_matches("elements = {").trim_end_matches('}');
            let elements = elements.split(',').map(str::trim).filter(|it| !it.is_empty());
            text.elements.entry(set.clone()).or_default().extend(elements.map(str::to_owned));
        }
        text.elements.values_mut().for_each(|elements| elements.sort_unstable());
        text
    }

    /// The ruleset in files that make it when they are loaded one after the other.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        let elements = self.elements.iter().flat_map(|(set, elements)| {
            let pieces = elements.chunks(ELEMENTS_AT_ONCE);
            pieces.map(move |piece| format!("add element {set} {{ {} }}\n", piece.join(", ")))
        });
        [self.skeleton.clone()].into_iter().chain(elements)
    }

    /// The lines that open a table, a set, a map or a chain.
    pub(crate) fn headings(&self) -> impl Iterator<Item = &str> {
        self.skeleton.lines().map(str::trim).filter(|line| line.ends_with('{'))
    }

    /// The comments of elements.
    pub(crate) fn comments(&self) -> impl Iterator<Item = &str> {
        self.elements.values().flatten().filter_map(|element| element.split('"').nth(1))
    }
}
