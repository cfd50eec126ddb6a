//! The socket's file.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};
use nix::sys::stat::{Mode, fchmod};
use tokio::net::UnixListener;

/// A listening socket whose file goes when it is dropped.
pub(super) struct ControlSocket {
    pub(super) listener: UnixListener,
    file: SocketFile,
}

/// The file is ours only as long as it is the same inode: an agent that was started
/// since may have put its own in the place.
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl ControlSocket {
    /// Listens at `path`, for this user only. Replaces a socket that nobody listens on;
    /// makes the last directory of the path if it is missing.
    pub(super) fn open(path: &Path) -> io::Result<ControlSocket> {
        if let Some(directory) = path.parent()
            && !directory.exists()
        {
            fs::DirBuilder::new().mode(0o755).create(directory)?;
        }
        remove_stale(path)?;
        let listener = UnixListener::from_std(listen_privately(path)?)?;
        let metadata = fs::symlink_metadata(path)?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(ControlSocket { listener, file: SocketFile { path: path.to_owned(), identity } })
    }

    /// Whether the file is gone. Another agent's file in its place is left alone.
    pub(super) fn is_removed(&self) -> bool {
        fs::symlink_metadata(&self.file.path)
            .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), "the control socket stays behind: {error}");
        }
    }
}

fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(io::Error::new(
            ErrorKind::AlreadyExists,
            "a file that is not a socket is in the way",
        )),
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another agent listens there")),
            Err(_) => fs::remove_file(path),
        },
    }
}

/// The mode is set before the file exists, so that it is never open to others.
fn listen_privately(path: &Path) -> io::Result<StdUnixListener> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    fchmod(&fd, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    listen(&fd, Backlog::new(16)?)?;
    Ok(StdUnixListener::from(fd))
}
