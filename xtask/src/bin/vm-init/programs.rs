//! Running the test programs.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;
use xtask::vm::job::{Finished, HEALTH, Job, Program, RESULTS};

/// The bits of `kernel.tainted` for an oops and for a warning
/// (Documentation/admin-guide/tainted-kernels.rst). Any of our tests may cause them, and
/// none may.
const OOPS_OR_WARNING: u64 = 1 << 7 | 1 << 9;

/// Runs the programs, whatever becomes of each, and reports how each ended and whether the
/// kernel minded.
pub(super) fn run_all(job: &Job) -> Result<()> {
    let mut results = OpenOptions::new()
        .write(true)
        .open(RESULTS)
        .with_context(|| format!("cannot open {RESULTS}"))?;
    for program in &job.programs {
        println!("\n==> {}", program.name);
        let start = Instant::now();
        let code = match run(program, &job.variables) {
            Ok(code) => code,
            Err(error) => {
                eprintln!("error: {error:#}");
                None
            }
        };
        let milliseconds = u64::try_from(start.elapsed().as_millis())?;
        report(&mut results, &Finished { name: program.name.clone(), code, milliseconds })?;
    }
    let health = Finished { name: HEALTH.to_owned(), code: Some(health()?), milliseconds: 0 };
    report(&mut results, &health)
}

fn report(results: &mut File, finished: &Finished) -> Result<()> {
    Ok(writeln!(results, "{}", serde_json::to_string(finished)?)?)
}

/// Zero, unless the kernel has warned since it started; then its log says of what.
fn health() -> Result<i32> {
    let path = "/proc/sys/kernel/tainted";
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    Ok(i32::try_from(text.trim().parse::<u64>()? & OOPS_OR_WARNING)?)
}

fn run(program: &Program, variables: &[(String, String)]) -> Result<Option<i32>> {
    fs::create_dir_all(&program.directory)?;
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).current_dir(&program.directory);
    command.envs(variables.iter().cloned());
    let child =
        command.spawn().with_context(|| format!("cannot start {}", program.path.display()))?;
    wait_for(Pid::from_raw(i32::try_from(child.id())?))
}

/// Waits for a child, and meanwhile for every process whose parent ended before it, as is
/// the duty of a first process.
fn wait_for(child: Pid) -> Result<Option<i32>> {
    loop {
        match wait() {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(Some(code)),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => {
                eprintln!("error: ended by {signal}");
                return Ok(None);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => bail!("cannot wait for the program: {errno}"),
        }
    }
}
