//! Reads the directory again and again, and says what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use portolan_core::Update;

use super::DirectoryConfig;
use super::catalogue::Catalogue;
use super::contents::{Contents, without_service};
use super::file::{FileContents, read_file};
use super::listing::{Fingerprint, list};
use super::load::{LARGEST_FILE, LoadError, load};
use super::presence::{DIRECTORY_SETTLE, Presence};
use crate::convert::Converter;
use crate::event::{Notice, SourceEvent};

/// A file that was written less than this ago may be half written, unless its writer was
/// seen to close it.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// Within this time two writes may leave the same time stamp (NFS and others keep whole
/// seconds), so a file that was this young when it was read is read once more.
const STAMP_RESOLUTION: Duration = Duration::from_secs(2);

/// How sure it is that a file changed and can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// It may have changed, and somebody may be writing: look at its time stamp, and wait
    /// until it has settled.
    Suspicion,
    /// Something else was put in its place: whatever is there is whole.
    Replaced,
    /// Its writer has closed it: read it, whatever the time stamp says.
    Written,
}

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// At all files, with at least this evidence.
    pub(super) all: Option<Evidence>,
    /// At these files.
    pub(super) names: BTreeMap<Arc<OsStr>, Evidence>,
}

/// The state of a directory as it was read last.
#[derive(Debug)]
pub(super) struct Reader {
    config: DirectoryConfig,
    converter: Converter,
    catalogue: Catalogue,
    /// Of each file that was read; `None` to read it again on the next occasion.
    fingerprints: BTreeMap<Arc<OsStr>, Option<Fingerprint>>,
    /// Files that are too young to be read.
    unsettled: BTreeSet<Arc<OsStr>>,
    /// Why files cannot be read at all.
    unreadable: BTreeMap<Arc<OsStr>, Notice>,
    presence: Presence,
    /// Why the directory is not taken as it is now.
    unlisted: Option<Notice>,
    /// What was said about each origin and still holds.
    said: BTreeMap<String, Vec<Notice>>,
}

impl Reader {
    /// Reads the directory for the first time: the complete state, then what is wrong.
    pub(super) fn open(config: DirectoryConfig) -> io::Result<(Reader, Vec<SourceEvent>)> {
        let mut reader = Reader {
            converter: Converter::new(&config.node_name),
            config,
            catalogue: Catalogue::default(),
            fingerprints: BTreeMap::new(),
            unsettled: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            presence: Presence::default(),
            unlisted: None,
            said: BTreeMap::new(),
        };
        for (name, fingerprint) in list(&reader.config.path)? {
            reader.read(&name, fingerprint);
        }
        reader.presence = Presence::first(&reader.config.path);
        let updates = reader.catalogue.take_everything();
        let events = reader.events(updates);
        Ok((reader, events))
    }

    /// What stands in the files.
    pub(super) fn contents(&self) -> Contents {
        self.catalogue.contents()
    }

    /// What to say if there is no Service.
    pub(super) fn without_service(&self) -> Option<String> {
        let none = self.contents().services == 0;
        none.then(|| without_service(&self.config.path, !self.fingerprints.is_empty()))
    }

    /// Whether something has to be looked at again after [`SETTLE`].
    pub(super) fn is_unsettled(&self) -> bool {
        !self.unsettled.is_empty() || self.presence.is_filling()
    }

    /// Looks at files again: what changed, and what is wrong now.
    pub(super) fn look(&mut self, look: Look) -> Vec<SourceEvent> {
        self.unsettled.clear();
        match look.all {
            Some(evidence) => self.look_at_all(evidence, &look.names),
            None => self.look_at_some(&look.names),
        }
        let updates = self.catalogue.take_updates();
        self.events(updates)
    }

    fn look_at_some(&mut self, names: &BTreeMap<Arc<OsStr>, Evidence>) {
        let find = |name: &Arc<OsStr>| Fingerprint::of(&self.config.path.join(&**name));
        let found: Vec<_> = names.keys().map(|name| find(name).ok().flatten()).collect();
        // Files that are gone with their directory are not deleted.
        if !self.presence.is_still_whole(&self.config.path) {
            return self.look_at_all(Evidence::Suspicion, names);
        }
        for ((name, evidence), found) in names.iter().zip(found) {
            self.consider(name, found, *evidence);
        }
    }

    fn look_at_all(&mut self, evidence: Evidence, names: &BTreeMap<Arc<OsStr>, Evidence>) {
        let listed = list(&self.config.path);
        // After the listing, which may be that of a directory on its way out.
        self.presence.observe(&self.config.path, evidence);
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                let text = "cannot read the directory, so its last state stays in use";
                return self.unlisted = Some(self.about_directory(format!("{text}: {error}")));
            }
        };
        self.unlisted = None;
        let known = self.fingerprints.keys();
        let missing: Vec<_> =
            known.filter(|name| !listed.contains_key(*name)).map(Arc::clone).collect();
        for (name, fingerprint) in listed {
            let evidence = names.get(&name).map_or(evidence, |known| evidence.max(*known));
            self.consider(&name, Some(fingerprint), evidence);
        }
        self.presence.settle(self.unsettled.is_empty());
        if self.presence.is_whole() {
            missing.iter().for_each(|name| self.forget(name));
        } else if !missing.is_empty() {
            let text = format!(
                "another directory was made here, and files are missing: their last state \
                 stays in use until nothing was added for {} s",
                DIRECTORY_SETTLE.as_secs()
            );
            self.unlisted = Some(self.about_directory(text));
        }
    }

    fn about_directory(&self, text: String) -> Notice {
        Notice::about_file(&self.config.path.display().to_string(), text)
    }

    /// Decides whether to read a file. `found` is `None` if it is not there.
    fn consider(&mut self, name: &Arc<OsStr>, found: Option<Fingerprint>, evidence: Evidence) {
        let Some(found) = found else { return self.forget(name) };
        let known = self.fingerprints.get(name).copied().flatten();
        if evidence != Evidence::Written && known == Some(found) {
            return;
        }
        if evidence == Evidence::Suspicion && found.is_younger_than(SETTLE) {
            self.unsettled.insert(Arc::clone(name));
            return;
        }
        self.read(name, found);
    }

    fn forget(&mut self, name: &Arc<OsStr>) {
        if self.fingerprints.remove(name).is_some() {
            self.unreadable.remove(name);
            self.catalogue.replace(name, None);
        }
    }

    fn read(&mut self, name: &Arc<OsStr>, found: Fingerprint) {
        let path = self.config.path.join(&**name);
        match load(&path, LARGEST_FILE) {
            Ok(loaded) => {
                self.remember(name, loaded.fingerprint);
                self.unreadable.remove(name);
                let path = path.display().to_string();
                let contents = read_file(&path, &loaded.bytes, &mut self.converter);
                let contents = self.with_kept_objects(name, contents);
                self.catalogue.replace(name, Some(contents));
            }
            Err(LoadError::System(error)) if error.kind() == io::ErrorKind::NotFound => {
                // The whole directory may be going: the next look tells.
                self.unsettled.insert(Arc::clone(name));
            }
            Err(error) => {
                self.remember(name, found);
                let cause = error.source().map_or(String::new(), |cause| format!(" ({cause})"));
                let text = format!("{error}{cause}; its last state stays in use");
                let notice = Notice::about_file(&path.display().to_string(), text);
                self.unreadable.insert(Arc::clone(name), notice);
                // Its notices are told again, with this one.
                let contents = self.catalogue.file(name).cloned().unwrap_or_default();
                self.catalogue.replace(name, Some(contents));
            }
        }
    }

    fn remember(&mut self, name: &Arc<OsStr>, fingerprint: Fingerprint) {
        let trusted = (!fingerprint.is_younger_than(STAMP_RESOLUTION)).then_some(fingerprint);
        self.fingerprints.insert(Arc::clone(name), trusted);
    }

    /// Keeps the last good state of what a broken document may have held.
    fn with_kept_objects(&self, name: &OsStr, mut contents: FileContents) -> FileContents {
        if let Some(before) = self.catalogue.file(name).filter(|_| !contents.complete) {
            let read = contents.objects.len();
            for (key, object) in &before.objects {
                contents.objects.entry(key.clone()).or_insert_with(|| object.clone());
            }
            if contents.objects.len() > read {
                let file = self.config.path.join(name).display().to_string();
                let text = "what is known from this file stays in use until it is mended";
                contents.notices.push(Notice::about_file(&file, text));
            }
        }
        contents
    }

    fn events(&mut self, updates: Vec<Update>) -> Vec<SourceEvent> {
        let mut events: Vec<_> = updates.into_iter().map(SourceEvent::Update).collect();
        for (name, mut notices) in self.catalogue.take_notices() {
            notices.extend(self.unreadable.get(&name).cloned());
            let origin = self.config.path.join(&*name).display().to_string();
            events.extend(self.say(origin, notices));
        }
        let notices = self.unlisted.iter().cloned().collect();
        events.extend(self.say(self.config.path.display().to_string(), notices));
        events
    }

    /// The event for what is wrong at an origin now, unless nothing has changed there.
    fn say(&mut self, origin: String, problems: Vec<Notice>) -> Option<SourceEvent> {
        if self.said.get(&origin).map_or(&[][..], Vec::as_slice) == problems {
            return None;
        }
        if problems.is_empty() {
            self.said.remove(&origin);
        } else {
            self.said.insert(origin.clone(), problems.clone());
        }
        Some(SourceEvent::Problems { origin, problems })
    }
}
