//! Reads fields of one object and collects what is wrong with them.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{ObjectKind, ObjectName, Problem};

use super::address::{parse_address, parse_network, unusable};
use super::path::Path;
use crate::event::printable;
use crate::field::{Field, List, Readable};

/// The problems of one object. Each reading method takes the path of the field and says
/// in `done` what follows if the field cannot be used.
#[derive(Debug)]
pub(super) struct Report {
    kind: ObjectKind,
    object: ObjectName,
    problems: Vec<Problem>,
    unlisted: usize,
}

/// A field could not be used, and the report says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reported;

/// An object with more problems than this has one cause for all of them, and thousands
/// of messages would only hide it.
const MOST_PROBLEMS: usize = 20;

impl Report {
    pub(super) fn new(kind: ObjectKind, object: ObjectName) -> Report {
        Report { kind, object, problems: Vec::new(), unlisted: 0 }
    }

    /// Adds a problem. An empty `field` means the whole object.
    pub(super) fn problem<'p>(
        &mut self,
        field: impl Into<Path<'p>>,
        reason: impl Into<String>,
    ) -> Reported {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(Problem {
                kind: self.kind,
                object: self.object.clone(),
                field: field.into().to_string(),
                reason: reason.into(),
            });
        } else {
            self.unlisted += 1;
        }
        Reported
    }

    /// Everything that was reported.
    pub(super) fn into_problems(mut self) -> Vec<Problem> {
        if self.unlisted > 0 {
            self.problems.push(Problem {
                kind: self.kind,
                object: self.object,
                field: String::new(),
                reason: format!("{} more problems are not listed", self.unlisted),
            });
        }
        self.problems
    }

    /// A field of any type.
    pub(super) fn read<'a, 'p, T: Readable>(
        &mut self,
        field: &'a Field<T>,
        path: impl Into<Path<'p>>,
        done: &str,
    ) -> Result<Option<&'a T>, Reported> {
        match field {
            Field::Absent => Ok(None),
            Field::Value(value) => Ok(Some(value)),
            Field::Wrong(found) => {
                let expected = T::EXPECTED;
                Err(self.problem(path, format!("{found} where {expected} is expected; {done}")))
            }
        }
    }

    /// A text whose absence is as good as an unusable one.
    pub(super) fn text<'a, 'p>(
        &mut self,
        field: &'a Field<String>,
        path: impl Into<Path<'p>>,
    ) -> Option<&'a str> {
        self.read(field, path, "it is ignored").ok().flatten().map(String::as_str)
    }

    /// The elements of a list; none if it is absent or unusable.
    pub(super) fn list<'a, 'p, T: Readable>(
        &mut self,
        field: &'a List<T>,
        path: impl Into<Path<'p>>,
    ) -> &'a [Field<T>] {
        self.read(field, path, "it is ignored").ok().flatten().map_or(&[], Vec::as_slice)
    }

    /// A structure. One that is absent is like one whose fields are.
    pub(super) fn structure<'a, 'p, T>(
        &mut self,
        field: &'a Field<T>,
        path: impl Into<Path<'p>>,
        done: &str,
    ) -> Result<Cow<'a, T>, Reported>
    where
        T: Readable + Clone + Default,
    {
        Ok(self.read(field, path, done)?.map_or_else(Cow::default, Cow::Borrowed))
    }

    /// One of a few words. Absent and empty are alike.
    pub(super) fn choice<'p, T: Copy>(
        &mut self,
        field: &Field<String>,
        path: impl Into<Path<'p>>,
        words: &[(&str, T)],
        done: &str,
    ) -> Result<Option<T>, Reported> {
        let path = path.into();
        let Some(text) = self.read(field, path, done)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| word == text) {
            return Ok(Some(*value));
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let reason = format!("{} is none of {}; {done}", quoted(text), known.join(", "));
        Err(self.problem(path, reason))
    }

    /// A port number. Absent and zero are alike.
    pub(super) fn port<'p>(
        &mut self,
        field: &Field<i64>,
        path: impl Into<Path<'p>>,
        done: &str,
    ) -> Result<Option<u16>, Reported> {
        let path = path.into();
        let Some(number) = self.read(field, path, done)? else { return Ok(None) };
        match u16::try_from(*number) {
            Ok(0) => Ok(None),
            Ok(port) => Ok(Some(port)),
            Err(_) => Err(self.problem(path, format!("{number} is not a port; {done}"))),
        }
    }

    /// An address. Absent and blank are alike.
    pub(super) fn address<'p>(
        &mut self,
        field: &Field<String>,
        path: impl Into<Path<'p>>,
        done: &str,
    ) -> Result<Option<IpAddr>, Reported> {
        let path = path.into();
        let Some(text) = self.read(field, path, done)?.filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        let Some(address) = parse_address(text) else {
            let reason = format!("{} is not an IP address; {done}", quoted(text));
            return Err(self.problem(path, reason));
        };
        match unusable(address) {
            None => Ok(Some(address)),
            Some(why) => Err(self.problem(path, format!("{address} {why}; {done}"))),
        }
    }

    /// The addresses of a list that can be used, each once.
    pub(super) fn addresses(&mut self, field: &List<String>, path: &str) -> Vec<IpAddr> {
        let list = Path::from(path);
        let mut addresses = Vec::new();
        for (index, element) in self.list(field, list).iter().enumerate() {
            if let Ok(Some(address)) = self.address(element, list.index(index), "it is skipped")
                && !addresses.contains(&address)
            {
                addresses.push(address);
            }
        }
        addresses
    }

    /// A network in CIDR notation. Absent and blank are alike.
    pub(super) fn network<'p>(
        &mut self,
        field: &Field<String>,
        path: impl Into<Path<'p>>,
        done: &str,
    ) -> Result<Option<IpNet>, Reported> {
        let path = path.into();
        let Some(text) = self.read(field, path, done)?.filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        let reason = || format!("{} is not a network in CIDR notation; {done}", quoted(text));
        parse_network(text).map(Some).ok_or_else(|| self.problem(path, reason()))
    }

    /// The networks of a list that can be used.
    pub(super) fn networks(&mut self, field: &List<String>, path: &str) -> Vec<IpNet> {
        let list = Path::from(path);
        let mut networks = Vec::new();
        for (index, element) in self.list(field, list).iter().enumerate() {
            networks
                .extend(self.network(element, list.index(index), "it is skipped").ok().flatten());
        }
        networks
    }
}

/// A text from outside, in quotes, cut short.
pub(super) fn quoted(text: &str) -> String {
    const MOST_CHARACTERS: usize = 64;
    format!("\"{}\"", printable(text, MOST_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new(ObjectKind::Service, ObjectName::new("default", "web"))
    }

    #[test]
    fn a_flood_of_problems_is_cut_short_and_counted() {
        let mut report = report();
        for index in 0..1000 {
            report.problem(Path::from("spec.ports").index(index), "bad");
        }
        let problems = report.into_problems();
        assert_eq!(problems.len(), MOST_PROBLEMS + 1);
        assert_eq!(problems.last().unwrap().reason, "980 more problems are not listed");
    }
}
