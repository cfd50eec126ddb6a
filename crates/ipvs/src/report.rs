//! What several steps did together.

use portolan_core::SyncReport;

/// Adds up what steps did.
pub(crate) fn sum<const N: usize>(reports: [SyncReport; N]) -> SyncReport {
    let mut total = SyncReport::default();
    for report in reports {
        total.added += report.added;
        total.deleted += report.deleted;
        total.transactions += report.transactions;
        total.bytes += report.bytes;
        total.kernel += report.kernel;
    }
    total
}
