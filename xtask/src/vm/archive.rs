//! The initial file system of the machine: a cpio archive of the kind `newc`.
//!
//! The format is in the kernel's `Documentation/driver-api/early-userspace/
//! buffer-format.rst`: for each file a header of hexadecimal numbers, its name and its
//! content, each filled up to a multiple of four bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

/// An archive that is being written.
pub(super) struct Archive<W> {
    output: W,
    written: BTreeSet<PathBuf>,
}

impl<W: Write> Archive<W> {
    /// An empty archive.
    pub(super) fn new(output: W) -> Archive<W> {
        Archive { output, written: BTreeSet::new() }
    }

    /// Adds a directory and those that hold it, unless they are there.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub(super) fn directory(&mut self, path: &Path) -> Result<()> {
        let mut missing: Vec<&Path> = path.ancestors().filter(|it| it.has_root()).collect();
        missing.retain(|it| it.parent().is_some() && !self.written.contains(*it));
        for directory in missing.into_iter().rev() {
            self.entry(directory, DIRECTORY, &[])?;
            self.written.insert(directory.to_owned());
        }
        Ok(())
    }

    /// Adds a file that can be executed, unless it is there.
    ///
    /// # Errors
    /// When the archive cannot be written or the file is too large for it.
    pub(super) fn file(&mut self, path: &Path, content: &[u8]) -> Result<()> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        if self.written.insert(path.to_owned()) {
            self.entry(path, PROGRAM, content)?;
        }
        Ok(())
    }

    /// Adds a file of this machine at the same place in the archive.
    ///
    /// # Errors
    /// As [`Archive::file`], and when the file cannot be read.
    pub(super) fn copy(&mut self, path: &Path) -> Result<()> {
        let content =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        self.file(path, &content)
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> Result<W> {
        self.entry(Path::new("/TRAILER!!!"), 0, &[])?;
        self.output.flush()?;
        Ok(self.output)
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        let name = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
        let size = u32::try_from(content.len())
            .with_context(|| format!("{} is too large for an archive", path.display()))?;
        let name_size = u32::try_from(name.len() + 1)?;
        // Inode, mode, owner, group, links, time, size, four of devices, name, checksum.
        // Inodes only matter where links are more than one.
        let numbers = [0, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        write!(self.output, "070701")?;
        for number in numbers {
            write!(self.output, "{number:08X}")?;
        }
        write!(self.output, "{name}\0")?;
        fill(&mut self.output, 6 + 13 * 8 + name.len() + 1)?;
        self.output.write_all(content)?;
        fill(&mut self.output, content.len())?;
        Ok(())
    }
}

/// Zero bytes from `length` to the next multiple of four.
fn fill(output: &mut impl Write, length: usize) -> io::Result<()> {
    let rest = length.next_multiple_of(4) - length;
    (0..rest).try_for_each(|_| output.write_all(&[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_first_and_once_and_everything_is_aligned() {
        let mut archive = Archive::new(Vec::new());
        archive.file(Path::new("/a/b/one"), b"12345").unwrap();
        archive.file(Path::new("/a/two"), b"").unwrap();
        archive.file(Path::new("/a/two"), b"again").unwrap();
        let bytes = archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8(bytes).unwrap();
        let names: Vec<&str> = text
            .split("070701")
            .filter_map(|entry| entry.get(13 * 8..)?.split('\0').next())
            .collect();
        assert_eq!(names, ["a", "a/b", "a/b/one", "a/two", "TRAILER!!!"]);
        assert!(text.contains("a/b/one\0") && text.contains("12345\0\0\0"), "{text:?}");
    }
}
