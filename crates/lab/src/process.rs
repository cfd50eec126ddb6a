use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::LabError;

/// A process that does not outlive this value, nor the process that holds it.
///
/// The kernel's signal at the parent's death follows the *thread* that started the
/// child. That thread is therefore kept, asleep, as long as the child is wanted.
#[derive(Debug)]
pub struct Process {
    child: Child,
    release: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Process {
    /// Runs `prepare` and starts `command` on the thread that is kept.
    pub(crate) fn start(
        mut command: Command,
        prepare: impl FnOnce() -> Result<(), LabError> + Send + 'static,
    ) -> io::Result<Self> {
        end_with_parent(&mut command);
        let (started, outcome) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let keeper = thread::Builder::new().name("process-keeper".to_owned()).spawn(move || {
            let child = prepare().map_err(io::Error::other).and_then(|()| command.spawn());
            if started.send(child).is_ok() {
                // Ends with an error when the sender is dropped, which is all it waits for.
                let _ = released.recv();
            }
        })?;
        let child = outcome.recv().map_err(io::Error::other)??;
        Ok(Self { child, release: Some(release), keeper: Some(keeper) })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The process as the standard library knows it, for its pipes and `wait`.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends `signal`, unless the process was waited for and found to have ended.
    ///
    /// # Errors
    ///
    /// [`LabError::System`] if the kernel refuses it.
    pub fn signal(&mut self, signal: Signal) -> Result<(), LabError> {
        let failed = |error| LabError::system(format!("send {signal} to the process"), error);
        if self.child.try_wait().map_err(failed)?.is_some() {
            return Ok(());
        }
        let pid =
            i32::try_from(self.child.id()).map_err(|error| failed(io::Error::other(error)))?;
        kill(Pid::from_raw(pid), signal).map_err(|errno| failed(errno.into()))
    }

    /// Asks the process to end (SIGTERM) and waits for it; kills it after `patience`.
    ///
    /// # Errors
    ///
    /// [`LabError::System`] if it cannot be signalled or waited for.
    pub fn terminate(mut self, patience: Duration) -> Result<ExitStatus, LabError> {
        self.signal(Signal::SIGTERM)?;
        let deadline = Instant::now() + patience;
        let failed = |error| LabError::system("wait for the process", error);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(2));
        }
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if the process has already ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.release.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

/// Makes `command` end when the thread that starts it does, however that ends.
#[expect(unsafe_code, reason = "only pre_exec runs code in the process to be")]
pub(crate) fn end_with_parent(command: &mut Command) {
    // SAFETY: one system call, no allocation, no lock.
    unsafe { command.pre_exec(|| set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from)) };
}
