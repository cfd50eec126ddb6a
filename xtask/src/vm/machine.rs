//! Running QEMU, or the programs without it.

use std::fs;
use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;

use super::job::{Finished, Program};
use crate::command::capture;
use crate::tools::qemu::Qemu;

/// A machine that prints nothing for so long has stopped. The slowest test takes a tenth.
const SILENCE: Duration = Duration::from_secs(600);

/// Memory of the machine, in MiB. QEMU takes from this machine only what is used.
const MEMORY: &str = "2048";

/// The machine has no clock that it would trust, no protection against neighbours to pay
/// for, and resets at once when its kernel panics, upon which QEMU ends.
const KERNEL_ARGUMENTS: &str =
    "console=ttyS0 quiet loglevel=4 panic=-1 reboot=t mitigations=off random.trust_cpu=on";

/// Boots a kernel with an initial file system, shows its console, and returns what it
/// reported once it is off. `directory` is for QEMU's files.
///
/// # Errors
/// When QEMU cannot be started, fails, or hangs.
pub(super) fn run(
    qemu: &Qemu,
    kernel: &Path,
    initramfs: &Path,
    directory: &Path,
) -> Result<Vec<Finished>> {
    let results = directory.join("results");
    let mut command = qemu.command();
    command.args(["-machine", "pc", "-accel", "tcg,thread=multi", "-smp", "2", "-cpu", "max"]);
    command.args(["-m", MEMORY, "-nodefaults", "-display", "none", "-no-reboot"]);
    command.args(["-serial", "stdio", "-serial"]).arg(format!("file:{}", results.display()));
    command.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    command.args(["-append", KERNEL_ARGUMENTS]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    end_with_this_process(&mut command);
    let mut child = command.spawn().context("cannot start QEMU")?;
    let outcome = show(&mut child);
    if outcome.is_err() {
        // It may have ended by itself in between, which is as good.
        child.kill().ok();
    }
    let status = child.wait()?;
    outcome?;
    if !status.success() {
        bail!("QEMU failed: {status}");
    }
    match fs::read_to_string(&results) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        text => Finished::parse(&text.unwrap_or_default()),
    }
}

/// Runs the programs on this machine's kernel.
///
/// # Errors
/// When one cannot be started.
pub(super) fn run_here(
    programs: &[Program],
    variables: &[(String, String)],
) -> Result<(String, Vec<Finished>)> {
    let mut finished = Vec::new();
    for program in programs {
        println!("\n==> {}", program.name);
        let start = Instant::now();
        let mut command = Command::new(&program.path);
        let status = command
            .args(&program.arguments)
            .envs(variables.iter().cloned())
            .current_dir(&program.directory)
            .status()?;
        let milliseconds = u64::try_from(start.elapsed().as_millis())?;
        finished.push(Finished { name: program.name.clone(), code: status.code(), milliseconds });
    }
    let release = capture(Command::new("uname").arg("-r"))?;
    Ok((release.trim().to_owned(), finished))
}

/// Copies the console to standard output until QEMU closes it.
fn show(child: &mut Child) -> Result<()> {
    let console = child.stdout.take().context("QEMU has no console")?;
    let chunks = read_in_background(console);
    let mut output = std::io::stdout().lock();
    loop {
        match chunks.recv_timeout(SILENCE) {
            Ok(chunk) => {
                output.write_all(&without_carriage_returns(&chunk))?;
                output.flush()?;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the machine printed nothing for {} s and was ended", SILENCE.as_secs())
            }
        }
    }
}

fn read_in_background(mut console: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = console.read(&mut buffer) {
            let chunk = buffer.get(..length).unwrap_or_default().to_vec();
            if sender.send(chunk).is_err() {
                break;
            }
        }
    });
    receiver
}

/// A terminal's line ends as a pipe's.
fn without_carriage_returns(chunk: &[u8]) -> Vec<u8> {
    chunk.iter().copied().filter(|byte| *byte != b'\r').collect()
}

/// An emulated machine takes whole processors, so none may be left behind.
#[expect(unsafe_code, reason = "only pre_exec runs code in the process to be")]
fn end_with_this_process(command: &mut Command) {
    // SAFETY: one system call, no allocation, no lock.
    unsafe {
        command.pre_exec(|| set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_is_shown_as_the_programs_printed_it() {
        assert_eq!(without_carriage_returns(b"a\r\nb\n"), b"a\nb\n");
    }
}
