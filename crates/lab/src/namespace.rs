use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

use crate::route::RouteSocket;
use crate::{LabError, Process};

/// A network namespace with its loopback up. It ends when this value, the processes in
/// it and the sockets made in it are gone.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    file: File,
}

impl Namespace {
    /// Makes a namespace; `name` appears in error messages only.
    ///
    /// # Errors
    ///
    /// [`LabError::System`] without `CAP_SYS_ADMIN` in the current user namespace.
    pub fn new(name: impl Into<String>) -> Result<Self, LabError> {
        let name = name.into();
        let file = on_own_thread(|| -> Result<File, LabError> {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| {
                LabError::system(format!("make the network namespace {name}"), errno)
            })?;
            RouteSocket::open()?.set_up("lo")?;
            let path = "/proc/thread-self/ns/net";
            File::open(path).map_err(|source| LabError::File { path: path.to_owned(), source })
        })?;
        Ok(Self { name, file })
    }

    /// The name given to [`Namespace::new`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` in the namespace, on a thread of its own. Sockets that it makes belong
    /// to the namespace wherever they are used later.
    ///
    /// # Panics
    ///
    /// If `work` panics, and if this process lost `CAP_SYS_ADMIN` since it made the
    /// namespace.
    #[expect(clippy::panic, reason = "documented; work must never run in another namespace")]
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        on_own_thread(|| match self.enter() {
            Ok(()) => work(),
            Err(error) => panic!("{error}"),
        })
    }

    /// Starts a process in the namespace. It is ended when the returned value is dropped,
    /// and also if this process is killed.
    ///
    /// # Errors
    ///
    /// [`LabError::System`] if the program cannot be started.
    pub fn spawn(&self, command: Command) -> Result<Process, LabError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let action = format!("start {program} in {}", self.name);
        let file = self.file.try_clone().map_err(|error| LabError::system(&action, error))?;
        let namespace = Self { name: self.name.clone(), file };
        Process::start(command, move || namespace.enter())
            .map_err(|error| LabError::system(action, error))
    }

    /// A path under which other programs of the same user reach the namespace while it
    /// lives, for example `nsenter --user --net=PATH --target PID`.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()))
    }

    /// Moves the calling thread into the namespace.
    fn enter(&self) -> Result<(), LabError> {
        setns(&self.file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| LabError::system(format!("enter {}", self.name), errno))
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A thread is the unit that is in a network namespace, so changing it needs a new one.
fn on_own_thread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
