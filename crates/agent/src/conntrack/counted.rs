//! A flow table that counts what is done with it.

use portolan_core::{BackendError, Family, Protocol};
use portolan_netlink::conntrack::Flow;

use super::sweep::{FlowTable, OpenFlowTable};
use crate::metrics::FlowMetrics;

struct Counted {
    table: Box<dyn FlowTable>,
    metrics: FlowMetrics,
}

/// Opens the same tables, which count.
pub(super) fn counted(mut open: OpenFlowTable, metrics: FlowMetrics) -> OpenFlowTable {
    Box::new(move || {
        let table = open()?;
        Ok(Box::new(Counted { table, metrics: metrics.clone() }))
    })
}

impl FlowTable for Counted {
    fn flows(
        &mut self,
        family: Family,
        protocol: Protocol,
        unanswered: bool,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), BackendError> {
        let mut count = 0;
        let result = self.table.flows(family, protocol, unanswered, &mut |flow| {
            count += 1;
            visit(flow);
        });
        self.metrics.listed(family, count);
        result
    }

    fn delete(&mut self, flow: &Flow) -> Result<bool, BackendError> {
        let deleted = self.table.delete(flow)?;
        if deleted {
            self.metrics.deleted(Family::of(flow.original.destination.ip()));
        }
        Ok(deleted)
    }
}
