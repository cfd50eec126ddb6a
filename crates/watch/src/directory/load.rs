//! The bytes of one file, whatever stands at its path by now.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

use super::listing::Fingerprint;

/// The largest file that is read, in bytes: several times the `List` of the largest
/// cluster, and still no danger to the memory of a node.
pub(super) const LARGEST_FILE: u64 = 256 << 20;

/// What a file held, and which state of the file that was.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) bytes: Vec<u8>,
    pub(super) fingerprint: Fingerprint,
}

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The system refuses.
    #[error("cannot read the file")]
    System(#[from] io::Error),
    /// A FIFO, a socket or a device.
    #[error("this is not a regular file")]
    NotRegular,
    /// It would take too much memory.
    #[error("the file is larger than {} MiB", .limit >> 20)]
    TooLarge {
        /// The largest size that is read, in bytes.
        limit: u64,
    },
}

/// Reads a file of at most `limit` bytes, through symbolic links.
///
/// What stands at the path can be exchanged at any time, so everything is asked of the
/// open file. Opening must not wait: that of a FIFO waits for its writer for ever.
pub(super) fn load(path: &Path, limit: u64) -> Result<Loaded, LoadError> {
    // Some devices act on being opened.
    readable(&std::fs::metadata(path)?, limit)?;
    let file = open(path)?;
    let metadata = file.metadata()?;
    readable(&metadata, limit)?;
    let bytes = read_at_most(file, limit)?;
    Ok(Loaded { bytes, fingerprint: Fingerprint::from(&metadata) })
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

fn readable(metadata: &Metadata, limit: u64) -> Result<(), LoadError> {
    if !metadata.is_file() {
        return Err(LoadError::NotRegular);
    }
    if metadata.len() > limit {
        return Err(LoadError::TooLarge { limit });
    }
    Ok(())
}

/// A file may grow while it is read, and those of some file systems have no size.
fn read_at_most(source: impl Read, limit: u64) -> Result<Vec<u8>, LoadError> {
    let mut bytes = Vec::new();
    let read = source.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= limit) {
        Ok(bytes)
    } else {
        Err(LoadError::TooLarge { limit })
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    #[test]
    fn a_fifo_is_refused_without_waiting_for_a_writer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(matches!(load(&path, LARGEST_FILE), Err(LoadError::NotRegular)));
        // What happens if it takes the place of a file after the first look at it.
        let metadata = open(&path).unwrap().metadata().unwrap();
        assert!(matches!(readable(&metadata, LARGEST_FILE), Err(LoadError::NotRegular)));
    }

    #[test]
    fn devices_and_directories_are_refused() {
        for path in ["/dev/null", "/"] {
            let loaded = load(Path::new(path), LARGEST_FILE);
            assert!(matches!(loaded, Err(LoadError::NotRegular)), "{path}: {loaded:?}");
        }
    }

    #[test]
    fn a_file_that_grows_beyond_the_limit_while_it_is_read_is_refused() {
        assert_eq!(read_at_most(&b"1234"[..], 4).unwrap(), b"1234");
        let error = read_at_most(io::repeat(0), 4).unwrap_err();
        assert!(matches!(error, LoadError::TooLarge { limit: 4 }), "{error}");
    }

    #[test]
    fn the_fingerprint_is_that_of_what_was_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.yaml");
        std::fs::write(&path, "text").unwrap();
        let loaded = load(&path, 4).unwrap();
        assert_eq!(loaded.bytes, b"text");
        assert_eq!(Some(loaded.fingerprint), Fingerprint::of(&path).unwrap());
        assert!(matches!(load(&path, 3), Err(LoadError::TooLarge { limit: 3 })));
    }
}
