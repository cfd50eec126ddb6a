//! The objects of one file.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use portolan_core::{ObjectKind, ObjectName, Problem};

use super::documents::{Document, read_documents};
use super::kind::{known_kind, meant};
use crate::convert::{Converter, Object};
use crate::event::{Cause, Notice, Place};
use crate::field::Field;
use crate::manifest::Manifest;

/// What identifies an object.
pub(super) type Key = (ObjectKind, ObjectName);

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileContents {
    /// The objects of the kinds that are read.
    pub(super) objects: BTreeMap<Key, FileObject>,
    /// What is wrong with the file and its objects.
    pub(super) notices: Vec<Notice>,
    /// Whether everything could be read. If not, an object that is not listed may still
    /// be there.
    pub(super) complete: bool,
    /// Objects of other kinds.
    pub(super) ignored: usize,
}

/// An object and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FileObject {
    /// `None` if there is nothing to serve in it.
    pub(super) object: Option<Arc<Object>>,
    pub(super) place: Place,
}

/// Reads a file from its bytes. `path` is only printed.
pub(super) fn read_file(path: &str, bytes: &[u8], converter: &mut Converter) -> FileContents {
    let contents = FileContents { complete: true, ..FileContents::default() };
    let mut reader = FileReader { path: Arc::from(path), converter, contents };
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for document in read_documents(text, path.ends_with(".json")) {
                reader.document(document);
            }
        }
        Err(error) => {
            reader.contents.complete = false;
            reader.contents.notices.push(not_utf8(path, bytes, error.valid_up_to()));
        }
    }
    let ignored = reader.contents.ignored;
    if ignored > 0 {
        tracing::debug!(path, objects = ignored, "objects of other kinds are ignored");
    }
    reader.contents
}

fn not_utf8(path: &str, bytes: &[u8], valid: usize) -> Notice {
    let mut place = Place::whole(path);
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let text = "the file is UTF-16: save it as UTF-8".to_owned();
        return Notice { place: Some(place), cause: Cause::Other(text) };
    }
    let before = bytes.get(..valid).unwrap_or_default();
    place.line = Some(before.iter().fold(1, |line, byte| line + u64::from(*byte == b'\n')));
    Notice {
        place: Some(place),
        cause: Cause::Other("the file is not UTF-8 from here on".to_owned()),
    }
}

struct FileReader<'a> {
    /// One text for the places of all objects.
    path: Arc<str>,
    converter: &'a mut Converter,
    contents: FileContents,
}

impl FileReader<'_> {
    fn document(&mut self, document: Document) {
        let place = Place {
            file: Arc::clone(&self.path),
            document: Some(document.number),
            line: Some(document.line),
        };
        match document.content {
            Ok(manifest) => self.manifest(&manifest, &place, None),
            Err(reason) => self.unreadable(&place, reason),
        }
    }

    /// An object, or the objects of a list. The items of a `ServiceList` may leave out
    /// what the list says: `inherited` is its API version and the kind of its items.
    fn manifest(&mut self, manifest: &Manifest, place: &Place, inherited: Option<(&str, &str)>) {
        let field =
            |field: &'_ Field<String>| field.value().filter(|text| !text.is_empty()).cloned();
        let inherited = inherited.map(|(version, kind)| (version.to_owned(), kind.to_owned()));
        let (inherited_version, inherited_kind) = inherited.unzip();
        let Some(kind) = field(&manifest.kind).or(inherited_kind) else {
            return self.unreadable(place, "kind is missing or not a text".to_owned());
        };
        let Some(version) = field(&manifest.api_version).or(inherited_version) else {
            return self.unreadable(place, format!("{kind}: apiVersion is missing or not a text"));
        };
        if let Some(kind) = known_kind(&version, &kind) {
            self.object(kind, manifest, place);
        } else if let (Some(items), Some(item_kind)) =
            (manifest.items.value(), kind.strip_suffix("List"))
        {
            let inherited = (!item_kind.is_empty()).then_some((version.as_str(), item_kind));
            for item in items {
                match item {
                    Field::Value(item) => self.manifest(item, place, inherited),
                    Field::Absent => {}
                    Field::Wrong(found) => {
                        self.unreadable(
                            place,
                            format!("{found} where an item of a list is expected"),
                        );
                    }
                }
            }
        } else {
            self.ignore(&version, &kind, place);
        }
    }

    fn ignore(&mut self, version: &str, kind: &str, place: &Place) {
        self.contents.ignored += 1;
        if let Some(meant) = meant(version, kind) {
            let cause = Cause::Other(format!(
                "{version} {kind} is not a kind that is read: it is ignored (did you mean {meant}?)"
            ));
            self.contents.notices.push(Notice { place: Some(place.clone()), cause });
        }
    }

    fn object(&mut self, kind: ObjectKind, manifest: &Manifest, place: &Place) {
        let converted = match self.converter.convert(kind, manifest) {
            Ok(converted) => converted,
            Err(unnamed) => return self.unreadable(place, unnamed.0),
        };
        let name = converted.name.clone();
        match self.contents.objects.entry((kind, converted.name)) {
            Entry::Vacant(vacant) => {
                let object = converted.object.map(Arc::new);
                vacant.insert(FileObject { object, place: place.clone() });
                for problem in converted.problems {
                    let cause = Cause::Object(problem);
                    self.contents.notices.push(Notice { place: Some(place.clone()), cause });
                }
            }
            Entry::Occupied(first) => {
                let notice = duplicate(kind, name, place, &first.get().place);
                self.contents.notices.push(notice);
            }
        }
    }

    fn unreadable(&mut self, place: &Place, reason: String) {
        self.contents.complete = false;
        let cause = Cause::Other(format!("{reason}; it is skipped"));
        self.contents.notices.push(Notice { place: Some(place.clone()), cause });
    }
}

/// The notice for an object that stands at `used` too.
pub(super) fn duplicate(
    kind: ObjectKind,
    object: ObjectName,
    place: &Place,
    used: &Place,
) -> Notice {
    let reason = format!("stands there twice; the one in {used} is used");
    let problem = Problem { kind, object, field: String::new(), reason };
    Notice { place: Some(place.clone()), cause: Cause::Object(problem) }
}
