//! `cargo xtask bench`: see the library.

use std::process::ExitCode;

use nix::sched::{CloneFlags, unshare};
use portolan_bench::{Arguments, CountingAllocator, remove_when_interrupted, run};
use portolan_lab::RouteSocket;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::of_command_line();
    // What is over can be shown where nothing can be measured.
    if arguments.from.is_none() {
        // Before there is a second thread.
        enter_namespace()?;
        remove_when_interrupted()?;
    }
    run(&arguments)
}

/// Root needs no user namespace, and outside of one may send transactions of any size.
fn enter_namespace() -> anyhow::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Ok(()) => RouteSocket::open()?.set_up("lo")?,
        Err(_) => portolan_lab::enter_or_explain()?,
    }
    Ok(())
}
