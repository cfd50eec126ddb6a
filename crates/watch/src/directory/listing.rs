//! Which files of the directory are manifests, and whether one has changed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds since the epoch.
    modified: (i64, i64),
    /// Seconds and nanoseconds since the epoch.
    changed: (i64, i64),
}

impl Fingerprint {
    /// That of a file, through symbolic links; `None` if it is a directory.
    pub(super) fn of(path: &Path) -> io::Result<Option<Fingerprint>> {
        let metadata = std::fs::metadata(path)?;
        Ok((!metadata.is_dir()).then(|| Fingerprint::from(&metadata)))
    }

    /// Whether the file was written less than `age` ago. One from the future was not.
    pub(super) fn is_younger_than(&self, age: Duration) -> bool {
        let (seconds, nanoseconds) = self.modified;
        let since_epoch = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
        since_epoch
            .map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds))
            .and_then(|since_epoch| SystemTime::UNIX_EPOCH.checked_add(since_epoch))
            .and_then(|modified| SystemTime::now().duration_since(modified).ok())
            .is_some_and(|elapsed| elapsed < age)
    }
}

impl From<&Metadata> for Fingerprint {
    fn from(metadata: &Metadata) -> Fingerprint {
        Fingerprint {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Whether a file of this name is read: the extensions that `kubectl` reads, but nothing
/// hidden, where editors and ConfigMap mounts keep their own.
pub(super) fn is_manifest_name(name: &OsStr) -> bool {
    let extension = Path::new(name).extension().and_then(OsStr::to_str);
    matches!(extension, Some("yaml" | "yml" | "json")) && !name.as_encoded_bytes().starts_with(b".")
}

/// The manifests of a directory. Links that lead nowhere and files that vanish meanwhile
/// are not there.
pub(super) fn list(directory: &Path) -> io::Result<BTreeMap<Arc<OsStr>, Fingerprint>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        if !is_manifest_name(&name) {
            continue;
        }
        if let Ok(Some(fingerprint)) = Fingerprint::of(&directory.join(&name)) {
            files.insert(Arc::from(name), fingerprint);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_told_by_their_names() {
        for name in ["a.yaml", "a.yml", "a.json", "a b.c.yaml"] {
            assert!(is_manifest_name(name.as_ref()), "{name}");
        }
        for name in
            ["a", "a.YAML", "a.yaml~", "a.yaml.bak", ".a.yaml", ".#a.yaml", "..data", ".yaml"]
        {
            assert!(!is_manifest_name(name.as_ref()), "{name}");
        }
    }
}
