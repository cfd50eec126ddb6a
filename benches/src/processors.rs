//! Which processor a thread runs on.

use anyhow::Context as _;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// The one that client and server of a round trip share: the first that the caller may use.
///
/// On two of them, what is measured is mostly how the machine wakes an idle processor, which
/// takes a virtual one longer than the whole round trip; and left alone, the scheduler changes
/// between both ways for a whole run. On one, every step of a round trip follows the one
/// before, and a rule costs what it costs.
pub(crate) fn of_traffic() -> anyhow::Result<usize> {
    of(&allowed()?).first().copied().context("no processor")
}

/// Does something on one processor, with all threads that are started for it. The caller may
/// use all of its processors again afterwards.
pub(crate) fn on<R>(processor: usize, work: impl FnOnce() -> R) -> anyhow::Result<R> {
    let before = allowed()?;
    let mut one = CpuSet::new();
    one.set(processor)?;
    restrict(&one)?;
    let result = work();
    restrict(&before)?;
    Ok(result)
}

fn allowed() -> anyhow::Result<CpuSet> {
    sched_getaffinity(THIS_THREAD).context("cannot tell which processors there are")
}

fn restrict(processors: &CpuSet) -> anyhow::Result<()> {
    sched_setaffinity(THIS_THREAD, processors).context("cannot choose a processor")
}

fn of(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::count()).filter(|it| set.is_set(*it).unwrap_or(false)).collect()
}

/// `sched_setaffinity(2)`: zero is the calling thread.
const THIS_THREAD: Pid = Pid::from_raw(0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_its_threads_stay_on_one_processor_and_the_caller_may_leave_it() {
        let before = allowed().unwrap();
        let processor = *of(&before).last().unwrap();
        let seen = on(processor, || std::thread::spawn(|| of(&allowed().unwrap())).join().unwrap());
        assert_eq!(seen.unwrap(), [processor]);
        assert_eq!(allowed().unwrap(), before);
    }
}
