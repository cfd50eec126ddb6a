//! The scheduler that a Service asks IPVS for.

use portolan_core::IpvsScheduler;

use super::path::Path;
use super::report::{Report, quoted};
use crate::field::Field;
use crate::manifest::Annotations;

const OURS: &str = "metadata.annotations[portolan.dev/ipvs-scheduler]";
const KUBE_ROUTER: &str = "metadata.annotations[kube-router.io/service.scheduler]";
const KUBE_ROUTER_FLAGS: &str = "metadata.annotations[kube-router.io/service.schedflags]";

/// Our annotation, or else kube-router's, so that a cluster which comes from there keeps its
/// schedulers. Ours wins even if it cannot be used: who wrote it did not mean the other.
/// kube-router knows fewer schedulers than IPVS and takes a word that it does not know for
/// `rr`; here every word that IPVS knows counts, and every other is reported.
pub(super) fn ipvs_scheduler(
    annotations: &Annotations,
    report: &mut Report,
) -> Option<IpvsScheduler> {
    if annotations.ipvs_scheduler.is_present() {
        return scheduler(&annotations.ipvs_scheduler, OURS, report);
    }
    let scheduler = scheduler(&annotations.kube_router_scheduler, KUBE_ROUTER, report)?;
    let flags = report.text(&annotations.kube_router_schedflags, Path::from(KUBE_ROUTER_FLAGS));
    Some(scheduler.with_numbered_flags(flags.unwrap_or_default()))
}

/// Absent and blank are alike.
fn scheduler(field: &Field<String>, path: &str, report: &mut Report) -> Option<IpvsScheduler> {
    let done = "the scheduler of the node counts (--ipvs-scheduler)";
    let text = report.read(field, path, done).ok().flatten()?;
    if text.trim().is_empty() {
        return None;
    }
    match text.parse() {
        Ok(scheduler) => Some(scheduler),
        Err(error) => {
            report.problem(path, format!("{}: {error}; {done}", quoted(text)));
            None
        }
    }
}
