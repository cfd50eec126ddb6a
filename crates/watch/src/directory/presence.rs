//! Whether the directory is still the one that was read, and whether it has been filled.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::reader::Evidence;

/// A directory that was made again (`rm -r d; mkdir d; cp …`) is still being filled until
/// nothing was added to it for this long.
pub(super) const DIRECTORY_SETTLE: Duration = Duration::from_secs(5);

/// A directory in which something is added all the time counts as filled after this long.
const LONGEST_FILLING: Duration = Duration::from_secs(60);

/// Tells one directory from the next of that name. File systems use inode numbers again,
/// hence the time of birth, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    born: Option<SystemTime>,
}

impl From<&Metadata> for Identity {
    fn from(metadata: &Metadata) -> Identity {
        Identity { device: metadata.dev(), inode: metadata.ino(), born: metadata.created().ok() }
    }
}

/// What is known of the directory as such. What is missing in it counts as deleted only
/// if it [is whole](Presence::is_whole).
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// `None` while there is no directory.
    identity: Option<Identity>,
    modified: Option<SystemTime>,
    /// When it was first seen, if it may still be being filled.
    filling_since: Option<Instant>,
}

impl Presence {
    /// Of a directory that is read for the first time: there is nothing to lose yet.
    pub(super) fn first(path: &Path) -> Presence {
        let mut presence = Presence::default();
        presence.observe(path, Evidence::Replaced);
        presence
    }

    /// Looks at what is there now. Another directory than before is whole only if it was
    /// moved there.
    pub(super) fn observe(&mut self, path: &Path, evidence: Evidence) {
        let metadata = std::fs::metadata(path).ok().filter(Metadata::is_dir);
        let identity = metadata.as_ref().map(Identity::from);
        if evidence == Evidence::Replaced {
            self.filling_since = None;
        } else if self.identity != identity {
            self.filling_since = Some(Instant::now());
        }
        self.identity = identity;
        self.modified = metadata.and_then(|metadata| metadata.modified().ok());
    }

    /// Decides whether the directory has been filled by now. A large file is added long
    /// before it is whole: `files_are_settled` says that none is being written.
    pub(super) fn settle(&mut self, files_are_settled: bool) {
        let quiet = files_are_settled && !self.is_young();
        let filled = |since: Instant| quiet || since.elapsed() >= LONGEST_FILLING;
        if self.filling_since.is_some_and(filled) {
            self.filling_since = None;
        }
    }

    /// Whether it has to be looked at again to see whether it has been filled.
    pub(super) fn is_filling(&self) -> bool {
        self.filling_since.is_some()
    }

    /// Whether the directory that was seen last is still there, and whole.
    pub(super) fn is_still_whole(&self, path: &Path) -> bool {
        let metadata = std::fs::metadata(path).ok();
        self.is_whole() && self.identity == metadata.as_ref().map(Identity::from)
    }

    /// Whether a file that is not there was deleted, rather than not put there yet.
    pub(super) fn is_whole(&self) -> bool {
        self.identity.is_some() && self.filling_since.is_none()
    }

    /// Whether something was added less than [`DIRECTORY_SETTLE`] ago. If that is in the
    /// future, it was not.
    fn is_young(&self) -> bool {
        let age = self.modified.and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_some_and(|age| age < DIRECTORY_SETTLE)
    }
}
