use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{getegid, geteuid, write};

/// What a process does between `fork` and `exec` to start in namespaces of its own.
///
/// All text is made beforehand: between the two calls a process may not allocate.
#[derive(Clone)]
pub(super) struct Unshare {
    user_map: String,
    group_map: String,
    /// The superuser can have a network namespace where user namespaces are switched off.
    user_namespace_optional: bool,
    network_only: bool,
}

impl Unshare {
    pub(super) fn new() -> Self {
        let (user, group) = (geteuid(), getegid());
        Self {
            user_map: format!("0 {user} 1\n"),
            group_map: format!("0 {group} 1\n"),
            user_namespace_optional: user.is_root(),
            network_only: false,
        }
    }

    /// Without a user namespace, which only the superuser may do without.
    pub(super) fn network_only() -> Self {
        Self { network_only: true, ..Self::new() }
    }

    /// Makes `command` start in new namespaces, as uid 0 and gid 0 of them.
    #[expect(unsafe_code, reason = "only pre_exec runs code in the process to be")]
    pub(super) fn before_exec(&self, command: &mut Command) {
        let unshare = self.clone();
        // SAFETY: `enter` only makes system calls and touches no lock and no heap memory
        // that it would have to allocate or free.
        unsafe { command.pre_exec(move || unshare.enter().map_err(io::Error::from)) };
    }

    fn enter(&self) -> Result<(), Errno> {
        if self.network_only {
            return unshare(CloneFlags::CLONE_NEWNET);
        }
        match unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET) {
            Ok(()) => self.become_root(),
            Err(_) if self.user_namespace_optional => unshare(CloneFlags::CLONE_NEWNET),
            Err(errno) => Err(errno),
        }
    }

    /// An unprivileged process may map one group only after it gave up `setgroups`,
    /// see user_namespaces(7).
    fn become_root(&self) -> Result<(), Errno> {
        write_file("/proc/self/setgroups", "deny")?;
        write_file("/proc/self/uid_map", &self.user_map)?;
        write_file("/proc/self/gid_map", &self.group_map)
    }
}

fn write_file(path: &str, text: &str) -> Result<(), Errno> {
    let file = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(file, text.as_bytes()).map(|_| ())
}
