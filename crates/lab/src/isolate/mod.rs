//! Running a test or a program in user and network namespaces of its own.

mod advice;
mod unshare;

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::process::{Command, ExitStatus};

use nix::errno::Errno;

use self::unshare::Unshare;
use crate::LabError;
use crate::process::end_with_parent;
use crate::route::RouteSocket;

/// Set in a process that runs in namespaces of its own: for a test the process id of its
/// parent, for a program its own. A process that merely inherited the variable sees
/// another number and is not taken in.
const INSIDE: &str = "PORTOLAN_LAB_INSIDE";

/// Exit status of a child whose test body ran to its end. The test harness itself ends
/// with 0 also when no test matched the name, and that must not pass for success.
const BODY_COMPLETED: i32 = 86;

/// Runs `body` as uid 0 in new user and network namespaces, with the loopback up.
///
/// The kernel admits no process with several threads to a user namespace, and a test
/// always has several. So this starts the test binary again for the one test
/// `test_path` (the name `cargo test -- --list` prints) in a child that enters its
/// namespaces before it runs, shows the child's output and takes over its result.
///
/// # Panics
///
/// If the body panics, if no test is called `test_path`, and if the host allows no
/// namespaces, naming the settings to look at. It never skips the body silently.
pub fn namespaced(test_path: &str, body: impl FnOnce()) {
    isolated(test_path, Unshare::new(), body);
}

/// As [`namespaced`], but in a network namespace alone, as the superuser of the machine:
/// for what the kernel allows nobody else, whatever their namespaces (IPVS).
///
/// # Panics
///
/// As [`namespaced`]; and if the process is not the superuser's.
pub fn namespaced_as_superuser(test_path: &str, body: impl FnOnce()) {
    isolated(test_path, Unshare::network_only(), body);
}

#[expect(clippy::panic, reason = "a test fails by panicking")]
fn isolated(test_path: &str, unshare: Unshare, body: impl FnOnce()) {
    if is_inside(parent_id()) {
        if let Err(error) = raise_loopback() {
            panic!("{error}");
        }
        body();
        std::process::exit(BODY_COMPLETED);
    }
    match run_again(test_path, &unshare) {
        Err(error) => panic!("{test_path}: {error}"),
        Ok(status) if status.code() == Some(BODY_COMPLETED) => {}
        Ok(status) if status.success() => panic!("this binary has no test called {test_path}"),
        Ok(status) => panic!("{test_path} failed in its namespaces, see above ({status})"),
    }
}

/// Moves this program into new user and network namespaces, with the loopback up.
///
/// The program is replaced by a fresh start of itself, with the same arguments and the
/// same process id; there the call returns at once. Call it first thing in `main`.
///
/// # Errors
///
/// [`LabError::Forbidden`] says what the host's administrator can do;
/// [`LabError::ThreadsRunning`] that the call came too late.
pub fn enter_or_explain() -> Result<(), LabError> {
    if is_inside(std::process::id()) {
        return raise_loopback();
    }
    let threads = std::fs::read_dir("/proc/self/task")
        .map_err(|source| LabError::File { path: "/proc/self/task".to_owned(), source })?
        .count();
    if threads > 1 {
        return Err(LabError::ThreadsRunning { threads });
    }
    let mut command = this_program(std::env::args_os().skip(1));
    command.env(INSIDE, std::process::id().to_string());
    Unshare::new().before_exec(&mut command);
    Err(refusal(command.exec()))
}

fn is_inside(expected: u32) -> bool {
    std::env::var(INSIDE).is_ok_and(|value| value == expected.to_string())
}

fn raise_loopback() -> Result<(), LabError> {
    RouteSocket::open()?.set_up("lo")
}

/// Runs one test of this binary in a child and shows what it prints.
fn run_again(test_path: &str, unshare: &Unshare) -> Result<ExitStatus, LabError> {
    let (reader, writer) =
        std::io::pipe().map_err(|error| LabError::system("make a pipe", error))?;
    let errors = writer.try_clone().map_err(|error| LabError::system("copy a pipe", error))?;
    let arguments = [test_path, "--exact", "--nocapture", "--test-threads=1"];
    let mut command = this_program(arguments.map(OsString::from));
    command.env(INSIDE, std::process::id().to_string()).stdout(writer).stderr(errors);
    unshare.before_exec(&mut command);
    end_with_parent(&mut command);
    let mut child = command.spawn().map_err(refusal)?;
    // The command holds the writing ends, and the reader below waits for the last one.
    drop(command);
    show(reader);
    child.wait().map_err(|error| LabError::system("wait for the child", error))
}

/// Prints with the macro that the harness captures, so that passing tests stay quiet.
fn show(reader: impl std::io::Read) {
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        print!("{}", String::from_utf8_lossy(&line));
        line.clear();
    }
}

fn this_program(arguments: impl IntoIterator<Item = OsString>) -> Command {
    // The link, not the path behind it: the file may have been replaced since the start.
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command.args(arguments);
    command
}

fn refusal(error: std::io::Error) -> LabError {
    let errno = error.raw_os_error().map_or(Errno::UnknownErrno, Errno::from_raw);
    LabError::Forbidden { errno, advice: advice::for_this_host() }
}
