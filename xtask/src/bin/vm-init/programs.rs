//! Running the test programs.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::Pid;
use xtask::vm::job::{Finished, Job, Program, RESULTS};

/// Runs the programs, whatever becomes of each, and reports how each ended.
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
        let finished = Finished { name: program.name.clone(), code, milliseconds };
        writeln!(results, "{}", serde_json::to_string(&finished)?)?;
    }
    Ok(())
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
